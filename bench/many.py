"""How much of one core many zones need, everything on, and how much memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench import material
from bench.figures import in_child, show
from bench.sound import keep, render

INDEPENDENT = 200
MANY = 1_000
_WARM_MINUTES = 0.5
_MINUTES = 1.0


def _share(zones: int, shared: bool, files: list[Path], clip: Path, kept: Path | None) -> None:  # noqa: FBT001
    """Unpaced, without the start: two runs, of which one is longer."""
    run = (render, files, clip, zones, shared)
    _, before_s, _ = in_child(*run, _WARM_MINUTES, kept)
    _, after_s, peak_mb = in_child(*run, _WARM_MINUTES + _MINUTES, kept)
    percent = (after_s - before_s) / _MINUTES / 60 * 100
    how = "that share a programme" if shared else "each with music of its own"
    source = ", from the cache" if kept else ""
    show(f"{zones} zones {how}{source}", percent, "% of a core", "target", 100.0)
    show("their renderer's memory", peak_mb, "MB", "3 MB each", 3.0 * zones)


def main() -> None:
    """Print all three ways."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files, clip = material.make(folder)
        in_child(keep, files, clip, kept := folder / "kept")
        _share(INDEPENDENT, False, files, clip, None)  # noqa: FBT003
        _share(MANY, False, files, clip, kept)  # noqa: FBT003
        _share(MANY, True, files, clip, None)  # noqa: FBT003

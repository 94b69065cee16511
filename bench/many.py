"""How much of one core many zones need, everything on, and how much memory."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench import material
from bench.figures import in_child, show
from bench.sound import decode_only, keep, render

INDEPENDENT = 200
MANY = 1_000
_WARM_MINUTES = 0.5
_MINUTES = 1.0
_BARE_MINUTES = 12


def _share(zones: int, shared: bool, files: list[Path], clip: Path, kept: Path | None) -> None:  # noqa: FBT001
    """Unpaced, without the start: two runs, of which one is longer."""
    run = (render, files, clip, zones, shared)
    _, before_s, _ = in_child(*run, _WARM_MINUTES, kept)
    _, after_s, peak_mb = in_child(*run, _WARM_MINUTES + _MINUTES, kept)
    *_, one_mb = in_child(render, files, clip, 1, shared, _WARM_MINUTES + _MINUTES, kept)
    percent = (after_s - before_s) / _MINUTES / 60 * 100
    how = "that share a programme" if shared else "each with music of its own"
    source = ", from the cache" if kept else ""
    show(f"{zones} zones {how}{source}", percent, "% of a core", "target", 100.0)
    further_mb = (peak_mb - one_mb) / (zones - 1)
    show("memory of their renderer", peak_mb, "MB")
    show("of that, each after the first", further_mb, "MB", "target", 3.0)


def main() -> None:
    """Print all three ways."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files, clip = material.make(folder)
        in_child(keep, files, clip, kept := folder / "kept")
        _, cpu_s, _ = in_child(decode_only, files, _BARE_MINUTES)
        percent = cpu_s / _BARE_MINUTES / 60 * INDEPENDENT * 100
        show(f"decode and resample alone, {INDEPENDENT} zones, now", percent, "% of a core")
        _share(INDEPENDENT, False, files, clip, None)  # noqa: FBT003
        _share(MANY, False, files, clip, kept)  # noqa: FBT003
        _share(MANY, True, files, clip, None)  # noqa: FBT003

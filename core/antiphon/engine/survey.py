"""The music in a folder and how loud it is. Runs in a job's process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from antiphon.engine.codec import Unplayable, measure

_FILES_AT_MOST = 100


def survey(
    folder: str, notes: str, progress: Callable[[float], None] | None = None
) -> list[dict[str, Any]]:
    """Path, loudness and true peak of the files in a folder and below that are audio.

    What was measured is noted in the file `notes` and not measured again.
    """
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())[:_FILES_AT_MOST]
    known = _read(Path(notes))
    Path(notes).parent.mkdir(parents=True, exist_ok=True)
    found = []
    for number, path in enumerate(files):
        key = f"{path}:{path.stat().st_mtime_ns}"
        if key not in known:
            known[key] = _measured(path)
            Path(notes).write_text(json.dumps(known))
        if (row := known[key]) is not None:
            found.append(row)
        if progress is not None:
            progress((number + 1) / len(files))
    return found


def _read(notes: Path) -> dict[str, Any]:
    try:
        known = json.loads(notes.read_text())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _measured(path: Path) -> dict[str, Any] | None:
    try:
        loudness = measure(path)
    except Unplayable:
        return None  # a cover, a text, a file that is broken
    return {
        "path": str(path),
        "lufs": loudness.integrated_lufs,
        "true_peak_db": loudness.true_peak_db,
    }

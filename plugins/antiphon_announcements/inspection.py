"""What a file is and how loud it is. Runs in a job's process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from antiphon.engine.codec import measure, probe
from antiphon.errors import UnsupportedMedia


def inspect(path: str) -> dict[str, Any]:
    """The file's container, length, loudness and true peak; or `problem`, why it can not be played.

    `loudness_lufs` is None for silence and for what is shorter than 400 ms.
    """
    try:
        info = probe(Path(path))
        loudness = measure(Path(path))
    except UnsupportedMedia as error:
        return {"problem": error.reason}
    return {
        "container": info.container,
        "duration_s": loudness.duration_s,
        "loudness_lufs": loudness.integrated_lufs,
        "true_peak_db": loudness.true_peak_db,
    }

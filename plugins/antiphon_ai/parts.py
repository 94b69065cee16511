"""The spoken parts of one text, as WAV files. Everything here blocks: call it in a thread."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path


def join(parts: Sequence[Path], destination: Path) -> bool:
    """Write those `parts` that exist as one file, which appears whole; False if there are none."""
    found = [part for part in parts if part.exists()]
    if len(found) < 2:
        for part in found:
            part.rename(destination)
        return bool(found)
    whole = destination.with_name(f"{destination.name}.whole")
    with wave.open(str(whole), "wb") as joined:
        for part in found:
            with wave.open(str(part), "rb") as file:
                if part is found[0]:
                    joined.setparams(file.getparams())
                joined.writeframes(file.readframes(file.getnframes()))
    whole.rename(destination)
    return True


def remove(parts: Sequence[Path]) -> None:
    """Remove what is left of `parts`."""
    for part in parts:
        part.unlink(missing_ok=True)

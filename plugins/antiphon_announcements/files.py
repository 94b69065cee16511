"""What happens to files on disk. Everything here blocks: call it in a thread."""

from __future__ import annotations

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path

_DISCARDED = "discarded.txt"


def move(source: Path, target: Path) -> None:
    """Move a file, also to another file system; its new folder is made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(source, target)


def share(source: Path, target: Path) -> tuple[int, str]:
    """Let `target` be the content of `source`, without a copy where the file system can.

    Returns its size and SHA-256.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    with target.open("rb") as file:
        return target.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()


def discard(data_dir: Path, path: Path) -> None:
    """Let `sweep` remove `path` at the next start: a call may still wait to play it."""
    with (data_dir / _DISCARDED).open("a", encoding="utf-8") as file:
        file.write(f"{path}\n")


def sweep(data_dir: Path, *leftovers: str) -> None:
    """Remove what was discarded, and files matching `leftovers` that a crash left behind."""
    discarded = data_dir / _DISCARDED
    with suppress(FileNotFoundError):
        for line in discarded.read_text(encoding="utf-8").splitlines():
            Path(line).unlink(missing_ok=True)
        discarded.unlink()
    for pattern in leftovers:
        for path in data_dir.glob(pattern):
            path.unlink(missing_ok=True)

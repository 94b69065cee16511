"""A sink that is a file."""

from __future__ import annotations

from pathlib import Path

from antiphon.engine.encode import FILE_FORMATS, FileEncoder
from antiphon.engine.sink import Sink
from antiphon.errors import Invalid


class FileSink(Sink):
    """Takes its time, so it is for rendering that nobody listens to."""

    def __init__(self, path: Path) -> None:
        """Begin the file. Raises Invalid on `output` where it can not be one."""
        if path.suffix.lower() not in FILE_FORMATS:
            endings = ", ".join(FILE_FORMATS)
            raise Invalid.field("output", f"{path.name!r} must end with one of {endings}")
        try:
            self._encoder = FileEncoder(path)
        except OSError as error:
            raise Invalid.field("output", f"{path} can not be written: {error}") from error

    def write(self, block: memoryview) -> None:
        """Encode it."""
        self._encoder.write(block)

    def close(self) -> None:
        """End the file."""
        self._encoder.close()

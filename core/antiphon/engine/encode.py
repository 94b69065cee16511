"""Encoding for listeners and for files of our own making. With `codec`, the only user of PyAV."""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from antiphon.engine.codec import Samples
from antiphon.engine.protocol import CHANNELS, SAMPLE_RATE

_FOREVER = 0xFFFFFFFF  # the length of a WAV stream whose end nobody knows


def write_flac(path: Path, samples: Samples) -> None:
    """Write 48 kHz stereo samples of shape (frames, 2) as a FLAC file."""
    with av.open(str(path), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE, layout="stereo")
        for start in range(0, len(samples), SAMPLE_RATE):
            block = np.ascontiguousarray(samples[start : start + SAMPLE_RATE])
            container.mux(stream.encode(_frame(block, start)))
        container.mux(stream.encode(None))


@dataclass(frozen=True, slots=True)
class _Format:
    container: str
    codec: str
    bit_rate: int | None = None


_FORMATS = {
    ".flac": _Format("flac", "flac"),
    ".wav": _Format("wav", "pcm_s16le"),
    ".mp3": _Format("mp3", "libmp3lame", 192_000),
    ".ogg": _Format("ogg", "libopus", 128_000),
    ".opus": _Format("ogg", "libopus", 128_000),
}
FILE_FORMATS = tuple(_FORMATS)
"""The endings of the names of files that `FileEncoder` writes."""


class FileEncoder:
    """Writes sound into a file piece by piece, in the format that its name ends with."""

    def __init__(self, path: Path) -> None:
        """Begin the file. Raises KeyError where the format is none of ours, OSError."""
        kind = _FORMATS[path.suffix.lower()]
        self._container = av.open(str(path), "w", format=kind.container)
        stream = self._container.add_stream(kind.codec, rate=SAMPLE_RATE, layout="stereo")
        self._stream = cast(AudioStream, stream)
        if kind.bit_rate is not None:
            self._stream.bit_rate = kind.bit_rate
        self._pending = bytearray()
        self._pts = 0

    def write(self, samples: memoryview) -> None:
        """Add samples: 48 kHz stereo s16."""
        self._pending += samples
        if len(self._pending) >= SAMPLE_RATE * CHANNELS * 2:
            self._encode()

    def _encode(self) -> None:
        block = np.frombuffer(bytes(self._pending), np.int16).reshape(-1, 2)
        self._pending.clear()
        if len(block):
            self._container.mux(self._stream.encode(_frame(block, self._pts)))
            self._pts += len(block)

    def close(self) -> None:
        """Write the rest and the file's end."""
        self._encode()
        self._container.mux(self._stream.encode(None))
        self._container.close()


def _frame(block: Samples, pts: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(block.reshape(1, -1), format="s16", layout="stereo")
    frame.sample_rate = SAMPLE_RATE
    frame.pts = pts
    return frame


class StreamEncoder(ABC):
    """Turns a zone's live samples into a stream that a browser plays. Blocking, but quick."""

    @abstractmethod
    def header(self) -> bytes:
        """What every listener gets first, whenever it joins."""

    @abstractmethod
    def encode(self, samples: bytes) -> bytes:
        """The stream's next bytes; may be empty while the encoder gathers a frame."""


class WavEncoder(StreamEncoder):
    """A WAV file without an end."""

    def header(self) -> bytes:
        """RIFF header with the largest length that fits."""
        width = CHANNELS * 2
        fmt = struct.pack("<HHIIHH", 1, CHANNELS, SAMPLE_RATE, SAMPLE_RATE * width, width, 16)
        riff = b"RIFF" + struct.pack("<I", _FOREVER) + b"WAVE"
        return riff + b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data" + b"\xff" * 4

    def encode(self, samples: bytes) -> bytes:
        """The samples as they are."""
        return samples


class OggOpusEncoder(StreamEncoder):
    """Opus in Ogg pages of at most 200 ms, at 128 kbit/s.

    Who joins later gets the header pages and then whatever page comes next, as with any Internet
    radio: players take the first page's time as their beginning.
    """

    def __init__(self) -> None:
        self._sink = _Tail()
        self._container = av.open(
            self._sink, "w", format="ogg", container_options={"page_duration": "200000"}
        )
        self._stream: AudioStream = self._container.add_stream(
            "libopus", rate=SAMPLE_RATE, layout="stereo", options={"b": "128000"}
        )
        self._pts = 0
        self._pending = b""

    def header(self) -> bytes:
        """The two header pages."""
        self._container.start_encoding()
        return self._sink.take()

    def encode(self, samples: bytes) -> bytes:
        """The pages that are complete by now."""
        self._pending += samples
        frame_bytes = 960 * CHANNELS * 2
        whole = len(self._pending) // frame_bytes * frame_bytes
        block = np.frombuffer(self._pending[:whole], np.int16).reshape(-1, 2)
        self._pending = self._pending[whole:]
        for start in range(0, len(block), 960):
            packets = self._stream.encode(_frame(block[start : start + 960], self._pts))
            self._container.mux(packets)
            self._pts += 960
        return self._sink.take()


class _Tail(BytesIO):
    """A file that libav writes to and that we empty."""

    def seekable(self) -> bool:
        return False

    def take(self) -> bytes:
        data = self.getvalue()
        self.truncate(0)
        self.seek(0)
        return data


ENCODERS: dict[str, type[StreamEncoder]] = {"wav": WavEncoder, "ogg": OggOpusEncoder}

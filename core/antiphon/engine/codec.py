"""The one file that imports PyAV: opening, decoding, measuring and encoding of audio.

Everything here blocks and belongs in the renderer's decode thread or in a job's process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import cast

import av
import av.error
import numpy as np
from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.filter import Graph
from av.stream import Discard
from numpy.typing import NDArray

from antiphon.engine.gains import db_to_gain
from antiphon.engine.protocol import CHANNELS, SAMPLE_RATE
from antiphon.errors import UnsupportedMedia

av.logging.set_level(av.logging.FATAL)  # libav's own complaints go into our exceptions instead

Samples = NDArray[np.int16]

_CORRUPT_PACKETS_IN_A_ROW = 100
_PROBE_SECONDS = 3.0
_FRAMES_GATHERED = 8192  # more costs less time, but memory in the resampler of every zone
_FRAMES_OUT = 8192


class Unplayable(UnsupportedMedia):
    """A file that holds no audio which can be decoded."""

    code = "unplayable"


@dataclass(frozen=True, slots=True)
class AudioInfo:
    """What a file says of itself. `duration_s` is the container's word, not a count of samples."""

    container: str
    codec: str
    sample_rate: int
    channels: int
    duration_s: float
    bit_rate: int | None


@dataclass(frozen=True, slots=True)
class Loudness:
    """EBU R128: integrated loudness (None for silence or less than 400 ms) and true peak."""

    integrated_lufs: float | None
    true_peak_db: float
    duration_s: float


def _open(path: str | Path) -> tuple[InputContainer, AudioStream]:
    name = Path(path).name
    try:
        # `file:` keeps a path with a colon in it from being read as a protocol.
        container = av.open(f"file:{path}", mode="r", metadata_errors="replace")
    except (av.error.FFmpegError, OSError) as error:
        raise Unplayable(name, _reason(error)) from error
    streams = container.streams.audio
    if not streams:
        container.close()
        raise Unplayable(name, "it holds no audio")
    stream = streams[0]
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all  # covers and video are never demuxed
    return container, stream


def _reason(error: Exception) -> str:
    if isinstance(error, av.error.InvalidDataError):
        return "it is not audio, or it is damaged"
    if isinstance(error, FileNotFoundError):
        return "the file is missing"
    if isinstance(error, av.error.EOFError):
        return "it is empty"
    return (getattr(error, "strerror", None) or str(error)).lower()


def probe(path: str | Path) -> AudioInfo:
    """Look into a file, by content and not by name, and decode its beginning.

    Raises Unplayable where there is no audio in it that can be decoded.
    """
    reader = Reader(path)
    with reader:
        decoded = 0
        for block in reader.blocks():
            decoded += len(block)
            if decoded >= _PROBE_SECONDS * SAMPLE_RATE:
                break
        if not decoded:
            raise Unplayable(Path(path).name, "it holds no samples")
        duration_s = reader.duration_s or decoded / SAMPLE_RATE
        return AudioInfo(
            container=reader.container.format.name,
            codec=reader.stream.codec_context.name,
            sample_rate=reader.stream.codec_context.sample_rate,
            channels=reader.stream.codec_context.channels,
            duration_s=duration_s,
            bit_rate=reader.container.bit_rate or None,
        )


class Reader:
    """Decodes one file to 48 kHz stereo s16, with a static gain applied while resampling.

    A context manager; use it from one thread at a time. A damaged packet is passed over; a file
    with nothing but damage ends early.
    """

    def __init__(self, path: str | Path, gain_db: float = 0.0) -> None:
        """Open the file. Raises Unplayable."""
        self.path = path
        self.container, self.stream = _open(path)
        self._gain_db = gain_db
        self._skip_until_s: float | None = None
        self.damaged_packets = 0

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the file; may be called twice."""
        self.container.close()

    @property
    def duration_s(self) -> float | None:
        """The length as the container states it, if it does."""
        if self.stream.duration is not None and self.stream.time_base is not None:
            return float(self.stream.duration * self.stream.time_base)
        if self.container.duration is not None:
            return self.container.duration / av.time_base
        return None

    def seek(self, position_s: float) -> None:
        """Let `blocks` start at this position, to the sample where the format tells its times."""
        self._skip_until_s = position_s
        # Start a little early: a lossy decoder needs some frames to be right again.
        target = max(0.0, position_s - 0.2)
        with suppress(av.error.FFmpegError):
            self.container.seek(int(target * av.time_base), backward=True)

    def blocks(self) -> Iterator[Samples]:
        """The samples from here on, in blocks of shape (frames, 2) of any length.

        Raises Unplayable where the file turns out not to be decodable at all.
        """
        frames = self.frames()
        first = next(frames, None)
        if first is None:
            return
        skip = self._to_skip(first)
        resampler = self._resampler()
        for frame in chain(_gathered(chain([first], frames)), [None]):
            for converted in self._resample(resampler, frame):
                block = _samples(converted)
                if skip:
                    dropped = min(skip, len(block))
                    skip -= dropped
                    block = block[dropped:]
                if len(block):
                    yield block

    def _to_skip(self, first: AudioFrame) -> int:
        """How many samples, from the first frame that is decoded on, lie before the position."""
        if self._skip_until_s is None:
            return 0
        starts_s = (first.time or 0.0) - self._start_s()
        return max(0, round((self._skip_until_s - starts_s) * SAMPLE_RATE))

    def _start_s(self) -> float:
        if self.stream.start_time is None or self.stream.time_base is None:
            return 0.0
        return max(0.0, float(self.stream.start_time * self.stream.time_base))

    def _resampler(self) -> AudioResampler:
        # `frame_size` also keeps PyAV from passing 48 kHz s16 through without the gain.
        options = {"internal_sample_fmt": "fltp", "rmvol": f"{db_to_gain(self._gain_db):.6f}"}
        size = _FRAMES_OUT
        return AudioResampler("s16", "stereo", SAMPLE_RATE, frame_size=size, options=options)

    def _resample(self, resampler: AudioResampler, frame: AudioFrame | None) -> list[AudioFrame]:
        try:
            return resampler.resample(frame)
        except (av.error.FFmpegError, ValueError) as error:
            raise Unplayable(Path(self.path).name, _reason(error)) from error

    def frames(self) -> Iterator[AudioFrame]:
        """Decoded frames, damage passed over."""
        damaged = 0
        packets = self.container.demux(self.stream)
        while True:
            try:
                packet = next(packets, None)
                if packet is None:
                    break
                frames = packet.decode()
            except (av.error.FFmpegError, ValueError):
                damaged += 1
                self.damaged_packets += 1
                if damaged > _CORRUPT_PACKETS_IN_A_ROW:
                    break
                continue
            if frames:
                damaged = 0
            yield from frames


def _gathered(frames: Iterator[AudioFrame]) -> Iterator[AudioFrame]:
    """The samples of `frames` in fewer and larger ones, all of the first one's format.

    A filter costs by the frame: with those of MP3, a quarter of all decoding would be that. The
    format may change midway, in what was recorded from a radio.
    """
    first = next(frames, None)
    if first is None:
        return
    fifo = AudioFifo()
    for form, alike in groupby(chain([first], frames), _format):
        for frame in alike if form == _format(first) else _converted(alike, first):
            frame.pts = None  # damage leaves gaps, which are closed
            fifo.write(frame)
            if fifo.samples >= _FRAMES_GATHERED:
                yield from _all_of(fifo)
    yield from _all_of(fifo)


def _format(frame: AudioFrame) -> tuple[int, str, str]:
    return frame.sample_rate, frame.layout.name, frame.format.name


def _converted(frames: Iterable[AudioFrame], like: AudioFrame) -> Iterator[AudioFrame]:
    resampler = AudioResampler(like.format, like.layout, like.sample_rate)
    for frame in chain(frames, [None]):
        for converted in resampler.resample(frame):
            converted.time_base = like.time_base
            yield converted


def _all_of(fifo: AudioFifo) -> Iterator[AudioFrame]:
    frame = fifo.read() if fifo.samples else None
    if frame is not None:
        yield frame


def _samples(frame: AudioFrame) -> Samples:
    plane = memoryview(frame.planes[0])  # shared with libav's buffer, not copied
    return np.frombuffer(plane, np.int16, count=frame.samples * 2).reshape(-1, 2)


def measure(path: str | Path, progress: Callable[[float], None] | None = None) -> Loudness:
    """Loudness and true peak after EBU R128 (ITU-R BS.1770), by libav's `ebur128` filter.

    A mono file is measured as one channel and played 3 dB down in two, which sounds as loud.
    `progress` is called with 0…1 now and then. Raises Unplayable.
    """
    with Reader(path) as reader:
        graph = Graph()
        source = graph.add_abuffer(template=reader.stream)
        meter = graph.add("ebur128", "peak=true:metadata=1:framelog=quiet")
        sink = graph.add("abuffersink")
        if reader.stream.codec_context.channels > CHANNELS:
            # Measure what will be heard: the same downmix as in `Reader.blocks`.
            down = graph.add("aresample", "ochl=stereo:rematrix_maxval=1.0")
            source.link_to(down)
            down.link_to(meter)
        else:
            source.link_to(meter)
        meter.link_to(sink)
        graph.configure()
        last: dict[str, str] = {}
        seconds = 0.0
        expected_s = reader.duration_s or 0.0
        told = 0.0
        for frame in _gathered(reader.frames()):
            seconds += frame.samples / frame.sample_rate
            last = _measured(graph, frame) or last
            if progress and expected_s and seconds - told > 10.0:
                told = seconds
                progress(min(1.0, seconds / expected_s))
        last = _measured(graph, None) or last
    if not seconds:
        raise Unplayable(Path(path).name, "it holds no samples")
    return Loudness(
        integrated_lufs=_integrated(last.get("lavfi.r128.I")),
        true_peak_db=_peak_db(last),
        duration_s=seconds,
    )


def _measured(graph: Graph, frame: AudioFrame | None) -> dict[str, str]:
    last: dict[str, str] = {}
    graph.push(frame)
    with suppress(av.error.BlockingIOError, av.error.EOFError):
        while True:
            last = dict(cast(AudioFrame, graph.pull()).metadata)
    return last


def _integrated(text: str | None) -> float | None:
    # The meter's absolute gate is −70 LUFS: a value there means that nothing passed it.
    if text is None or not math.isfinite(value := float(text)) or value <= -70.0:
        return None
    return value


def _peak_db(metadata: dict[str, str]) -> float:
    peaks = [float(v) for k, v in metadata.items() if "true_peaks_ch" in k]
    peak = max(peaks, default=0.0)
    return max(-120.0, 20 * math.log10(peak)) if peak > 0 else -120.0

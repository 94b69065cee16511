"""What one zone hears: its programme, a call over it, its volume, its limiter, its sink."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from antiphon.engine.codec import Samples
from antiphon.engine.gains import SILENCE_DB, db_to_gain, duck_gain, volume_gain
from antiphon.engine.programme import Programme
from antiphon.engine.protocol import Configure, Level
from antiphon.engine.ramps import Limiter, Mix, Ramp
from antiphon.engine.sink import Sink, TapSink
from antiphon.engine.voice import Voice

_VOLUME_S = 0.05
_SWAP_S = 0.04
_METER_EVERY = 10  # one block in ten is looked at: enough to tell silence and level


@dataclass(slots=True)
class _Meter:
    squares: float = 0.0
    samples: int = 0
    peak: float = 0.0
    blocks: int = 0


class Lane:
    """Mixes one zone, block by block, on the mixing thread.

    While nothing is mixed and the volume is 100 the programme's samples pass through untouched.
    """

    def __init__(self, zone: str, sink: Sink, volume: int, levels: Configure) -> None:
        self.zone = zone
        self.sink = sink
        self.tap: TapSink | None = None
        self.background_percent: int | None = None
        self.voice: Voice | None = None
        self._levels = levels
        self._programme: Programme | None = None
        self._leaving: Programme | None = None
        self._joining = Ramp(1.0)
        self._volume = Ramp(volume_gain(volume))
        self._duck_db = Ramp(0.0)
        self._voice_gain = Ramp(1.0)
        self._limiter = Limiter(levels.true_peak_db)
        self._meter = _Meter()
        self._silence = b""
        self._scaled: Mix = np.zeros((0, 2), np.float32)

    @property
    def programme(self) -> Programme | None:
        """What the zone is attached to."""
        return self._programme

    @property
    def audible(self) -> bool:
        """Whether music is heard."""
        return self._programme is not None and self._programme.audible

    def configure(self, levels: Configure) -> None:
        """Take over new levels and ramps; the ones under way end as they began."""
        self._levels = levels
        self._limiter = Limiter(levels.true_peak_db)

    def attach(self, programme: Programme | None) -> None:
        """Hear another programme, or none, with a short fade between them."""
        if programme is self._programme:
            return
        self._leaving, self._programme = self._programme, programme
        self._joining = Ramp(0.0)
        self._joining.to(1.0, _SWAP_S)

    def set_volume(self, percent: int) -> None:
        """Move to a volume."""
        self._volume.to(volume_gain(percent), _VOLUME_S)

    def speak(self, voice: Voice) -> None:
        """Let a call be heard and start to duck the music for it."""
        self.voice = voice
        self._voice_gain = Ramp(1.0)
        self._duck()

    def hush(self, fade_s: float) -> None:
        """Fade the call out here; `hushed` tells when it is gone."""
        self._voice_gain.to(0.0, fade_s)

    @property
    def hushed(self) -> bool:
        """Whether a call that was hushed is not heard any more."""
        return self._voice_gain.target == 0.0 and not self._voice_gain.moving

    def release(self) -> None:
        """The call is over: let the music come back up."""
        self.voice = None
        self._duck_db.to(0.0, self._levels.duck_up_s)

    def _duck(self) -> None:
        if self.voice is None or self._programme is None:
            return
        if self.background_percent is not None:
            bed_db = max(SILENCE_DB, _db(volume_gain(self.background_percent)))
        else:
            bed_db = duck_gain(self.voice.lufs, self._programme.lufs, self._levels.duck_gap_lu)
        if bed_db != self._duck_db.target:
            self._duck_db.to(bed_db, self._levels.duck_down_s)

    def process(self, frame: int, frames: int) -> None:
        """Mix the block that starts at `frame` and hand it to the sink."""
        music = self._programme.render(frame, frames) if self._programme else None
        mixing = (
            self.voice is not None
            or self._duck_db.value != 0.0
            or self._leaving is not None
            or self._joining.moving
            or self._limiter.acting
        )
        if mixing:
            block: Samples | None = self._mix(frame, frames, music)
        else:
            block = self._at_volume(music, frames)
        data = self._bytes(block, frames)
        self.sink.write(data)
        if self.tap is not None:
            self.tap.write(data)
        self._measure(block)

    def _bytes(self, block: Samples | None, frames: int) -> memoryview:
        if block is None:
            if len(self._silence) != frames * 4:
                self._silence = bytes(frames * 4)
            return memoryview(self._silence)
        return block.data.cast("B")

    def _at_volume(self, music: Samples | None, frames: int) -> Samples | None:
        if self._volume.moving:
            line = self._volume.block(frames)
            return None if music is None else _to_s16(music * line[:, None])
        if music is None or self._volume.value == 0.0:
            return None
        if self._volume.value == 1.0:
            return np.ascontiguousarray(music)
        if len(self._scaled) != frames:
            self._scaled = np.empty((frames, 2), np.float32)
        np.multiply(music, np.float32(self._volume.value), out=self._scaled, casting="unsafe")
        return _to_s16(self._scaled)

    def _mix(self, frame: int, frames: int, music: Samples | None) -> Samples:
        mixed: Mix = np.zeros((frames, 2), np.float32)
        if music is not None:
            mixed += music
        if self._joining.moving:
            mixed *= self._joining.block(frames)[:, None]
        if self._leaving is not None:
            self._fade_out_leaving(mixed, frame, frames)
        self._apply_duck(mixed, frames)
        spoken = self.voice.render(frame, frames) if self.voice else None
        if spoken is not None:
            gain = self._voice_gain
            mixed += spoken * gain.block(frames)[:, None] if gain.moving else spoken * gain.value
        volume = self._volume
        mixed *= volume.block(frames)[:, None] if volume.moving else np.float32(volume.value)
        self._limiter.apply(mixed)
        return _to_s16(mixed)

    def _fade_out_leaving(self, mixed: Mix, frame: int, frames: int) -> None:
        leaving, self._leaving = self._leaving, None
        music = leaving.render(frame, frames) if leaving else None
        if music is not None:
            mixed += music * np.linspace(1.0, 0.0, frames, dtype=np.float32)[:, None]

    def _apply_duck(self, mixed: Mix, frames: int) -> None:
        self._duck()
        if self._duck_db.moving:
            mixed *= np.power(np.float32(10.0), self._duck_db.block(frames) / 20)[:, None]
        elif self._duck_db.value != 0.0:
            mixed *= np.float32(db_to_gain(self._duck_db.value))

    def _measure(self, block: Samples | None) -> None:
        meter = self._meter
        meter.blocks += 1
        if meter.blocks % _METER_EVERY:
            return
        if block is None:
            meter.samples += 1
            return
        flat = block.reshape(-1).astype(np.float32)
        meter.squares += float(np.dot(flat, flat))
        meter.samples += len(flat)
        meter.peak = max(meter.peak, float(np.abs(flat).max()))

    def level(self) -> Level:
        """What went out since the last call of this, in dBFS."""
        meter, self._meter = self._meter, _Meter()
        rms = (meter.squares / meter.samples) ** 0.5 / 32768 if meter.samples else 0.0
        return Level(self.zone, _db(rms), _db(meter.peak / 32768))


def _db(gain: float) -> float:
    return max(SILENCE_DB, float(20 * np.log10(gain))) if gain > 0 else SILENCE_DB


def _to_s16(mixed: Mix) -> Samples:
    np.rint(mixed, out=mixed)
    return np.clip(mixed, -32768, 32767).astype(np.int16)

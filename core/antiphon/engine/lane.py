"""What one zone hears: its programme, a call over it, its volume, its limiter, its sink."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from antiphon.engine.codec import Samples
from antiphon.engine.gains import SILENCE_DB, db_to_gain, duck_gain, volume_gain
from antiphon.engine.limiter import AHEAD_FRAMES, Limiter
from antiphon.engine.programme import Programme
from antiphon.engine.protocol import Configure, Level
from antiphon.engine.ramps import Mix, Ramp, to_s16
from antiphon.engine.sink import Sink, TapSink
from antiphon.engine.voice import Voice

_VOLUME_S = 0.05
_SWAP_S = 0.04
_QUEUE_SHARE = 0.1
_QUEUE_JUMP_S = 0.05
_LN_PER_DB = float(np.log(10.0) / 20.0)


@dataclass(slots=True)
class _Meter:
    squares: float = 0.0
    samples: int = 0
    peak: float = 0.0


class Lane:
    """Mixes one zone, block by block, on the mixing thread.

    While nothing is mixed (the lane is calm) the programme's samples pass through: untouched at
    volume 100, scaled once for all zones of one volume below it.
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
        self._calm = False
        self._queued_s = 0.0

    @property
    def queued_s(self) -> float:
        """How long a block waits in the sink before it is taken, about."""
        return self._queued_s

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
        self._calm = False

    def set_volume(self, percent: int) -> None:
        """Move to a volume."""
        self._volume.to(volume_gain(percent), _VOLUME_S)
        self._calm = False

    def speak(self, voice: Voice) -> None:
        """Let a call be heard and start to duck the music for it."""
        self.voice = voice
        self._voice_gain = Ramp(1.0)
        self._calm = False
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

    def process(self, frame: int, frames: int, *, metered: bool) -> None:
        """Mix the block that starts at `frame` and hand it to the sink; look at its level too."""
        programme = self._programme
        if self._calm:
            gain = self._volume.value
            block = programme.at_volume(frame, frames, gain) if programme and gain else None
        else:
            block = self._mix(frame, frames, programme)
            self._calm = self._is_calm()
        data = self._silent(frames) if block is None else block.data.cast("B")
        if metered:
            self._look_at_queue()
        self.sink.write(data)
        if self.tap is not None:
            self.tap.write(data)
        if metered:
            self._measure(block)

    def _look_at_queue(self) -> None:
        """It swings by a block or two as reader and writer take turns: follow it slowly."""
        waiting_s = self.sink.waiting_s()
        self._queued_s += (waiting_s - self._queued_s) * _QUEUE_SHARE
        if abs(waiting_s - self._queued_s) > _QUEUE_JUMP_S:
            self._queued_s = waiting_s

    def _is_calm(self) -> bool:
        return (
            self.voice is None
            and self._duck_db.value == 0.0
            and self._leaving is None
            and not self._joining.moving
            and not self._volume.moving
            and not self._limiter.acting
        )

    def _silent(self, frames: int) -> memoryview:
        if len(self._silence) != frames * 4:
            self._silence = bytes(frames * 4)
        return memoryview(self._silence)

    def _mix(self, frame: int, frames: int, programme: Programme | None) -> Samples:
        volume = self._gains(self._volume, frames)
        music = programme.render(frame, frames) if programme else None
        bed = self._bed(frames)
        if music is None:
            mixed: Mix = np.zeros((frames, 2), np.float32)
        else:
            mixed = np.multiply(music, bed * volume, dtype=np.float32)
        if self._joining.moving:
            mixed *= self._gains(self._joining, frames)
        if self._leaving is not None:
            self._fade_out_leaving(mixed, frame, frames)
        if self.voice is not None and (spoken := self.voice.render(frame, frames)) is not None:
            mixed += spoken * (volume * self._gains(self._voice_gain, frames))
        self._limiter.apply(mixed, self._ahead(programme))
        return to_s16(mixed, frame)

    def _ahead(self, programme: Programme | None) -> Mix | None:
        """About what the next block begins with: gains move little in 1.5 ms."""
        ahead: Mix = np.zeros((AHEAD_FRAMES, 2), np.float32)
        if programme is not None and (music := programme.ahead()) is not None:
            ahead += music * np.float32(db_to_gain(self._duck_db.value))
        if self.voice is not None and (spoken := self.voice.ahead()) is not None:
            ahead += spoken * np.float32(self._voice_gain.value)
        ahead *= np.float32(self._volume.value)
        return ahead

    @staticmethod
    def _gains(ramp: Ramp, frames: int) -> Mix | np.float32:
        return ramp.block(frames)[:, None] if ramp.moving else np.float32(ramp.value)

    def _bed(self, frames: int) -> Mix | np.float32:
        """The duck's gains for the music; the duck follows the track that is heard."""
        self._duck()
        if self._duck_db.moving:
            line: Mix = np.exp(self._duck_db.block(frames) * np.float32(_LN_PER_DB))[:, None]
            return line
        return np.float32(db_to_gain(self._duck_db.value))

    def _fade_out_leaving(self, mixed: Mix, frame: int, frames: int) -> None:
        leaving, self._leaving = self._leaving, None
        music = leaving.render(frame, frames) if leaving else None
        if music is not None:
            line = np.linspace(self._volume.value, 0.0, frames, dtype=np.float32)
            mixed += music * line[:, None]

    def _measure(self, block: Samples | None) -> None:
        meter = self._meter
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

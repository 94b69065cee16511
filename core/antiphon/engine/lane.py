"""What one zone hears: its programme, a call over it, its volume, its limiter, its sink."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from antiphon.engine.codec import Samples
from antiphon.engine.cushion import Cushion
from antiphon.engine.gains import SILENCE_DB, db_to_gain, duck_gain, volume_gain
from antiphon.engine.limiter import AHEAD_FRAMES, Limiter
from antiphon.engine.programme import Programme
from antiphon.engine.protocol import SAMPLE_RATE, Configure, Level
from antiphon.engine.ramps import Mix, Ramp, count, to_s16
from antiphon.engine.sink import Sink, TapSink
from antiphon.engine.still import Block, Part, still_block
from antiphon.engine.voice import Voice

_VOLUME_S = 0.05
_SWAP_S = 0.04
_FALLBACK_S = 1.0
_QUIET = 32768 * 10 ** (-60 / 20)  # music that nobody hears
METER_EVERY = 10  # one block in ten is looked at: enough to tell level and silence
_LN_PER_DB = float(np.log(10.0) / 20.0)


@dataclass(frozen=True, slots=True)
class Fallback:
    """Music for zones that should play and are silent for `after_s`."""

    programme: Programme
    after_s: float


@dataclass(slots=True)
class _Meter:
    mean_squares: float = 0.0
    looks: int = 0
    peak: float = 0.0


class Lane:
    """Mixes one zone, block by block, on the mixing thread.

    While no gain moves (the lane is even), lanes that hear the same share their blocks.
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
        self._presence = Ramp(1.0)
        self._limiter = Limiter(levels.true_peak_db)
        self._meter = _Meter()
        self._is_silent = False
        self._safety: Fallback | None = None
        self._safety_gain = Ramp(0.0)
        self._quiet_s = 0.0
        self._even = False
        self._parts: tuple[Part, ...] = ()  # what is heard while it is even
        self._cushion = Cushion()

    @property
    def queued_s(self) -> float:
        """How long a block waits in the sink before it is taken, about."""
        return self._cushion.mean_s

    def look_at_queue(self) -> None:
        """See how much waits in the sink, to keep it level; see `Cushion`."""
        self._cushion.look(self.sink)

    @property
    def programme(self) -> Programme | None:
        """What the zone is attached to."""
        return self._programme

    @property
    def is_away(self) -> bool:
        """Whether the music has made way for a call: nothing of it is taken here until then."""
        return self._presence.value == self._presence.target == 0.0

    @property
    def audible(self) -> bool:
        """Whether music is heard."""
        return self._programme is not None and self._programme.audible

    @property
    def quiet_s(self) -> float:
        """For how long there has been no music where there should be some."""
        return self._quiet_s

    @property
    def has_fallen_back(self) -> bool:
        """Whether the fallback is heard, or about to be."""
        return self._safety_gain.target > 0.0

    def set_fallback(self, fallback: Fallback | None) -> None:
        """What is to be heard where there should be music and is none."""
        self._safety = fallback
        self._safety_gain.jump(0.0)
        self._quiet_s = 0.0
        self._even = False

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
        self._even = False

    def set_volume(self, percent: int) -> None:
        """Move to a volume."""
        self._volume.to(volume_gain(percent), _VOLUME_S)
        self._even = False

    def speak(self, voice: Voice) -> None:
        """Let a call be heard and start to duck the music for it."""
        self.voice = voice
        self._voice_gain = Ramp(1.0)
        self._even = False
        if voice.pauses:
            self._presence.to(0.0, self._levels.duck_down_s if self.audible else 0.0)
        self._duck()

    def hush(self, fade_s: float) -> None:
        """Fade the call out here; `hushed` tells when it is gone."""
        self._voice_gain.to(0.0, fade_s)
        self._even = False

    @property
    def hushed(self) -> bool:
        """Whether a call that was hushed is not heard any more."""
        return self._voice_gain.target == 0.0 and not self._voice_gain.moving

    def release(self) -> None:
        """The call is over: let the music come back up; what begins behind it comes as it is."""
        self.voice = None
        self._even = False
        if self.audible:
            self._duck_db.to(0.0, self._levels.duck_up_s)
            self._presence.to(1.0, self._levels.duck_up_s)
        else:
            self._duck_db.jump(0.0)
            self._presence.jump(1.0)

    def _duck(self) -> None:
        if self.voice is None or self.voice.pauses or self._programme is None:
            return
        if self.background_percent is not None:
            bed_db = max(SILENCE_DB, _db(volume_gain(self.background_percent)))
        else:
            bed_db = duck_gain(self.voice.lufs, self._programme.lufs, self._levels.duck_gap_lu)
        if bed_db != self._duck_db.target:
            self._duck_db.to(bed_db, self._levels.duck_down_s)
            self._even = False

    def process(self, frame: int, frames: int, *, metered: bool) -> None:
        """Mix the block that starts at `frame` and hand it to the sink; look at its level too."""
        if self.voice is not None:
            self._duck()  # it follows the track that is heard
        block = still_block(frame, frames, self._parts) if self._even else None
        if block is None or not self._passes(block):
            block = Block.of(self._mix(frame, frames))
            self._settle()
        if self._cushion.due:
            block = Block.of(self._cushion.splice(block.samples))
        self.sink.write(block.data)
        if self.tap is not None:
            self.tap.write(block.data)
        if metered:
            self._measure(block)
            self._watch(METER_EVERY * frames / SAMPLE_RATE)

    def _passes(self, block: Block) -> bool:
        """Whether no limiter is needed, as for silence, or music alone: its peaks are measured."""
        if self.voice is None or not self._volume.value:
            return True
        return self._limiter.passes(block.samples, block.at_most)

    def _settle(self) -> None:
        """Find out whether the lane is even from here on, and what is heard then."""
        self._even = self._is_even()
        if not self._even:
            return
        volume = self._volume.value
        music = volume * db_to_gain(self._duck_db.value) * self._presence.value
        parts: list[Part] = []
        if self._programme is not None and not self.is_away:
            parts.append((self._programme, music))
        if self.voice is not None:
            parts.append((self.voice, volume * self._voice_gain.value))
        self._parts = tuple(parts)

    def _is_even(self) -> bool:
        """Whether no gain moves, and nothing is heard but the programme and a call."""
        ramps = (
            self._volume, self._duck_db, self._voice_gain, self._presence, self._joining,
            self._safety_gain,
        )  # fmt: skip
        return (
            self._leaving is None
            and self._safety_gain.value == 0.0
            and not self._limiter.acting
            and not any(ramp.moving for ramp in ramps)
        )

    def _mix(self, frame: int, frames: int) -> Samples:
        programme = self._programme
        gains_at_most = self._gains_at_most()
        leaving = self._leaving
        volume = self._gains(self._volume, frames)
        music = programme.render(frame, frames) if programme and not self.is_away else None
        bed = self._bed(frames) * self._gains(self._presence, frames)
        if music is None:
            mixed: Mix = np.zeros((frames, 2), np.float32)
        else:
            mixed = np.multiply(music, bed * volume, dtype=np.float32)
        if self._joining.moving:
            mixed *= self._gains(self._joining, frames)
        if leaving is not None:
            self._fade_out(leaving, mixed, frame)
        if self._safety_gain.value or self._safety_gain.moving:
            self._add_fallback(mixed, frame, bed * volume)
        if self.voice is not None and (spoken := self.voice.render(frame, frames)) is not None:
            mixed += spoken * (volume * self._gains(self._voice_gain, frames))
        if not self._limiter.passes(mixed, self._at_most(programme, leaving, *gains_at_most)):
            self._limiter.apply(mixed, self._ahead(programme))
        return to_s16(mixed, frame)

    def _gains_at_most(self) -> tuple[float, float]:
        """What music and voice will be multiplied by in the next block, at most."""
        music = db_to_gain(self._duck_db.most) * self._presence.most
        return self._volume.most * music, self._volume.most * self._voice_gain.most

    def _at_most(
        self, programme: Programme | None, leaving: Programme | None, music: float, voice: float
    ) -> float:
        """No magnitude of the block, or of what follows it, is larger than this."""
        most = 0.0
        if programme is not None:
            most += music * programme.loudest()
        if leaving is not None:
            most += self._volume.most * leaving.loudest()
        if self._safety is not None and (self._safety_gain.value or self._safety_gain.moving):
            most += music * self._safety.programme.loudest()
        if self.voice is not None:
            most += voice * self.voice.loudest()
        return most

    def _ahead(self, programme: Programme | None) -> Mix | None:
        """About what the next block begins with: gains move little in 1.5 ms."""
        ahead: Mix = np.zeros((AHEAD_FRAMES, 2), np.float32)
        if programme is not None and (music := programme.ahead()) is not None:
            ahead += music * np.float32(db_to_gain(self._duck_db.value) * self._presence.value)
        if self.voice is not None and (spoken := self.voice.ahead()) is not None:
            ahead += spoken * np.float32(self._voice_gain.value)
        ahead *= np.float32(self._volume.value)
        return ahead

    @staticmethod
    def _gains(ramp: Ramp, frames: int) -> Mix | np.float32:
        return ramp.block(frames) if ramp.moving else np.float32(ramp.value)

    def _bed(self, frames: int) -> Mix | np.float32:
        """The duck's gains for the music."""
        if self._duck_db.moving:
            line: Mix = np.exp(self._duck_db.block(frames) * np.float32(_LN_PER_DB))
            return line
        return np.float32(db_to_gain(self._duck_db.value))

    def _fade_out(self, leaving: Programme, mixed: Mix, frame: int) -> None:
        self._leaving = None
        music = None if self.is_away else leaving.render(frame, len(mixed))
        if music is not None:
            gain = self._volume.value * self._presence.value
            line = count(0, len(mixed))
            line *= np.float32(-gain / len(mixed))
            mixed += music * (line + np.float32(gain))

    def _add_fallback(self, mixed: Mix, frame: int, gains: Mix | np.float32) -> None:
        if self._safety is None:
            return
        music = self._safety.programme.render(frame, len(mixed))
        line = self._gains(self._safety_gain, len(mixed))
        if music is not None:
            mixed += music * (line * gains)

    def _watch(self, seconds: float) -> None:
        """See whether there is music where there should be, and fall back to what there is."""
        programme, safety = self._programme, self._safety
        if self.voice is not None:
            return  # for which the music may have made way
        is_asked = programme is not None and programme.is_asked_to_play
        is_quiet = is_asked and programme is not None and programme.loudest() < _QUIET
        self._quiet_s = self._quiet_s + seconds if is_quiet else 0.0
        if safety and self.has_fallen_back != (self._quiet_s >= safety.after_s):
            self._safety_gain.to(0.0 if self.has_fallen_back else 1.0, _FALLBACK_S)
            self._even = False

    def _measure(self, block: Block) -> None:
        meter = self._meter
        mean_square, highest = block.power
        meter.mean_squares += mean_square
        meter.looks += 1
        meter.peak = max(meter.peak, highest)

    def level(self) -> Level | None:
        """What went out since the last call of this, in dBFS; None for silence told before."""
        meter, self._meter = self._meter, _Meter()
        was_silent, self._is_silent = self._is_silent, meter.peak == 0
        if was_silent and self._is_silent:
            return None
        rms = (meter.mean_squares / meter.looks) ** 0.5 / 32768 if meter.looks else 0.0
        return Level(self.zone, _db(rms), _db(meter.peak / 32768))


def _db(gain: float) -> float:
    return max(SILENCE_DB, float(20 * np.log10(gain))) if gain > 0 else SILENCE_DB

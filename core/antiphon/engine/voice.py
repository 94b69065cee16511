"""A call as it sounds: lead-in, chime, clip and chime, rendered once for all its zones."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np

from antiphon.engine.codec import Samples
from antiphon.engine.deck import NOTHING, Deck, Feeder
from antiphon.engine.limiter import AHEAD_FRAMES
from antiphon.engine.protocol import SAMPLE_RATE, StartCall
from antiphon.engine.ramps import Mix
from antiphon.engine.still import Stretch

_EDGE_S = 0.04
_EDGE_FRAMES = int(_EDGE_S * SAMPLE_RATE)
_AFTER_CHIME_S = 0.15


class Voice:
    """One call's own timeline, which starts in all its zones on the same frame.

    Without a chime the clip waits for `lead_s`, so that the duck is complete before the first
    word; a chime sounds at once and the clip follows it. A chime that can not be read is left out.
    `pauses`: the music makes way for it altogether.
    """

    def __init__(self, command: StartCall, feeder: Feeder) -> None:
        clip, chime, after = command.clip, command.chime, command.chime_after
        self.lufs = clip.lufs
        self.kept: dict[Hashable, Stretch] = {}
        self.pauses = command.pause
        self.started = False
        self.finished = False
        self._feeder = feeder
        self._clip = Deck(clip.path, clip.gain_db)
        self._chime = Deck(chime.path, chime.gain_db) if chime else None
        self._after = Deck(after.path, after.gain_db) if after else None
        self._decks = [deck for deck in (self._chime, self._clip, self._after) if deck is not None]
        self._wait = 0
        self._silence = 0
        self._rested = False
        self._lead = 0
        self._heard = 0
        self._rendered_at = -1
        self._rendered: Mix | Samples | None = None
        self._plain = 0  # frames of it, if they are the clip's own
        self._feed()

    @property
    def ready(self) -> bool:
        """Whether it can start (or has failed)."""
        self._feed()
        return self._clip.ready and (self._chime is None or self._chime.ready)

    @property
    def error(self) -> str | None:
        """Why there is nothing to hear; None if there is. Holds once `ready`."""
        return (self._clip.error or "it can not be read") if self._clip.failed else None

    @property
    def heard_s(self) -> float:
        """Seconds of chimes and clip that went out."""
        return self._heard / SAMPLE_RATE

    @property
    def duration_s(self) -> float:
        """Length of the clip as far as it is known."""
        return self._clip.duration_s or 0.0

    def lead_in(self, lead_s: float) -> int:
        """How many frames go by from its begin to its first sound, at least."""
        is_chimed = self._chime is not None and not self._chime.failed
        return 0 if is_chimed else int(lead_s * SAMPLE_RATE)

    def begin(self, lead_s: float, wait: int = 0) -> int:
        """Start with the next block. Returns after how many frames the first sound comes.

        It comes after `wait` frames, if these are more than the lead-in.
        """
        self.started = True
        self._lead = int(lead_s * SAMPLE_RATE)
        lead_in = self.lead_in(lead_s)
        if self._chime is None or self._chime.failed:
            self._chime = None
            self._silence = lead_in
        self._wait = max(0, wait - lead_in)
        return self._wait + self._silence

    def advance(self, frame: int, frames: int) -> bool:
        """Go on to the block that starts at `frame`; False where it is silent."""
        return self.render(frame, frames) is not None

    def render(self, frame: int, frames: int) -> Mix | Samples | None:
        """Go on to the block that starts at `frame`: samples in s16 units, or None for silence.

        Zones share the array: never write into it.
        """
        if frame != self._rendered_at:
            self._rendered_at = frame
            self._feed()
            self._plain = frames if self._sure() >= frames else 0
            if self._plain:
                self._heard += frames
                self._rendered = self._clip.take(frames)
            else:
                self._rendered = self._render(frames)
        return self._rendered

    def _sure(self) -> int:
        """How many frames of the clip follow as they are, without an edge."""
        clip = self._clip
        is_in_clip = self._chime is None and not (self._wait or self._silence or self._rested)
        return clip.available - _EDGE_FRAMES if is_in_clip and clip.heard_s >= _EDGE_S else 0

    def at_hand(self, frames: int) -> Samples:
        """The block that it has come to and what is sure to follow it, up to `frames` in all."""
        if not self._plain:
            return NOTHING
        return self._clip.at_hand(min(frames, self._plain + max(0, self._sure())))

    def ahead(self) -> Samples | None:
        """The next samples, for a limiter; None while there are none or it is not sure."""
        if self._wait or self._chime is not None or self._silence:
            return None
        deck = self._after if self._rested else self._clip
        if deck is None:
            return None
        ahead = deck.peek(AHEAD_FRAMES)
        return ahead if len(ahead) == AHEAD_FRAMES else None

    def loudest(self) -> float:
        """No magnitude in the block that was rendered last, or in `ahead`, is larger than this."""
        return max(deck.loudest for deck in self._decks)

    def _render(self, frames: int) -> Mix | None:
        mixed: Mix = np.zeros((frames, 2), np.float32)
        at = 0
        while at < frames and not self.finished:
            at += self._part(mixed[at:])
        return mixed if at else None

    def _part(self, into: Mix) -> int:
        """Put the next part of the timeline into `into`; returns how many frames it took."""
        if self._wait:
            count = min(self._wait, len(into))
            self._wait -= count
            return count
        if self._chime is not None:
            if count := self._play(self._chime, into):
                return count
            heard = int(self._chime.heard_s * SAMPLE_RATE)
            self._silence = max(int(_AFTER_CHIME_S * SAMPLE_RATE), self._lead - heard)
            self._chime = None
        if self._silence:
            count = min(self._silence, len(into))
            self._silence -= count
            return count
        if count := self._play(self._clip, into):
            return count
        if not self._clip.ended:
            return len(into)  # the feeder is late: the clip waits, it loses nothing
        return self._chime_after(into)

    def _chime_after(self, into: Mix) -> int:
        after, is_over = self._after, self._after is None or self._after.failed
        if after is not None and not is_over:
            if not self._rested:
                self._rested = True
                self._silence = int(_AFTER_CHIME_S * SAMPLE_RATE)
                return 0
            if count := self._play(after, into):
                return count
            is_over = after.ended
        self.finished = is_over
        return 0 if is_over else len(into)

    def _play(self, deck: Deck, into: Mix) -> int:
        before = round(deck.heard_s * SAMPLE_RATE)
        samples = deck.take(len(into))
        count = len(samples)
        if not count:
            return 0
        into[:count] = samples
        if before < _EDGE_FRAMES:
            into[:count] *= _edge(before + np.arange(count))
        if deck.ended and deck.available < _EDGE_FRAMES:
            into[:count] *= _edge(deck.available + np.arange(count)[::-1])
        self._heard += count
        return count

    def _feed(self) -> None:
        for deck in self._decks:
            if deck.hungry:
                self._feeder.feed(deck)

    def close(self) -> None:
        """Release the files."""
        for deck in self._decks:
            deck.close()


def _edge(distance: np.ndarray[tuple[int, ...], np.dtype[np.int_]]) -> Mix:
    """Gains near an edge of a clip, by the distance to it in frames."""
    line = np.minimum(1.0, (distance + 1) / _EDGE_FRAMES).astype(np.float32)
    return line[:, None]

"""A programme: a running sequence of tracks, rendered once for all zones that share it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import numpy as np

from antiphon.engine.codec import Samples
from antiphon.engine.deck import NOTHING, Deck, Feeder
from antiphon.engine.limiter import AHEAD_FRAMES, Limiter, peak
from antiphon.engine.protocol import (
    SAMPLE_RATE,
    Position,
    ProgrammeEnded,
    Report,
    Track,
    TrackFailed,
    TrackFinished,
    TrackStarted,
)
from antiphon.engine.ramps import Mix, Ramp, count, to_s16
from antiphon.engine.still import Stretch

_SKIP_FADE_FRAMES = int(0.04 * SAMPLE_RATE)
_PAUSE_FADE_S = 0.1


@dataclass(slots=True)
class _Playing:
    track: Track
    deck: Deck

    @property
    def position_s(self) -> float:
        return self.deck.position_s + self.deck.heard_s


class Programme:
    """Plays tracks gaplessly or with a crossfade. Lives on the mixing thread.

    The music never waits: a track that can not be read is reported and passed over, and where
    the feeder is late the block is silent and counted as starved.
    """

    def __init__(
        self,
        name: str,
        feeder: Feeder,
        report: Callable[[Report], None],
        ceiling_db: float = -1.5,
    ) -> None:
        self.name = name
        self.kept: dict[Hashable, Stretch] = {}
        self.waits = False  # behind the current track, for as long as somebody wants to speak there
        self._limiter = Limiter(ceiling_db)
        self._starved_frames = 0
        self._feeder = feeder
        self._report = report
        self._upcoming: deque[Track] = deque()
        self._current: _Playing | None = None
        self._next: _Playing | None = None
        self._incoming: _Playing | None = None
        self._outgoing: Mix | None = None
        self._fade_in = 0
        self._crossfade_frames = 0
        self._crossing = 0
        self._crossing_of = 0
        self._playing = False
        self._steady = False
        self._pause = Ramp(1.0)
        self._ended = True
        self._rendered_at = -1
        self._rendered: Samples | None = None
        self._is_plain = False

    # --- commands -----------------------------------------------------------------------------

    def load(
        self, tracks: tuple[Track, ...], position_s: float, crossfade_s: float, *, playing: bool
    ) -> None:
        """Play these tracks, as soon as the first has samples; until then the old music goes on."""
        self._steady = False
        self._close(self._incoming)
        self._incoming = None
        self._crossfade_frames = int(crossfade_s * SAMPLE_RATE)
        self._upcoming = deque(tracks)
        self._incoming = self._open_upcoming(position_s)
        self._ended = False
        if playing:
            self._playing = True
        elif not self._playing or self._current is None:
            self._playing = False
            self._pause.jump(0.0)
        else:
            self.pause()

    def set_upcoming(self, tracks: tuple[Track, ...]) -> None:
        """Replace what follows, but for a track that is being faded into already.

        Who sends this may not know yet that the next track has begun: it is not played again.
        """
        self._upcoming = deque(self._after_what_began(tracks))
        if self._next is not None and not self._crossing:
            self._close(self._next)
            self._next = None
        self._ended = False

    def pause(self) -> None:
        """Fade out, then hold the position."""
        self._steady = False
        self._playing = False
        self._pause.to(0.0, _PAUSE_FADE_S)

    def resume(self) -> None:
        """Go on with a fade."""
        self._steady = False
        self._playing = True
        self._pause.to(1.0, _PAUSE_FADE_S)

    def close(self) -> None:
        """Release all files."""
        self._close(self._current, self._next, self._incoming)
        self._current = self._next = self._incoming = None

    # --- what others read ----------------------------------------------------------------------

    @property
    def lufs(self) -> float:
        """Loudness of the track that is heard, after its gain."""
        return self._current.track.lufs if self._current else -18.0

    @property
    def audible(self) -> bool:
        """Whether music is heard now."""
        return self._current is not None and (self._playing or self._pause.moving)

    @property
    def is_asked_to_play(self) -> bool:
        """Whether there should be music now, be there any or not."""
        return self._playing and not self.waits

    def take_starved_s(self) -> float:
        """Seconds that were silent because the feeder was late, since the last call of this."""
        frames, self._starved_frames = self._starved_frames, 0
        return frames / SAMPLE_RATE

    def position(self) -> Position | None:
        """Where it is, for a report."""
        at = self._next if self._crossing and self._next else self._current
        if at is None:
            return None
        return Position(self.name, at.track.entry, at.position_s, self._playing)

    # --- rendering ------------------------------------------------------------------------------

    def advance(self, frame: int, frames: int) -> bool:
        """Go on to the block that starts at `frame`; False where it is silent."""
        if frame != self._rendered_at:
            self._rendered_at = frame
            current = self._current
            if self._steady and current is not None and not current.deck.ended:
                # Nearly every block of a programme's life: nothing changes, nothing is mixed.
                self._pass_on(current, frames)
            else:
                self._is_plain = False
                self.kept.clear()
                self._rendered = self._render(frames)
                self._steady = self._is_steady()
        return self._is_plain or self._rendered is not None

    def render(self, frame: int, frames: int) -> Samples | None:
        """Go on to the block that starts at `frame`: shape (frames, 2), or None for silence.

        Zones that share the programme get the same array: never write into it.
        """
        self.advance(frame, frames)
        if self._rendered is None and self._is_plain and self._current is not None:
            self._rendered = self._current.deck.at_hand(frames)
        return self._rendered

    def at_hand(self, frames: int) -> Samples:
        """The block that it has come to and what is sure to follow it, up to `frames` in all."""
        if not self._is_plain or self._current is None or self._current.deck.ended:
            return NOTHING
        return self._current.deck.at_hand(frames)

    def ahead(self) -> Samples | None:
        """What will follow the block that was rendered last, for a limiter; None if not sure."""
        if not self._steady or self._current is None:
            return None
        ahead = self._current.deck.peek(AHEAD_FRAMES)
        return ahead if len(ahead) == AHEAD_FRAMES else None

    def loudest(self) -> float:
        """No magnitude in the block that was rendered last, or in `ahead`, is larger than this."""
        if self._is_plain and self._current is not None:
            return self._current.deck.loudest  # known since it was decoded: costs no look
        return peak(self._rendered, self.ahead())

    def _is_steady(self) -> bool:
        return (
            self._playing
            and self._pause.value == 1.0
            and self._incoming is None
            and self._outgoing is None
            and not self._fade_in
        )

    def _pass_on(self, current: _Playing, frames: int) -> None:
        """The next block is the deck's own; who wants to see it finds it there."""
        deck = current.deck
        self._rendered = None
        self._is_plain = deck.skip(frames)
        if not self._is_plain:
            block = deck.take(frames)
            self._is_plain = len(block) == frames
            self._rendered = block if self._is_plain else self._padded(block, frames)
        self._feed(current)

    def _padded(self, block: Samples, frames: int) -> Samples:
        """A block that came short: the deck is at its end, or the feeder is late."""
        missing = frames - len(block)
        rest = self._take(missing)
        if rest is None:
            rest = np.zeros((missing, 2), np.int16)
        return np.concatenate((block, rest))

    def _render(self, frames: int) -> Samples | None:
        if self._incoming is not None:
            self._feed(self._incoming)
            if self._incoming.deck.ready:
                self._switch()
        if not self._pause.moving and (not self._playing or self._pause.value == 0.0):
            return None
        self._prefetch()
        block = self._take(frames)
        if self._outgoing is not None or self._fade_in:
            block = self._with_skip_fades(block, frames)
        if block is not None and self._pause.moving:
            mixed: Mix = block * self._pause.block(frames)
            block = to_s16(mixed, self._rendered_at)
        elif self._pause.moving:
            self._pause.jump(self._pause.target)
        if not self._playing and not self._pause.moving and (at := self.position()):
            self._report(at)
        return block

    def _take(self, frames: int) -> Samples | None:
        pieces: list[Samples] = []
        wanted = frames
        while wanted:
            if self._current is None and not self._advance():
                if self._next is not None and not self.waits:
                    self._starved_frames += wanted
                break
            piece = self._some(wanted)
            if len(piece):
                pieces.append(piece)
                wanted -= len(piece)
            elif self._current is not None and self._current.deck.ended:
                self._finish("ended")
            else:
                self._starved_frames += wanted
                break
        if not pieces:
            return None
        if wanted:
            pieces.append(np.zeros((wanted, 2), np.int16))
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    def _some(self, wanted: int) -> Samples:
        """Up to `wanted` frames of the current track, or of the crossfade into the next."""
        current = self._current
        assert current is not None  # noqa: S101  `_take` sees to it
        self._feed(current)
        deck = current.deck
        if not deck.available:
            return deck.take(0)
        if not self._crossfade_frames or not deck.ended or not self._next_can_start():
            return deck.take(wanted)
        if not self._crossing:
            if self.waits:
                return deck.take(wanted)
            before = deck.available - self._crossfade_frames
            if before > 0:
                return deck.take(min(wanted, before))
            self._begin_crossfade()
        return self._cross(wanted)

    def _next_can_start(self) -> bool:
        """Whether the next track may begin while the current one is heard."""
        current, following = self._current, self._next
        if current is None or following is None:
            return False
        blend = current.track.blends and following.track.blends
        return blend and following.deck.ready and not following.deck.failed

    def _begin_crossfade(self) -> None:
        if self._current is None or self._next is None:
            return
        self._crossing = self._crossing_of = self._current.deck.available
        if self._crossing:
            self._announce(self._next)

    def _cross(self, wanted: int) -> Samples:
        """Equal-power crossfade: the squares of both gains add up to one."""
        current, following = self._current, self._next
        if current is None or following is None or not self._crossing:
            return np.zeros((0, 2), np.int16)
        self._feed(following)
        leaving = current.deck.take(min(wanted, self._crossing))
        coming = following.deck.take(len(leaving))
        done = self._crossing_of - self._crossing
        phase = count(done, len(leaving))
        phase *= np.float32(np.pi / 2 / self._crossing_of)
        mixed: Mix = leaving.astype(np.float32)
        mixed *= np.cos(phase)
        mixed[: len(coming)] += coming * np.sin(phase[: len(coming)])
        self._crossing -= len(leaving)
        return self._limited(mixed)

    def _with_skip_fades(self, block: Samples | None, frames: int) -> Samples:
        mixed: Mix = np.zeros((frames, 2), np.float32)
        if block is not None:
            mixed += block
        if self._fade_in:
            part = min(self._fade_in, frames)
            done = _SKIP_FADE_FRAMES - self._fade_in
            mixed[:part] *= count(done, part) / np.float32(_SKIP_FADE_FRAMES)
            self._fade_in -= part
        if self._outgoing is not None:
            part = min(len(self._outgoing), frames)
            mixed[:part] += self._outgoing[:part]
            self._outgoing = self._outgoing[part:] if len(self._outgoing) > part else None
        return self._limited(mixed)

    def _limited(self, mixed: Mix) -> Samples:
        """Two tracks together may be louder than either; the block goes out as s16."""
        self._limiter.apply(mixed)
        return to_s16(mixed, self._rendered_at)

    # --- tracks come and go ---------------------------------------------------------------------

    def _switch(self) -> None:
        """Let the incoming track replace the current one, with short fades."""
        incoming = self._incoming
        while incoming is not None and incoming.deck.failed:
            self._fail(incoming)
            incoming = self._open_upcoming()
            if incoming is not None:
                self._feed(incoming)
                if not incoming.deck.ready:
                    self._incoming = incoming
                    return
        if self.audible and (tail := self._take(_SKIP_FADE_FRAMES)) is not None:
            line = 1 - count(0, len(tail)) / np.float32(len(tail))
            self._outgoing = tail * line * np.float32(self._pause.value)
        self._finish("replaced")
        self._close(self._next)
        self._next = self._incoming = None
        self._current = incoming
        if incoming is not None:
            self._fade_in = _SKIP_FADE_FRAMES
            self._announce(incoming)
            if self._playing:
                self._pause.jump(1.0)

    def _advance(self) -> bool:
        """Make the next track current. False where there is none, or none that is ready."""
        if self._incoming is not None or self.waits:
            return False
        if self._next is None:
            self._next = self._open_upcoming()
        while self._next is not None:
            self._feed(self._next)
            if not self._next.deck.ready:
                return False
            if not self._next.deck.failed:
                self._current, self._next = self._next, None
                self._announce(self._current)
                return True
            self._fail(self._next)
            self._next = self._open_upcoming()
        if not self._ended:
            self._ended = True
            self._report(ProgrammeEnded(self.name))
        return False

    def _finish(self, reason: str) -> None:
        leaving = self._current
        if leaving is None:
            return
        self._report(TrackFinished(self.name, leaving.track.entry, leaving.deck.heard_s, reason))
        self._close(leaving)
        self._current = None
        if self._crossing_of and reason == "ended":  # the next one was announced when it set in
            self._current, self._next = self._next, None
        self._crossing = self._crossing_of = 0

    def _prefetch(self) -> None:
        """Open the next track once the current one is decoded to its end."""
        if self._current is None or not self._current.deck.ended:
            return
        if self._next is None:
            self._next = self._open_upcoming()
        if self._next is not None:
            self._feed(self._next)
            if self._next.deck.failed:
                self._fail(self._next)
                self._next = None

    def _after_what_began(self, tracks: tuple[Track, ...]) -> tuple[Track, ...]:
        faded_into = self._next if self._crossing else None
        begun = {
            playing.track.entry
            for playing in (self._current, self._incoming, faded_into)
            if playing is not None
        }
        last = max((n for n, track in enumerate(tracks) if track.entry in begun), default=-1)
        return tracks[last + 1 :]

    def _open_upcoming(self, position_s: float = 0.0) -> _Playing | None:
        if not self._upcoming:
            return None
        track = self._upcoming.popleft()
        ahead_s = self._crossfade_frames / SAMPLE_RATE
        deck = Deck(track.path, track.gain_db, position_s, ahead_s)
        playing = _Playing(track, deck)
        self._feed(playing)
        return playing

    def _feed(self, playing: _Playing) -> None:
        if playing.deck.hungry:
            self._feeder.feed(playing.deck)

    def _announce(self, playing: _Playing) -> None:
        duration_s = playing.deck.duration_s or 0.0
        entry = playing.track.entry
        self._report(TrackStarted(self.name, entry, playing.position_s, duration_s))

    def _fail(self, playing: _Playing) -> None:
        message = playing.deck.error or "it can not be read"
        self._report(TrackFailed(self.name, playing.track.entry, message))
        self._close(playing)

    @staticmethod
    def _close(*playing: _Playing | None) -> None:
        for one in playing:
            if one is not None:
                one.deck.close()

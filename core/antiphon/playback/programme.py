"""A running sequence of music for one zone, or for several that share it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from uuid import UUID, uuid4

from antiphon.engine import protocol
from antiphon.errors import Conflict, Invalid
from antiphon.events import EventBus
from antiphon.playback.filling import TRIES, Window
from antiphon.playback.link import Head, Link
from antiphon.playback.news import News
from antiphon.playback.queue import Queue
from antiphon.playback.spoken import Spoken, SpokenBetween
from antiphon.playback.window import Item, Miss, first_playable, split_at
from antiphon.plugins.media import REST, MediaRef, MediaRegistry
from antiphon.settings.models import AudioSettings
from antiphon.types import CallState, Playback

RESTART_AFTER_S = 3.0
LAST_SEEK_S = 0.1


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a programme works with.

    `changed` hears of what it did by itself, `track_over` of the end of each of its tracks,
    `between` of what is spoken as an item of it.
    """

    bus: EventBus
    send: Callable[[protocol.Command], None]
    media: MediaRegistry
    audio: AudioSettings
    changed: Callable[[Programme], None]
    track_over: Callable[[Programme], None]
    between: SpokenBetween


class Programme:
    """Plays a queue in the renderer and follows what the renderer reports.

    Tracks are resolved ahead (see `Window`). A command that has to wait for a source is given up in
    favour of a later one. All methods run on the main loop.
    """

    def __init__(self, client_id: UUID, around: Surroundings, identity: UUID | None = None) -> None:
        self.id = identity or uuid4()
        self.client_id = client_id
        self.zones: list[UUID] = []
        self.queue = Queue()
        self.playback = Playback.STOPPED
        self.crossfade_s = 0.0
        self.problem: str | None = None
        self._around = around
        self._news = News(around.bus, client_id)
        self._ahead = Window(self, client_id, around.media, self._news)
        self._link = Link(self.id, self.zones, around.send, around.audio)
        self._head = Head()
        self._start_s = 0.0
        self._serial = 0
        self._aim: int | None = None
        self.is_between = False

    # --- what it is ----------------------------------------------------------------------------

    @property
    def current(self) -> Item | None:
        """The track that plays, is held, or is about to start."""
        return self._ahead.first

    @property
    def sounds(self) -> bool:
        """Whether a track is heard, or about to be."""
        return self.playback is Playback.PLAYING and self.current is not None

    @property
    def position_s(self) -> float:
        """Where the current track is now."""
        position_s = self._head.position_s
        return min(position_s, self.current.duration_s) if self.current else position_s

    @property
    def is_loaded(self) -> bool:
        """Whether the renderer knows of it."""
        return self._link.is_loaded

    @property
    def is_looking(self) -> bool:
        """Whether tracks are being resolved ahead."""
        return self._ahead.is_busy

    @property
    def is_resting(self) -> bool:
        """Whether nothing is heard because its source wants a rest; see `go_on`."""
        return self.playback is Playback.PLAYING and self._link.is_dry and self._ahead.rests

    def fork(self) -> Programme:
        """A programme of its own, stopped, with the same queue at the same track."""
        twin = Programme(self.client_id, self._around)
        twin.queue = self.queue.reseeded(str(twin.id))
        twin.crossfade_s = self.crossfade_s
        return twin

    # --- commands ------------------------------------------------------------------------------

    async def play(self, queue: Queue, crossfade_s: float = 0.0) -> None:
        """Start a queue at its cursor. Raises, and changes nothing, where no track can be played.

        With a long queue of which the first tracks all fail, not every one is tried.
        """
        if not queue.refs:
            raise Conflict("There is nothing to play: the choice holds no tracks.")
        await self._jump(queue, queue.cursor, crossfade_s, Playback.PLAYING)

    def restore(self, queue: Queue, playback: Playback, position_s: float) -> None:
        """Be as before a restart of the server; `go` lets it sound."""
        self.queue = queue
        self.playback = playback if queue.refs else Playback.STOPPED
        self._start_s = position_s
        self._head.hold(position_s)

    def go(self) -> None:
        """Let the restored queue play, or be held, at its position."""
        if self.playback is not Playback.STOPPED:
            self._ahead.next = self.queue.cursor
            self._ahead.fill()

    def pause(self) -> None:
        """Hold the position."""
        if self.playback is Playback.PLAYING:
            self._head.hold(self.position_s)
            self.playback = Playback.PAUSED
            self._link.pause()

    async def resume(self) -> None:
        """Go on, or start the queue again where it was stopped."""
        if self.playback is Playback.PAUSED:
            self.playback = Playback.PLAYING
            if self._link.resume():
                self._head.move()
            self._ahead.fill()
        elif self.playback is Playback.STOPPED:
            if not self.queue.refs:
                raise Conflict("There is no music to go on with: start some first.")
            await self._jump(self.queue, self.queue.cursor, self.crossfade_s, Playback.PLAYING)
        else:
            self._ahead.insist()

    def requeue(self, refs: Sequence[MediaRef]) -> None:
        """Let a queue of these follow the current track, which goes on; see `Queue.replaced`."""
        item = self.current
        cursor = self.queue.cursor if item is None else item.cursor
        is_track = item is not None and item.spoken is None
        self.queue = self.queue.replaced(refs, cursor, keep=is_track)
        self._serial += 1
        self._aim = None
        if self.playback is not Playback.STOPPED:
            kept, _ = split_at(self._ahead.items, cursor + is_track)
            following = self.queue.after(cursor) if is_track else cursor
            self._ahead.begin(kept, following, same_queue=False)
            self._hand_over()
            self._ahead.fill()

    def redraw(self) -> None:
        """Ask the queue's endless source anew for what follows the current track."""
        if self.queue.source is not None:
            self._ahead.renew()
            if self.playback is not Playback.STOPPED and self.current is not None:
                self._ahead.stop()
                self._ahead.fill()

    def go_on(self) -> None:
        """End a rest. Nothing happens where there is none."""
        if self.is_resting and self._ahead.next is not None:
            self._ahead.next = self.queue.cursor = self._ahead.next + 1
            self._ahead.fill()

    def insert(self, spoken: Spoken) -> None:
        """Let this be heard after the current track, behind what was inserted before it.

        Raises Conflict where there is no track that it could follow.
        """
        is_resting = self.is_resting
        if self.playback is Playback.STOPPED or not (self.current or is_resting):
            raise Conflict("No music plays here that it could follow.")
        self._ahead.insert(spoken.items, spoken, first=is_resting)
        self._around.between.queued(spoken)
        if self._link.is_dry:
            self._load(0.0)
        else:
            self._link.note(item for item in self._ahead.items if item.spoken is spoken)
            self._hand_over()

    async def take_back(self, spoken: Spoken) -> None:
        """Let what was inserted not be heard, or no more."""
        is_heard = self.current is not None and self.current.spoken is spoken
        self._around.between.end(spoken, CallState.REVOKED, "it was revoked")
        if is_heard:
            await self.next()
        elif any(item.spoken is spoken for item in self._ahead.items):
            self._ahead.items = [one for one in self._ahead.items if one.spoken is not spoken]
            self._hand_over()

    def hold_next(self, hold: bool) -> None:  # noqa: FBT001  it says what it is
        """Do not go on behind the end of the current track, until told otherwise."""
        if hold != self._link.is_holding:
            self.is_between = self.is_between and hold
            self._link.hold_next(hold=hold)

    def stop(self) -> None:
        """End the music; the queue stays at its track."""
        self._serial += 1
        self._aim = None
        self.close()
        self.playback = Playback.STOPPED
        self.problem = None
        self._give_up_spoken(self._ahead.items, "the music was stopped")
        self._ahead.begin([], None, same_queue=True)
        self._link.forget()
        self.is_between = False
        self._start_s = 0.0
        self._head.hold(0.0)

    def close(self) -> None:
        """Let go of the renderer and of all tasks."""
        self._ahead.stop()
        self._link.drop()

    async def next(self) -> None:
        """Go to the next track; after the last one the music stops."""
        following = self.queue.skip(self._here())
        if self._aim is None and self.current is not None and self.current.spoken is not None:
            following = self.current.next_cursor
        if following is None:
            self.stop()
            self.queue.rewind()
        else:
            await self._go_to(following)

    async def restart(self) -> None:
        """Play the current track anew, from files opened anew."""
        await self._go_to(self._here())

    async def previous(self) -> None:
        """Go to the start of the track, or to the one before where it has just begun."""
        if self._aim is None and self.position_s > RESTART_AFTER_S and self.current is not None:
            self._load(0.0, is_seek=True)
        else:
            await self._go_to(self.queue.before(self._here()))

    def seek(self, position_s: float) -> None:
        """Go to a position in the current track."""
        item = self.current
        if item is None or self.playback is Playback.STOPPED:
            raise Conflict("There is no track to seek in: start the music first.")
        if not 0 <= position_s <= item.duration_s:
            lasts = f"the track “{item.media.title}” lasts {item.duration_s:.1f} s"
            raise Invalid.field("position_s", f"must be between 0 and the end: {lasts}")
        self._load(max(0.0, min(position_s, item.duration_s - LAST_SEEK_S)), is_seek=True)

    # --- what the renderer reports -------------------------------------------------------------

    def track_started(self, report: protocol.TrackStarted) -> None:
        """The first sample of a track went out."""
        link = self._link
        if (item := link.find(report.entry)) is None:
            return
        if item not in self._ahead.items:
            if not self._ahead.slips_in(item, link.leading):
                return
            link.is_owed = True
        link.is_owed = self._ahead.begun(item) or link.is_owed
        self.is_between = False
        self.queue.cursor = item.cursor
        item.duration_s = report.duration_s or item.duration_s
        link.leading = item
        if link.is_owed:
            self._hand_over()
        self._head.hold(report.position_s)
        if self.playback is Playback.PLAYING:
            self._head.move()
        if item.spoken is not None:
            self._around.between.started(item.spoken)
        else:
            self._news.started(self.zones, item, report.position_s)
        self._ahead.fill()
        self._around.changed(self)
        if not link.is_first(item) and not link.is_holding:
            self._around.track_over(self)

    def track_finished(self, report: protocol.TrackFinished) -> None:
        """The last sample of a track went out."""
        if (item := self._link.take(report.entry)) is None:
            return
        if report.played_s >= 1:
            self._ahead.sounds()
        is_current = item is self.current
        self._drop(item)
        if item.spoken is not None:
            is_whole = report.reason == "ended"
            self._around.between.finished(item.spoken, report.played_s, is_whole=is_whole)
            self._around.changed(self)
        else:
            self._news.finished(self.zones, item, report.played_s)
        if self._link.is_holding and is_current:
            self.is_between = True
            self._around.track_over(self)

    def track_failed(self, report: protocol.TrackFailed) -> None:
        """A track could not be read; the renderer goes on with what it has."""
        if (item := self._link.take(report.entry)) is None:
            return
        self._drop(item)
        if item.spoken is not None:
            self._around.between.end(item.spoken, CallState.FAILED, report.message)
            return
        self._news.failed(self.zones, item, report.message)
        self._ahead.failed()

    def ended(self) -> None:
        """The renderer has nothing left to play."""
        if self.playback is Playback.STOPPED:
            return
        if self._ahead.items:
            # What was handed over a moment ago the renderer goes on with by itself.
            if self._link.is_owed:
                self._load(0.0)
            return
        self._head.hold(0.0)
        self._link.is_dry = True
        if self._ahead.next is None:
            self._finish()
            return
        if self.is_resting:  # so that a restart of the server finds the rest, not the track
            self.queue.cursor = self._ahead.next
            self._around.changed(self)
        self._ahead.fill()

    def moved(self, report: protocol.Position) -> None:
        """Where the current track is."""
        if self.current is not None and report.entry == self.current.entry:
            self._head.hold(report.position_s)
            if report.playing and self.playback is Playback.PLAYING:
                self._head.move()
                self._ahead.sounds()

    # --- inside --------------------------------------------------------------------------------

    def _here(self) -> int:
        if not self.queue.refs:
            raise Conflict("There is no music in this zone: start some first.")
        return self.queue.cursor if self._aim is None else self._aim

    async def _go_to(self, cursor: int) -> None:
        if self.playback is Playback.STOPPED:
            self.queue.cursor = cursor
        else:
            await self._jump(self.queue, cursor, self.crossfade_s, None)

    async def _jump(
        self, queue: Queue, cursor: int, crossfade_s: float, playback: Playback | None
    ) -> None:
        """Continue at `cursor` of `queue`, or at the first after it that can be played."""
        self._serial += 1
        serial, self._aim = self._serial, cursor if queue is self.queue else None
        misses: list[Miss] = []
        known = self._ahead.items if queue is self.queue else []
        waiting = [
            item
            for item in known
            if item.cursor >= cursor and (item.spoken is None or item.is_pending)
        ]
        try:
            if not waiting or waiting[0].cursor != cursor:
                tracks = (at for at in chain([cursor], queue.ahead(cursor)) if queue.at(at) != REST)
                candidates = ((at, queue.at(at)) for at in islice(tracks, TRIES))
                item, misses = await first_playable(self._around.media, self.client_id, candidates)
                waiting = [item]
        finally:
            if serial == self._serial:
                self._aim = None
        if serial != self._serial:
            return
        for miss in misses:
            self._news.missed(self.zones, miss)
        left = [item for item in self._ahead.items if item not in waiting]
        self._give_up_spoken(left, "somebody chose other music")
        last = waiting[-1]
        following = queue.after(last.cursor) if last.spoken is None else last.cursor
        self._ahead.begin(waiting, following, same_queue=queue is self.queue)
        self.queue, self.crossfade_s = queue, crossfade_s
        self.playback = playback or self.playback
        self.queue.cursor = waiting[0].cursor
        self.problem = None
        self._load(0.0)
        self._ahead.fill()

    def _load(self, position_s: float, *, is_seek: bool = False) -> None:
        """Let the renderer play the window from a position in its first track."""
        if is_seek and self.current is not None:
            self._link.take(self.current.entry)  # it is not over: no TrackFinished for it
        window = self._ahead.items = [item.again() for item in self._ahead.items]
        is_playing = self.playback is Playback.PLAYING
        self._link.load(window, position_s, self.crossfade_s, playing=is_playing)
        self.is_between = False
        self._head.hold(position_s)

    def _hand_over(self) -> None:
        self._link.hand_over(self._ahead.items)

    def _give_up_spoken(self, items: Iterable[Item], reason: str) -> None:
        """Of what was to be spoken, these are not heard; what is heard is told by the renderer."""
        for spoken in dict.fromkeys(item.spoken for item in items if item.is_pending):
            if spoken is not None:
                self._around.between.end(spoken, CallState.FAILED, reason)

    def _drop(self, item: Item) -> None:
        """A track is over, or could not be played."""
        self._link.over(item)
        if item is self.current:
            self._head.hold(0.0)
        if item in self._ahead.items:
            self._ahead.items.remove(item)

    # --- what the window tells -----------------------------------------------------------------

    def took(self, item: Item) -> None:
        """Another track is at the end of the window."""
        if self._link.is_dry:
            self._load(self._start_s if item.cursor == self.queue.cursor else 0.0)
            self._start_s = 0.0
        else:
            self._link.note([item])
            self._hand_over()

    def ran_out(self) -> None:
        """Nothing follows."""
        if self._link.is_dry:
            self._finish()

    def in_trouble(self, problem: str | None) -> None:
        """Why nothing can be played; None if all is well again."""
        if problem != self.problem:
            self.problem = problem
            self._around.changed(self)
        if problem is not None and self.playback is Playback.PLAYING:
            self._link.claim(self.crossfade_s)

    def _finish(self) -> None:
        """The queue is at its end and does not repeat."""
        self.stop()
        self.queue.rewind()
        self._around.changed(self)

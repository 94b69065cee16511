"""A programme as the renderer has it, and where its track is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from uuid import UUID

from antiphon.engine import protocol
from antiphon.playback import levels
from antiphon.playback.filling import WINDOW
from antiphon.playback.window import Item
from antiphon.settings.models import AudioSettings


class Head:
    """A place in a track: held, or moving on with the clock."""

    def __init__(self) -> None:
        self._held_s = 0.0
        self._since: float | None = None

    @property
    def position_s(self) -> float:
        """Where it is now."""
        if self._since is None:
            return self._held_s
        return self._held_s + asyncio.get_running_loop().time() - self._since

    def hold(self, position_s: float) -> None:
        """Stand still there."""
        self._held_s = position_s
        self._since = None

    def move(self) -> None:
        """Move on from where it is held."""
        self._since = asyncio.get_running_loop().time()


class Link:
    """Tells the renderer what a programme plays, and knows what it has told.

    `leading` is the item that plays there, `is_dry` whether it has nothing in hand, `is_owed`
    whether it must still hear what follows. `zones` is the programme's own list.
    """

    def __init__(
        self,
        programme: UUID,
        zones: Sequence[UUID],
        send: Callable[[protocol.Command], None],
        audio: AudioSettings,
    ) -> None:
        self.is_loaded = False
        self.is_dry = True
        self.is_owed = False
        self.is_holding = False
        self.leading: Item | None = None
        self._name = str(programme)
        self._zones = zones
        self._send = send
        self._audio = audio
        self._known: dict[str, Item] = {}
        self._began_with = ""

    def find(self, entry: str) -> Item | None:
        """What a report is about; None where that is over."""
        return self._known.get(entry)

    def take(self, entry: str) -> Item | None:
        """The same, and from now on it is over."""
        return self._known.pop(entry, None)

    def note(self, items: Iterable[Item]) -> None:
        """The renderer will report of these."""
        self._known |= {item.entry: item for item in items}

    def is_first(self, item: Item) -> bool:
        """Whether it is what the programme was loaded with, so that no track ended before it."""
        return item.entry == self._began_with

    def load(
        self, window: Sequence[Item], position_s: float, crossfade_s: float, *, playing: bool
    ) -> None:
        """Let it play these, from a position in the first."""
        self._known = dict([*self._known.items()][-2 * WINDOW :])
        self.note(window)
        if not self.is_loaded:
            self._appear()
            if self.is_holding:
                self._send(protocol.HoldNext(self._name, hold=True))
        tracks = tuple(map(self._track, window))
        self._send(
            protocol.LoadProgramme(self._name, tracks, position_s, crossfade_s, playing=playing)
        )
        self.leading = window[0]
        self._began_with = window[0].entry
        self.is_dry = self.is_owed = False

    def claim(self, crossfade_s: float) -> None:
        """Tell it that there should be music, though there is none, so that it can fall back."""
        if not self.is_loaded:
            self.is_dry = True
            self._appear()
            self._send(protocol.LoadProgramme(self._name, (), crossfade_s=crossfade_s))

    def hand_over(self, window: Sequence[Item]) -> None:
        """Tell it what follows; between two tracks that waits until the next is reported."""
        self.is_owed = not window or self.leading is not window[0]
        if not self.is_owed:
            upcoming = tuple(map(self._track, window[1:]))
            self._send(protocol.SetUpcoming(self._name, upcoming))

    def pause(self) -> None:
        """Hold what plays, if anything does."""
        if self.is_loaded and not self.is_dry:
            self._send(protocol.Pause(self._name))

    def resume(self) -> bool:
        """Go on; whether there was anything to go on with."""
        has_some = self.is_loaded and not self.is_dry
        if has_some:
            self._send(protocol.Resume(self._name))
        return has_some

    def hold_next(self, *, hold: bool) -> None:
        """Do not go on behind the end of the current track, until told otherwise."""
        self.is_holding = hold
        if self.is_loaded:
            self._send(protocol.HoldNext(self._name, hold))

    def over(self, item: Item) -> None:
        """It does not play any more, or could not be played."""
        if item is self.leading:
            self.leading = None

    def drop(self) -> None:
        """The renderer has no such programme any more."""
        if self.is_loaded:
            self._send(protocol.DropProgramme(self._name))
            self.is_loaded = False

    def forget(self) -> None:
        """Whatever is still reported is of no interest."""
        self._known.clear()
        self.leading = None
        self.is_dry = True
        self.is_owed = False

    def _appear(self) -> None:
        self.is_loaded = True
        for zone in self._zones:
            self._send(protocol.Attach(str(zone), self._name))

    def _track(self, item: Item) -> protocol.Track:
        if item.spoken is not None:
            return levels.spoken_track(item.entry, item.media, self._audio)
        return levels.track(item.entry, item.media, self._audio)

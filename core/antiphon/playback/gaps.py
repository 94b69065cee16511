"""The moments between two tracks, for the calls that want to be heard there and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Protocol
from uuid import UUID


class Music(Protocol):
    """What one zone plays, or several that share it; `antiphon.playback.programme` has it."""

    zones: list[UUID]

    @property
    def sounds(self) -> bool:
        """Whether a track is heard, or about to be."""

    @property
    def is_between(self) -> bool:
        """Whether it is held behind a track's end."""

    def hold_next(self, hold: bool) -> None:  # noqa: FBT001  it says what it is
        """Do not go on behind the end of the current track, until told otherwise."""


class Gaps:
    """Knows which call waits for the end of a track in which zone. Pure: it waits for nothing.

    Where all zones that share the music have such a call, the music is held behind its track until
    the last of them was heard. Where only some have one, the others are not to fall silent for it:
    the music goes on, and the call is heard over the beginning of the next track.
    """

    def __init__(
        self,
        music_in: Callable[[UUID], Music | None],
        is_free: Callable[[UUID], bool],
        wake: Callable[[UUID, Collection[UUID]], None],
    ) -> None:
        self._music_in = music_in
        self._is_free = is_free
        self._wake = wake
        self._waiting: dict[UUID, list[UUID]] = {}
        self._due: dict[UUID, list[UUID]] = {}

    def wait(self, call: UUID, zones: Iterable[UUID]) -> set[UUID]:
        """In which of these zones the call has to wait for the end of a track."""
        held = set()
        for zone in zones:
            music = self._music_in(zone)
            if music is None or not music.sounds:
                continue
            if music.is_between:
                self._due.setdefault(zone, []).append(call)
            else:
                self._waiting.setdefault(zone, []).append(call)
                held.add(zone)
            self._hold(music)
        return held

    def leave(self, call: UUID, zones: Iterable[UUID]) -> None:
        """The call is not to be heard in these zones any more, or not soon."""
        for zone in zones:
            known = False
            for calls in (self._waiting.get(zone), self._due.get(zone)):
                if calls is not None and call in calls:
                    calls.remove(call)
                    known = True
            if known and (music := self._music_in(zone)) is not None:
                self._hold(music)

    def reached(self, music: Music) -> None:
        """A track of this music is over."""
        zones = music.zones if music.is_between else filter(self._is_free, music.zones)
        self._let_go(zones)

    def changed(self, music: Music) -> None:
        """This music was started, stopped, or is heard by other zones."""
        if not music.sounds:
            self._let_go(music.zones)
        self._hold(music)

    def _let_go(self, zones: Iterable[UUID]) -> None:
        by_call: dict[UUID, list[UUID]] = {}
        for zone in tuple(zones):
            calls = self._waiting.pop(zone, [])
            if calls:
                self._due.setdefault(zone, []).extend(calls)
            for call in calls:
                by_call.setdefault(call, []).append(zone)
        for call, woken in by_call.items():
            self._wake(call, woken)

    def _hold(self, music: Music) -> None:
        wanted = [self._waiting.get(zone) or self._due.get(zone) for zone in music.zones]
        music.hold_next(bool(wanted) and all(wanted))

"""What a person should look at, retained while it is open."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from uuid import UUID

from antiphon_devices.documents import Documents
from antiphon_devices.payloads import Alert, now
from antiphon_devices.topics import ClientTopic, Kind

OPEN_FOR_S = 3600.0
SILENCE = "silence"
_AGAIN_AFTER_S = 10.0
_MAX_PER_CLIENT = 100


class Alerts:
    """Opens alerts and closes each when it was not raised again for an hour, or when it is over.

    `counted` is called with a client and how many of its alerts are open now.
    """

    def __init__(
        self,
        documents: Documents,
        counted: Callable[[UUID, int], None],
        open_for_s: float = OPEN_FOR_S,
    ) -> None:
        self._documents = documents
        self._counted = counted
        self._open_for_s = open_for_s
        # With the timer that closes each; those that last have none.
        self._open: dict[UUID, dict[ClientTopic, asyncio.TimerHandle | None]] = {}
        self._raised_at: dict[ClientTopic, float] = {}

    def retained_command(self, client_id: UUID, topic: str) -> None:
        """Somebody sent a command with the retain flag."""
        self._raise(
            client_id,
            "retained_command",
            topic,
            f"A message with the retain flag came on {topic}. It was not executed, and it was "
            "removed: a retained command is executed again at every reconnect. "
            "Send commands without the retain flag.",
        )

    def foreign_writer(self, client_id: UUID, topic: str) -> None:
        """Somebody keeps writing where the server alone writes."""
        self._raise(
            client_id,
            "foreign_writer",
            topic,
            f"Somebody else keeps writing to {topic}, where this server alone writes. "
            "If it is another Antiphon on the same broker, give it another root.",
        )

    def bad_report(self, client_id: UUID, topic: str, mistake: str) -> None:
        """A loudspeaker says what makes no sense."""
        self._raise(
            client_id,
            "bad_report",
            topic,
            f"What came on {topic} makes no sense and was not heard: {mistake}. "
            "Bring the program beside this loudspeaker up to date, or correct it.",
        )

    def second_device(self, client_id: UUID, topic: str, device: str) -> None:
        """Somebody who is not this loudspeaker comes under its id."""
        self._raise(
            client_id,
            "second_device",
            topic,
            f"Another device says that it is the loudspeaker {device}. If you have given it a new "
            "memory card, let it in with its new code; if you have copied the card, give one of "
            "the two another device_id; otherwise somebody pretends to be it.",
        )

    def too_many_commands(self, client_id: UUID, topic: str) -> None:
        """An integrator asks for more than the server does."""
        self._raise(
            client_id,
            "too_many_commands",
            "commands",
            f"More commands come than the server carries out, such as on {topic}. Those that are "
            "too many are refused; look for an automation that runs in circles.",
        )

    def too_many_reports(self, client_id: UUID, topic: str) -> None:
        """A loudspeaker says more than it should."""
        self._raise(
            client_id,
            "too_many_reports",
            topic,
            f"The loudspeaker at {topic} reports without pause. What it said last counts; look at "
            "its program.",
        )

    def unknown_topic(self, client_id: UUID, topic: str) -> None:
        """Somebody asks for something where nothing is read."""
        self._raise(
            client_id,
            "unknown_topic",
            topic,
            f"A command came on {topic[:200]}, which is no topic of the contract. Nothing was "
            "done: look at the ids in it.",
        )

    def silence(self, client_id: UUID, topic: str, name: str) -> None:
        """A zone or a loudspeaker should be heard and is not; lasts until `over`."""
        self._raise(
            client_id,
            SILENCE,
            topic,
            f"{name} should be heard now, and plays nothing. Look at the problems in {topic}; at a "
            "loudspeaker look at its amplifier and its cables.",
            lasting=True,
        )

    def over(self, client_id: UUID, code: str, topic: str) -> None:
        """What was raised with that code about that topic is well again."""
        self._close(client_id, _place(client_id, code, topic))

    def close(self) -> None:
        """Forget the timers; the alerts stay open for the next start to sort out."""
        for handles in self._open.values():
            for handle in handles.values():
                _cancel(handle)
        self._open.clear()

    def _raise(
        self, client_id: UUID, code: str, topic: str, message: str, *, lasting: bool = False
    ) -> None:
        mine = self._open.setdefault(client_id, {})
        place = _place(client_id, code, topic)
        loop = asyncio.get_running_loop()
        if place in mine:
            if loop.time() - self._raised_at[place] < _AGAIN_AFTER_S:
                return
            _cancel(mine.pop(place))
        elif len(mine) >= _MAX_PER_CLIENT:
            return
        self._raised_at[place] = loop.time()
        mine[place] = (
            None if lasting else loop.call_later(self._open_for_s, self._close, client_id, place)
        )
        self._documents.put(
            place,
            Alert(
                id=place.name or "",
                ts=now(),
                code=code,
                message=message,
                topic=topic[:500],
            ),
        )
        self._counted(client_id, len(mine))

    def _close(self, client_id: UUID, place: ClientTopic) -> None:
        mine = self._open.get(client_id, {})
        if place in mine:
            _cancel(mine.pop(place))
            del self._raised_at[place]
            self._documents.drop(place)
            self._counted(client_id, len(mine))


def _place(client_id: UUID, code: str, topic: str) -> ClientTopic:
    mark = hashlib.sha256(topic.encode()).hexdigest()[:12]
    return ClientTopic(Kind.ALERT, f"{code}-{mark}", client=str(client_id))


def _cancel(handle: asyncio.TimerHandle | None) -> None:
    if handle is not None:
        handle.cancel()

"""Documents of the server, with revisions: what is published only where it changed."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from antiphon_devices.outbox import Outbox, Outgoing
from antiphon_devices.payloads import Written, now
from antiphon_devices.topics import Topic

UNSTAMPED = datetime.fromtimestamp(0, UTC)


class Documents:
    """The retained topics that the server writes below one root.

    A document with `rev` and `ts` is handed over with `rev=0, ts=UNSTAMPED` and stamped here.
    Revisions only grow, over restarts too, because they begin with the seconds of the clock.
    """

    def __init__(self, root: str, outbox: Outbox) -> None:
        self.root = root
        self._outbox = outbox
        self._current: dict[Topic, tuple[Written, int]] = {}
        self._rev = 0

    def rev(self, topic: Topic) -> int | None:
        """The revision of what the topic holds; None where it holds nothing."""
        current = self._current.get(topic)
        return current[1] if current else None

    def put(self, topic: Topic, document: Written, *, always: bool = False) -> int:
        """Publish `document` if it differs from the last, or `always`; returns its revision."""
        before, rev = self._current.get(topic, (None, 0))
        if before == document and not always:
            return rev
        if before != document:
            rev = self._rev = max(self._rev + 1, int(time.time()))
            self._current[topic] = (document, rev)
        stamps = {"rev": rev, "ts": now()} if "rev" in type(document).model_fields else {}
        self._outbox.hold(topic.render(self.root), document.model_copy(update=stamps).encode())
        return rev

    def put_word(self, topic: Topic, word: bytes) -> None:
        """Publish a plain word, such as `online`."""
        self._outbox.hold(topic.render(self.root), word)

    def say(self, topic: Topic, document: Written, *, expires_s: int, qos: int = 1) -> None:
        """Send a document that is not kept: what happens, or figures that the next replace."""
        message = Outgoing(topic.render(self.root), document.encode(), expires_s=expires_s, qos=qos)
        self._outbox.say(message)

    def again(self, topic: Topic) -> None:
        """Publish the document once more, with a new `ts`: the answer to a `set`."""
        if (current := self._current.get(topic)) is not None:
            self.put(topic, current[0], always=True)

    def drop(self, topic: Topic) -> None:
        """Empty a topic whose thing is gone."""
        self._current.pop(topic, None)
        self._outbox.empty(topic.render(self.root))

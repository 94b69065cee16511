"""The topics of the contract: classes that check, render and parse themselves.

Nobody else in the project puts a topic together or takes one apart. The root (`antiphon/v1`) is
a setting and is handed to `render` and `parse`; a topic itself does not know it.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import ClassVar

_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}\Z")
# Loudspeakers report on the same topics all the time: three or four topics for each of thousands.
_REMEMBERED = 40_000
_ROOT = re.compile(r"[^+#/\x00\s$][^+#/\x00\s]*(/[^+#/\x00\s]+)*\Z")


class InvalidTopic(ValueError):
    """A text that is no topic of the contract, or an id that no topic may hold."""


class Kind(StrEnum):
    """The end of a topic; its value is the path as it is written on the wire."""

    STATUS = "status"
    INFO = "info"
    STATE = "state"
    TRACK = "track"
    SOURCES = "sources"
    TELEMETRY = "telemetry"
    ALERT = "alert"
    EVENT = "event"
    ACK = "ack"
    SET = "set"
    CMD = "cmd"
    UP_STATUS = "up/status"
    UP_INFO = "up/info"
    UP_STATE = "up/state"
    UP_TELEMETRY = "up/telemetry"
    UP_EVENT = "up/event"
    UP_ACK = "up/ack"
    DOWN_DESIRED = "down/desired"
    DOWN_CMD = "down/cmd"
    REQUEST = "request"

    @property
    def retained(self) -> bool:
        """Whether the last message stays with the broker: what is, and what should be."""
        return self in _RETAINED

    @property
    def asks(self) -> bool:
        """Whether an integrator writes here to make something happen; never retained."""
        return self in (Kind.SET, Kind.CMD)


_RETAINED = frozenset(
    {Kind.STATUS, Kind.INFO, Kind.STATE, Kind.TRACK, Kind.SOURCES, Kind.ALERT, Kind.UP_STATUS}
    | {Kind.UP_INFO, Kind.UP_STATE, Kind.DOWN_DESIRED}
)
_NAMED = frozenset({Kind.ALERT, Kind.EVENT, Kind.CMD, Kind.DOWN_CMD})


def is_id(text: str) -> bool:
    """Whether `text` may stand in a topic: our UUIDs, written with dashes, may."""
    return _ID.match(text) is not None


def is_root(text: str) -> bool:
    """Whether `text` can stand before all topics: levels without wildcards or blanks."""
    return _ROOT.match(text) is not None


def device_key(hardware_id: str) -> str:
    """The id of a device in topics, from its hardware's id: `02:42:ac:11:00:02` with dashes.

    The same hardware always gets the same key. What would lose something when it is written in
    the letters of an id (`Kitchen.1`) gets a short hash, so that two devices never share a key.
    """
    if is_id(hardware_id):
        return hardware_id
    lower = hardware_id.lower()
    if _MAC.match(lower):
        return lower.replace(":", "-")
    readable = re.sub(r"[^a-z0-9]+", "-", lower).strip("-")[:40] or "device"
    return f"{readable}-{hashlib.sha256(hardware_id.encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic below the root. `name` is the op, property, kind of event or alert, where one is."""

    _ends: ClassVar[frozenset[Kind]] = frozenset()

    kind: Kind
    name: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in self._ends:
            raise InvalidTopic(f"{type(self).__name__} has no {self.kind.value}")
        if self.name is None and self.kind in _NAMED:
            raise InvalidTopic(f"{self.kind.value} is followed by a name")
        if self.name is not None and self.kind not in _NAMED | {Kind.SET}:
            raise InvalidTopic(f"{self.kind.value} is not followed by a name")
        for part in (self.name, *self._ids()):
            if part is not None and not is_id(part):
                raise InvalidTopic(f"{part!r} is not an id: [a-z0-9][a-z0-9_-]{{0,62}}")

    def _ids(self) -> tuple[str, ...]:
        return ()

    def _place(self) -> str:
        raise NotImplementedError

    def render(self, root: str) -> str:
        """The topic as it is written on the wire."""
        end = self.kind.value if self.name is None else f"{self.kind.value}/{self.name}"
        return f"{root}/{self._place()}/{end}"


@dataclass(frozen=True, slots=True)
class ServerTopic(Topic):
    """`server/…`: the server itself."""

    _ends = frozenset({Kind.STATUS, Kind.INFO})

    def _place(self) -> str:
        return "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientTopic(Topic):
    """`client/<client>/…`: a tenant as a whole."""

    _ends = frozenset(
        {Kind.INFO, Kind.STATE, Kind.SOURCES, Kind.ALERT, Kind.EVENT, Kind.CMD, Kind.ACK}
    )

    client: str

    def _ids(self) -> tuple[str, ...]:
        return (self.client,)

    def _place(self) -> str:
        return f"client/{self.client}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorTopic(Topic):
    """`client/<client>/floor/<floor>/…`: all zones of a floor."""

    _ends = frozenset({Kind.INFO, Kind.STATE, Kind.CMD, Kind.ACK})

    client: str
    floor: str

    def _ids(self) -> tuple[str, ...]:
        return (self.client, self.floor)

    def _place(self) -> str:
        return f"client/{self.client}/floor/{self.floor}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneTopic(Topic):
    """`client/<client>/zone/<zone>/…`. `SET` without a name takes a JSON object."""

    _ends = frozenset(
        {Kind.STATUS, Kind.INFO, Kind.STATE, Kind.TRACK, Kind.EVENT, Kind.SET, Kind.CMD, Kind.ACK}
    )

    client: str
    zone: str

    def _ids(self) -> tuple[str, ...]:
        return (self.client, self.zone)

    def _place(self) -> str:
        return f"client/{self.client}/zone/{self.zone}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorTopic(Topic):
    """`client/<client>/device/<device>/…`: a loudspeaker as integrators see it."""

    _ends = frozenset(
        {Kind.STATUS, Kind.INFO, Kind.STATE, Kind.TELEMETRY, Kind.SET, Kind.CMD, Kind.ACK}
    )

    client: str
    device: str

    def _ids(self) -> tuple[str, ...]:
        return (self.client, self.device)

    def _place(self) -> str:
        return f"client/{self.client}/device/{self.device}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceTopic(Topic):
    """`device/<device>/…`: between a loudspeaker's agent and the server."""

    _ends = frozenset(kind for kind in Kind if kind.value.startswith(("up/", "down/")))

    device: str

    def _ids(self) -> tuple[str, ...]:
        return (self.device,)

    def _place(self) -> str:
        return f"device/{self.device}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolTopic(Topic):
    """`enroll/<device>/request`: a loudspeaker that has no account yet asks for one."""

    _ends = frozenset({Kind.REQUEST})

    device: str

    def _ids(self) -> tuple[str, ...]:
        return (self.device,)

    def _place(self) -> str:
        return f"enroll/{self.device}"


AskedTopic = ZoneTopic | FloorTopic | ClientTopic | MirrorTopic


@lru_cache(maxsize=_REMEMBERED)
def parse(root: str, text: str) -> Topic:
    """The topic that `text` spells. Raises InvalidTopic for whatever is not of the contract."""
    if not text.startswith(f"{root}/"):
        raise InvalidTopic(f"{text!r} does not begin with {root}/")
    match text.removeprefix(f"{root}/").split("/"):
        case ["server", *end]:
            return ServerTopic(*_end(end))
        case ["client", client, "zone", zone, *end]:
            return ZoneTopic(*_end(end), client=client, zone=zone)
        case ["client", client, "floor", floor, *end]:
            return FloorTopic(*_end(end), client=client, floor=floor)
        case ["client", client, "device", device, *end]:
            return MirrorTopic(*_end(end), client=client, device=device)
        case ["client", client, *end]:
            return ClientTopic(*_end(end), client=client)
        case ["enroll", device, *end]:
            return EnrolTopic(*_end(end), device=device)
        case ["device", device, ("up" | "down") as way, kind, *name]:
            return DeviceTopic(*_end([f"{way}/{kind}", *name]), device=device)
        case _:
            raise InvalidTopic(f"{text!r} is not a topic of the contract")


def _end(parts: list[str]) -> tuple[Kind, str | None]:
    if not parts or len(parts) > 2:
        raise InvalidTopic(f"{'/'.join(parts)!r} is not an end of a topic")
    try:
        kind = Kind(parts[0])
    except ValueError:
        raise InvalidTopic(f"{parts[0]!r} is not an end of a topic") from None
    return kind, parts[1] if len(parts) == 2 else None

"""What snapserver says about its loudspeakers, read into values of our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from antiphon.streams.config import zone_of

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SnapClient:
    """A snapclient as the server knows it, connected or not."""

    id: str
    host: str
    name: str = ""
    instance: int = 1
    ip_address: str = ""
    system: str = ""
    version: str = ""
    is_connected: bool = False
    volume: int = 100
    is_muted: bool = False
    latency_ms: int = 0
    last_seen: datetime | None = field(default=None, compare=False)
    group_id: str = ""
    stream: str = ""

    @property
    def zone_id(self) -> UUID | None:
        """The zone that it hears, if it hears one."""
        return zone_of(self.stream)


@dataclass(frozen=True, slots=True)
class ServerState:
    """One server's loudspeakers by id, and the names of its streams."""

    clients: Mapping[str, SnapClient] = field(default_factory=dict)
    streams: frozenset[str] = frozenset()
    version: str = ""

    def with_client(self, client: SnapClient) -> ServerState:
        """The same, with one loudspeaker replaced."""
        return replace(self, clients={**self.clients, client.id: client})


def read_status(status: Json) -> ServerState:
    """Read the answer to Server.GetStatus. Raises ValueError where it makes no sense."""
    try:
        server = status["server"]
        clients = {
            client.id: client
            for group in server["groups"]
            for client in (_read_client(raw, group) for raw in group["clients"])
        }
        return ServerState(
            clients=clients,
            streams=frozenset(str(stream["id"]) for stream in server["streams"]),
            version=str(server["server"]["snapserver"]["version"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"snapserver's status can not be read: {error!r}") from error


def _read_client(raw: Json, group: Json) -> SnapClient:
    host, config, seen = raw["host"], raw["config"], raw.get("lastSeen") or {}
    seconds = int(seen.get("sec") or 0)
    return SnapClient(
        id=str(raw["id"]),
        host=str(host.get("name") or ""),
        name=str(config.get("name") or ""),
        instance=int(config.get("instance") or 1),
        ip_address=str(host.get("ip") or "").removeprefix("::ffff:"),
        system=" ".join(filter(None, (host.get("os"), host.get("arch")))),
        version=str((raw.get("snapclient") or {}).get("version") or ""),
        is_connected=bool(raw["connected"]),
        volume=int(config["volume"]["percent"]),
        is_muted=bool(config["volume"].get("muted")),
        latency_ms=int(config.get("latency") or 0),
        last_seen=datetime.fromtimestamp(seconds, UTC) if seconds else None,
        group_id=str(group["id"]),
        stream=str(group["stream_id"]),
    )


def apply_notification(state: ServerState, method: str, params: Json) -> ServerState | None:
    """The state after a notification; None where only the full status can tell.

    Notifications may come before we know of what they speak, so nothing here is taken for granted.
    """
    try:
        if method == "Server.OnUpdate":
            return read_status(params)
        if method == "Group.OnStreamChanged":
            return _with_stream(state, str(params["id"]), str(params["stream_id"]))
        if method in _OF_CLIENTS:
            client = state.clients[str(params["id"])]
            return state.with_client(_changed(client, method, params))
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return state if method in _WITHOUT_MEANING else None


_OF_CLIENTS = frozenset(
    {
        "Client.OnConnect",
        "Client.OnDisconnect",
        "Client.OnVolumeChanged",
        "Client.OnLatencyChanged",
        "Client.OnNameChanged",
    }
)
# Streams turn idle and playing all the time; groups have no name or mute that we show.
_WITHOUT_MEANING = frozenset(
    {"Stream.OnProperties", "Stream.OnMetadata", "Group.OnMute", "Group.OnNameChanged"}
)


def _changed(client: SnapClient, method: str, params: Json) -> SnapClient:
    if method == "Client.OnVolumeChanged":
        volume = params["volume"]
        return replace(client, volume=int(volume["percent"]), is_muted=bool(volume.get("muted")))
    if method == "Client.OnLatencyChanged":
        return replace(client, latency_ms=int(params["latency"]))
    if method == "Client.OnNameChanged":
        return replace(client, name=str(params["name"]))
    group = {"id": client.group_id, "stream_id": client.stream}
    return _read_client(params["client"], group)


def _with_stream(state: ServerState, group_id: str, stream: str) -> ServerState | None:
    members = [client for client in state.clients.values() if client.group_id == group_id]
    if not members:
        return None
    for client in members:
        state = state.with_client(replace(client, stream=stream))
    return state

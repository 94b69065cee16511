"""What `Snapcast` tells its subscribers about clients."""

from __future__ import annotations

from dataclasses import dataclass

from antiphon.streams.state import SnapClient


@dataclass(frozen=True, slots=True)
class ClientsSynced:
    """The server is there, after a start or an interruption: these are all its clients."""

    clients: tuple[SnapClient, ...]


@dataclass(frozen=True, slots=True)
class ClientChanged:
    """Another one than us changed a client, or it came or went. `before` is None for a new one."""

    before: SnapClient | None
    after: SnapClient | None


@dataclass(frozen=True, slots=True)
class ServerLost:
    """The server is away, and all its clients with it."""


ClientNews = ClientsSynced | ClientChanged | ServerLost

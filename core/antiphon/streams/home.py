"""Where a snapserver lives: as a child of ours, or somewhere else."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from uuid import UUID

from antiphon.errors import Misconfigured
from antiphon.processes import free_port
from antiphon.streams.config import Ports
from antiphon.streams.control import SnapcastControl


def check_own_address(key: str, host: str) -> None:
    """Raise Misconfigured where nothing on this machine can listen at the address of a setting."""
    try:
        free_port(host)
    except OSError as error:
        raise Misconfigured(
            [f"{key} = {host!r} is not an address of this machine ({error.strerror})"]
        ) from error


class Home(ABC):
    """What `Snapcast` needs to know of a server, whoever runs it."""

    @property
    @abstractmethod
    def ports(self) -> Ports:
        """Where it listens now."""

    @abstractmethod
    def address(self) -> tuple[str, int]:
        """Host and port of its control port now."""

    @abstractmethod
    async def provide(
        self, zones: Collection[UUID], control: SnapcastControl
    ) -> Mapping[UUID, str]:
        """See to a stream for each zone; returns where the renderer must send their sound."""

    @abstractmethod
    async def withdraw(self, zone_id: UUID, control: SnapcastControl) -> None:
        """Forget a zone's stream, without disturbing the others."""

    async def on_status(
        self,
        streams: frozenset[str],  # noqa: ARG002  a server of our own has what it was told to have
        control: SnapcastControl,  # noqa: ARG002  likewise
        *,
        is_first: bool,  # noqa: ARG002  likewise
    ) -> str | None:
        """Called with the streams there now and then, and first after every connection.

        Returns what a person must do for the zones to be heard, if anything.
        """
        return None

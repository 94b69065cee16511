"""A snapserver that somebody else runs: it fetches the zones' sound from us over TCP."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from uuid import UUID

from antiphon.errors import Unavailable
from antiphon.processes import port_or_free
from antiphon.settings.models import SnapcastSettings
from antiphon.streams.config import UNASSIGNED, Ports, pipe_source, stream_name, tcp_source
from antiphon.streams.control import MethodMissing, SnapcastControl
from antiphon.streams.home import Home, check_own_address
from antiphon.streams.memory import Memory

_log = logging.getLogger(__name__)
_FIRST_PORT = 4953  # snapserver's own example for a TCP source


class ExternalServer(Home):
    """Adds the zones' streams to a running server; where it can not, says what a person must add.

    A zone's port stays the same for good, so that lines in that server's configuration stay true.
    Raises Misconfigured where `source_host` is not ours to listen at.
    """

    def __init__(self, settings: SnapcastSettings, data_dir: Path) -> None:
        check_own_address("snapcast.source_host", settings.source_host)
        self._settings = settings
        self._memory = Memory(data_dir / "snapcast" / "antiphon.json")
        self._zones: set[UUID] = set()
        self._has_new = False
        self._advice: str | None = None

    @property
    def ports(self) -> Ports:
        """Where it listens, as the settings say."""
        wished = self._settings
        return Ports(wished.stream_port, wished.control_port, wished.http_port)

    def address(self) -> tuple[str, int]:
        """Host and port of its control port."""
        return self._settings.host, self._settings.control_port

    async def provide(
        self, zones: Collection[UUID], control: SnapcastControl
    ) -> Mapping[UUID, str]:
        """A port of ours for each zone, and a stream that reads from it."""
        host = self._settings.source_host
        sinks = {zone_id: f"listen:{host}:{self._port(zone_id)}" for zone_id in zones}
        if not self._zones.issuperset(zones):
            self._zones |= set(zones)
            self._memory.save()
            self._has_new = True
            control.refresh()  # the status comes, and what is missing is added
        return sinks

    async def withdraw(self, zone_id: UUID, control: SnapcastControl) -> None:
        """Lines that a person added stay, and do no harm."""
        self._zones.discard(zone_id)
        try:
            await control.request("Stream.RemoveStream", {"id": stream_name(zone_id)})
        except Unavailable as error:
            _log.debug("The stream of zone %s stays in the server: %s", zone_id, error)

    async def on_status(
        self, streams: frozenset[str], control: SnapcastControl, *, is_first: bool
    ) -> str | None:
        """Add what is missing, as after a restart of the server, which forgets added streams."""
        if is_first or self._has_new:
            self._has_new = False
            missing = [source for name, source in self._sources().items() if name not in streams]
            self._advice = await self._add(missing, control)
            if self._has_new:
                control.refresh()  # zones came meanwhile, and the status that told so was passed by
        return self._advice

    async def _add(self, missing: Sequence[str], control: SnapcastControl) -> str | None:
        refused: list[str] = []
        for source in missing:
            try:
                await control.request("Stream.AddStream", {"streamUri": source})
            except MethodMissing:
                refused.append(source)
            except Unavailable as error:
                _log.warning("The stream %s could not be added: %s", source, error)
                refused.append(source)
        if len(refused) < len(missing):
            control.refresh()
        if not refused:
            return None
        lines = "\n".join(f"source = {source}" for source in refused)
        return (
            "This snapserver takes no new streams while it runs. Add these lines to the section "
            f"[stream] of its configuration and start it again:\n{lines}"
        )

    def _sources(self) -> dict[str, str]:
        silent = pipe_source(Path("/tmp/antiphon-silence"), UNASSIGNED, "create")  # noqa: S108
        sources = {UNASSIGNED: silent}
        for zone_id in sorted(self._zones):
            name, port = stream_name(zone_id), self._port(zone_id)
            sources[name] = tcp_source(self._settings.source_host, port, name, self._settings)
        return sources

    def _port(self, zone_id: UUID) -> int:
        known = self._memory.kept.ports
        if zone_id.hex not in known:
            wished = _FIRST_PORT
            while wished in known.values():
                wished += 1
            known[zone_id.hex], _ = port_or_free(self._settings.source_host, wished)
        return known[zone_id.hex]

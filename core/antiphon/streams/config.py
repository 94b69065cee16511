"""What snapserver is told: names of streams, their sources, and the configuration file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

from antiphon.settings.models import SnapcastSettings

UNASSIGNED = "unassigned"
"""The silent stream: what a loudspeaker hears that nobody has put into a zone."""

PIPE_BUFFER_MS = 150
SAMPLE_FORMAT = "48000:16:2"
SAFE_VOLUME = 50
"""The volume of a loudspeaker that is in no zone."""

_LOOPBACK = "127.0.0.1"
_PREFIX = "zone-"


def stream_name(zone_id: UUID | None) -> str:
    """The name, and so the id, of a zone's stream; of the silent one for no zone."""
    return UNASSIGNED if zone_id is None else f"{_PREFIX}{zone_id.hex}"


def zone_of(stream: str) -> UUID | None:
    """The zone of a stream; None for the silent one and for streams that are not ours."""
    if not stream.startswith(_PREFIX):
        return None
    try:
        return UUID(hex=stream.removeprefix(_PREFIX))
    except ValueError:
        return None


def is_ours(stream: str) -> bool:
    """Whether Antiphon made this stream: a server that is shared may have others."""
    return stream == UNASSIGNED or zone_of(stream) is not None


def pipe_source(path: Path, name: str, mode: str = "read") -> str:
    """A source that reads a FIFO: `read` expects it to be there, `create` makes it.

    snapserver fills in silence where a chunk is later than `buffer_ms`. Its default of 50 ms gave a
    dozen gaps a minute on a machine with all cores busy; with 150 ms there was next to none.
    """
    return (
        f"pipe://{quote(str(path))}?name={name}&mode={mode}&sampleformat={SAMPLE_FORMAT}"
        f"&buffer_ms={PIPE_BUFFER_MS}"
    )


def tcp_source(host: str, port: int, name: str, settings: SnapcastSettings) -> str:
    """A source for which snapserver connects to us, and again after a loss."""
    return (
        f"tcp://{host}:{port}?name={name}&mode=client&sampleformat={SAMPLE_FORMAT}"
        f"&codec={settings.codec}&chunk_ms={settings.chunk_ms}"
    )


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a snapserver listens: for loudspeakers, for control, for control over HTTP."""

    stream: int
    control: int
    http: int


def render(settings: SnapcastSettings, ports: Ports, sources: Sequence[str]) -> str:
    """The configuration file of a snapserver of ours.

    Whoever reaches a control port may do everything, so they listen on loopback alone. The first
    source is what new loudspeakers hear. `initial_volume` exists since 0.27; older ones ignore it.
    """
    lines = [
        "# Written by Antiphon at every start; changes are lost.",
        "[http]",
        "enabled = true",
        f"bind_to_address = {_LOOPBACK}",
        f"port = {ports.http}",
        "doc_root =",
        "[tcp]",
        "enabled = true",
        f"bind_to_address = {_LOOPBACK}",
        f"port = {ports.control}",
        "[stream]",
        f"bind_to_address = {settings.bind}",
        f"port = {ports.stream}",
        f"sampleformat = {SAMPLE_FORMAT}",
        f"codec = {settings.codec}",
        f"chunk_ms = {settings.chunk_ms}",
        f"buffer = {settings.buffer_ms}",
        *(f"source = {source}" for source in sources),
        "[streaming_client]",
        f"initial_volume = {SAFE_VOLUME}",
        "[logging]",
        "sink = stdout",
    ]
    return "\n".join(lines) + "\n"

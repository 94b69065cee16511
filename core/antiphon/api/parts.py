"""What the API is made of: the parts of the server that it opens to the outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol
from uuid import UUID

from antiphon.api.metrics import Metrics
from antiphon.audit import Entry
from antiphon.building.service import Building
from antiphon.events import EventBus
from antiphon.jobs.runner import JobRunner
from antiphon.plugins.devices import Devices
from antiphon.plugins.media import MediaRegistry
from antiphon.plugins.routes import Route
from antiphon.plugins.speech import SpeechRegistry
from antiphon.plugins.zones import Zones
from antiphon.settings.models import AccountSettings, HttpSettings, MailSettings
from antiphon.types import Frozen

LiveFormat = Literal["wav", "ogg"]


class Live(Protocol):
    """The live sound of zones."""

    def open(
        self,
        zone_id: UUID,
        format: LiveFormat,  # noqa: A002  the word of the API
    ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """A zone's sound from now on, in chunks; the format's header comes first."""


class PartHealth(Frozen):
    """How one part of the server is. The server is ready when all essential parts are up."""

    is_up: bool
    is_essential: bool = True
    message: str | None = None


HealthCheck = Callable[[], Awaitable[PartHealth]]


class PluginView(Frozen):
    """A plugin and how it is."""

    name: str
    distribution: str
    version: str
    status: str
    reason: str | None = None


def unwatched(_: Entry) -> None:
    """The audit trail of an API that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiParts:
    """What `serve` needs. `routes` are the plugins'; `checks` name the parts that health shows.

    `told` gives further parts, those that have no check; see `health.PartsTold`. `plugins` is asked
    whenever somebody wants to see the plugins. `audit` keeps what was changed; it never waits.
    """

    http: HttpSettings
    secret_key: bytes
    bus: EventBus
    building: Building
    zones: Zones
    devices: Devices
    speech: SpeechRegistry
    live: Live
    jobs: JobRunner
    accounts: AccountSettings = field(default_factory=AccountSettings)
    mail: MailSettings = field(default_factory=MailSettings)
    plugins: Callable[[], Sequence[PluginView]] = tuple
    routes: Sequence[Route] = ()
    checks: Mapping[str, HealthCheck] = field(default_factory=dict)
    told: Callable[[], Mapping[str, PartHealth]] = dict
    media: MediaRegistry = field(default_factory=MediaRegistry)
    audit: Callable[[Entry], None] = unwatched
    media_dir: Path = Path("media")
    metrics: Metrics = field(default_factory=Metrics)

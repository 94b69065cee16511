"""How a loudspeaker introduces itself."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

from antiphon_devices.reports import AgentVersion, SnapclientVersion, UpInfo
from antiphon_devices.speaker import facts
from antiphon_devices.speaker.player import version_of
from antiphon_devices.speaker.settings import SpeakerSettings


def describe(settings: SpeakerSettings, ops: Sequence[str]) -> UpInfo:
    """What it is. Starts snapclient to ask for its version and looks names up: call in a thread."""
    return UpInfo(
        device_id=settings.key,
        hostname=settings.name or facts.hostname(),
        model=facts.model(),
        manufacturer=facts.manufacturer(),
        serial=facts.serial(),
        mac=facts.mac(),
        agent=AgentVersion(name="antiphon-speaker", version=_version()),
        snapclient=SnapclientVersion(
            version=version_of(settings.snapclient), host_id=settings.hardware_id
        ),
        ip=facts.address_towards(settings.broker.host),
        booted_at=facts.booted_at(),
        capabilities=list(ops),
    )


def _version() -> str:
    try:
        return version("antiphon")
    except PackageNotFoundError:
        return "unknown"

"""The wiring: which parts there are, in which order they start, and what each is given."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from antiphon.api import (
    ApiParts,
    HealthCheck,
    Metrics,
    PartHealth,
    PartsTold,
    PluginView,
    core_operations,
    serve,
)
from antiphon.audit import AuditTrail
from antiphon.building.devices import DeviceService
from antiphon.building.service import Building
from antiphon.engine.listen import LiveAudio
from antiphon.engine.pool import RendererPool
from antiphon.engine.protocol import Configure
from antiphon.events import EventBus
from antiphon.jobs import JobRunner
from antiphon.place import occupied
from antiphon.playback import ZoneController
from antiphon.playback.fallback import prepare_fallback
from antiphon.playback.hands import noting_hands
from antiphon.playback.unheard import UnheardLog
from antiphon.plugins import MediaRegistry, SpeechRegistry
from antiphon.plugins.manager import Plugins, load_plugins
from antiphon.plugins.records import PluginStatus
from antiphon.plugins.starting import PluginParts, connect
from antiphon.settings import (
    Loaded,
    Settings,
    check_private,
    disabled_plugins,
    load,
)
from antiphon.store import Database, open_database
from antiphon.store.purge import purging
from antiphon.streams import Snapcast
from antiphon.tenancy.models import Client
from antiphon.tenancy.tokens import load_secret_key
from antiphon.tenancy.users import create_client, ensure_admin

FIRST_CLIENT = "My building"
_DISK_IS_FULL = 500_000_000  # bytes; what is written next may not fit


@dataclass(frozen=True, slots=True)
class Antiphon:
    """A running server, for whoever started it.

    `admin_password` is there on the first start alone, and only if it was generated: show it once.
    """

    url: str
    admin_password: str | None
    bus: EventBus
    plugins: Plugins
    renderer: RendererPool
    snapcast: Snapcast


def prepare(
    environ: Mapping[str, str] = os.environ, config_dir: Path | None = None
) -> tuple[Loaded, Plugins]:
    """Load the plugins and the settings, so that the mistakes of both are told together.

    Raises Misconfigured where the core's settings are wrong; a plugin's are in its record.
    """
    plugins = load_plugins(disabled_plugins(environ, config_dir))
    loaded = load(environ, config_dir, sections=plugins.section_models())
    plugins.configure(loaded)
    return loaded, plugins


async def initialise(loaded: Loaded, plugins: Plugins) -> str | None:
    """Make what the first start would make, and nothing more; see `Antiphon.admin_password`.

    Raises Misconfigured where a server runs on this data already.
    """
    settings = loaded.settings
    with occupied(settings.data_dir) as place:
        load_secret_key(place.secret_key)
        check_private(settings, place.secret_key)
        async with _database(settings, plugins):
            return await _first_people(settings)


@asynccontextmanager
async def running(loaded: Loaded, plugins: Plugins | None = None) -> AsyncIterator[Antiphon]:
    """The whole server, for as long as this lasts. `plugins` is what `prepare` gave.

    What was started is stopped in reverse order, also when a later part does not start. Raises
    Misconfigured where a person must act, Unavailable where it may work later.
    """
    settings = loaded.settings
    if plugins is None:
        plugins = load_plugins(settings.disabled_plugins)
        plugins.configure(loaded)
    bus, media, speech = EventBus(), MediaRegistry(), SpeechRegistry()
    told, metrics = PartsTold(bus), Metrics()
    metrics.follow(bus)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        place = stack.enter_context(occupied(settings.data_dir))
        check_private(settings, place.secret_key)
        secret_key = load_secret_key(place.secret_key)
        # Before every task: the ORM keeps its connections in a context variable.
        database = await enter(_database(settings, plugins))
        # Early, as it takes a while in a process of its own; the others do not need it yet.
        most = settings.audio.max_renderers
        renderer = await enter(RendererPool(bus, _levels(settings), processes=most))
        admin_password = await _first_people(settings)
        await enter(purging(place.media_dir, settings.trash.keep_days))
        trail = await enter(AuditTrail(bus))
        jobs = await enter(JobRunner(bus))
        notes = place.data_dir / "cache" / "fallback.json"
        prepare_fallback(jobs, renderer.send, settings.audio, notes)
        snapcast = await enter(Snapcast(settings.snapcast, place.run_dir, place.data_dir, bus))
        live = await enter(LiveAudio(renderer))
        devices = await enter(DeviceService(bus, snapcast))
        latency_s = snapcast.latency_s + settings.audio.output_latency_ms / 1000
        zones = ZoneController(bus, renderer, snapcast, media, settings.audio, latency_s)
        parts = PluginParts(
            bus=bus,
            zones=zones,
            devices=devices,
            media=media,
            speech=speech,
            jobs=jobs,
            data_dir=place.data_dir,
            media_dir=place.media_dir,
            secret_key=secret_key,
            public_url=settings.http.public_url.rstrip("/"),
            add_driver=devices.add_driver,
        )
        connected = await connect(plugins, parts)
        api = ApiParts(
            http=settings.http,
            secret_key=secret_key,
            media_dir=place.media_dir,
            bus=bus,
            building=Building(bus),
            zones=zones,
            devices=devices,
            speech=speech,
            live=live,
            jobs=jobs,
            accounts=settings.accounts,
            mail=settings.mail,
            plugins=lambda: [PluginView(**row.model_dump()) for row in plugins.records],
            checks=_checks(settings, database, renderer, snapcast, plugins),
            told=told,
            media=media,
            audit=trail.note,
            metrics=metrics,
        )
        connected.withhold(core_operations(api))
        await renderer.ready()
        # After the media sources are there, since zones go on with what they played.
        await enter(zones)
        await enter(UnheardLog(bus, media))
        await enter(noting_hands(bus, zones))
        await enter(connected.services())
        server = await enter(serve(replace(api, routes=connected.routes)))
        stack.enter_context(place.announced(server.url))
        yield Antiphon(server.url, admin_password, bus, plugins, renderer, snapcast)


@asynccontextmanager
async def _database(settings: Settings, plugins: Plugins) -> AsyncIterator[Database]:
    url = settings.database.url.get_secret_value()
    async with open_database(url, settings.data_dir, plugins.tables()) as database:
        for name, reason in database.failed.items():
            plugins.fail(name, PluginStatus.FAILED_TO_START, reason)
        yield database


async def _first_people(settings: Settings) -> str | None:
    """A client and an admin, unless there are some; returns a generated password."""
    if not await Client.exists():
        await create_client(FIRST_CLIENT)
    return await ensure_admin(settings.admin.email, settings.admin.password.get_secret_value())


def _levels(settings: Settings) -> Configure:
    audio = settings.audio
    return Configure(
        true_peak_db=audio.true_peak_db,
        duck_gap_lu=audio.duck_gap_lu,
        duck_down_s=audio.duck_down_s,
        duck_up_s=audio.duck_up_s,
        cache_folder=str(settings.data_dir / "cache" / "sound"),
        cache_bytes=round(audio.cache_gb * 1e9),
    )


def _checks(
    settings: Settings,
    database: Database,
    renderer: RendererPool,
    snapcast: Snapcast,
    plugins: Plugins,
) -> dict[str, HealthCheck]:
    """What the health of the server is made of."""

    async def database_health() -> PartHealth:
        await database.check()
        return PartHealth(is_up=True, message=database.kind)

    async def renderer_health() -> PartHealth:
        return PartHealth(is_up=renderer.is_up)

    async def snapserver_health() -> PartHealth:
        return PartHealth(is_up=snapcast.available, is_essential=False, message=snapcast.message)

    async def disk_health() -> PartHealth:
        disk = await asyncio.to_thread(shutil.disk_usage, settings.data_dir)
        message = f"{disk.free / 1e9:.1f} GB are free"
        return PartHealth(is_up=disk.free > _DISK_IS_FULL, is_essential=False, message=message)

    def plugin_health(name: str) -> HealthCheck:
        async def check() -> PartHealth:
            row = next(row for row in plugins.records if row.name == name)
            is_fine = row.status in (PluginStatus.READY, PluginStatus.DISABLED)
            return PartHealth(is_up=is_fine, is_essential=False, message=row.reason)

        return check

    checks: dict[str, HealthCheck] = {
        "database": database_health,
        "renderer": renderer_health,
        "disk": disk_health,
    }
    checks |= {f"plugin {row.name}": plugin_health(row.name) for row in plugins.records}
    if settings.snapcast.mode != "off":
        checks["snapserver"] = snapserver_health
    return checks

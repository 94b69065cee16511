"""A channel playlist of 20,000 tracks: filling, starting, going on, editing and ordering it."""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID

from antiphon.events import EventBus
from antiphon.plugins import (
    Devices,
    Jobs,
    MediaRef,
    MediaRegistry,
    PluginContext,
    SpeechRegistry,
    Zones,
)
from antiphon.plugins.manager import load_plugins
from antiphon.store import open_database
from antiphon.tenancy.models import Client
from antiphon.types import Principal
from antiphon_music.art import ArtKeys
from antiphon_music.models import Folder, MusicFile
from antiphon_music.source import MusicSource
from antiphon_scheduling.clock import SystemClock
from antiphon_scheduling.playlists.items import Items
from antiphon_scheduling.playlists.models import ChannelPlaylist, ItemType
from antiphon_scheduling.playlists.music import ChannelSource
from antiphon_scheduling.playlists.service import ChannelPlaylists
from antiphon_scheduling.playlists.views import (
    ChangeItem,
    ItemQuery,
    NewItem,
    NewItems,
    NewPlaylist,
    Order,
)
from bench.figures import in_child, show

TRACKS = 20_000
ROUNDS = 10


class _Stall:
    """The longest time for which the loop could do nothing else."""

    def __init__(self) -> None:
        self.longest_s = 0.0

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        self.longest_s = 0.0
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()

    async def _watch(self) -> None:
        while True:
            started = time.thread_time()
            await asyncio.sleep(0.001)
            self.longest_s = max(self.longest_s, time.thread_time() - started)


async def _timed(figures: dict[str, Any], name: str, work: Awaitable[Any]) -> Any:
    stall, started = _Stall(), time.process_time()
    async with stall.watching():
        result = await work
    figures[name] = ((time.process_time() - started) * 1_000, stall.longest_s * 1_000)
    return result


async def _tracks(client: Client, folder: Folder) -> list[UUID]:
    chance = random.Random(1)  # noqa: S311  figures, not secrets
    rows = [
        MusicFile(
            client=client,
            folder=folder,
            file=f"{number}.mp3",
            filename=f"{number}.mp3",
            file_size=1,
            title=f"Song {number}",
            artist=f"Artist {chance.randrange(1_500)}",
            duration_s=chance.uniform(120, 320),
            content_hash=str(number),
            order=number,
        )
        for number in range(TRACKS)
    ]
    await MusicFile.bulk_create(rows, batch_size=500)
    return [row.id for row in rows]


async def _run(folder: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    async with open_database("", folder, load_plugins(()).tables()):
        client = await Client.create(name="Big")
        shelf = await Folder.create(client=client, name="All")
        keys = await _tracks(client, shelf)
        media, bus = MediaRegistry(), EventBus()
        media.add(MusicSource(folder, ArtKeys(b"bench")))
        source = ChannelSource(media, bus)
        context = PluginContext(
            name="scheduling",
            settings=None,
            bus=bus,
            zones=cast(Zones, None),
            devices=cast(Devices, None),
            media=media,
            speech=SpeechRegistry(),
            jobs=cast(Jobs, None),
            data_dir=folder,
            media_dir=folder,
            log=__import__("logging").getLogger("bench"),
        )
        playlists = ChannelPlaylists(context, SystemClock())
        items = Items(playlists, media)
        owner = Principal.system(client.id)
        await _single_tracks(figures, owner, playlists, items, source, keys)
        await _one_folder(figures, client, playlists, items, source, shelf)
    return figures


async def _single_tracks(
    figures: dict[str, Any],
    owner: Principal,
    playlists: ChannelPlaylists,
    items: Items,
    source: ChannelSource,
    keys: list[UUID],
) -> None:
    made = await playlists.create(owner, NewPlaylist(name="Tracks"))
    new = NewItems(items=[NewItem(item_type=ItemType.MUSIC, content_id=key) for key in keys])
    await _timed(figures, "add 20,000 tracks", items.add_all(owner, made.id, new))
    page = await _timed(
        figures, "list the first page", items.find(owner, made.id, ItemQuery(limit=200))
    )
    await _play(figures, "tracks", made.client_id, source, made.id)
    change = ChangeItem(weight=3)
    await _timed(figures, "edit an item", items.change(owner, made.id, page.items[0].id, change))
    rows = [item.id for item in page.items]
    while len(rows) < TRACKS:
        more = await items.find(owner, made.id, ItemQuery(limit=200, offset=len(rows)))
        rows += [item.id for item in more.items]
    order = Order(item_ids=rows[::-1])
    await _timed(figures, "reorder all", items.reorder(owner, made.id, order))


async def _one_folder(
    figures: dict[str, Any],
    client: Client,
    playlists: ChannelPlaylists,
    items: Items,
    source: ChannelSource,
    shelf: Folder,
) -> None:
    owner = Principal.system(client.id)
    made = await playlists.create(owner, NewPlaylist(name="Folder"))
    await items.add(owner, made.id, NewItem(item_type=ItemType.FOLDER, content_id=shelf.id))
    await _play(figures, "folder", client.id, source, made.id)
    await ChannelPlaylist.filter(id=made.id).update(shuffle_music=False)
    await _play(figures, "folder, in its order", client.id, source, made.id)


async def _play(
    figures: dict[str, Any], name: str, client_id: UUID, source: ChannelSource, playlist: UUID
) -> None:
    ref = MediaRef(kind="channel", value=str(playlist))
    played = list(await _timed(figures, f"start: {name}", source.expand(client_id, ref)))
    drawn, started = 0, time.process_time()
    for _ in range(ROUNDS):
        more = await _timed(figures, f"go on: {name}", source.follow(client_id, ref, played[-200:]))
        drawn += len(more)
        played = [*played, *more][-200:]
    figures[f"a track: {name}"] = (time.process_time() - started) * 1e3 / drawn


def _child() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_run(Path(folder)))


def main() -> None:
    """Print them, in CPU time; the longest for which the loop could do nothing else as well."""
    print(f"{TRACKS:,} tracks, {datetime.now(UTC):%Y-%m-%d}")
    figures, _, peak_mb = in_child(_child)
    for name, value in figures.items():
        if isinstance(value, tuple):
            show(name, value[0], "CPU ms", f"at most {value[1]:.0f} ms at a time on the loop")
        else:
            show(name, value, "CPU ms")
    show("memory of the process", peak_mb, "MB")

"""The operations on channel playlists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from antiphon.errors import Conflict, Invalid, Unavailable
from antiphon.plugins import (
    Managers,
    Page,
    PluginContext,
    Request,
    Route,
    restore_route,
)
from antiphon.types import Effect
from antiphon_scheduling.clock import Clock
from antiphon_scheduling.playlists.items import Items
from antiphon_scheduling.playlists.service import ChannelPlaylists
from antiphon_scheduling.playlists.views import (
    ChangeItem,
    ChangePlaylist,
    ChannelPlayView,
    ItemQuery,
    ItemsAdded,
    ItemView,
    NewItem,
    NewItems,
    NewPlaylist,
    Order,
    PlaylistQuery,
    PlaylistView,
    PreviewQuery,
    PreviewView,
    ZoneChannelView,
)
from antiphon_scheduling.playlists.zones import ZoneChannels

_TAG = "channel playlists"
_ALL = "channel-playlists"
_ONE = f"{_ALL}/{{playlist_id}}"
_ITEMS = f"{_ONE}/items"
_ITEM = f"{_ITEMS}/{{item_id}}"
_ID = "playlist_id"
_MOST_BYTES = 16 * 1024 * 1024
_SOME = "6f1f3b8e-5d5c-4a57-9a4b-2f2f9f0f2f11"


def playlist_routes(context: PluginContext, clock: Clock) -> Sequence[Route]:
    """All routes of channel playlists."""
    playlists = ChannelPlaylists(context, clock)
    return [
        *_playlists(playlists),
        *_items(Items(playlists, context.media)),
        *_channels(ZoneChannels(context, clock, playlists)),
    ]


def _playlists(playlists: ChannelPlaylists) -> list[Route]:
    async def find(request: Request[Any, Any]) -> Page[PlaylistView]:
        return await playlists.find(request.principal, request.query)

    async def create(request: Request[Any, Any]) -> PlaylistView:
        return await playlists.create(request.principal, request.body)

    async def get(request: Request[Any, Any]) -> PlaylistView:
        return await playlists.get(request.principal, request.path[_ID])

    async def change(request: Request[Any, Any]) -> PlaylistView:
        return await playlists.change(request.principal, request.path[_ID], request.body)

    async def toggle(request: Request[Any, Any]) -> PlaylistView:
        return await playlists.toggle(request.principal, request.path[_ID])

    async def delete(request: Request[Any, Any]) -> None:
        await playlists.delete(request.principal, request.path[_ID])

    async def restore(request: Request[Any, Any]) -> PlaylistView:
        return await playlists.restore(request.principal, request.path[_ID])

    async def preview(request: Request[Any, Any]) -> PreviewView:
        return await playlists.preview(request.principal, request.path[_ID], request.query)

    return [
        Route(
            method="GET",
            path=_ALL,
            handler=find,
            summary="List channel playlists",
            tag=_TAG,
            query=PlaylistQuery,
            response=Page[PlaylistView],
        ),
        Route(
            method="POST",
            path=_ALL,
            handler=create,
            summary="Make a channel playlist",
            description="Add its music and announcements under `items` afterwards.",
            tag=_TAG,
            roles=Managers,
            body=NewPlaylist,
            response=PlaylistView,
            status=201,
            errors=(Invalid,),
            example={
                "name": "Ground floor",
                "floors": [_SOME],
                "title_gap_min": 90,
                "default_announcement_interval_min": 20,
                "quiet_from": "21:00",
                "quiet_until": "08:00",
            },
        ),
        Route(
            method="GET",
            path=_ONE,
            handler=get,
            summary="Read a channel playlist",
            tag=_TAG,
            response=PlaylistView,
        ),
        Route(
            method="PATCH",
            path=_ONE,
            handler=change,
            summary="Change a channel playlist",
            tag=_TAG,
            roles=Managers,
            body=ChangePlaylist,
            response=PlaylistView,
            errors=(Invalid,),
        ),
        Route(
            method="DELETE",
            path=_ONE,
            handler=delete,
            summary="Delete a channel playlist",
            description="Zones that play its music stop.",
            tag=_TAG,
            roles=Managers,
            status=204,
        ),
        restore_route(_ONE, restore, what="a channel playlist", response=PlaylistView),
        Route(
            method="POST",
            path=f"{_ONE}/toggle",
            handler=toggle,
            summary="Switch a channel playlist on or off",
            description="Zones that play its music stop when it is switched off.",
            tag=_TAG,
            roles=Managers,
            response=PlaylistView,
        ),
        Route(
            method="GET",
            path=f"{_ONE}/preview",
            handler=preview,
            summary="See how a round of its music could go",
            description="With the rules that had to be broken. Every real round is another one.",
            tag=_TAG,
            query=PreviewQuery,
            response=PreviewView,
        ),
    ]


def _items(items: Items) -> list[Route]:
    async def find(request: Request[Any, Any]) -> Page[ItemView]:
        return await items.find(request.principal, request.path[_ID], request.query)

    async def add(request: Request[Any, Any]) -> ItemView:
        return await items.add(request.principal, request.path[_ID], request.body)

    async def add_all(request: Request[Any, Any]) -> ItemsAdded:
        return await items.add_all(request.principal, request.path[_ID], request.body)

    async def change(request: Request[Any, Any]) -> ItemView:
        path = request.path
        return await items.change(request.principal, path[_ID], path["item_id"], request.body)

    async def delete(request: Request[Any, Any]) -> None:
        await items.delete(request.principal, request.path[_ID], request.path["item_id"])

    async def reorder(request: Request[Any, Any]) -> Page[ItemView]:
        return await items.reorder(request.principal, request.path[_ID], request.body)

    return [
        Route(
            method="GET",
            path=_ITEMS,
            handler=find,
            summary="List what is in a channel playlist",
            tag=_TAG,
            query=ItemQuery,
            response=Page[ItemView],
        ),
        Route(
            method="POST",
            path=_ITEMS,
            handler=add,
            summary="Add a track, a folder or an announcement",
            tag=_TAG,
            roles=Managers,
            body=NewItem,
            response=ItemView,
            status=201,
            errors=(Invalid, Conflict),
            example={
                "item_type": "announcement",
                "content_id": _SOME,
                "fixed_times": ["09:00", "18:45"],
            },
        ),
        Route(
            method="POST",
            path=f"{_ITEMS}/batch",
            handler=add_all,
            summary="Add many items at once",
            description="All of them, or none where one is wrong.",
            tag=_TAG,
            roles=Managers,
            body=NewItems,
            response=ItemsAdded,
            status=201,
            errors=(Invalid, Conflict),
            max_body_bytes=_MOST_BYTES,
            example={"items": [{"item_type": "music", "content_id": _SOME, "weight": 2}]},
        ),
        Route(
            method="PATCH",
            path=_ITEM,
            handler=change,
            summary="Change how often, or when, an item is heard",
            tag=_TAG,
            roles=Managers,
            body=ChangeItem,
            response=ItemView,
            errors=(Invalid,),
        ),
        Route(
            method="DELETE",
            path=_ITEM,
            handler=delete,
            summary="Take an item out",
            tag=_TAG,
            roles=Managers,
            status=204,
        ),
        Route(
            method="POST",
            path=f"{_ITEMS}/reorder",
            handler=reorder,
            summary="Put the items into another order",
            tag=_TAG,
            roles=Managers,
            body=Order,
            response=Page[ItemView],
            errors=(Invalid,),
            max_body_bytes=_MOST_BYTES,
            example={"item_ids": [_SOME]},
        ),
    ]


def _channels(channels: ZoneChannels) -> list[Route]:
    async def look(request: Request[Any, Any]) -> ZoneChannelView:
        return await channels.look(request.principal, request.path["zone_id"])

    async def play(request: Request[Any, Any]) -> ChannelPlayView:
        return await channels.play(request.principal, request.path[_ID])

    async def stop(request: Request[Any, Any]) -> ChannelPlayView:
        return await channels.stop(request.principal, request.path[_ID])

    return [
        Route(
            method="GET",
            path="zones/{zone_id}/channel",
            handler=look,
            summary="See which channel playlist is in force in a zone, and why",
            tag=_TAG,
            response=ZoneChannelView,
            errors=(Conflict, Unavailable),
        ),
        Route(
            method="POST",
            path=f"{_ONE}/play",
            effect=Effect.CONTROL,
            handler=play,
            summary="Start its music in all zones where it is in force",
            description="The zones share one programme.",
            tag=_TAG,
            roles=Managers,
            response=ChannelPlayView,
            errors=(Invalid, Conflict, Unavailable),
        ),
        Route(
            method="POST",
            path=f"{_ONE}/stop",
            effect=Effect.CONTROL,
            handler=stop,
            summary="Stop its music wherever it plays",
            tag=_TAG,
            roles=Managers,
            response=ChannelPlayView,
        ),
    ]

"""Fills an empty server: a floor, three zones, music in folders, and something playing in each."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from antiphon.errors import AntiphonError
from antiphon.local import LocalServer

_log = logging.getLogger(__name__)

ZONES = ("Lobby", "Restaurant", "Gym")
"""The zones, and the folders of the music that each of them plays."""

_RENDER_TIMEOUT_S = 120


async def furnish(api: LocalServer) -> None:
    """Make the demo building, unless there is a zone already.

    Goes through the API alone, as any user would. Where it was interrupted it goes on: what is
    there is used, what is missing is made. A failure is logged; the server runs without a demo.
    """
    try:
        zones = {zone["name"]: zone["id"] for zone in await _all(api, "zones")}
        if zones.keys() - set(ZONES):
            return  # somebody's own building
        folders = {folder["name"]: folder["id"] for folder in await _all(api, "folders")}
        missing = [name for name in ZONES if name not in zones]
        unheard = [name for name in ZONES if not await _has_music(api, folders.get(name))]
        if missing or unheard:
            _log.info("Making the demo building: %s", ", ".join(ZONES))
        for name in missing:
            zones[name] = (await api.post("zones", {"name": name}))["id"]
        for name in unheard:
            folder_id = await _fill(api, name, folders.get(name))
            await _play(api, zones[name], folder_id)
            _log.info("The demo building plays in %s", name)
    except AntiphonError as error:
        _log.warning("The demo building is not complete: %s", error)


async def _has_music(api: LocalServer, folder_id: str | None) -> bool:
    return folder_id is not None and bool((await api.get("music", folder_id=folder_id))["total"])


async def _fill(api: LocalServer, name: str, folder_id: str | None) -> str:
    """Render the music of one mood and upload it into its folder; returns the folder's id."""
    with TemporaryDirectory(prefix="antiphon-demo-") as scratch:
        await _render(Path(scratch), name)
        if folder_id is None:
            folder_id = str((await api.post("folders", {"name": name}))["id"])
        for file in sorted(await asyncio.to_thread(lambda: list(Path(scratch).iterdir()))):
            await api.upload("music", file, folder_id=folder_id)
    return folder_id


async def _play(api: LocalServer, zone_id: str, folder_id: str) -> None:
    await api.post(
        f"zones/{zone_id}/playback/play", {"folder_ids": [folder_id], "crossfade_s": 3.0}
    )


async def _render(directory: Path, folder: str) -> None:
    """Synthesise in a process of its own, so that the server's main loop never waits."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "antiphon.demo.music", str(directory), folder
    )
    try:
        async with asyncio.timeout(_RENDER_TIMEOUT_S):
            await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _all(api: LocalServer, path: str) -> list[Any]:
    return list((await api.get(path, limit="200"))["items"])

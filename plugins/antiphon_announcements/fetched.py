"""Announcements that lie behind a web address, such as what another system's voice has spoken."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import aiohttp

from antiphon.errors import Invalid, Unavailable
from antiphon.plugins import Media, MediaRef, MediaSource
from antiphon_announcements.clips import ClipStore

_TIMEOUT = aiohttp.ClientTimeout(total=20.0)
_CHUNK_BYTES = 1 << 16
_SAME_FOR_S = 60  # one announcement in many zones is fetched once


class UrlSource(MediaSource):
    """Files behind `http://` and `https://`, from the hosts that the settings name alone.

    Without that limit whoever may announce could make the server ask anything inside its network.
    So redirects are not followed either.
    """

    def __init__(
        self, clips: ClipStore, folder: Path, hosts: Collection[str], limit_bytes: int
    ) -> None:
        self._clips = clips
        self._folder = folder
        self._hosts = frozenset(host.lower() for host in hosts)
        self._limit_bytes = limit_bytes

    @property
    def kinds(self) -> frozenset[str]:
        """See `MediaSource.kinds`."""
        return frozenset({"url"})

    async def resolve(self, client_id: UUID, ref: MediaRef) -> Media:
        """See `MediaSource.resolve`. Raises Invalid on `url`, Unavailable if it can not be had."""
        self._check(ref.value)
        folder = self._folder / str(client_id)
        about = f"{ref.value} {int(time.time()) // _SAME_FOR_S}"

        async def make(destination: Path) -> None:
            await self._fetch(ref.value, destination)
            await self._clips.trim(folder, self._limit_bytes)

        name = hashlib.sha256(about.encode()).hexdigest()
        clip = await self._clips.get(folder / f"{name}.wav", make)
        return Media(
            ref=ref,
            path=clip.path,
            title=urlsplit(ref.value).path.rsplit("/", 1)[-1][:80] or "Announcement",
            duration_s=clip.duration_s,
            loudness_lufs=clip.loudness_lufs,
            true_peak_db=clip.true_peak_db,
        )

    def _check(self, url: str) -> None:
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            raise Invalid.field("url", "is no address of a file") from None
        if parts.scheme not in ("http", "https") or not host:
            raise Invalid.field("url", "must begin with http:// or https:// and name a host")
        if not self._hosts & {host, f"{host}:{port}"}:
            raise Invalid.field(
                "url", f"nothing is fetched from {host}: [announcements] url_hosts does not name it"
            )

    async def _fetch(self, url: str, destination: Path) -> None:
        try:
            async with (
                aiohttp.ClientSession(timeout=_TIMEOUT) as session,
                session.get(url, allow_redirects=False) as answer,
            ):
                if answer.status != 200:
                    raise Unavailable(f"The file behind url can not be had: {answer.status}.")
                await self._write(answer, destination)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(f"The file behind url can not be had: {error!r}.") from error

    async def _write(self, answer: aiohttp.ClientResponse, destination: Path) -> None:
        size = 0
        with destination.open("wb") as file:
            async for chunk in answer.content.iter_chunked(_CHUNK_BYTES):
                size += len(chunk)
                if size > self._limit_bytes:
                    raise Invalid.field("url", f"has more than {self._limit_bytes:,} bytes")
                await asyncio.to_thread(file.write, chunk)

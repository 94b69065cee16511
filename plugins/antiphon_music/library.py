"""Adds files to the library, changes them, and takes them out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from antiphon.errors import Conflict, Invalid, JobFailed, RestoreRefused, UnsupportedMedia
from antiphon.events import EventBus, MediaImported
from antiphon.plugins import Incoming, Jobs, file_chunks, receive_file
from antiphon.store import IntegrityError, in_transaction
from antiphon.tenancy.storage import storing
from antiphon.tenancy.trash import bring_back, put_away
from antiphon.text import one_line
from antiphon_music.models import Folder, FolderType, MusicFile
from antiphon_music.settings import MusicSettings
from antiphon_music.text import search_text

_log = logging.getLogger(__name__)

KIND = "music"
_INSPECT = "antiphon_music.work:inspect"  # named, not imported: it brings libav with it
_INSPECT_TIMEOUT_S = 60.0

# What `work.inspect` found.
Found = Mapping[str, Any]


class Duplicate(Conflict):
    """The same content is in the folder already."""

    def __init__(self, existing: MusicFile, name: str) -> None:
        self.existing = existing
        super().__init__(
            f"{name} is in this folder already, as {existing.title!r} ({existing.id}). "
            "Choose another folder, or delete that one first."
        )


class Library:
    """The files of all clients. `changing` is held by whoever changes where things lie.

    Methods take ids that the caller has already checked against its principal.
    """

    def __init__(self, media_dir: Path, jobs: Jobs, settings: MusicSettings, bus: EventBus) -> None:
        self.media_dir = media_dir
        self.settings = settings
        self.changing = asyncio.Lock()
        self._jobs = jobs
        self._bus = bus

    def path_of(self, name: str) -> Path:
        """Where a row's `file` or `cover_art` lies on the disk."""
        return self.media_dir / name

    def receive_file(self, path: Path) -> AbstractAsyncContextManager[Incoming]:
        """Copy a file of this machine; see `receive_file`. Raises OSError as well."""
        limit = self.settings.max_upload_bytes
        return receive_file(self.media_dir, file_chunks(path, limit), path.name, limit)

    async def find(
        self, client_id: UUID, folder_id: UUID | None, content_hash: str
    ) -> MusicFile | None:
        """The track with this content in a folder, or at the top of the library."""
        return await MusicFile.get_or_none(place=place_of(client_id, folder_id, content_hash))

    async def inspect(self, incoming: Incoming, worker: str = "inspect") -> Found:
        """Look into a file, in a job worker. Raises UnsupportedMedia where it can not be played."""
        arguments = {"path": str(incoming.path), "cover_path": str(cover_path(incoming))}
        try:
            found: Found = await self._jobs.run(
                _INSPECT, arguments, worker=worker, timeout_s=_INSPECT_TIMEOUT_S
            )
        except JobFailed as error:
            _log.warning("Looking into %s failed: %s", incoming.name, error)
            raise UnsupportedMedia(incoming.name, "reading it failed; it is damaged") from error
        if "refused" in found:
            raise UnsupportedMedia(incoming.name, found["refused"])
        return found

    async def keep(
        self,
        incoming: Incoming,
        found: Found,
        client_id: UUID,
        folder_id: UUID | None = None,
        *,
        uploaded_by: UUID | None = None,
        order: int | None = None,
    ) -> MusicFile:
        """Make a track of a file that was received and inspected; it comes last in its folder.

        Raises Duplicate, Invalid for a folder that is not the client's or not for music, and
        StorageFull.
        """
        async with self.changing:
            if existing := await self.find(client_id, folder_id, incoming.content_hash):
                raise Duplicate(existing, incoming.name)
            if folder_id is not None:
                await music_folder(client_id, folder_id)
            music = _row(incoming, found, client_id, folder_id)
            music.uploaded_by_id = uploaded_by
            music.order = await _next_order(client_id, folder_id) if order is None else order
            await self._store(incoming, music)
        self._bus.publish(
            MediaImported(client_id=client_id, media_id=music.id, kind=KIND, title=music.title)
        )
        return music

    async def _store(self, incoming: Incoming, music: MusicFile) -> None:
        moved = {incoming.path: music.file}
        if music.cover_art is not None:
            moved[cover_path(incoming)] = music.cover_art
        try:
            async with storing(music.client_id, incoming.size):
                await asyncio.to_thread(_move, self.media_dir, moved)
                await music.save(force_create=True)
        except BaseException as error:
            for name in moved.values():
                self.path_of(name).unlink(missing_ok=True)
            if isinstance(error, IntegrityError):
                existing = await MusicFile.get_or_none(place=music.place)
                if existing is not None:  # another process was quicker
                    raise Duplicate(existing, incoming.name) from error
            raise

    async def change(self, music: MusicFile, changes: Mapping[str, Any]) -> MusicFile:
        """Set fields of a track; `folder_id` moves it. Raises Invalid, Duplicate."""
        async with self.changing:
            if "folder_id" in changes and changes["folder_id"] is not None:
                await music_folder(music.client_id, changes["folder_id"])
            music.update_from_dict(dict(changes))
            music.place = place_of(music.client_id, music.folder_id, music.content_hash)
            refresh_search(music)
            try:
                await music.save()
            except IntegrityError as error:
                if existing := await MusicFile.get_or_none(place=music.place):
                    raise Duplicate(existing, music.title) from error
                raise
        return music

    async def delete(self, music: MusicFile) -> None:
        """Take a track out of the library, until it is restored or purged."""
        music.place = None
        await put_away(music, "place")

    async def delete_all(self, tracks: Sequence[MusicFile]) -> None:
        """Take many tracks out, all or none."""
        async with self.changing, in_transaction():
            for music in tracks:
                await self.delete(music)

    async def move_all(self, tracks: Sequence[MusicFile], folder_id: UUID | None) -> None:
        """Put many tracks of one client behind the others in a folder, all or none.

        Raises Invalid for a strange folder, Duplicate for the first that is in there already.
        """
        client_id = tracks[0].client_id
        async with self.changing:
            if folder_id is not None:
                await music_folder(client_id, folder_id)
            order = await _next_order(client_id, folder_id)
            async with in_transaction():
                for number, music in enumerate(tracks):
                    place = place_of(client_id, folder_id, music.content_hash)
                    existing = await MusicFile.get_or_none(place=place)
                    if existing is not None and existing.id != music.id:
                        raise Duplicate(existing, music.title)
                    music.update_from_dict(
                        {"folder_id": folder_id, "place": place, "order": order + number}
                    )
                    await music.save(update_fields=["folder_id", "place", "order", "updated_at"])

    async def set_cover(self, music: MusicFile, cover: str | None) -> MusicFile:
        """Note where the picture of a track lies; None for a track without."""
        music.cover_art = cover
        await music.save(update_fields=["cover_art", "updated_at"])
        return music

    async def restore(self, music: MusicFile) -> MusicFile:
        """Bring a deleted track back into its folder.

        Raises RestoreRefused where that was deleted, or has the same content by now; StorageFull.
        """
        what = f"The track {music.title!r}"
        async with self.changing:
            if music.folder_id is not None:
                folder = await Folder.get(id=music.folder_id)
                if folder.deleted_at is not None:
                    reason = f"its folder {folder.name!r} was deleted; restore that first"
                    raise RestoreRefused(what, reason)
            music.place = place_of(music.client_id, music.folder_id, music.content_hash)
            async with storing(music.client_id, music.file_size):
                return await bring_back(music, what, "the same content is in its folder already")


def cover_path(incoming: Incoming) -> Path:
    """Where a cover that was found in a file is kept meanwhile."""
    return incoming.beside(".cover")


def _row(incoming: Incoming, found: Found, client_id: UUID, folder_id: UUID | None) -> MusicFile:
    key = uuid4()
    tags = dict(found["tags"])
    tags["title"] = tags["title"] or one_line(incoming.title, 300) or incoming.name
    sound = {name: found[name] for name in ("codec", "sample_rate", "channels", "duration_s")}
    music = MusicFile(
        **tags,
        **sound,
        id=key,
        client_id=client_id,
        folder_id=folder_id,
        file=f"{client_id}/{key}.{found['extension']}",
        cover_art=f"{client_id}/{key}-cover.{found['cover']}" if found["cover"] else None,
        filename=incoming.name,
        file_size=incoming.size,
        content_hash=incoming.content_hash,
        place=place_of(client_id, folder_id, incoming.content_hash),
    )
    refresh_search(music)
    return music


def place_of(client_id: UUID, folder_id: UUID | None, name: str) -> str:
    """What is unique among rows that are not deleted; see `models.Folder`."""
    return sha256(f"{client_id}/{folder_id}/{name}".encode()).hexdigest()


def refresh_search(music: MusicFile) -> None:
    """Let searches find the track by what its tags say now."""
    music.search_text = search_text(
        music.title, music.artist, music.album, music.genre, music.composer, music.filename
    )


async def music_folder(client_id: UUID, folder_id: UUID) -> Folder:
    """The client's folder, if music may lie in it. Raises Invalid on `folder_id`."""
    folder = await Folder.get_or_none(id=folder_id, client_id=client_id, deleted_at=None)
    if folder is None:
        raise Invalid.field("folder_id", f"there is no folder {folder_id}")
    if folder.type is not FolderType.MUSIC:
        raise Invalid.field("folder_id", f"the folder {folder.name!r} is not for music")
    return folder


async def _next_order(client_id: UUID, folder_id: UUID | None) -> int:
    tracks = MusicFile.filter(client_id=client_id, folder_id=folder_id, deleted_at=None)
    last = await tracks.order_by("-order").first()
    return last.order + 1 if last else 0


def _move(media_dir: Path, moved: Mapping[Path, str]) -> None:
    for source, name in moved.items():
        target = media_dir / name
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)

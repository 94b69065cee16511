"""The library of announcements: rows and their files."""

from __future__ import annotations

import asyncio
import unicodedata
import uuid
from pathlib import Path
from typing import Any
from uuid import UUID

from antiphon.errors import Invalid, NotFound, UnsupportedMedia
from antiphon.events import MediaImported, MediaMeasured
from antiphon.plugins import Incoming, MediaRef, Page, PluginContext, ordered
from antiphon.tenancy.scope import belongs_to, scoped, writable_client
from antiphon.tenancy.storage import storing
from antiphon.tenancy.trash import bring_back, deleted_row, put_away
from antiphon.types import Principal
from antiphon_announcements.clips import WORKER
from antiphon_announcements.files import discard, move, share
from antiphon_announcements.models import Announcement
from antiphon_announcements.views import (
    AnnouncementQuery,
    ChangeAnnouncement,
    SpeakAnnouncement,
    StoredAnnouncement,
    UploadFields,
)

# By the first word of the container's name; files that users give never name themselves.
_ENDINGS = {"wav": "wav", "mp3": "mp3", "flac": "flac", "ogg": "ogg", "aac": "aac", "mov": "m4a"}
_FOLDER = "music.Folder"


class AnnouncementLibrary:
    """Creates, finds, changes and deletes announcements. All methods run on the main loop.

    Announcements that the principal does not reach raise NotFound.
    """

    def __init__(self, context: PluginContext) -> None:
        self._context = context

    async def find(
        self, principal: Principal, query: AnnouncementQuery
    ) -> Page[StoredAnnouncement]:
        """The announcements that match, in the order that is asked for."""
        rows = ordered(scoped(Announcement, principal, deleted=query.deleted), query.ordering)
        if query.search:
            rows = rows.filter(search_text__contains=searchable(query.search))
        named = {"client_id", "category", "folder_id", "enabled"}
        wanted = query.model_dump(include=named, exclude_none=True)
        found, total = await query.fetch(rows.filter(**wanted))
        return Page(items=tuple(StoredAnnouncement.of(row) for row in found), total=total)

    async def get(self, principal: Principal, announcement_id: UUID) -> Announcement:
        """One announcement."""
        row = await scoped(Announcement, principal).get_or_none(id=announcement_id)
        if row is None:
            raise NotFound("announcement", announcement_id)
        return row

    def path(self, row: Announcement) -> Path:
        """Where an announcement's file lies."""
        return self._path(row.client_id, row.file)

    async def speak(self, principal: Principal, wanted: SpeakAnnouncement) -> Announcement:
        """A new announcement from text. Returns when it is spoken."""
        client_id = await writable_client(principal, wanted.client_id)
        await check_folder(client_id, wanted.folder_id)
        clip = await self._speak(client_id, wanted.text, wanted.voice)
        described = wanted.model_dump(exclude={"client_id", "text", "voice"})
        return await self._create(principal, client_id, described | clip)

    async def upload(
        self, principal: Principal, upload: Incoming, wanted: UploadFields
    ) -> Announcement:
        """A new announcement from a received file. Raises UnsupportedMedia, StorageFull."""
        client_id = await writable_client(principal, wanted.client_id)
        await check_folder(client_id, wanted.folder_id)
        found = await self._context.jobs.run(
            "antiphon_announcements.inspection:inspect", {"path": str(upload.path)}, worker=WORKER
        )
        if "problem" in found:
            raise UnsupportedMedia(upload.name, found["problem"])
        container = found.pop("container").split(",")[0]
        file = f"{uuid.uuid4()}.{_ENDINGS.get(container, 'audio')}"
        await asyncio.to_thread(move, upload.path, self._path(client_id, file))
        described = wanted.model_dump(exclude={"client_id"})
        described["title"] = wanted.title or upload.title[:200] or "Announcement"
        clip = {
            "file": file,
            "file_size": upload.size,
            "content_hash": upload.content_hash,
            **found,
        }
        return await self._create(principal, client_id, described | clip)

    async def change(
        self, principal: Principal, announcement_id: UUID, change: ChangeAnnouncement
    ) -> Announcement:
        """Change an announcement; one whose text or voice changes is spoken anew first."""
        row = await self.get(principal, announcement_id)
        changes = change.model_dump(exclude_unset=True)
        await check_folder(row.client_id, changes.get("folder_id"))
        text, voice = changes.pop("text", None), changes.pop("voice", None)
        old, old_size = self.path(row), row.file_size
        row.update_from_dict(changes)
        if row.valid_from and row.valid_until and row.valid_until <= row.valid_from:
            raise Invalid.field("valid_until", "it must be later than valid_from")
        if text or voice:
            if not row.is_tts:
                field = "text" if text else "voice"
                raise Invalid.field(field, "this announcement was not made from a text")
            row.update_from_dict(
                await self._speak(row.client_id, text or row.tts_text or "", voice or row.tts_voice)
            )
        row.search_text = searchable(row.title, row.tts_text)
        try:
            async with storing(row.client_id, row.file_size - old_size):
                await row.save()
        except BaseException:
            if old != self.path(row):
                self.path(row).unlink(missing_ok=True)
            raise
        if old != self.path(row):
            await asyncio.to_thread(discard, self._context.data_dir, old)
        return row

    async def delete(self, principal: Principal, announcement_id: UUID) -> None:
        """Delete an announcement; its row and file are kept."""
        row = await self.get(principal, announcement_id)
        await put_away(row)

    async def restore(self, principal: Principal, announcement_id: UUID) -> Announcement:
        """Bring a deleted announcement back; one whose folder was deleted lies in none then.

        Raises StorageFull.
        """
        row = await deleted_row(Announcement, "announcement", principal, announcement_id)
        folder_id = row.folder_id
        if folder_id is not None and not await belongs_to(row.client_id, _FOLDER, folder_id):
            row.folder_id = None
        async with storing(row.client_id, row.file_size):
            return await bring_back(row, f"The announcement {row.title!r}")

    def _path(self, client_id: UUID, file: str) -> Path:
        return self._context.media_dir / str(client_id) / file

    async def _speak(self, client_id: UUID, text: str, voice_id: str | None) -> dict[str, Any]:
        """Speak into a file of an announcement's own; returns the columns that describe it."""
        voice = await self._context.speech.voice(voice_id)
        ref = MediaRef(kind="text", value=text, voice=voice.id)
        media = await self._context.media.resolve(client_id, ref)
        file = f"{uuid.uuid4()}.wav"
        path = self._path(client_id, file)
        size, sha256 = await asyncio.to_thread(share, media.path, path)
        return {
            "file": file,
            "file_size": size,
            "content_hash": sha256,
            "duration_s": media.duration_s,
            "loudness_lufs": media.loudness_lufs,
            "true_peak_db": media.true_peak_db,
            "is_tts": True,
            "tts_text": text,
            "tts_voice": voice.id,
            "tts_provider": voice.engine,
        }

    async def _create(
        self, principal: Principal, client_id: UUID, columns: dict[str, Any]
    ) -> Announcement:
        columns["search_text"] = searchable(columns["title"], columns.get("tts_text"))
        try:
            async with storing(client_id, columns["file_size"]):
                row = await Announcement.create(
                    client_id=client_id, created_by_id=principal.user_id, **columns
                )
        except BaseException:
            self._path(client_id, columns["file"]).unlink(missing_ok=True)
            raise
        about: dict[str, Any] = {
            "client_id": client_id,
            "media_id": row.id,
            "kind": "announcement",
        }
        self._context.bus.publish(MediaImported(title=row.title, **about))
        if row.loudness_lufs is not None and row.true_peak_db is not None:
            self._context.bus.publish(
                MediaMeasured(
                    loudness_lufs=row.loudness_lufs, true_peak_db=row.true_peak_db, **about
                )
            )
        return row


async def check_folder(client_id: UUID, folder_id: UUID | None) -> None:
    """Raise Invalid on `folder_id` where the client has no such folder."""
    if folder_id is not None and not await belongs_to(client_id, _FOLDER, folder_id):
        raise Invalid.field("folder_id", f"there is no folder {folder_id}")


def searchable(*texts: str | None) -> str:
    """The form of texts that searches compare."""
    return unicodedata.normalize("NFKC", " ".join(filter(None, texts))).casefold()

"""The tables of the music library: folders and the files in them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from uuid import UUID

from tortoise import fields

from antiphon.store.base import SoftDeleteModel
from antiphon.tenancy.models import Client, User


class FolderType(StrEnum):
    """What a folder holds."""

    MUSIC = "music"
    ANNOUNCEMENTS = "announcements"


class Folder(SoftDeleteModel):
    """A place for music or announcements. Folders nest, names are unique within their parent.

    `place` is made of client, parent and name and empties with the deletion of the row, so that
    the database itself keeps two folders from sharing a name.
    """

    client: fields.ForeignKeyRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name=False
    )
    client_id: UUID
    name = fields.CharField(max_length=200)
    description = fields.TextField(default="")
    type = fields.CharEnumField(FolderType, default=FolderType.MUSIC, max_length=20)
    parent: fields.ForeignKeyNullableRelation[Folder] = fields.ForeignKeyField(
        "music.Folder", related_name=False, null=True, on_delete=fields.CASCADE
    )
    parent_id: UUID | None
    cover_image = fields.CharField(max_length=200, null=True)
    is_system = fields.BooleanField(default=False)
    created_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "antiphon.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    created_by_id: UUID | None
    place = fields.CharField(max_length=64, null=True, unique=True)

    class Meta:
        table = "music_folder"
        indexes = (("client_id", "parent_id", "name"),)

    def files(self) -> Iterable[str | None]:
        """See `SoftDeleteModel.files`."""
        return (self.cover_image,)


class MusicFile(SoftDeleteModel):
    """One track. `file` and `cover_art` are paths below the media directory.

    `search_text` holds all words of the tags in the form that searches compare. `measured_at` is
    empty until loudness was measured, `measure_error` says why that was in vain; silence has no
    loudness. `place` is made of client, folder and content (see `Folder`).
    """

    client: fields.ForeignKeyRelation[Client] = fields.ForeignKeyField(
        "antiphon.Client", related_name=False
    )
    client_id: UUID
    folder: fields.ForeignKeyNullableRelation[Folder] = fields.ForeignKeyField(
        "music.Folder", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    folder_id: UUID | None
    file = fields.CharField(max_length=200)
    filename = fields.CharField(max_length=255)
    file_size = fields.BigIntField()
    title = fields.CharField(max_length=300)
    artist = fields.CharField(max_length=300, default="")
    album = fields.CharField(max_length=300, default="")
    genre = fields.CharField(max_length=100, default="")
    year = fields.IntField(null=True)
    composer = fields.CharField(max_length=300, default="")
    isrc = fields.CharField(max_length=20, default="")
    duration_s = fields.FloatField()
    codec = fields.CharField(max_length=40, default="")
    sample_rate = fields.IntField(default=0)
    channels = fields.IntField(default=0)
    cover_art = fields.CharField(max_length=200, null=True)
    order = fields.IntField(default=0)
    loudness_lufs = fields.FloatField(null=True)
    true_peak_db = fields.FloatField(null=True)
    measured_at = fields.DatetimeField(null=True, db_index=True)
    measure_error = fields.TextField(null=True)
    content_hash = fields.CharField(max_length=64)
    search_text = fields.TextField(default="")
    uploaded_by: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "antiphon.User", related_name=False, null=True, on_delete=fields.SET_NULL
    )
    uploaded_by_id: UUID | None
    place = fields.CharField(max_length=64, null=True, unique=True)

    class Meta:
        table = "music_file"
        indexes = (
            ("client_id", "folder_id", "order"),
            ("client_id", "deleted_at", "title", "id"),
            ("client_id", "deleted_at", "artist", "title", "id"),
            ("deleted_at", "client_id", "duration_s", "file_size"),
        )

    def files(self) -> Iterable[str | None]:
        """See `SoftDeleteModel.files`."""
        return (self.file, self.cover_art)

"""The settings' section `[announcements]`."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

ChimeName = Literal["two_tone", "three_tone"]
CHIME_NAMES: tuple[str, ...] = get_args(ChimeName)


class AnnouncementsSettings(BaseModel):
    """Announcements.

    `chime` is what sounds before a call that asks for one. `spoken_cache_mb` bounds the clips of
    spoken texts that are kept for each client, and of fetched files. `url_hosts` are the hosts
    (`name` or `name:port`) that a call's `url` may name; none of them, and nothing is fetched.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    chime: ChimeName | Literal["none"] = "two_tone"
    max_upload_mb: int = Field(default=200, ge=1)
    spoken_cache_mb: int = Field(default=200, ge=1)
    url_hosts: list[str] = Field(default_factory=list)

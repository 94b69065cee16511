"""The section `[music]` of the settings."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class MusicSettings(BaseModel):
    """The music library.

    `measure` off leaves loudness unknown: tracks then play at the level they were made with.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_upload_mb: int = Field(default=500, ge=1, le=1 << 20)
    measure: bool = True

    @property
    def max_upload_bytes(self) -> int:
        """The limit of one file."""
        return self.max_upload_mb << 20

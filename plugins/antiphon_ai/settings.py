"""The settings' section `[ai]`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class AiSettings(BaseModel):
    """Speech. An empty `voices_dir` is the folder `voices` in the plugin's own data folder.

    `threads` is how many cores a voice may take while it speaks; empty takes half of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    voices_dir: Path | None = None
    warm_up: bool = True
    threads: int | None = Field(default=None, ge=1, le=64)

"""The section `[homeassistant]`."""

from __future__ import annotations

import re
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, field_validator

_PREFIX = re.compile(r"[^+#/\x00\s$][^+#/\x00\s]*(/[^+#/\x00\s]+)*\Z")


class Style(StrEnum):
    """How entities are announced: each by itself, or all of a device at once."""

    ENTITY = "entity"
    DEVICE = "device"


class HomeAssistantSettings(BaseModel):
    """The bridge to Home Assistant, where there is MQTT.

    Turned off, it takes away what it announced before. `prefix` is Home Assistant's own setting
    (discovery prefix). The style `device` needs Home Assistant 2024.12 or later.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    prefix: str = "homeassistant"
    style: Style = Style.ENTITY

    @field_validator("prefix")
    @classmethod
    def _usable_prefix(cls, prefix: str) -> str:
        if not _PREFIX.match(prefix):
            raise ValueError("levels without + # or blanks, such as homeassistant")
        return prefix

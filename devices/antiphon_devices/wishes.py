"""What the payloads of integrators wish, checked: bare values, documents, announcements."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from antiphon.errors import Invalid
from antiphon.plugins import CallRequest
from antiphon.types import Playback
from antiphon_devices.payloads import AnnounceCommand, SetDocument
from antiphon_devices.requests import Request

_LATENCY_MAX_MS = 5_000
_WORDS = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}


def wishes(request: Request) -> dict[str, Any]:
    """The properties that a `set` names; a bare value is one property. Raises Invalid."""
    if request.topic.name is None:
        return request.read(SetDocument).wishes
    try:
        text = request.message.payload.decode().strip()
    except UnicodeDecodeError:
        raise Invalid.field(request.topic.name, "is not UTF-8 text") from None
    if request.topic.name == "source":
        return {"source": text}  # a name may look like a number
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = text
    return {request.topic.name: value}


def volume(value: object) -> tuple[int, list[str]]:
    """A volume in percent, and what had to be done to make it one."""
    return _within("volume", value, 100)


def latency(value: object) -> tuple[int, list[str]]:
    """A latency in ms, and what had to be done to make it one."""
    return _within("latency_ms", value, _LATENCY_MAX_MS)


def _within(name: str, value: object, most: int) -> tuple[int, list[str]]:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or (isinstance(value, float) and not math.isfinite(value))
    ):
        raise Invalid.field(name, f"is not a number from 0 to {most}")
    within = min(most, max(0, value))
    shown = name.partition("_")[0]
    note = [f"The {shown} was limited to {within}."] if within != value else []
    return round(within), note


def flag(name: str, value: object) -> bool:
    """A yes or no: `true` and `false`, and the words `ON` and `OFF`."""
    if isinstance(value, bool):
        return value
    known = _WORDS.get(str(value).lower()) if isinstance(value, str | int) else None
    if known is None:
        raise Invalid.field(name, "is neither true nor false")
    return known


def playback(value: object) -> Playback:
    """What is to be done with the music."""
    if isinstance(value, str):
        for word in Playback:
            if word.value == value:
                return word
    raise Invalid.field("playback", f"is none of {', '.join(Playback)}")


def call(command: AnnounceCommand, zones: Iterable[UUID] | None) -> CallRequest:
    """An announcement in some zones, or in all."""
    return CallRequest(
        announcement_id=command.announcement_id,
        text=command.text,
        url=command.url,
        voice=command.voice,
        zones=None if zones is None else list(zones),
        all=zones is None,
        band=command.band,
        chime=command.chime,
        style=command.style,
        expires_in_s=command.expires_in_s,
    )

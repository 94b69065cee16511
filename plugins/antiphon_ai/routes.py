"""The voices that can be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from antiphon.plugins import Request, Route, SpeechRegistry, Voice
from antiphon.types import Frozen


class VoiceList(Frozen):
    """All voices of all engines; the first one speaks where none is named."""

    items: list[Voice]
    total: int


def voice_routes(speech: SpeechRegistry) -> Sequence[Route]:
    """The operations on voices."""

    async def voices(request: Request[Any, Any]) -> VoiceList:  # noqa: ARG001  the same for all
        found = await speech.voices()
        return VoiceList(items=found, total=len(found))

    return [
        Route(
            method="GET",
            path="voices",
            handler=voices,
            summary="List the voices that speak text",
            tag="voices",
            response=VoiceList,
        )
    ]

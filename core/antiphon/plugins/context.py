"""What a plugin may use, handed to its hooks once, at start."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from pydantic import BaseModel

from antiphon.events import EventBus
from antiphon.plugins.devices import Devices
from antiphon.plugins.media import MediaRegistry
from antiphon.plugins.mqtt import MqttOffer
from antiphon.plugins.schedules import SchedulesOffer
from antiphon.plugins.secrets import SecretBox
from antiphon.plugins.speech import SpeechRegistry
from antiphon.plugins.zones import Zones


class Jobs(Protocol):
    """Runs heavy work in worker processes, so that neither sound nor API waits for it."""

    async def run(
        self,
        target: str,
        arguments: Mapping[str, Any],
        *,
        worker: str = "media",
        timeout_s: float = 600.0,
        on_progress: Callable[[float], None] | None = None,
    ) -> Any:
        """Call `target` (`package.module:function`) with JSON arguments; return its JSON result.

        Jobs of one `worker` name run one after the other in one long-lived process, which keeps
        what the module has loaded (a voice, say). The function takes the arguments as keywords
        and may take a keyword `progress`, a function of 0…1. Raises what the function raised
        where that is an AntiphonError with one message, PartTimedOut, or JobFailed.
        """

    def start(
        self,
        label: str,
        target: str,
        arguments: Mapping[str, Any],
        *,
        client_id: UUID | None = None,
        worker: str = "media",
        then: Callable[[Any], Any] | None = None,
    ) -> UUID:
        """Like `run`, in the background: progress is published as JobProgressed events.

        `then` is awaited with the result on the main loop if it returns an awaitable.
        """


@dataclass(frozen=True, slots=True)
class PluginContext:
    """A plugin's view of the server. `settings` is an instance of the plugin's own model.

    `public_url` is the setting `http.public_url`: how others reach the server, if anybody said.
    `data_dir` is a folder of the plugin's own that exists; `media_dir` holds media of all clients,
    one folder each. `secrets` seals what the plugin must keep and nobody else may read; without
    one that is given, it forgets with the process.
    """

    name: str
    settings: BaseModel | None
    bus: EventBus
    zones: Zones
    devices: Devices
    media: MediaRegistry
    speech: SpeechRegistry
    jobs: Jobs
    data_dir: Path
    media_dir: Path
    log: logging.Logger
    mqtt: MqttOffer = field(default_factory=MqttOffer)
    secrets: SecretBox = field(default_factory=lambda: SecretBox(os.urandom(32), ""))
    schedules: SchedulesOffer = field(default_factory=SchedulesOffer)
    public_url: str = ""

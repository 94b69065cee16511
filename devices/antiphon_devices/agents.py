"""The device plane: what agents beside loudspeakers report, and what is wished of them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from uuid import UUID

from pydantic import ValidationError

from antiphon.plugins import Devices
from antiphon_devices.connection import Incoming
from antiphon_devices.mirror import SERVER, Agent, Mirror
from antiphon_devices.payloads import MAX_PAYLOAD_BYTES, OFFLINE, ONLINE, AgentState
from antiphon_devices.topics import DeviceTopic, Kind

_MAX_AGENTS = 20_000


class Agents:
    """Takes the reports of agents; `changed` is called with the loudspeaker that they are about.

    Agents are matched to loudspeakers by the id of the hardware. A report that makes no sense is
    logged and changes nothing.
    """

    def __init__(
        self,
        devices: Devices,
        mirror: Mirror,
        changed: Callable[[UUID], None],
        log: logging.Logger,
    ) -> None:
        self._devices = devices
        self._mirror = mirror
        self._changed = changed
        self._log = log

    async def report(self, topic: DeviceTopic, message: Incoming) -> None:
        """One message below `device/<device>/up/`. May raise what `Devices.set_volume` raises."""
        if topic.kind is Kind.UP_STATUS:
            self._status(topic.device, message.payload)
        elif topic.kind is Kind.UP_STATE:
            await self._state(topic.device, message)

    def _status(self, key: str, payload: bytes) -> None:
        if not payload:  # the device was removed: its topics were emptied
            self._mirror.known.agents.pop(key, None)
        elif payload in (ONLINE, OFFLINE):
            if (agent := self._agent(key)) is not None:
                agent.is_online = payload == ONLINE
        else:
            self._log.warning("MQTT: the status of device %s is neither online nor offline", key)
            return
        self._tell(key)

    async def _state(self, key: str, message: Incoming) -> None:
        if not message.payload:
            return
        state = self._read(key, message.payload)
        agent = self._agent(key) if state is not None else None
        if state is None or agent is None:
            return
        agent.state = state
        device = self._mirror.device_by_key(key)
        # A knob was turned. What the broker had kept may be older than the server's own wish.
        turned_to = state.volume if state.source == "local" and not message.retain else None
        if device is not None and turned_to not in (None, device.volume):
            await self._devices.set_volume(SERVER, device.id, turned_to)
        self._tell(key)

    def _read(self, key: str, payload: bytes) -> AgentState | None:
        if len(payload) > MAX_PAYLOAD_BYTES:
            self._log.warning("MQTT: the state of device %s is larger than 16 KiB", key)
            return None
        try:
            return AgentState.model_validate_json(payload)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, mistake['loc'])) or 'payload'}: {mistake['msg']}"
                for mistake in error.errors(include_url=False, include_input=False)
            )
            self._log.warning("MQTT: the state of device %s is not valid: %s", key, wrong)
            return None

    def _agent(self, key: str) -> Agent | None:
        agents = self._mirror.known.agents
        if key not in agents and len(agents) >= _MAX_AGENTS:
            self._log.warning("MQTT: there are too many agents; %s is not listened to", key)
            return None
        return agents.setdefault(key, Agent())

    def _tell(self, key: str) -> None:
        device = self._mirror.device_by_key(key)
        if device is None:
            self._log.debug("MQTT: no loudspeaker has the id %s of this agent", key)
        else:
            self._changed(device.id)

"""The device plane: what agents beside loudspeakers report, and what follows from it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from pydantic import ValidationError

from antiphon.errors import NotFound
from antiphon.events import DeviceFellSilent, DeviceHeard, EventBus
from antiphon.plugins import DeviceReport
from antiphon_devices.connection import Incoming
from antiphon_devices.driver import AGENT
from antiphon_devices.mirror import SERVER, Agent, Building, Mirror
from antiphon_devices.payloads import MAX_PAYLOAD_BYTES, OFFLINE, ONLINE, AgentState, Read, now
from antiphon_devices.reports import AgentInfo, AgentTelemetry
from antiphon_devices.silence import SILENT_DB, Silence
from antiphon_devices.topics import DeviceTopic, Kind, device_key

_MAX_AGENTS = 20_000
_MISSED = 2.5
_WATCH_INTERVAL_S = 5.0
_IN_TURN_S = 600.0
_MAX_MACHINES = 8
_COMPLAIN_EVERY_S = 60.0
_MAX_COMPLAINTS = 1000
_CLOCKS_DIFFER_S = 60.0

ReadT = TypeVar("ReadT", bound=Read)


class Agents:
    """Takes the reports of agents; `changed` is called with the loudspeaker that they are about.

    `conflicted` is called with the id under which two machines report in turn, `complained` with
    the topic of a report that makes no sense and what is wrong with it, once a minute at most.

    Agents are matched to loudspeakers by the id of the hardware; one that has introduced itself
    and that nobody knows becomes a device. A report that makes no sense is logged and changes
    nothing.
    """

    def __init__(
        self,
        building: Building,
        mirror: Mirror,
        changed: Callable[[UUID], None],
        bus: EventBus,
        log: logging.Logger,
    ) -> None:
        self._bus = bus
        self.silence = Silence()
        self.conflicted: Callable[[str], None] = lambda _: None
        self.complained: Callable[[DeviceTopic, str], None] = lambda _, __: None
        self._complaints: dict[DeviceTopic, float] = {}
        self._devices = building.devices
        self._silent_after_s = _MISSED * building.telemetry_interval_s
        self._mirror = mirror
        self._changed = changed
        self._log = log

    def take_at_once(self, topic: DeviceTopic, message: Incoming) -> bool:
        """Take a report that needs nobody else: figures, or a state that is no news.

        Nearly all are such, and a building may have thousands of loudspeakers. False: nothing was
        done, and `report` is to be called.
        """
        agent = self._mirror.known.agents.get(topic.device)
        if agent is None or agent.reported is None or agent.is_silent:
            return False
        if topic.kind is Kind.UP_TELEMETRY:
            self._measured(topic.device, agent, message.payload)
            return True
        if topic.kind is not Kind.UP_STATE or agent.state is None or not message.payload:
            return False
        if (state := self._read(topic.device, Kind.UP_STATE, message.payload, AgentState)) is None:
            return True
        differs = self._clock_differs(agent, state, message)
        is_turned = state.source == "local" and not message.retain
        state = state.model_copy(update={"ts": None})
        return not is_turned and (state, differs) == (agent.state, agent.clock_differs)

    async def report(self, topic: DeviceTopic, message: Incoming) -> None:
        """One message below `device/<device>/up/`. May raise what the methods of Devices raise."""
        match topic.kind:
            case Kind.UP_STATUS:
                await self._status(topic.device, message.payload)
            case Kind.UP_INFO:
                await self._info(topic.device, message.payload)
            case Kind.UP_STATE:
                await self._state(topic.device, message)
            case Kind.UP_TELEMETRY:
                await self._telemetry(topic.device, message.payload)

    async def lose_sight(self, key: str) -> None:
        """The broker is away: nobody knows how that agent is."""
        if (agent := self._mirror.known.agents.get(key)) is not None:
            agent.status, agent.measured_at, agent.is_silent = None, None, False
            self._judge_sound(key, agent, is_unheard=False)
            await self._tell_server(key, agent)

    async def watch(self) -> None:
        """Find the agents that have fallen silent, until cancelled."""
        while True:
            await asyncio.sleep(_WATCH_INTERVAL_S)
            try:
                await self.check(asyncio.get_running_loop().time())
            except Exception:
                self._log.exception("MQTT: the silence of an agent could not be told")

    async def check(self, now_s: float) -> None:
        """Who sent telemetry before, and sends none, is away, though the broker still has it."""
        for key, agent in list(self._mirror.known.agents.items()):
            at = agent.measured_at
            if at is not None and not agent.is_silent and now_s - at > self._silent_after_s:
                agent.is_silent = True
                self._judge_sound(key, agent, is_unheard=False)
                self._log.warning("MQTT: device %s has not been heard for long", key)
                await self._tell_server(key, agent)
                self._tell(key)

    async def _status(self, key: str, payload: bytes) -> None:
        if not payload:  # the device was removed: its topics were emptied
            if (gone := self._mirror.known.agents.pop(key, None)) is not None:
                gone.status = None
                await self._tell_server(key, gone)
        elif payload in (ONLINE, OFFLINE):
            if (agent := self._agent(key)) is not None:
                agent.status = payload == ONLINE
                # A new start, or a retained word: whether telemetry goes on will be seen.
                agent.is_silent, agent.measured_at = False, None
                if not agent.status:  # there is a better word for it now
                    self._judge_sound(key, agent, is_unheard=False)
                await self._tell_server(key, agent)
        else:
            self._complain(Kind.UP_STATUS, key, "it is neither online nor offline")
            return
        self._tell(key)

    async def _info(self, key: str, payload: bytes) -> None:
        info = self._read(key, Kind.UP_INFO, payload, AgentInfo) if payload else None
        agent = self._agent(key) if info is not None else None
        if agent is not None:
            agent.info = info
            if info is not None:
                self._recognise(key, agent, info)
            await self._tell_server(key, agent)
            self._tell(key)

    async def _state(self, key: str, message: Incoming) -> None:
        if not message.payload:
            return
        state = self._read(key, Kind.UP_STATE, message.payload, AgentState)
        agent = self._agent(key) if state is not None else None
        if state is None or agent is None:
            return
        differs = self._clock_differs(agent, state, message)
        state = state.model_copy(update={"ts": None})
        is_turned = state.source == "local" and not message.retain
        if (state, differs) == (agent.state, agent.clock_differs) and not is_turned:
            await self._tell_server(key, agent)  # which costs nothing, unless it failed before
            return
        agent.state, agent.clock_differs = state, differs
        await self._tell_server(key, agent)
        # A knob was turned. What the broker had kept may be older than the server's own wish.
        if is_turned and (device := self._mirror.device_by_key(key)) is not None:
            await self._adopt(device.id, state)
        self._tell(key)

    def _clock_differs(self, agent: Agent, state: AgentState, message: Incoming) -> bool:
        if state.ts is None or message.retain:
            return agent.clock_differs
        return abs((now() - state.ts).total_seconds()) > _CLOCKS_DIFFER_S

    async def _adopt(self, device_id: UUID, state: AgentState) -> None:
        known = await self._devices.view(SERVER, device_id)
        if state.volume is not None and state.volume != known.volume:
            await self._devices.set_volume(SERVER, device_id, state.volume)
        if state.muted is not None and state.muted != known.muted:
            await self._devices.set_muted(SERVER, device_id, muted=state.muted)

    def _recognise(self, key: str, agent: Agent, info: AgentInfo) -> None:
        """Two machines that say in turn to be one throw each other out: a person must know."""
        now = asyncio.get_running_loop().time()
        machine = (info.mac, info.serial, info.booted_at)
        latest = max(agent.machines, key=lambda one: agent.machines[one], default=machine)
        is_back = machine != latest and machine in agent.machines
        if is_back and now - agent.machines[machine] < _IN_TURN_S:
            self._log.warning("MQTT: two machines say in turn that they are the device %s", key)
            self.conflicted(key)
        agent.machines[machine] = now
        while len(agent.machines) > _MAX_MACHINES:
            del agent.machines[min(agent.machines, key=lambda one: agent.machines[one])]

    def _judge_sound(self, key: str, agent: Agent, *, is_unheard: bool) -> None:
        device = self._mirror.device_by_key(key)
        if device is None or agent.is_unheard == is_unheard:
            return
        agent.is_unheard = is_unheard
        common = {"device_id": device.id, "client_id": device.client_id}
        if is_unheard and device.zone_id is not None:
            self._log.warning("MQTT: nothing is heard from the device %s, but its zone plays", key)
            self._bus.publish(
                DeviceFellSilent(**common, zone_id=device.zone_id, level_db=SILENT_DB)
            )
        else:
            self._bus.publish(DeviceHeard(**common))

    async def _telemetry(self, key: str, payload: bytes) -> None:
        agent = self._mirror.known.agents.get(key)
        if agent is None:
            return
        self._measured(key, agent, payload)
        if agent.is_silent:
            agent.is_silent = False
            await self._tell_server(key, agent)
            self._tell(key)

    def _measured(self, key: str, agent: Agent, payload: bytes) -> None:
        told = self._read(key, Kind.UP_TELEMETRY, payload, AgentTelemetry)
        if told is not None:
            self._mirror.tell_telemetry(key, told)
            if (device := self._mirror.device_by_key(key)) is not None:
                is_unheard = self.silence.is_unheard(device, agent.state, told.output_level_db)
                self._judge_sound(key, agent, is_unheard=is_unheard)
        agent.measured_at = asyncio.get_running_loop().time()

    async def _tell_server(self, key: str, agent: Agent) -> None:
        """Let the server's own table know, where there is news."""
        device = self._mirror.device_by_key(key)
        # What was made a moment ago, the mirror has not heard of.
        device_id = device.id if device else agent.device_id
        if device_id is None and (agent.info is None or agent.status is not True):
            return
        info = agent.info or AgentInfo()
        report = DeviceReport(
            device_id=device.device_id if device else _hardware_id(key, info),
            device_type=AGENT,
            is_online=_is_online(agent),
            name=info.hostname or "",
            model=info.model,
            firmware_version=_firmware(info),
            ip_address=info.ip,
        )
        if report != agent.reported:
            # One whose snapclient does not play yet is a newcomer too: it waits for our wish.
            if agent.is_online is not True and not await self._is_there(device_id):
                return  # it was removed a moment ago: this must not make it anew
            agent.reported = None  # tried again with the next message if it fails now
            agent.device_id = (await self._devices.report(report)).id
            agent.reported = report

    async def _is_there(self, device_id: UUID | None) -> bool:
        try:
            return device_id is not None and bool(await self._devices.view(SERVER, device_id))
        except NotFound:
            return False

    def _complain(self, kind: Kind, key: str, mistake: str) -> None:
        """Tell people, but not at the pace of a flood."""
        topic, now = DeviceTopic(kind, device=key), asyncio.get_running_loop().time()
        if now - self._complaints.get(topic, -_COMPLAIN_EVERY_S) < _COMPLAIN_EVERY_S:
            return
        if len(self._complaints) >= _MAX_COMPLAINTS:
            self._complaints.clear()
        self._complaints[topic] = now
        self._log.warning("MQTT: the %s of device %s is refused: %s", kind.value, key, mistake)
        self.complained(topic, mistake)

    def _read(self, key: str, kind: Kind, payload: bytes, model: type[ReadT]) -> ReadT | None:
        if len(payload) > MAX_PAYLOAD_BYTES:
            self._complain(kind, key, "it is larger than 16 KiB")
            return None
        try:
            return model.model_validate_json(payload)
        except ValidationError as error:
            wrong = "; ".join(
                f"{'.'.join(map(str, mistake['loc'])) or 'payload'}: {mistake['msg']}"
                for mistake in error.errors(include_url=False, include_input=False)
            )
            self._complain(kind, key, wrong)
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


def _is_online(agent: Agent) -> bool | None:
    """Whether it can be heard: an agent whose snapclient does not play is not a loudspeaker."""
    if agent.is_online and agent.state is not None:
        return agent.state.snapclient not in ("disconnected", "missing")
    return agent.is_online


def _hardware_id(key: str, info: AgentInfo) -> str:
    host_id = info.snapclient.host_id if info.snapclient else None
    return host_id if host_id is not None and device_key(host_id) == key else key


def _firmware(info: AgentInfo) -> str | None:
    if info.agent is None or not info.agent.name:
        return None
    return f"{info.agent.name} {info.agent.version or ''}".strip()

"""The agent: follows what is wished of its loudspeaker, and tells how that is."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time

from pydantic import SecretStr, ValidationError

from antiphon_devices.connection import Connection, Incoming, Session
from antiphon_devices.outbox import Outbox, Outgoing
from antiphon_devices.payloads import MAX_PAYLOAD_BYTES, ONLINE, Ack, Written
from antiphon_devices.reports import UpState, Wish
from antiphon_devices.settings import BrokerAddress
from antiphon_devices.speaker import facts
from antiphon_devices.speaker.deeds import Deeds
from antiphon_devices.speaker.enrolling import Enrolling
from antiphon_devices.speaker.identity import Identity
from antiphon_devices.speaker.introduction import describe
from antiphon_devices.speaker.meter import Meter
from antiphon_devices.speaker.mixer import AlsaMixer, Level, Mixer, SnapclientMixer
from antiphon_devices.speaker.orders import Orders
from antiphon_devices.speaker.player import Player
from antiphon_devices.speaker.settings import SpeakerSettings
from antiphon_devices.topics import DeviceTopic, InvalidTopic, Kind, parse

_log = logging.getLogger(__name__)
_LOOK_INTERVAL_S = 0.5
_FIRST_WISH_TIMEOUT_S = 3.0
_TELEMETRY_INTERVAL_S = 60.0
_MAX_WAITING = 50
_ACK_EXPIRES_S = 30
_COMPLAIN_EVERY_S = 60.0


class Agent:
    """One loudspeaker. `run` works until it is cancelled, whatever comes and goes meanwhile.

    Without a broker the loudspeaker goes on playing as it was told last. One that nobody has let
    in yet plays nothing. Raises WrongSettings where there is no place for its secret.
    """

    def __init__(self, settings: SpeakerSettings) -> None:
        self._settings = settings
        self._outbox = Outbox()
        self._mixer = _mixer(settings)
        self._player = Player(settings.snapclient, self._arguments(), self._poke, self._levelled)
        self._gauges = facts.Gauges()
        self._meter = Meter(settings)
        deeds = Deeds(settings, self._mixer, self._player, self._report)
        self._identity = Identity(settings.state_dir) if settings.enrols else None
        self._enrolling = (
            Enrolling(settings, self._identity, deeds.speak) if self._identity else None
        )
        self._orders = Orders(deeds.ops, self._ack)
        self._ops = sorted(deeds.ops)
        self._waiting: asyncio.Queue[tuple[str, Incoming]] = asyncio.Queue(_MAX_WAITING)
        self._wish: Wish | None = None
        self._unheeded: Wish | None = None
        self._wished = asyncio.Event()
        self._poked = asyncio.Event()
        self._due = asyncio.Event()
        self._is_leaving = False
        self._is_connected = False
        self._complained_at = -_COMPLAIN_EVERY_S
        # The level that the mixer had when we looked last, and the one that a person chose since.
        self._baseline: Level | None = None
        self._local: Level | None = None
        self._told: UpState | None = None
        self._mixing = asyncio.Lock()

    async def run(self) -> None:
        """Work until cancelled; then say `offline` and end snapclient."""
        connection = Connection(self._address(), self._session(), self._outbox, self, _log)
        works = [self._introduce, self._obey, self._look, self._measure, self._execute]
        if self._enrolling is not None:
            works.append(self._enrolling.run)
        async with self._player, connection:
            try:
                async with asyncio.TaskGroup() as group:
                    for work in works:
                        group.create_task(work(), name=f"speaker {work.__name__}")
            finally:
                self._is_leaving = True

    def _address(self) -> BrokerAddress:
        """Where we log in, with our own account where the url has none for us."""
        if self._identity is None:
            return self._settings.broker
        own = {"username": self._settings.key, "password": SecretStr(self._identity.secret)}
        return self._settings.broker.model_copy(update=own)

    def _session(self) -> Session:
        place = f"{self._settings.root}/device/{self._settings.key}"
        return Session(
            status_topic=self._topic(Kind.UP_STATUS),
            mirrored=[f"{place}/down/desired", f"{place}/down/cmd/+"],
            # A late will of an older process comes under our own name, so noLocal would hide it.
            reported=[self._topic(Kind.UP_STATUS)],
            identifier=self._identifier(),
            keepalive_s=self._settings.keepalive_s,
        )

    def _identifier(self) -> str:
        """Our name at the broker, always the same; where we have a secret, nobody can guess it.

        Whoever may log in at all could throw us out by taking our name.
        """
        if self._identity is None:
            return self._settings.key
        mark = hashlib.sha256(f"identifier {self._identity.secret}".encode()).hexdigest()[:16]
        return f"{self._settings.key}-{mark}"

    def _arguments(self) -> list[str]:
        settings = self._settings
        arguments = ["--hostID", settings.hardware_id, *self._mixer.snapclient_arguments]
        for option, value in (("--player", settings.player), ("--soundcard", settings.soundcard)):
            arguments += [option, value] if value else []
        return arguments

    # --- the broker says something -----------------------------------------------------------

    def connected(self) -> None:
        """See `Listener`: all that is retained of us is said again."""
        _log.info("Connected to %s as %s", self._settings.broker.shown, self._settings.key)
        self._is_connected = True
        if self._enrolling is not None:
            self._enrolling.admitted()
        self._outbox.replay()
        self._due.set()

    def lost(self, reason: str) -> None:
        """See `Listener`."""
        self._is_connected = False
        _log.warning("%s. The music goes on; the agent keeps trying.", reason)

    def refused(self) -> None:
        """See `Listener`."""
        if self._enrolling is not None:
            self._enrolling.refused()
        elif (now := time.monotonic()) - self._complained_at >= _COMPLAIN_EVERY_S:
            self._complained_at = now
            _log.error("The broker refuses the account in url. Correct it, or let it be made anew")

    def received(self, message: Incoming) -> None:
        """See `Listener`."""
        try:
            topic = parse(self._settings.root, message.topic)
        except InvalidTopic:
            return
        if topic.kind is Kind.UP_STATUS:
            if message.payload != ONLINE and not self._is_leaving:
                self._outbox.hold(message.topic, ONLINE)  # we are here, whatever an old will says
        elif topic.kind is Kind.DOWN_DESIRED:
            self._take_wish(message.payload)
        elif topic.kind is Kind.DOWN_CMD and topic.name is not None:
            try:
                self._waiting.put_nowait((topic.name, message))
            except asyncio.QueueFull:
                _log.warning("There are too many orders at once; %s is dropped", topic.name)

    def _take_wish(self, payload: bytes) -> None:
        if not payload or len(payload) > MAX_PAYLOAD_BYTES:
            return
        try:
            self._unheeded = Wish.model_validate_json(payload)
        except ValidationError as error:
            _log.warning("What the server wishes makes no sense and is ignored: %s", error)
        else:
            self._wished.set()

    # --- what goes on all the time -----------------------------------------------------------

    async def _introduce(self) -> None:
        await self._say_info()
        if self._identity is not None and not self._identity.was_admitted:
            return
        await asyncio.sleep(_FIRST_WISH_TIMEOUT_S)
        if self._wish is None:
            self._aim(None)  # the music does not wait for a broker

    async def _obey(self) -> None:
        while True:
            await self._wished.wait()
            self._wished.clear()
            wish, self._unheeded = self._unheeded, None
            if wish is not None:
                self._aim(wish)
                async with self._mixing:
                    await self._set_level(wish)
                if (
                    self._wish is None
                    or self._wish.telemetry_interval_s != wish.telemetry_interval_s
                ):
                    self._due.set()
                self._wish = wish
                self._poke()

    def _aim(self, wish: Wish | None) -> None:
        server = wish.snapserver if wish else None
        host = server.host if server else None
        port = server.port if server else None
        settings = self._settings
        self._player.aim(
            settings.snapserver_host or host or settings.broker.host,
            port if port and not settings.snapserver_host else settings.snapserver_port,
        )

    async def _set_level(self, wish: Wish) -> None:
        """Bring the mixer to what is wished, unless a person turned it and the wish is older."""
        level = Level(min(wish.volume, wish.volume_max), wish.muted)
        if self._local is not None:
            adopted = level.volume == self._local.volume
            stale = self._wish is not None and self._wish.volume == wish.volume
            if stale and not adopted:
                self._told = None  # said once more: the server has not heard of the knob
                return
            self._local = None
            if adopted and level.muted == (self._baseline or level).muted:
                return  # it is so already, and may have been turned on since
        await self._mixer.set(level)
        self._baseline = await self._mixer.read()

    async def _look(self) -> None:
        """Notice knobs that are turned, and tell whatever changed."""
        while True:
            try:
                async with asyncio.timeout(_LOOK_INTERVAL_S):
                    await self._poked.wait()
            except TimeoutError:
                pass
            self._poked.clear()
            async with self._mixing:
                level = await self._mixer.read()
                if isinstance(self._mixer, AlsaMixer) and level is not None:
                    if self._baseline is not None and level != self._baseline:
                        self._local = level
                    self._baseline = level
                self._say_state(level)

    async def _measure(self) -> None:
        while True:
            interval_s = self._wish.telemetry_interval_s if self._wish else _TELEMETRY_INTERVAL_S
            try:
                async with asyncio.timeout(interval_s):
                    await self._due.wait()
            except TimeoutError:
                pass
            self._due.clear()
            await self._say_telemetry()

    async def _execute(self) -> None:
        while True:
            op, message = await self._waiting.get()
            await self._orders.execute(op, message)

    # --- what is said ------------------------------------------------------------------------

    def _topic(self, kind: Kind) -> str:
        return DeviceTopic(kind, device=self._settings.key).render(self._settings.root)

    def _hold(self, kind: Kind, document: Written) -> None:
        self._outbox.hold(self._topic(kind), document.encode())

    async def _say_info(self) -> None:
        self._hold(Kind.UP_INFO, await asyncio.to_thread(describe, self._settings, self._ops))

    def _say_state(self, level: Level | None) -> None:
        wish = self._wish
        volume = level.volume if level else None
        if wish is not None and self._local is None and self._is_as_wished(wish, level):
            volume = min(wish.volume, wish.volume_max)  # cards have steps; it is what was asked
        state = UpState(
            rev=wish.rev if wish else None,
            zone_id=wish.zone_id if wish else None,
            volume=volume,
            muted=level.muted if level else None,
            latency_ms=self._player.latency_ms,
            snapclient=self._player.connection,
            source="desired" if self._local is None else "local",
            problems=[self._mixer.problem] if self._mixer.problem else [],
        )
        unstamped = {"ts": self._told.ts} if self._told else {}
        if self._told is None or state.model_copy(update=unstamped) != self._told:
            self._told = state
            self._hold(Kind.UP_STATE, state)

    def _is_as_wished(self, wish: Wish, level: Level | None) -> bool:
        return isinstance(self._mixer, AlsaMixer) and level is not None and not wish.muted

    async def _say_telemetry(self) -> None:
        if self._is_connected:
            payload = self._gauges.read(await self._meter.read()).encode()
            self._outbox.say(Outgoing(self._topic(Kind.UP_TELEMETRY), payload, qos=0))

    def _ack(self, ack: Ack) -> None:
        topic = self._topic(Kind.UP_ACK)
        self._outbox.say(Outgoing(topic, ack.encode(), expires_s=_ACK_EXPIRES_S))

    def _poke(self) -> None:
        self._poked.set()

    def _levelled(self, level: Level) -> None:
        if isinstance(self._mixer, SnapclientMixer):
            self._mixer.told(level)

    def _report(self) -> None:
        """Say everything once more."""
        self._told = None
        self._poke()
        self._due.set()
        self._outbox.replay()


def _mixer(settings: SpeakerSettings) -> Mixer:
    if settings.mixer == "alsa":
        return AlsaMixer(settings.alsa_card, settings.alsa_control)
    return SnapclientMixer()

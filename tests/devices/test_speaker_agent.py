"""The agent by itself, and what an installation of it consists of."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import distribution, requires
from itertools import permutations
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from tests.devices.conftest import World, listens
from tests.fakes.integrator import Integrator, integrating
from tests.fakes.speakers import Speaker, speaker
from tests.fakes.waiting import eventually
from tests.fakes.zones import FakeDevices, FakeZones, device_view

from antiphon.events import EventBus
from antiphon.processes import ChildProcess, Program, free_port
from antiphon_devices.agents import Agents
from antiphon_devices.connection import Incoming
from antiphon_devices.documents import Documents
from antiphon_devices.mirror import SERVER, Building, Mirror
from antiphon_devices.outbox import Outbox
from antiphon_devices.payloads import ClientInfo
from antiphon_devices.speaker import facts, tone
from antiphon_devices.speaker.meter import Meter
from antiphon_devices.speaker.settings import SpeakerSettings, WrongSettings, load
from antiphon_devices.topics import DeviceTopic, Kind

ROOT = Path(__file__).parents[2]
URL = "mqtt://speaker:secret@192.0.2.1"
SLIM = {"aiomqtt", "annotated_types", "antiphon", "antiphon_devices", "paho", "pydantic"}
SLIM |= {"pydantic_core", "typing_extensions", "typing_inspection", "__mp_main__"}


def test_the_agent_needs_two_libraries_and_nothing_of_the_server() -> None:
    code = (
        "import sys, json\nimport antiphon_devices.speaker.command\n"
        "print(json.dumps([m for m in sys.modules if not m.startswith('_')]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules: list[str] = json.loads(run.stdout)
    tops = {module.partition(".")[0] for module in modules} - sys.stdlib_module_names
    assert {top for top in tops if not top.startswith("sitecustomize")} <= SLIM
    ours = {module for module in modules if module.startswith("antiphon.")}
    assert ours <= {f"antiphon.{name}" for name in ("errors", "events", "processes", "types")}


_ALONE = """
import sys
from importlib.metadata import requires

allowed = set(sys.argv[1].split(","))

class Bare:  # a machine on which nothing else is installed
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        is_known = top in allowed or top in sys.stdlib_module_names or top.startswith("_")
        if not is_known:
            raise ModuleNotFoundError(f"{name} is not installed here")

sys.meta_path.insert(0, Bare())
from antiphon_devices.speaker.agent import Agent
from antiphon_devices.speaker.digits import spoken
from antiphon_devices.speaker.settings import load
import pkgutil, antiphon_devices.speaker
for module in pkgutil.walk_packages(antiphon_devices.speaker.__path__, "antiphon_devices.speaker."):
    __import__(module.name)
settings = {"URL": "mqtt://enroll:x@h", "STATE_DIR": sys.argv[2]}
Agent(load(None, {f"ANTIPHON_SPEAKER_{name}": value for name, value in settings.items()}))
spoken("0123456789")
"""


def test_the_agent_runs_where_its_extra_alone_is_installed(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = {"antiphon", "antiphon_devices"}
    todo = [_name_of(wish) for wish in project["optional-dependencies"]["speaker"]]
    while todo:
        name = todo.pop()
        modules = {file.parts[0] for file in distribution(name).files or () if file.suffix == ".py"}
        found |= {module.removesuffix(".py") for module in modules}
        wishes = requires(name) or []
        todo += [_name_of(wish) for wish in wishes if ";" not in wish]
    assert "tortoise" not in found
    command = [sys.executable, "-c", _ALONE, ",".join(sorted(found)), str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def _name_of(wish: str) -> str:
    return re.split(r"[^\w.-]", wish)[0]


def test_what_the_script_installs_is_what_the_project_asks_for() -> None:
    script = ROOT / "config/install-speaker.sh"
    subprocess.run(["sh", "-n", str(script)], check=True)
    lines = (ROOT / "config/speaker-requirements.txt").read_text().splitlines()
    wanted = {line for line in lines if not line.startswith("#")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert wanted == set(project["optional-dependencies"]["speaker"])
    assert wanted <= set(project["dependencies"])
    assert "config/speaker-requirements.txt" in script.read_text()
    unit = (ROOT / "config/systemd/antiphon-speaker.service").read_text()
    home = re.search(r"^home=(.*)$", script.read_text(), re.MULTILINE)
    assert home is not None
    assert f"ExecStart={home[1]}/bin/antiphon-speaker\n" in unit
    assert "antiphon-speaker" in project["scripts"]


def test_every_setting_is_in_the_manual_with_its_default() -> None:
    page = (ROOT / "docs/use/speaker.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", page, re.MULTILINE))
    shown = {
        name: "(needed)" if field.is_required() else f"`{field.default}`"
        for name, field in SpeakerSettings.model_fields.items()
    }
    assert rows == {n: v if v not in ("``", "`None`") else "(empty)" for n, v in shown.items()}


def test_variables_come_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "speaker.toml"
    file.write_text(f'url = "{URL}"\nname = "Bar"\nmixer = "alsa"\n')
    settings = load(file, {"ANTIPHON_SPEAKER_NAME": "Lobby", "HOME": "/"})
    assert (settings.name, settings.mixer, settings.broker.host) == ("Lobby", "alsa", "192.0.2.1")
    assert settings.key
    one = load(file, {"ANTIPHON_SPEAKER_DEVICE_ID": "02:42:AC:11:00:02"})
    assert one.key == "02-42-ac-11-00-02"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "url: Field required"),
        ('url = "http://x"', "\n  url: write it as mqtt://user:password@host:port (mqtts://"),
        ('url = "off"', "\n  url: write it as mqtt://user:password@host:port (mqtts://"),
        (f'url = "{URL}"\nvolume = 3', "volume"),
        (f'url = "{URL}"\nmixer = "knob"', "mixer"),
        (f'url = "{URL}"\nroot = "a/#"', "root"),
        (f'url = "{URL}"\ntone_command = "\'"', "tone_command"),
        ("url = ", "can not be read"),
        ("\x00", "can not be read"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "speaker.toml"
    file.write_text(text)
    with pytest.raises(WrongSettings) as caught:
        load(file, {})
    assert complaint in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_tone_is_as_long_and_as_soft_as_wished() -> None:
    full, half = (tone.wav([(440, 0.5), (0, 0.5)], volume) for volume in (100, 50))
    assert len(full) == len(half) == 44 + 48_000 * 4
    peaks = [max(memoryview(sound)[44:].cast("h")) for sound in (full, half)]
    assert 3200 < peaks[0] < 3300
    assert abs(peaks[1] * 2 - peaks[0]) <= 2


@pytest.mark.parametrize("end", ["cancelled", "too long"])
async def test_a_tone_ends_with_all_that_its_program_started(tmp_path: Path, end: str) -> None:
    started = tmp_path / "started"
    command = f"sh -c '(touch {started}; sleep 60); true'"
    sound = tone.wav([(440, 1.0)], 100)  # more than a pipe holds, and nobody reads it
    playing = asyncio.create_task(tone.play(command, sound, 60 if end == "cancelled" else 0.5))
    await eventually(started.exists)
    if end == "cancelled":
        playing.cancel()
    done, _ = await asyncio.wait({playing}, timeout=10)
    assert done
    assert playing.cancelled() or playing.result() is False


def test_figures_are_read_or_none() -> None:
    gauges = facts.Gauges()
    figures = gauges.read(None)
    assert figures.output_level_db is None
    assert figures.mem_used_pct is None or 0 < figures.mem_used_pct < 100
    assert figures.clock_offset_ms is None


async def test_the_level_is_that_of_the_recording_or_of_what_a_program_hears(
    tmp_path: Path,
) -> None:
    recording = tmp_path / "heard.raw"
    recording.write_bytes(b"\x00\x40" * 96_000 + b"\x01")
    by_file = SpeakerSettings(url=SecretStr(URL), player=f"file:filename={recording}")
    assert await Meter(by_file).read() == -6.0
    by_ear = SpeakerSettings(url=SecretStr(URL), meter_command=f"cat {recording}")
    assert await Meter(by_ear).read() == -6.0
    recording.write_bytes(b"")
    assert await Meter(by_file).read() is None
    for command in ("no-such-program", "false", "sleep 60", "sh -c 'sleep 60 & sleep 60; true'"):
        deaf = SpeakerSettings(url=SecretStr(URL), meter_command=command)
        assert await Meter(deaf).read() is None
    assert await Meter(SpeakerSettings(url=SecretStr(URL))).read() is None


@asynccontextmanager
async def broker(folder: Path) -> AsyncIterator[str]:
    """A broker that lets everybody do everything."""
    port = free_port()
    conf = folder / "mosquitto.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nset_tcp_nodelay true\n")
    async with ChildProcess("mosquitto", Program(["mosquitto", "-c", str(conf)])):
        await eventually(lambda: listens(port))
        yield f"mqtt://127.0.0.1:{port}"


def _wish(rev: int, volume: int, **more: object) -> dict[str, object]:
    return {"rev": rev, "volume": volume, "later": "unknown to this version", **more}


async def _state(server: Integrator, **expected: object) -> None:
    """Wait until the state that the broker keeps is so."""

    def fits() -> bool:
        document = json.loads(server.held.get("device/card/up/state") or "{}")
        return all(document.get(key, "nothing") == value for key, value in expected.items())

    await eventually(fits)


async def test_a_knob_that_is_turned_while_the_server_is_away_is_not_turned_back(
    tmp_path: Path,
) -> None:
    async with (
        broker(tmp_path) as url,
        integrating(url, lambda _: None) as server,
        speaker("card", tmp_path, url, mixer="alsa") as card,
    ):
        place = "device/card"
        await server.hears(f"{place}/up/status", lambda h: h.payload == b"online", timeout_s=15)
        assert card.volume == 90  # not a word from the server yet: it stays
        await server.send(f"{place}/down/desired", _wish(1, 50), retain=True)
        await _state(server, rev=1, volume=50, source="desired")
        assert card.volume == 50
        card.turn(30)
        await _state(server, volume=30, source="local")

        # The server comes back with what it knew before, and hears of the knob once more.
        since = len(server.heard)
        await server.send(f"{place}/down/desired", _wish(2, 50), retain=True)
        again = await server.hears(f"{place}/up/state", since=since)
        assert (again.json["volume"], again.json["source"]) == (30, "local")
        assert card.volume == 30
        await server.send(f"{place}/down/desired", _wish(3, 30), retain=True)
        await _state(server, rev=3, volume=30, source="desired")

        # A new wish counts, within the limit; muting too.
        await server.send(f"{place}/down/desired", _wish(4, 90, volume_max=70), retain=True)
        await _state(server, rev=4, volume=70, source="desired")
        await server.send(f"{place}/down/desired", _wish(5, 90, muted=True), retain=True)
        await eventually(lambda: card.volume == 0)


async def test_the_sound_comes_from_where_the_server_said_and_without_it_from_the_settings(
    tmp_path: Path,
) -> None:
    async with (
        broker(tmp_path) as url,
        integrating(url, lambda _: None) as server,
        speaker("card", tmp_path, url, snapserver_port="1") as card,
    ):
        await eventually(lambda: _target(card) == ["127.0.0.1", "1"], timeout_s=30)
        there = {"host": "127.0.0.2", "port": 2}
        await server.send("device/card/down/desired", _wish(1, 50, snapserver=there), retain=True)
        await eventually(lambda: _target(card) == ["127.0.0.2", "2"], timeout_s=30)
        await card.stop()
        await card.start()  # what the broker kept comes before anything else, and stays
        await eventually(lambda: _target(card) == ["127.0.0.2", "2"], timeout_s=30)
        pid = card.snapclient()
        await asyncio.sleep(4)  # longer than it waits for a first wish
        assert card.snapclient() == pid


def _target(card: Speaker) -> list[str]:
    """The host and the port that its snapclient was started with."""
    if not (pid := card.snapclient()):
        return []
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return [words[words.index("-h") + 1], words[words.index("-p") + 1]]


async def test_no_program_and_no_card_are_problems_that_are_told(tmp_path: Path) -> None:
    async with (
        broker(tmp_path) as url,
        integrating(url, lambda _: None) as server,
        speaker("card", tmp_path, url, mixer="alsa", snapclient="no-such-snapclient") as card,
    ):
        card.card.unlink()
        state = await server.hears(
            "device/card/up/state", lambda h: h.json["snapclient"] == "missing", timeout_s=15
        )
        assert state.json["volume"] is None
        order = {"id": "r", "ttl_s": 5}
        await server.send("device/card/down/cmd/restart", order)
        ack = await server.hears("device/card/up/ack", lambda h: h.json["id"] == "r")
        assert ack.json["status"] == "failed"
        await server.send("device/card/down/cmd/restart", order)  # QoS 1 may do that
        await server.hears(
            "device/card/up/ack", lambda h: h.json == ack.json, since=server.heard.index(ack) + 1
        )
        await server.send("device/card/down/cmd/explode", {"id": "x"})
        ack = await server.hears("device/card/up/ack", lambda h: h.json["id"] == "x")
        assert (ack.json["status"], ack.json["code"]) == ("rejected", "not_supported")


async def test_what_many_agents_had_said_before_the_server_came_is_all_heard(world: World) -> None:
    names = [f"d-{number}" for number in range(150)]
    info = {"agent": {"name": "own", "version": "1"}}
    said = (("info", info), ("status", b"online"), ("state", {"volume": 1}))
    async with world.serving(), world.integrator_without_judge() as others:
        for kind, payload in said:
            await asyncio.gather(
                *(others.send(f"device/{n}/up/{kind}", payload, retain=True) for n in names)
            )
    world.devices = FakeDevices(world.bus)
    async with world.serving():
        await eventually(
            lambda: (
                {d.device_id for d in world.devices.by_id.values() if d.is_online} == set(names)
            ),
            timeout_s=30,
        )


async def test_who_sent_telemetry_and_falls_silent_is_offline() -> None:
    bus = EventBus()
    view = device_view(uuid4(), None, "pi")
    devices = FakeDevices(bus, view)
    building = Building(FakeZones(bus), devices, _no_clients, telemetry_interval_s=60)
    mirror = Mirror(building, Documents("antiphon/v1", Outbox()), lambda _: None)
    mirror.known.devices.put(view)
    agents = Agents(building, mirror, lambda _: None, bus, logging.getLogger("test"))

    async def say(kind: Kind, payload: bytes) -> None:
        await agents.report(DeviceTopic(kind, device="pi"), Incoming("", payload, retain=False))

    now = asyncio.get_running_loop().time()
    await say(Kind.UP_STATUS, b"online")
    await agents.check(now + 10_000)
    assert devices.by_id[view.id].is_online  # it never sent any, so none is missed
    await say(Kind.UP_TELEMETRY, b"{}")
    await agents.check(now + 140)
    assert devices.by_id[view.id].is_online
    await agents.check(now + 200)
    assert not devices.by_id[view.id].is_online
    await say(Kind.UP_TELEMETRY, b"{}")
    assert devices.by_id[view.id].is_online
    assert [report.device_type for report in devices.reports] == ["agent"] * 3


async def test_a_newcomer_that_does_not_play_yet_is_told_what_to_play() -> None:
    """Whatever it says first: it waits for our wish, and must not be waited for."""
    bus = EventBus()
    words = {
        Kind.UP_INFO: b'{"agent": {"name": "own", "version": "1"}}',
        Kind.UP_STATE: b'{"snapclient": "disconnected"}',
        Kind.UP_STATUS: b"online",
    }
    for order in permutations(words):
        devices = FakeDevices(bus)
        building = Building(FakeZones(bus), devices, _no_clients)
        mirror = Mirror(building, Documents("antiphon/v1", Outbox()), lambda _: None)
        agents = Agents(building, mirror, lambda _: None, bus, logging.getLogger("test"))
        for kind in order:
            message = Incoming("", words[kind], retain=False)
            await agents.report(DeviceTopic(kind, device="pi"), message)
        (made,) = devices.by_id.values()
        assert (made.device_id, made.device_type) == ("pi", "agent")


async def test_a_newcomer_that_goes_before_the_mirror_hears_of_it_is_offline() -> None:
    bus = EventBus()
    devices = FakeDevices(bus)
    building = Building(FakeZones(bus), devices, _no_clients)
    mirror = Mirror(building, Documents("antiphon/v1", Outbox()), lambda _: None)
    agents = Agents(building, mirror, lambda _: None, bus, logging.getLogger("test"))

    async def say(kind: Kind, payload: bytes) -> None:
        await agents.report(DeviceTopic(kind, device="pi"), Incoming("", payload, retain=False))

    await say(Kind.UP_INFO, b'{"agent": {"name": "own", "version": "1"}}')
    await say(Kind.UP_STATUS, b"online")
    (made,) = devices.by_id.values()
    assert made.is_online
    await say(Kind.UP_STATUS, b"offline")
    assert not devices.by_id[made.id].is_online
    await devices.remove(SERVER, made.id)
    await say(Kind.UP_STATUS, b"offline")
    assert not devices.by_id, "what was removed is not made anew by its will"


async def _no_clients() -> dict[UUID, ClientInfo]:
    return {}

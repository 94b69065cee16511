from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast
from uuid import uuid4

import pytest
from tests.core.plugins.strangers import Write

from antiphon.errors import NotFound
from antiphon.events import EventBus, PartChanged
from antiphon.jobs import JobRunner
from antiphon.plugins import Devices, MediaRef, MediaRegistry, SpeechRegistry, Zones
from antiphon.plugins.manager import Plugins, load_plugins
from antiphon.plugins.records import PluginStatus
from antiphon.plugins.services import ServiceTask
from antiphon.plugins.starting import Connected, PluginParts, connect

GIVES_ALL = """
class Tone(MediaSource):
    kinds = frozenset({"%(kind)s"})
    async def resolve(self, client_id, ref):
        return Media(ref=ref, path=Path("/x"), title="%(kind)s", duration_s=1)
class Voices(SpeechEngine):
    name = "%(kind)s"
    async def voices(self):
        return [Voice(id="%(kind)s:a", name="A", language="en", engine="%(kind)s", version="1")]
    async def speak(self, text, voice, destination): ...
async def handler(request): ...
@hookimpl
def antiphon_media_sources(context):
    return [Tone()]
@hookimpl
def antiphon_speech_engines(context):
    return [Voices()]
@hookimpl
def antiphon_routes(context):
    return [Route(method="GET", path="%(kind)s", handler=handler, summary="", tag="x")]
"""

SERVICE = """
@asynccontextmanager
async def service(context):
    mark = context.data_dir / "mark"
    mark.write_text("in")
    %s
    try:
        yield
    finally:
        mark.write_text("out")
        %s
@hookimpl
def antiphon_services(context):
    return [service(context)]
"""


@pytest.fixture
def parts(tmp_path: Path) -> PluginParts:
    bus = EventBus()
    return PluginParts(
        bus=bus,
        zones=cast(Zones, None),
        devices=cast(Devices, None),
        media=MediaRegistry(),
        speech=SpeechRegistry(),
        jobs=JobRunner(bus),
        data_dir=tmp_path,
        media_dir=tmp_path / "media",
    )


@pytest.fixture(autouse=True)
def _errors_are_expected(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "antiphon")


def all_of(kind: str) -> str:
    return GIVES_ALL % {"kind": kind}


def row(plugins: Plugins, name: str) -> tuple[PluginStatus, str]:
    (found,) = [row for row in plugins.records if row.name == name]
    return found.status, found.reason or ""


@asynccontextmanager
async def running(plugins: Plugins, parts: PluginParts) -> AsyncIterator[Connected]:
    connected = await connect(plugins, parts, hook_timeout_s=0.3, start_timeout_s=0.3)
    async with connected.services():
        yield connected


async def offered(parts: PluginParts) -> tuple[set[str], list[str]]:
    kinds = set()
    for kind in ("a", "b"):
        try:
            kinds.add((await parts.media.resolve(uuid4(), MediaRef(kind=kind, value=""))).title)
        except NotFound:
            continue
    return kinds, [voice.id for voice in await parts.speech.voices()]


async def test_what_plugins_give_is_in_use(write: Write, parts: PluginParts) -> None:
    plugins = load_plugins(points=[write("a", all_of("a")), write("b", all_of("b"))])
    async with running(plugins, parts) as connected:
        assert [route.path for route in connected.routes] == ["a", "b"]
        assert await offered(parts) == ({"a", "b"}, ["a:a", "b:a"])


@pytest.mark.parametrize(
    ("hook", "reason"),
    [
        ("time.sleep(60)", "did not return within 0.3 s"),
        ("raise OSError('no')", "OSError: no"),
        ("return [3]", "antiphon_services returned 3 among its items"),
        ("return 3", "not iterable"),
        ("asyncio.get_running_loop()", "no running event loop"),
    ],
)
async def test_a_hook_that_goes_wrong_takes_its_plugin_out(
    write: Write, parts: PluginParts, hook: str, reason: str
) -> None:
    wrong = f"{all_of('a')}\n@hookimpl\ndef antiphon_services(context):\n    {hook}\n"
    plugins = load_plugins(points=[write("a", wrong), write("b", all_of("b"))])
    async with running(plugins, parts) as connected:
        assert [route.path for route in connected.routes] == ["b"]
        assert await offered(parts) == ({"b"}, ["b:a"])
    status, said = row(plugins, "a")
    assert status is PluginStatus.FAILED_TO_START
    assert reason in said
    assert row(plugins, "b") == (PluginStatus.READY, "")


@pytest.mark.parametrize(
    ("entering", "reason"),
    [
        ("raise OSError('no broker')", "OSError: no broker"),
        ("await asyncio.sleep(60)", "did not start within 0.3 s"),
        ("asyncio.current_task().cancel(); await asyncio.sleep(0)", "cancelled itself"),
    ],
)
async def test_a_service_that_does_not_start_takes_its_plugin_out(
    write: Write, parts: PluginParts, entering: str, reason: str
) -> None:
    wrong = all_of("a") + SERVICE % (entering, "pass")
    plugins = load_plugins(points=[write("a", wrong), write("b", all_of("b"))])
    async with running(plugins, parts) as connected:
        assert [route.path for route in connected.routes] == ["b"]
        assert await offered(parts) == ({"b"}, ["b:a"])
    status, said = row(plugins, "a")
    assert status is PluginStatus.FAILED_TO_START
    assert reason in said


async def test_the_first_service_is_left_when_the_second_fails(
    write: Write, parts: PluginParts, tmp_path: Path
) -> None:
    body = SERVICE % ("pass", "pass") + (
        "@asynccontextmanager\nasync def bad():\n    raise OSError('x')\n    yield\n"
        "@hookimpl\ndef antiphon_services(context):\n    return [service(context), bad()]\n"
    )
    plugins = load_plugins(points=[write("half", body)])
    async with running(plugins, parts):
        assert (tmp_path / "plugins" / "half" / "mark").read_text() == "out"
    assert row(plugins, "half")[0] is PluginStatus.FAILED_TO_START


async def test_services_live_as_long_as_the_server(
    write: Write, parts: PluginParts, tmp_path: Path
) -> None:
    plugins = load_plugins(points=[write("s", SERVICE % ("pass", "raise OSError('late')"))])
    mark = tmp_path / "plugins" / "s" / "mark"
    async with running(plugins, parts):
        assert mark.read_text() == "in"
    assert mark.read_text() == "out"
    assert row(plugins, "s") == (PluginStatus.READY, "")


async def test_a_service_that_dies_later_is_told_and_nothing_else_dies(
    write: Write, parts: PluginParts
) -> None:
    body = all_of("a") + (
        "@asynccontextmanager\nasync def service(bus):\n"
        "    async def work():\n        await asyncio.sleep(0.05)\n        1 / 0\n"
        "    async with asyncio.TaskGroup() as group:\n"
        "        group.create_task(work())\n        yield\n"
        "@hookimpl\ndef antiphon_services(context):\n    return [service(context.bus)]\n"
    )
    plugins = load_plugins(points=[write("a", body)])
    with parts.bus.stream(PartChanged) as events:
        async with running(plugins, parts):
            async with asyncio.timeout(5):
                event = await anext(events)
            assert isinstance(event, PartChanged)
            assert (event.part, event.is_up) == ("plugin a", False)
            assert row(plugins, "a")[0] is PluginStatus.QUARANTINED
            assert await offered(parts) == ({"a"}, ["a:a"])


async def test_two_plugins_that_claim_one_kind_of_media(write: Write, parts: PluginParts) -> None:
    other = all_of("a").replace('path="a"', 'path="b"')
    plugins = load_plugins(points=[write("a", all_of("a")), write("b", other)])
    async with running(plugins, parts) as connected:
        assert [route.path for route in connected.routes] == ["a"]
        assert await offered(parts) == ({"a"}, ["a:a"])
    status, said = row(plugins, "b")
    assert status is PluginStatus.FAILED_TO_START
    assert "already provided by Tone" in said


async def test_two_plugins_that_claim_one_operation(write: Write, parts: PluginParts) -> None:
    route = 'Route(method="GET", path="{}", handler=None, summary="", tag="x")'
    hook = "@hookimpl\ndef antiphon_routes(context):\n    return [{}]\n"
    points = [
        write("a", hook.format(route.format("x/{a_id}"))),
        write("b", hook.format(route.format("x/{b_id}"))),
    ]
    plugins = load_plugins(points=points)
    async with running(plugins, parts) as connected:
        assert len(connected.routes) == 1
    assert "is taken already" in row(plugins, "b")[1]


@pytest.mark.parametrize("operation", ["get x", "GET /x", "GET x{", "FETCH x", "GET ", "GET a b"])
async def test_an_operation_that_makes_no_sense(
    write: Write, parts: PluginParts, operation: str
) -> None:
    method, _, path = operation.partition(" ")
    body = (
        "@hookimpl\ndef antiphon_routes(context):\n"
        f"    return [Route(method={method!r}, path={path!r}, handler=None, summary='', tag='x')]\n"
    )
    plugins = load_plugins(points=[write("a", body)])
    async with running(plugins, parts) as connected:
        assert connected.routes == []
    assert "is no operation" in row(plugins, "a")[1]


async def test_a_start_that_is_cancelled_leaves_what_it_entered(
    write: Write, parts: PluginParts, tmp_path: Path
) -> None:
    points = [
        write("a", SERVICE % ("pass", "pass")),
        write("b", SERVICE % ("await asyncio.sleep(60)", "pass")),
    ]
    connected = await connect(load_plugins(points=points), parts)

    async def start() -> None:
        async with connected.services():
            raise AssertionError

    starting = asyncio.create_task(start())
    mark = tmp_path / "plugins" / "b" / "mark"
    async with asyncio.timeout(5):
        while not mark.exists():  # noqa: ASYNC110  the plugin has no event for us
            await asyncio.sleep(0.01)
    starting.cancel()
    await asyncio.wait([starting])
    assert starting.cancelled()
    assert (tmp_path / "plugins" / "a" / "mark").read_text() == "out"


async def test_a_service_that_does_not_stop_is_cancelled() -> None:
    left = asyncio.Event()

    @asynccontextmanager
    async def stubborn() -> AsyncIterator[None]:
        try:
            yield
            await asyncio.sleep(60)
        finally:
            left.set()

    deaths: list[str] = []
    task = ServiceTask("stubborn", stubborn(), deaths.append, stop_timeout_s=0.1)
    await task.start()
    async with asyncio.timeout(5):
        await task.stop()
    assert left.is_set()
    assert deaths == []

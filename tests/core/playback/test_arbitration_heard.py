"""The marked cases of the table, played by the real renderer: all at once, in zones of their own.

A case's time begins with its first sound.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.core.playback.arbitration import Asked, Case, cases
from tests.core.playback.conftest import Stage
from tests.core.playback.test_real_renderer import NullStreams, tone
from tests.fakes.waiting import eventually

from antiphon.building.models import Zone
from antiphon.engine.host import RendererHost
from antiphon.engine.protocol import CallFinished, CallStarted, Report
from antiphon.playback import ZoneController
from antiphon.plugins import CallRequest, Media, MediaRef
from antiphon.settings.models import AudioSettings

SCALE = 0.4
EARLY_S = 0.3  # lateness is for the bench: this machine has other things to do
WHOLE_S = 0.05


class Witness:
    """Writes down what the renderer says was heard in each zone."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.time = loop.time
        self.started: dict[UUID, list[tuple[UUID, float, int]]] = defaultdict(list)
        self.seconds: dict[UUID, list[float]] = defaultdict(list)

    def hear(self, report: Report) -> None:
        match report:
            case CallStarted():
                call = UUID(report.call.rpartition(".")[0])
                self.started[UUID(report.zone)].append((call, self.time(), report.frame))
            case CallFinished() if report.seconds > 0:
                self.seconds[UUID(report.zone)].append(report.seconds)
            case _:
                pass


class Performance:
    """One case in its own zones."""

    def __init__(self, case: Case, stage: Stage, clips: dict[float, UUID]) -> None:
        self.case = case
        self.stage = stage
        self.clips = clips
        self.zones: dict[str, UUID] = {}
        self.calls: dict[str, UUID] = {}
        self.names: dict[UUID, str] = {}
        self.begins = 0.0
        self.lengths = {asked.name: asked.length for asked in case.calls}

    async def build(self) -> None:
        for name in self.case.heard:
            zone = await Zone.create(
                client=self.stage.hotel.client,
                floor=self.stage.hotel.cellar,
                name=f"{self.case.title} {name}"[:200],
            )
            self.zones[name] = zone.id

    async def play(self, zones: ZoneController, witness: Witness) -> None:
        loop, owner = asyncio.get_running_loop(), self.stage.hotel.owner
        inputs: list[tuple[float, Asked | list[str]]] = [(a.at, a) for a in self.case.calls]
        begins = self.begins = loop.time()
        for at, what in sorted(inputs + [(a, w) for a, w in self.case.others], key=lambda i: i[0]):
            if at > 0 and begins == self.begins:
                await eventually(lambda: any(witness.started[z] for z in self.zones.values()), 20)
                begins = loop.time()
            await asyncio.sleep(max(0.0, begins + at * SCALE - loop.time()))
            if isinstance(what, Asked):
                call = await zones.call(owner, self.request(what))
                self.calls[what.name], self.names[call.id] = call.id, what.name
            else:
                assert what[0] == "revoke"
                await zones.revoke(owner, self.calls[what[1]])
        for call_id in self.calls.values():
            async with asyncio.timeout(20):
                await zones._calls.get(call_id).over.wait()

    def request(self, asked: Asked) -> CallRequest:
        def scaled(wish: str) -> float | None:
            value = asked.number(wish)
            return None if value is None else value * SCALE

        planned = scaled("at")
        wishes = {
            "announcement_id": self.clips[asked.length],
            "zones": [self.zones[zone] for zone in asked.zones],
            "priority": asked.priority,
            "repeat": int(asked.wishes.get("times", 1)),
            "repeat_gap_s": scaled("gap") or 0.0,
            "expires_in_s": scaled("expires"),
            "max_duration_s": scaled("max"),
            "at": planned and datetime.now(UTC) + timedelta(seconds=planned),
        }
        wishes |= {k: v for k, v in asked.wishes.items() if k in ("start", "routing", "when_cut")}
        return CallRequest.model_validate(wishes)

    def check(self, zones: ZoneController, witness: Witness) -> None:
        frames: dict[tuple[str, float], set[int]] = defaultdict(set)
        for zone, wanted in self.case.heard.items():
            where = f"{self.case.title}, zone {zone}"
            started = witness.started[self.zones[zone]]
            heard = [self.names[call] for call, _, _ in started]
            assert heard == [name for name, _, _ in wanted], where
            seconds = witness.seconds[self.zones[zone]]
            for (name, since, until), (_, at, frame), heard_s in zip(
                wanted, started, seconds, strict=True
            ):
                whole_s = self.lengths[name] * SCALE
                if until - since == self.lengths[name]:
                    assert heard_s == pytest.approx(whole_s, abs=WHOLE_S), (where, name)
                else:
                    assert 0 < heard_s < whole_s - WHOLE_S, (where, name)
                assert at - self.begins > since * SCALE - EARLY_S, (where, name)
                frames[name, since].add(frame)
        for (name, since), at_frames in frames.items():
            assert len(at_frames) == 1, f"{self.case.title}: {name} at {since} on one sample"
        for name, call_id in self.calls.items():
            for zone, zone_id in self.zones.items():
                part = zones._calls.get(call_id).parts.get(zone_id)
                if part is not None:
                    state = self.case.ends.get((name, zone), "completed")
                    assert part.state == state, (self.case.title, name, zone)


async def test_marked_cases_with_real_sound(stage: Stage, tmp_path: Path) -> None:
    marked = [case for case in cases() if case.is_for_real]
    clips: dict[float, UUID] = {}
    for length in {asked.length for case in marked for asked in case.calls}:
        key = clips[length] = uuid4()
        stage.media.speech.stored[key] = Media(
            ref=MediaRef(kind="announcement", value=str(key)),
            path=tone(tmp_path / f"{length}.wav", length * SCALE),
            title=str(length),
            duration_s=length * SCALE,
        )
    performances = [Performance(case, stage, clips) for case in marked]
    for performance in performances:
        await performance.build()
    async with (
        RendererHost(stage.bus) as renderer,
        ZoneController(stage.bus, renderer, NullStreams(), stage.media, AudioSettings()) as zones,
    ):
        witness = Witness()
        renderer.subscribe(witness.hear)
        await asyncio.sleep(0.5)  # the renderer has its zones
        await asyncio.gather(*(performance.play(zones, witness) for performance in performances))
        for performance in performances:
            performance.check(zones, witness)

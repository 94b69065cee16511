"""The marked cases of the table, played by the real renderer, each in zones of its own.

A case's time begins with its first sound. Every call and every track is a tone of its own, so that
the recording of a zone tells what was heard there, and when.
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
from tests.core.playback.recording import Piece, Recorder
from tests.fakes.waiting import eventually
from tests.real_time import in_real_time
from tests.sounds import tone, write_wav

from antiphon import events
from antiphon.building.models import Zone
from antiphon.engine.host import RendererHost
from antiphon.engine.protocol import CallFinished, CallStarted, Configure, Report
from antiphon.playback import ZoneController
from antiphon.plugins import CallRequest, Media, MediaRef, PlayRequest
from antiphon.settings.models import AudioSettings
from antiphon.types import Repeat

SCALE = 0.4
EARLY_S = 0.3  # lateness is for the bench: this machine has other things to do
WHOLE_S = 0.05
RECORDED_S = 0.25  # less than a second of the table
LATE_S = 2.0
AT_ONCE = 8  # one thread decodes for all of them
QUICK = Configure(duck_down_s=0.04, duck_up_s=0.04)  # fades that the table does not know


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

    def __init__(self, case: Case, stage: Stage, folder: Path) -> None:
        self.case = case
        self.stage = stage
        self.folder = folder
        self.hertz = {asked.name: 1000.0 + 300 * n for n, asked in enumerate(case.calls)}
        self.hertz |= {str(n): 200.0 * n for n in (1, 2, 3)}
        self.clips = {asked.name: self.clip(asked) for asked in case.calls}
        self.zones: dict[str, UUID] = {}
        self.calls: dict[str, UUID] = {}
        self.names: dict[UUID, str] = {}
        self.begins = 0.0
        self.lengths = {asked.name: asked.length for asked in case.calls}

    # --- the stage -----------------------------------------------------------------------------

    def file(self, name: str, seconds: float) -> Path:
        sound = tone(seconds, self.hertz[name], -16.0)
        return write_wav(self.folder / f"{uuid4()}.wav", sound)

    def clip(self, asked: Asked) -> UUID:
        key, seconds = uuid4(), asked.length * SCALE
        path = self.file(asked.name, seconds)
        ref = MediaRef(kind="announcement", value=str(key))
        clip = Media(ref=ref, path=path, title=asked.name, duration_s=seconds)
        self.stage.media.speech.stored[key] = clip
        return key

    def track(self, number: int, length: float) -> UUID:
        music, client_id = self.stage.media.music, self.stage.hotel.client.id
        key, seconds = music.add(client_id, str(number), lufs=None), length * SCALE
        wanted = {"path": self.file(str(number), seconds), "duration_s": seconds}
        music.tracks[key] = client_id, music.tracks[key][1].model_copy(update=wanted)
        return key

    async def build(self) -> None:
        for name in self.case.heard:
            zone = await Zone.create(
                client=self.stage.hotel.client,
                floor=self.stage.hotel.cellar,
                name=f"{self.folder.name} {self.case.title} {name}"[:200],
            )
            self.zones[name] = zone.id

    # --- what happens --------------------------------------------------------------------------

    async def play(self, zones: ZoneController, witness: Witness) -> None:
        loop, owner = asyncio.get_running_loop(), self.stage.hotel.owner
        inputs: list[tuple[float, Asked | list[str]]] = [(a.at, a) for a in self.case.calls]
        begins = self.begins = loop.time()
        for at, what in sorted(inputs + [(a, w) for a, w in self.case.others], key=lambda i: i[0]):
            if at > 0 and begins == self.begins:
                await eventually(lambda: self.sounds(witness), 20)
                begins = loop.time()
            await asyncio.sleep(max(0.0, begins + at * SCALE - loop.time()))
            if isinstance(what, Asked):
                call = await zones.call(owner, self.request(what))
                self.calls[what.name], self.names[call.id] = call.id, what.name
            elif what[0] == "music":
                await self.start_music(zones, what[1], what[2:])
            else:
                assert what[0] == "revoke"
                await zones.revoke(owner, self.calls[what[1]])
        for call_id in self.calls.values():
            async with asyncio.timeout(20):
                await zones._calls.get(call_id).over.wait()
        ends = [until for heard in self.case.tracks.values() for _, _, until in heard]
        over = begins + max(ends, default=0) * SCALE + 2 * RECORDED_S
        await asyncio.sleep(max(0.0, over - loop.time()))

    async def start_music(self, zones: ZoneController, where: str, lengths: list[str]) -> None:
        tracks = [self.track(n, float(text)) for n, text in enumerate(lengths, 1)]
        first, *others = (self.zones[zone] for zone in where)
        request = PlayRequest(music_ids=tracks, zones=others, repeat=Repeat.NONE)
        await zones.play(self.stage.hotel.owner, first, request)

    def sounds(self, witness: Witness) -> bool:
        mine = set(self.zones.values())
        has_music = any(event.zone_id in mine for event in self.stage.told(events.TrackStarted))
        return has_music or any(witness.started[zone] for zone in mine)

    def request(self, asked: Asked) -> CallRequest:
        def scaled(wish: str) -> float | None:
            value = asked.number(wish)
            return None if value is None else value * SCALE

        planned = scaled("at")
        wishes = {
            "announcement_id": self.clips[asked.name],
            "zones": [self.zones[zone] for zone in asked.zones],
            "priority": asked.priority,
            "repeat": int(asked.wishes.get("times", 1)),
            "repeat_gap_s": scaled("gap") or 0.0,
            "expires_in_s": scaled("expires"),
            "max_duration_s": scaled("max"),
            "at": planned and datetime.now(UTC) + timedelta(seconds=planned),
        }
        words = ("start", "routing", "when_cut", "style")
        wishes |= {k: v for k, v in asked.wishes.items() if k in words}
        return CallRequest.model_validate(wishes)

    # --- what was heard ------------------------------------------------------------------------

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

    def listen(self, recorder: Recorder) -> None:
        """Hold the recordings of the zones against the table."""
        names = list(self.hertz)
        heard: dict[tuple[str, str], list[Piece]] = {}
        wanted: dict[tuple[str, str], list[Piece]] = {}
        for zone, zone_id in self.zones.items():
            pieces = recorder.pieces(zone_id, [self.hertz[name] for name in names])
            for name, found in zip(names, pieces, strict=True):
                heard[zone, name] = found
                wanted[zone, name] = self.wanted(zone, name)
        first = min(since for found in wanted.values() for since, _ in found)
        begins = min(since for found in heard.values() for since, _ in found) - first * SCALE
        for key, expected in wanted.items():
            found = [(since - begins, until - begins) for since, until in heard[key]]
            about = f"{self.case.title}: {key} {found}, times {SCALE}: {expected}"
            assert len(found) == len(expected), about
            for piece, (since, until) in zip(found, expected, strict=True):
                assert -RECORDED_S < piece[0] - since * SCALE < LATE_S, about
                if until - since == self.lengths.get(key[1]):
                    length_s = pytest.approx((until - since) * SCALE, abs=RECORDED_S / 2)
                    assert piece[1] - piece[0] == length_s, about
            total_s = sum(until - since for since, until in found)
            if key[1].isdigit():  # whatever was late: nothing of the music is lost, or heard twice
                all_s = sum(until - since for since, until in expected) * SCALE
                assert total_s == pytest.approx(all_s, abs=2 * RECORDED_S), about

    def wanted(self, zone: str, name: str) -> list[Piece]:
        """The table's word on a call or a track; music that makes way is not heard meanwhile."""
        calls = self.case.heard[zone]
        if not name.isdigit():
            return _joined([(a, b) for call, a, b in calls if call == name])
        found = [
            (since, until)
            for zones, tracks in self.case.tracks.items()
            for track, since, until in tracks
            if zone in zones and track == name
        ]
        for call, since, until in calls:
            if self.is_without_music(call):
                found = [part for piece in found for part in _without(piece, (since, until))]
        return found

    def is_without_music(self, name: str) -> bool:
        (asked,) = (asked for asked in self.case.calls if asked.name == name)
        return "style" in asked.wishes


def _joined(pieces: list[Piece]) -> list[Piece]:
    joined: list[Piece] = []
    for since, until in pieces:
        if joined and joined[-1][1] == since:
            joined[-1] = (joined[-1][0], until)
        else:
            joined.append((since, until))
    return joined


def _without(piece: Piece, gap: Piece) -> list[Piece]:
    parts = [(piece[0], min(piece[1], gap[0])), (max(piece[0], gap[1]), piece[1])]
    return [(since, until) for since, until in parts if since < until]


@pytest.mark.alone
@in_real_time
async def test_marked_cases_with_real_sound(stage: Stage, tmp_path: Path) -> None:
    marked = [case for case in cases() if case.is_for_real]
    folder = tmp_path / uuid4().hex[:6]  # this may be tried several times
    folder.mkdir()
    performances = [Performance(case, stage, folder) for case in marked]
    for performance in performances:
        await performance.build()
    with Recorder(folder) as recorder:
        async with (
            RendererHost(stage.bus, QUICK) as renderer,
            ZoneController(stage.bus, renderer, recorder, stage.media, AudioSettings()) as zones,
        ):
            witness = Witness()
            renderer.subscribe(witness.hear)
            await asyncio.sleep(0.5)  # the renderer has its zones
            for start in range(0, len(performances), AT_ONCE):
                together = performances[start : start + AT_ONCE]
                await asyncio.gather(*(one.play(zones, witness) for one in together))
            for performance in performances:
                performance.check(zones, witness)
    for performance in performances:
        performance.listen(recorder)

"""The main job, heard: real server, real snapserver, real loudspeakers, real voice, real broker."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from tests.end_to_end.house import BUFFER_S, Answer, House, Loudspeaker, until
from tests.end_to_end.signals import find, gain_db, has_gap, onset
from tests.real_time import in_real_time
from tests.sounds import RATE, Sound, level_db, noise, tone, tone_db, write_wav

pytestmark = pytest.mark.alone

MUSIC_S = 240.0
CLIP_HZ, OTHER_HZ = 2000.0, 3100.0


@dataclass
class Building:
    """Two zones that hear one noise as music, one silent zone, two clips."""

    house: House
    zones: dict[str, str]
    speakers: dict[str, Loudspeaker]
    music: Sound
    track: dict[str, Any]
    clips: dict[float, dict[str, Any]]

    def position(self, zone: str = "Lobby") -> Any:
        return self.house.get(f"zones/{self.zones[zone]}/playback")

    def call(self, *zones: str, hertz: float = CLIP_HZ) -> str:
        request = {
            "announcement_id": self.clips[hertz]["id"],
            "zones": [self.zones[zone] for zone in zones],
            "chime": False,
        }
        return str(self.house.post("calls", request)["id"])

    def at(self, part: Sound) -> int:
        """The frame of the music at which a recorded part was taken."""
        return find(self.music, part, least=0.1)

    def match(self, part: Sound) -> tuple[int, float]:
        """Where in the music a recorded part was taken, and with what gain in dB."""
        at = self.at(part)
        return at, gain_db(self.music[at : at + len(part)], part)

    def recorded_call(self, *zones: str) -> dict[str, Sound]:
        """What is heard around a call: 0.6 s before it to about 1 s after the music is back."""
        begins = {zone: self.speakers[zone].frames for zone in zones}
        self.speakers[zones[0]].listen(0.6)
        done = self.house.call_is(self.call(*zones), "completed")
        for part in done["zones"]:
            assert part["seconds_heard"] == pytest.approx(3.0, abs=0.05)
        for zone in zones:
            self.speakers[zone].listen(BUFFER_S + 2.2)
        heard = {zone: self.speakers[zone].heard(begins[zone]) for zone in zones}
        assert not any(map(has_gap, heard.values()))
        return heard

    def record_two_calls(self) -> Sound:
        """What is heard when two are asked for at once."""
        speaker = self.speakers["Lobby"]
        begin = speaker.frames
        for call in [self.call("Lobby", hertz=hertz) for hertz in (CLIP_HZ, OTHER_HZ)]:
            self.house.call_is(call, "completed")
        speaker.listen(1.5)
        return speaker.heard(begin)


@pytest.fixture(scope="module")
def building(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Building]:
    folder = tmp_path_factory.mktemp("house")
    music = noise(MUSIC_S, -24.0, seed=7)
    with House(folder) as house:
        zones = {
            name: house.post("zones", {"name": name, "default_volume": 100})["id"]
            for name in ("Lobby", "Bar", "Gym")
        }
        track = house.upload("music", write_wav(folder / "music.wav", music))
        clips = {
            hertz: house.upload(
                "announcements",
                write_wav(folder / f"{hertz:.0f}.wav", tone(3.0, hertz, -14.0)),
                title=f"{hertz:.0f} Hz",
            )
            for hertz in (CLIP_HZ, OTHER_HZ)
        }
        track = house.measured(f"music/{track['id']}")
        clips = {h: house.measured(f"announcements/{c['id']}") for h, c in clips.items()}
        speakers = {
            name: house.loudspeaker(f"speaker-{name.lower()}", zones[name])
            for name in ("Lobby", "Bar")
        }
        play = {"music_ids": [track["id"]], "zones": [zones["Bar"]]}
        house.post(f"zones/{zones['Lobby']}/playback/play", play)
        for speaker in speakers.values():
            speaker.until_louder(-60)
        yield Building(house, zones, speakers, music, track, clips)
    assert house.process.returncode == 0, house.log.read_text()[-3000:]
    assert "Traceback" not in house.log.read_text()


@in_real_time
def test_music_is_heard_as_it_is(building: Building) -> None:
    heard = building.speakers["Lobby"].listen(1.0)
    at = building.at(heard)
    gain = min(-18.0 - building.track["loudness_lufs"], -1.5 - building.track["true_peak_db"])
    assert gain_db(building.music[at : at + RATE], heard) == pytest.approx(gain, abs=0.2)


@in_real_time
def test_a_call_ducks_the_music_by_what_the_loudness_says_and_never_stops_it(
    building: Building,
) -> None:
    heard = building.recorded_call("Lobby")["Lobby"]
    spoken = onset(heard, CLIP_HZ)
    half = RATE // 2
    at_before, before_db = building.match(heard[:half])
    _, during_db = building.match(heard[spoken + RATE : spoken + RATE + half])
    at_after, after_db = building.match(heard[-half:])
    clip, track = building.clips[CLIP_HZ], building.track
    clip_gain = min(-16.0 - clip["loudness_lufs"], -1.5 - clip["true_peak_db"])
    voice_lufs = clip["loudness_lufs"] + clip_gain
    assert track["loudness_lufs"] + before_db == pytest.approx(-18.0, abs=0.5)
    assert voice_lufs - (track["loudness_lufs"] + during_db) == pytest.approx(12.0, abs=1.5)
    assert after_db == pytest.approx(before_db, abs=0.1)
    voice = heard[spoken + RATE : spoken + RATE + half]
    assert tone_db(voice, CLIP_HZ) == pytest.approx(-14.0 + clip_gain, abs=0.5)
    # Elapsed in the music is elapsed at the loudspeaker, within one block.
    assert at_after - at_before == pytest.approx(len(heard) - half, abs=960)


@in_real_time
def test_two_calls_at_once_are_both_heard_one_after_the_other(building: Building) -> None:
    heard = building.record_two_calls()
    blocks = [heard[i : i + 2400] for i in range(0, len(heard) - 2400, 2400)]
    first = [i for i, block in enumerate(blocks) if tone_db(block, CLIP_HZ) > -30]
    second = [i for i, block in enumerate(blocks) if tone_db(block, OTHER_HZ) > -30]
    assert len(first) * 0.05 == pytest.approx(3.0, abs=0.15)
    assert len(second) * 0.05 == pytest.approx(3.0, abs=0.15)
    assert max(first) <= min(second)


@in_real_time
def test_a_call_in_two_zones_starts_on_the_same_sample(building: Building) -> None:
    heard = building.recorded_call("Lobby", "Bar")
    spoken = onset(heard["Lobby"], CLIP_HZ)
    around = heard["Lobby"][spoken - RATE // 4 : spoken + RATE // 2]
    at = find(heard["Bar"], around, least=0.9)
    # Music and voice together are the same samples in both rooms: neither came a sample later.
    np.testing.assert_array_equal(heard["Bar"][at : at + len(around)], around)


def test_a_text_is_spoken_in_a_silent_zone_and_heard_over_http(building: Building) -> None:
    zone = building.zones["Gym"]
    with building.house.live(zone) as stream:
        assert stream.headers["Content-Type"].startswith("audio/wav")
        header = stream.read(44)
        assert header[:4] == b"RIFF"
        silence = np.frombuffer(stream.read(RATE * 4), np.int16)
        assert not silence.any()
        text = {"text": "Good morning. The pool is open.", "zones": [zone], "chime": True}
        call = building.house.post("calls", text)
        heard = bytearray()

        def spoken_to_the_end() -> bool:
            heard.extend(stream.read(38_400))
            zone = building.house.get(f"calls/{call['id']}")["zones"][0]
            return bool(zone["state"] == "completed")

        until(spoken_to_the_end, "the voice", 60)
    spoken = np.frombuffer(bytes(heard), np.int16).reshape(-1, 2)
    assert level_db(spoken[np.abs(spoken).max(axis=1) > 300]) > -30
    seconds = building.house.get(f"calls/{call['id']}")["zones"][0]["seconds_heard"]
    assert 2.0 < seconds < 8.0


def test_integrators_speak_over_mqtt(building: Building) -> None:
    house = building.house
    broker = (house.data_dir / "plugins" / "mqtt" / "integrator.url").read_text().strip()
    client = house.get("zones")["items"][0]["client_id"]
    base = f"{broker}/antiphon/v1/client/{client}/zone/{building.zones['Gym']}"
    listening = subprocess.Popen(
        ["mosquitto_sub", "-L", f"{base}/ack", "-C", "1", "-W", "20"], stdout=subprocess.PIPE
    )
    state = ["mosquitto_sub", "-L", f"{base}/state", "-C", "1", "-W", "20"]
    before = json.loads(subprocess.run(state, check=True, capture_output=True).stdout)
    assert before["volume"] == 100
    command = json.dumps({"id": "c-1", "text": "Hello from a switch."})
    subprocess.run(
        ["mosquitto_pub", "-L", f"{base}/cmd/announce", "-q", "1", "-m", command], check=True
    )
    acked, _ = listening.communicate(timeout=25)
    ack = json.loads(acked)
    assert (ack["id"], ack["status"]) == ("c-1", "accepted")
    set_volume = ["mosquitto_pub", "-L", f"{base}/set/volume", "-q", "1", "-m", "40"]
    subprocess.run(set_volume, check=True)
    until(lambda: building.position("Gym")["volume"] == 40, "the volume")


@pytest.mark.parametrize("child", ["snapserver", "antiphon.engine"])
def test_after_a_kill_sound_is_back_where_it_should_be(building: Building, child: str) -> None:
    speaker = building.speakers["Lobby"]
    before = building.at(speaker.listen(0.5))
    killed = time.monotonic()
    building.house.kill(child)

    def back() -> int | None:
        heard = speaker.listen(0.5)
        try:
            return building.at(heard) if level_db(heard) > -50 else None
        except ValueError:
            return None  # taken at the edge of the gap

    after = until(back, f"sound after {child} was killed", 30)
    assert after is not None
    # The music went on meanwhile, and nothing was played twice or left out.
    assert 0 < (after - before) / RATE < time.monotonic() - killed + 2


def test_bad_input_is_refused_with_a_sentence_and_nothing_is_lost(
    building: Building, tmp_path: Path
) -> None:
    house, lobby = building.house, building.zones["Lobby"]
    empty, text = tmp_path / "empty.mp3", tmp_path / "text.mp3"
    empty.touch()
    text.write_text("no music at all " * 500)
    nothing = write_wav(tmp_path / "nothing.wav", np.zeros((0, 2), np.int16))
    attempts: list[tuple[Callable[[], Any], set[int]]] = [
        (lambda: house.upload("music", empty), {415, 422}),
        (lambda: house.upload("music", text), {415, 422}),
        (lambda: house.upload("music", nothing), {415, 422}),
        (lambda: house.post("calls", {"text": "", "all": True}), {422}),
        (lambda: house.post("calls", {"text": "a" * 20_000, "all": True}), {422}),
        (lambda: house.post("calls", {"text": "Hi", "voice": "nobody", "all": True}), {422}),
        (lambda: house.post("calls", {"text": "Hi", "zones": [str(uuid4())]}), {404, 422}),
        (lambda: house.post(f"zones/{uuid4()}/playback/pause"), {404}),
        (lambda: house.post(f"zones/{lobby}/playback/volume", {"volume": 101}), {422}),
        (lambda: house.post(f"zones/{lobby}/playback/seek", {"position_s": 9999}), {422}),
    ]
    for attempt, statuses in attempts:
        with pytest.raises(Answer) as refused:
            attempt()
        assert refused.value.status in statuses, refused.value
        assert refused.value.problem["code"]
        assert len(refused.value.problem["detail"]) > 20
    assert house.get("music")["total"] == 1
    assert building.position()["playback"] == "playing"
    assert building.at(building.speakers["Lobby"].listen(0.5)) > 0


def test_pause_and_volume_are_heard(building: Building) -> None:
    house, lobby, speaker = building.house, building.zones["Lobby"], building.speakers["Lobby"]
    house.post(f"zones/{lobby}/playback/volume", {"volume": 50})
    until(lambda: -42 < level_db(speaker.listen(0.2)) < -34, "the lower volume")
    house.post(f"zones/{lobby}/playback/pause")
    until(lambda: level_db(speaker.listen(0.2)) < -100, "silence")
    house.post(f"zones/{lobby}/playback/resume")
    until(lambda: level_db(speaker.listen(0.2)) > -40, "music")

"""The real Piper with its real voice, in the real worker, which loads it once for this file."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from antiphon.engine.codec import measure, probe
from antiphon.errors import Invalid, Unavailable
from antiphon.events import EventBus, JobProgressed
from antiphon.jobs import JobRunner
from antiphon_ai.engine import PiperEngine
from antiphon_ai.voices import VoiceLibrary

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def bus() -> EventBus:
    return EventBus()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(
    bus: EventBus, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[PiperEngine]:
    async with JobRunner(bus) as jobs:
        yield PiperEngine(VoiceLibrary(tmp_path_factory.mktemp("voices")), jobs)


async def _speak(engine: PiperEngine, text: str, folder: Path) -> Path:
    destination = folder / "spoken.wav"
    await engine.speak(text, (await engine.voices())[0], destination)
    return destination


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_sentence_is_heard(engine: PiperEngine, tmp_path: Path) -> None:
    spoken = await _speak(engine, "The shop closes in ten minutes.", tmp_path)
    info, loudness = probe(spoken), measure(spoken)
    assert (info.sample_rate, info.channels) == (22_050, 1)
    assert 1.2 < loudness.duration_s < 4.0
    assert loudness.integrated_lufs is not None
    assert -35 < loudness.integrated_lufs < -8


async def test_the_voice_is_loaded_once(engine: PiperEngine, tmp_path: Path) -> None:
    await engine.load()
    began = time.monotonic()
    await engine.load()
    assert time.monotonic() - began < 1.0  # loading takes several seconds


async def test_a_long_text_is_spoken_to_its_end(engine: PiperEngine, tmp_path: Path) -> None:
    sentence = "Counter number seven is open now, please come forward. "
    short, long = tmp_path / "short", tmp_path / "long"
    for folder in (short, long):
        folder.mkdir()
    one = measure(await _speak(engine, sentence, short)).duration_s
    ten = measure(await _speak(engine, sentence * 10, long)).duration_s
    assert ten == pytest.approx(10 * one, rel=0.2)


async def test_a_short_text_does_not_wait_for_the_end_of_a_long_one(
    engine: PiperEngine, tmp_path: Path
) -> None:
    long, short = tmp_path / "long", tmp_path / "short"
    for folder in (long, short):
        folder.mkdir()
    lesson = "This is the first of many sentences in a very long lesson. " * 8
    speaking = asyncio.create_task(_speak(engine, lesson, long))
    await asyncio.sleep(0)
    await _speak(engine, "Mind the step.", short)
    assert not speaking.done()
    await speaking


@pytest.mark.parametrize("text", ["", " \n ", "!!! … ***", "x" * 20_000])
async def test_what_can_not_be_spoken_is_refused_and_leaves_no_file(
    engine: PiperEngine, tmp_path: Path, text: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await _speak(engine, text, tmp_path)
    assert [error.field for error in refused.value.errors] == ["text"]
    assert _names(tmp_path) == []


async def test_hostile_signs_are_spoken_around(engine: PiperEngine, tmp_path: Path) -> None:
    assert (await _speak(engine, "Hello\x00 [[ \ud83d there ]", tmp_path)).stat().st_size > 10_000


async def test_a_damaged_voice_is_not_available_and_harms_no_other(
    engine: PiperEngine, tmp_path: Path
) -> None:
    packaged = VoiceLibrary(tmp_path).voices()["piper:en_US-joe-medium"]
    (tmp_path / "damaged.onnx").write_bytes(b"not a model")
    (tmp_path / "damaged.onnx.json").write_bytes(packaged.config.read_bytes())
    async with JobRunner(EventBus()) as jobs:
        other = PiperEngine(VoiceLibrary(tmp_path), jobs)
        with pytest.raises(Unavailable, match=r"damaged can not be loaded.*Install it again"):
            await _speak(other, "Hello", tmp_path)
    await _speak(engine, "Hello", tmp_path)


async def test_a_voice_that_was_uninstalled_is_named(engine: PiperEngine, tmp_path: Path) -> None:
    gone = (await engine.voices())[0].model_copy(update={"id": "piper:gone"})
    with pytest.raises(Invalid, match="piper:gone is no longer installed"):
        await engine.speak("Hello", gone, tmp_path / "spoken.wav")


async def test_the_warm_up_is_a_job_that_is_seen(engine: PiperEngine, bus: EventBus) -> None:
    seen: list[JobProgressed] = []
    done = asyncio.Event()

    def watch(event: JobProgressed) -> None:
        seen.append(event)
        if event.state != "running":
            done.set()

    unsubscribe = bus.subscribe(JobProgressed, watch)
    await engine.warm_up()
    await asyncio.wait_for(done.wait(), 60)
    unsubscribe()
    assert seen[-1].label == "Load the voice Joe (English, United States, medium)"
    assert [event.state for event in (seen[0], seen[-1])] == ["running", "done"]

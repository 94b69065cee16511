import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.core.engine.studio import Studio
from tests.sounds import RATE, Sound, convert, noise, tone, write_wav

from antiphon.engine.cache import PcmCache
from antiphon.engine.deck import Deck
from antiphon.engine.protocol import Configure

LIMIT = 10_000_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "kept"


@pytest.fixture
def cache(folder: Path) -> PcmCache:
    return PcmCache(folder, LIMIT)


@pytest.fixture
def track(tmp_path: Path) -> Path:
    return convert(write_wav(tmp_path / "t.wav", noise(3.0)), tmp_path / "t.mp3")


def hear(cache: PcmCache, path: Path, gain_db: float = 0.0, position_s: float = 0.0) -> Sound:
    """A file to its end; what was to be kept of it is kept."""
    deck = Deck(str(path), gain_db, position_s)
    pieces = []
    while not deck.ended:
        deck.fill(cache)
        pieces.append(deck.take(RATE))
    while len(piece := deck.take(RATE)):
        pieces.append(piece)
    deck.close()
    cache.flush()
    return np.concatenate(pieces)


def kept(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def silence(folder: Path) -> None:
    """Whatever is heard of the cache from now on is silent."""
    for path in kept(folder):
        size = path.stat().st_size - 16
        with path.open("r+b") as file:
            file.seek(16)
            file.write(bytes(size))


def test_what_is_played_a_second_time_is_read_the_third_time(
    cache: PcmCache, folder: Path, track: Path
) -> None:
    first = hear(cache, track, -3.0)
    assert kept(folder) == []
    assert np.array_equal(hear(cache, track, -3.0), first)
    assert len(kept(folder)) == 1
    assert np.array_equal(hear(cache, track, -3.0), first)
    assert np.array_equal(hear(cache, track, -3.0, position_s=1.25), first[round(1.25 * RATE) :])
    silence(folder)
    assert not hear(cache, track, -3.0).any()


def test_another_gain_and_another_content_are_decoded(
    cache: PcmCache, folder: Path, track: Path
) -> None:
    hear(cache, track)
    hear(cache, track)
    silence(folder)
    assert hear(cache, track, -6.0).any()
    os.utime(track, ns=(0, 0))
    assert hear(cache, track).any()


def test_what_was_not_heard_whole_is_not_kept(cache: PcmCache, folder: Path, track: Path) -> None:
    hear(cache, track)
    hear(cache, track, position_s=1.0)
    skipped = Deck(str(track))
    skipped.fill(cache)
    skipped.close()
    cache.flush()
    assert kept(folder) == []


def test_a_kept_file_that_is_damaged_is_decoded(cache: PcmCache, folder: Path, track: Path) -> None:
    first = hear(cache, track)
    for damage in (b"", b"too short", b"x" * 1000):
        hear(cache, track)
        kept(folder)[0].write_bytes(damage)
        assert np.array_equal(hear(cache, track), first)


def test_the_least_recently_used_leaves_first(folder: Path, tmp_path: Path) -> None:
    a, b, c = (write_wav(tmp_path / f"{n}.wav", tone(1.0, 100 * n)) for n in (4, 5, 6))
    cache = PcmCache(folder, limit_bytes=900_000)  # four seconds
    for path in (a, b, c, write_wav(tmp_path / "d.wav", tone(1.0))):
        hear(cache, path)
        hear(cache, path)
    assert len(kept(folder)) == 4
    for age, path in enumerate(kept(folder)):
        os.utime(path, ns=(age, age))
    oldest = kept(folder)[0]
    e = write_wav(tmp_path / "e.wav", tone(1.0, 900))
    hear(cache, e)
    hear(cache, e)
    assert len(kept(folder)) == 4
    assert oldest not in kept(folder)


def test_a_file_that_would_fill_the_cache_is_not_kept(folder: Path, track: Path) -> None:
    cache = PcmCache(folder, limit_bytes=1_000_000)
    hear(cache, track)
    hear(cache, track)
    assert kept(folder) == []


def test_a_disk_that_takes_nothing_costs_no_sound(
    cache: PcmCache, folder: Path, track: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = hear(cache, track)
    deck = Deck(str(track))
    deck.fill(cache)
    cache.flush()
    shutil.rmtree(folder)
    folder.write_bytes(b"no folder any more")
    while not deck.ended:
        deck.fill(cache)
    cache.flush()
    assert "could not be kept" in caplog.text
    assert np.array_equal(hear(cache, track), first)


def test_a_renderer_plays_from_its_cache(folder: Path, track: Path) -> None:
    studio = Studio("lobby")
    studio.send(Configure(cache_folder=str(folder), cache_bytes=LIMIT))
    for _ in range(2):
        studio.play(track)
        studio.run(3.5)
    cache = studio.renderer._feeder.cache
    assert cache is not None
    cache.flush()
    silence(folder)
    studio.play(track)
    studio.run(2.0)
    assert studio.heard()[: 3 * RATE].any()
    assert not studio.heard()[-RATE:].any()


def test_without_a_folder_a_renderer_decodes(track: Path) -> None:
    studio = Studio("lobby")
    studio.send(Configure(cache_folder="/dev/null/kept", cache_bytes=LIMIT))
    studio.play(track)
    studio.run(1.0)
    assert studio.heard().any()

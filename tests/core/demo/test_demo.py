"""The demo: its music is fit to be heard, and its building is made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from antiphon.demo.building import ZONES
from antiphon.demo.music import PIECES, render
from antiphon.demo.synth import RATE
from antiphon.engine.codec import measure, probe


def test_every_zone_of_the_demo_has_music() -> None:
    assert {piece.folder for piece in PIECES} == set(ZONES)
    assert len({piece.title for piece in PIECES}) == len(PIECES)


@pytest.mark.parametrize("piece", PIECES, ids=lambda piece: piece.title)
def test_a_piece_is_a_minute_or_two_of_clean_sound(piece: object) -> None:
    sound = piece.compose()  # type: ignore[attr-defined]
    seconds = sound.shape[1] / RATE
    assert 60 <= seconds <= 120
    assert np.isfinite(sound).all()
    assert 0.5 < np.abs(sound).max() <= 0.81
    assert np.abs(sound.mean(axis=1)).max() < 0.01
    # It never falls silent before its end, and it ends without a click.
    seconds_of_sound = sound[:, : int(seconds - 6) * RATE].reshape(2, -1, RATE)
    assert np.sqrt((seconds_of_sound**2).mean(axis=(0, 2))).min() > 0.003
    assert np.abs(sound[:, -10:]).max() < 1e-3


def test_rendered_files_are_flac_with_tags_at_a_usual_loudness(tmp_path: Path) -> None:
    render(tmp_path, "Lobby")
    files = sorted(tmp_path.iterdir())
    assert [file.stem for file in files] == ["Glass Roof", "Morning Light"]
    assert probe(files[0]).codec == "flac"
    loudness = measure(files[0]).integrated_lufs
    assert loudness is not None
    assert -30 < loudness < -10

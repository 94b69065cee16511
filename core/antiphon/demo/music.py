"""Music for the demo: six short pieces in three moods, composed here and rendered by `synth`.

They are part of Antiphon and under its licence, so nobody owes anybody a fee for playing them.
Rendering takes a second each; `python -m antiphon.demo.music DIRECTORY FOLDER` does it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mutagen.flac import FLAC

from antiphon.demo.synth import Sound, Tape, bass, bell, brush, keys, kick, pad
from antiphon.engine.encode import write_flac

Chord = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece and the folder that it belongs to; `compose` renders it."""

    folder: str
    title: str
    compose: Callable[[], Sound]


def _calm(chords: list[Chord], *, beat_s: float, beats: int, pattern: tuple[int, ...]) -> Sound:
    """Slow chords with a bell that walks over them, two turns quiet and two in full."""
    bar = beat_s * beats
    tape = Tape(4 * len(chords) * bar)
    for index, chord in enumerate(chords * 4):
        start = index * bar
        full = index >= len(chords)
        for note in chord:
            tape.put(pad(note, bar), start, 0.2, pan=0.3 * (-1) ** note)
        tape.put(bass(chord[0] - 12, bar), start, 0.22)
        for step in range(beats * 2 if full else beats):
            note = chord[pattern[step % len(pattern)] % len(chord)] + 12
            at_s = start + step * (beat_s / 2 if full else beat_s)
            tape.put(bell(note, 1.2), at_s, 0.16 if step % 4 else 0.22, 0.5 * (-1) ** step)
    return tape.finished()


def _table(chords: list[Chord], *, beat_s: float, turns: int) -> Sound:
    """A light bossa: keys off the beat, a bass that answers, a brush that keeps time."""
    bar = beat_s * 4
    tape = Tape(turns * len(chords) * bar)
    for index, chord in enumerate(chords * turns):
        start = index * bar
        for beat, hold in ((0, 1.2), (1.5, 0.8), (3, 0.7)):
            for note in chord[1:]:
                tape.put(keys(note, hold), start + beat * beat_s, 0.15, 0.25)
        for beat, step in ((0, 0), (1.5, 0), (2, 7), (3.5, 7)):
            tape.put(bass(chord[0] - 12 + step, 0.6), start + beat * beat_s, 0.3)
        for half in range(8):
            level = 0.1 if half % 2 else 0.05
            tape.put(brush(half % 3), start + half * beat_s / 2, level, -0.3)
        if index % 2 and index >= len(chords):
            for step, degree in enumerate((3, 2, 1, 2)):
                note = chord[degree % len(chord)] + 12
                tape.put(bell(note, 1.0), start + (step + 0.5) * beat_s, 0.12, -0.4)
    return tape.finished()


def _pulse(chords: list[Chord], *, beat_s: float, turns: int) -> Sound:
    """A steady four to the floor: pads that breathe with the drum, a quick arpeggio on top."""
    bar = beat_s * 4
    tape = Tape(turns * len(chords) * bar)
    beats = [beat * beat_s for beat in range(turns * len(chords) * 4)]
    for index, chord in enumerate(chords * turns):
        for note in chord:
            tape.put(pad(note, bar), index * bar, 0.22, 0.4 * (-1) ** note)
    tape.duck(beats, 0.55, beat_s * 0.8)
    drum = kick()
    for at_s in beats:
        tape.put(drum, at_s, 0.55)
        tape.put(brush(1), at_s + beat_s / 2, 0.22)
    for index, chord in enumerate(chords * turns):
        start = index * bar
        for step in range(8):
            tape.put(bass(chord[0] - 12, 0.2), start + (step + 0.5) * beat_s / 2, 0.32)
        if index >= len(chords):
            for step in range(16):
                note = chord[(step * 3) % len(chord)] + 12 * (1 + step % 2)
                level = 0.15 if step % 4 else 0.2
                tape.put(bell(note, 0.5), start + step * beat_s / 4, level, 0.5 * (-1) ** step)
    return tape.finished()


PIECES = (
    Piece(
        "Lobby",
        "Morning Light",
        lambda: _calm(
            [(48, 55, 59, 64), (45, 52, 55, 60), (41, 48, 52, 57), (43, 50, 53, 59)],
            beat_s=0.86,
            beats=6,
            pattern=(0, 2, 1, 3, 2, 1),
        ),
    ),
    Piece(
        "Lobby",
        "Glass Roof",
        lambda: _calm(
            [(50, 57, 61, 66), (47, 54, 57, 62), (43, 50, 54, 59), (45, 52, 57, 61)],
            beat_s=0.94,
            beats=4,
            pattern=(3, 1, 2, 0),
        ),
    ),
    Piece(
        "Restaurant",
        "Evening Table",
        lambda: _table(
            [(50, 60, 65, 69, 76), (43, 59, 65, 69, 76), (48, 59, 64, 67, 74), (45, 61, 67, 70)],
            beat_s=0.5,
            turns=10,
        ),
    ),
    Piece(
        "Restaurant",
        "Second Coffee",
        lambda: _table(
            [(41, 57, 60, 64, 67), (46, 57, 62, 65), (43, 58, 62, 65, 69), (48, 58, 64, 67)],
            beat_s=0.54,
            turns=8,
        ),
    ),
    Piece(
        "Gym",
        "Steady Pulse",
        lambda: _pulse(
            [(45, 57, 60, 64), (41, 57, 60, 65), (48, 55, 60, 64), (43, 55, 59, 62)],
            beat_s=0.48,
            turns=9,
        ),
    ),
    Piece(
        "Gym",
        "Second Wind",
        lambda: _pulse(
            [(40, 55, 59, 64), (48, 55, 60, 64), (43, 55, 59, 62), (50, 54, 57, 62)],
            beat_s=0.46,
            turns=10,
        ),
    ),
)


def render(directory: Path, folder: str) -> None:
    """Write the pieces of one folder as `<directory>/<title>.flac`, with tags. Takes seconds."""
    directory.mkdir(parents=True, exist_ok=True)
    for piece in PIECES:
        if piece.folder == folder:
            path = directory / f"{piece.title}.flac"
            write_flac(path, np.rint(piece.compose().T * 32767).astype(np.int16))
            tags = FLAC(path)  # type: ignore[no-untyped-call]
            tags["title"], tags["artist"], tags["album"] = piece.title, "Antiphon", "Demo building"
            tags.save()


if __name__ == "__main__":
    os.nice(15)  # what plays already comes first
    render(Path(sys.argv[1]), sys.argv[2])

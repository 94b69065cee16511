"""How loud things are: decibels, normalising, volume and duck. Pure functions."""

from __future__ import annotations

SILENCE_DB = -120.0


def db_to_gain(db: float) -> float:
    """The factor for samples that changes their level by `db` decibels."""
    return float(10.0 ** (db / 20.0))


def normalising_gain(
    lufs: float | None, true_peak_db: float | None, target_lufs: float, ceiling_db: float
) -> float:
    """The static gain in dB that brings a file to `target_lufs` and keeps its peaks below.

    The gain is clamped so that the measured true peak stays under `ceiling_db`: a file that would
    clip is played softer than the target, never limited. Files that were not measured (or are
    silent) get 0 dB.
    """
    if lufs is None:
        return 0.0
    gain = target_lufs - lufs
    if true_peak_db is not None:
        gain = min(gain, ceiling_db - true_peak_db)
    return gain


def duck_gain(voice_lufs: float, music_lufs: float, gap_lu: float) -> float:
    """The gain in dB (never above 0) that puts the bed `gap_lu` under the voice.

    Both loudnesses are those after normalising, so music that is quiet by itself is lowered less.
    """
    return min(0.0, voice_lufs - gap_lu - music_lufs)


def volume_gain(percent: int) -> float:
    """The factor for samples at a volume in percent.

    The square of the fraction: half way is −12 dB, a tenth −40 dB, so that equal steps of the
    slider sound about equal over the range that people use. 100 is exactly 1, 0 is silence.
    """
    return (percent / 100.0) ** 2

"""The work of targets: 44.1 kHz MP3s at 192 kbit/s and a clip, made once per run by ffmpeg."""

from __future__ import annotations

import subprocess
from pathlib import Path

TRACK_S = 180
CLIP_S = 5


def make(folder: Path, tracks: int = 4, clip_s: float = CLIP_S) -> tuple[list[Path], Path]:
    """Write the tracks and the clip; returns their paths."""
    files = []
    for number in range(1, tracks + 1):
        path = folder / f"track{number}.mp3"
        noise = f"anoisesrc=d={TRACK_S}:c=pink:a=0.35:seed={number}:r=44100,tremolo=f=2:d=0.5"
        chord = f"aevalsrc='0.2*sin({220 * number}*2*PI*t)|0.2*sin({277 * number}*2*PI*t)'"
        graph = "[0]aformat=channel_layouts=stereo[n];[1][n]amix=2:duration=shortest"
        _ffmpeg(
            "-f", "lavfi", "-i", noise, "-f", "lavfi", "-i", f"{chord}:d={TRACK_S}:s=44100",
            "-filter_complex", graph, "-ar", "44100", "-b:a", "192k", str(path),
        )  # fmt: skip
        files.append(path)
    clip = folder / "clip.flac"
    _ffmpeg("-f", "lavfi", "-i", f"sine=700:d={clip_s}:r=22050", str(clip))
    return files, clip


def _ffmpeg(*arguments: str) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-y", *arguments], check=True)

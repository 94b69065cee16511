"""The one file that imports Piper. It runs in the speech worker's process and nowhere else.

piper-tts is under the GPL-3.0, Antiphon is not: the main process never imports this module, it
asks for a job by its name.
"""

from __future__ import annotations

import json
import wave
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import onnxruntime  # type: ignore[import-untyped]  # comes with piper-tts, has no types
from piper import PiperConfig, PiperVoice

from antiphon.errors import Unavailable

_VOICES_KEPT = 3


def load(model: str, config: str, version: str, threads: int) -> None:
    """Have a voice ready for the first text. Raises Unavailable."""
    _voice(model, config, version, threads)


def speak(
    pieces: Sequence[str],
    model: str,
    config: str,
    version: str,
    threads: int,
    destination: str,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Write the spoken `pieces`, one after the other, as one WAV file; returns its `duration_s`.

    A duration of 0 says that the voice knows no sound for any of it; there is no file then.
    `destination` appears complete or not at all. Raises Unavailable.
    """
    voice = _voice(model, config, version, threads)
    part = Path(f"{destination}.part")
    frames = 0
    rate = voice.config.sample_rate
    try:
        with wave.open(str(part), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(rate)
            for done, piece in enumerate(pieces, start=1):
                for samples in _spoken(voice, piece):
                    file.writeframes(samples)
                    frames += len(samples) // 2
                if progress:
                    progress(done / len(pieces))
        if frames:
            part.rename(destination)
    finally:
        part.unlink(missing_ok=True)
    return {"duration_s": frames / rate}


def _spoken(voice: PiperVoice, text: str) -> Iterator[bytes]:
    """The sentences of `text` that have a sound."""
    for chunk in voice.synthesize(text):
        if any(phoneme.isalpha() for phoneme in chunk.phonemes):
            yield chunk.audio_int16_bytes


@lru_cache(maxsize=_VOICES_KEPT)
def _voice(
    model: str,
    config: str,
    version: str,  # noqa: ARG001  part of the key: a replaced file is loaded anew
    threads: int,
) -> PiperVoice:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    try:
        described = json.loads(Path(config).read_text(encoding="utf-8"))
        return PiperVoice(
            config=PiperConfig.from_dict(described),
            session=onnxruntime.InferenceSession(
                model, sess_options=options, providers=["CPUExecutionProvider"]
            ),
        )
    except Exception as error:  # a damaged model raises what its library likes
        raise Unavailable(
            f"The voice {Path(model).stem} can not be loaded: {error}. Install it again."
        ) from error

"""The one file that imports Piper. It runs in the speech worker's process and nowhere else.

piper-tts is under the GPL-3.0, Antiphon is not: the main process never imports this module, it
asks for a job by its name.
"""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
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
    text: str, model: str, config: str, version: str, threads: int, destination: str
) -> dict[str, Any]:
    """Write the spoken `text` as a WAV file; returns how many `frames` it has.

    0 says that the voice knows no sound for it; there is no file then. Raises Unavailable.
    """
    voice = _voice(model, config, version, threads)
    sound = b"".join(_spoken(voice, text))
    if sound:
        with wave.open(destination, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(voice.config.sample_rate)
            file.writeframes(sound)
    return {"frames": len(sound) // 2}


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

"""Piper voices on this machine: those in pip packages and those in the voices folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from antiphon.plugins import Voice
from antiphon.types import Frozen

ENGINE = "piper"

_log = logging.getLogger(__name__)


class VoiceFile(Frozen):
    """A voice and its two files."""

    voice: Voice
    model: Path
    config: Path


class VoiceLibrary:
    """Finds voices. A file that is put into the folder is there at the next question.

    Reads files, so call it in a thread of its own. A voice in the folder hides one of the same
    name in a package.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._packaged: tuple[Path, ...] | None = None
        self._seen: frozenset[tuple[Path, str]] | None = None
        self._voices: dict[str, VoiceFile] = {}

    def voices(self) -> dict[str, VoiceFile]:
        """All voices by id; those in the folder come first."""
        if self._packaged is None:
            self._packaged = tuple(_packaged_models())
        models = [*sorted(self._folder.glob("*.onnx")), *self._packaged]
        seen = frozenset((model, _version(model)) for model in models)
        if seen != self._seen:
            self._voices = _read(models)
            self._seen = seen
        return self._voices


def _packaged_models() -> Iterator[Path]:
    """The models in installed packages whose name ends with `piper-voice`."""
    for distribution in metadata.distributions():
        if distribution.name.lower().replace("_", "-").endswith("piper-voice"):
            for file in distribution.files or ():
                if file.suffix == ".onnx":
                    yield Path(str(distribution.locate_file(file)))


def _version(model: Path) -> str:
    parts = []
    for file in (model, _config(model)):
        try:
            stat = file.stat()
        except OSError:
            return ""
        parts.append(f"{stat.st_size:x}-{stat.st_mtime_ns:x}")
    return ".".join(parts)


def _config(model: Path) -> Path:
    return model.with_name(model.name + ".json")


def _read(models: Iterable[Path]) -> dict[str, VoiceFile]:
    found: dict[str, VoiceFile] = {}
    for model in models:
        config = _config(model)
        try:
            described = json.loads(config.read_text(encoding="utf-8"))
            language = described["language"]["code"]
            name = _name(model, described)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            _log.warning("The voice %s is left out: %s can not be read: %s", model, config, error)
            continue
        voice = Voice(
            id=f"{ENGINE}:{model.stem}",
            name=name,
            language=str(language).replace("_", "-"),
            engine=ENGINE,
            version=_version(model),
        )
        found.setdefault(voice.id, VoiceFile(voice=voice, model=model, config=config))
    return found


def _name(model: Path, described: dict[str, Any]) -> str:
    """Such as `Joe (English, United States, medium)`."""
    language = described["language"]
    about = (
        language.get("name_english"),
        language.get("country_english"),
        described.get("audio", {}).get("quality"),
    )
    speaker = str(described.get("dataset") or model.stem).replace("_", " ").capitalize()
    return f"{speaker} ({', '.join(part for part in about if part)})"

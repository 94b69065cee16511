"""Voices are found in packages and in a folder, and a broken one hides no other."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from antiphon_ai.voices import VoiceLibrary

PACKAGED = "piper:en_US-joe-medium"


def _put_voice(folder: Path, name: str, code: str = "de_DE", model: bytes = b"model") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.onnx").write_bytes(model)
    config = folder / f"{name}.onnx.json"
    described = {"language": {"code": code, "name_english": "German"}, "dataset": "thorsten"}
    config.write_text(json.dumps(described))
    return config


def test_the_packaged_voice_is_found_without_a_folder(tmp_path: Path) -> None:
    found = VoiceLibrary(tmp_path / "voices").voices()[PACKAGED]
    assert found.voice.name == "Joe (English, United States, medium)"
    assert found.voice.language == "en-US"
    assert found.model.is_file()
    assert found.config.is_file()


def test_a_voice_put_into_the_folder_is_there_at_once_and_first(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path / "voices")
    library.voices()
    _put_voice(tmp_path / "voices", "de_DE-thorsten-low")
    assert list(library.voices()) == ["piper:de_DE-thorsten-low", PACKAGED]


def test_another_model_under_the_same_name_is_another_version(tmp_path: Path) -> None:
    library = VoiceLibrary(tmp_path)
    _put_voice(tmp_path, "own")
    before = library.voices()["piper:own"].voice
    _put_voice(tmp_path, "own", model=b"a better model")
    assert library.voices()["piper:own"].voice.version != before.version


def test_a_voice_in_the_folder_hides_the_packaged_one(tmp_path: Path) -> None:
    _put_voice(tmp_path, "en_US-joe-medium", code="en_GB")
    assert VoiceLibrary(tmp_path).voices()[PACKAGED].voice.language == "en-GB"


@pytest.mark.parametrize("config", ["", "[]", '{"language": "de"}', None])
def test_a_voice_that_can_not_be_read_is_left_out_and_named(
    tmp_path: Path, config: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    broken = _put_voice(tmp_path, "broken")
    broken.unlink() if config is None else broken.write_text(config)
    library = VoiceLibrary(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert list(library.voices()) == [PACKAGED]
        library.voices()
    assert len(caplog.messages) == 1
    assert "broken.onnx" in caplog.messages[0]

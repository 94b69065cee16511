"""Music of last resort: a folder of files on the server, for zones whose own can not be played."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from antiphon.engine import protocol
from antiphon.engine.gains import normalising_gain
from antiphon.jobs import JobRunner
from antiphon.playback.dead_air import FALLBACK_AFTER
from antiphon.settings.models import AudioSettings

_log = logging.getLogger(__name__)

_SURVEY = "antiphon.engine.survey:survey"


def prepare_fallback(
    jobs: JobRunner, send: Callable[[protocol.Command], None], audio: AudioSettings, notes: Path
) -> None:
    """Have the files of `audio.fallback_folder` measured, and the renderer told of them.

    Returns at once. What was measured is noted in the file `notes` for the next start.
    """
    if audio.fallback_folder is None:
        return

    def tell(found: list[dict[str, Any]]) -> None:
        if not found:
            _log.warning("The fallback folder %s holds no music", audio.fallback_folder)
        tracks = tuple(_tracks(found, audio))
        send(protocol.SetFallback(tracks, audio.dead_air_s * FALLBACK_AFTER))

    jobs.start(
        "Measuring the fallback music",
        _SURVEY,
        {"folder": str(audio.fallback_folder), "notes": str(notes)},
        worker="fallback",
        then=tell,
    )


def _tracks(found: Iterable[Mapping[str, Any]], audio: AudioSettings) -> Iterable[protocol.Track]:
    """In an order of their own at each start, as loud as all music."""
    rows = [row for row in found if row["lufs"] is not None]
    random.shuffle(rows)
    for number, row in enumerate(rows):
        gain_db = normalising_gain(
            row["lufs"], row["true_peak_db"], audio.music_lufs, audio.true_peak_db
        )
        yield protocol.Track(str(number), row["path"], gain_db, row["lufs"] + gain_db)

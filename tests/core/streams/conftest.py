from __future__ import annotations

from pathlib import Path

import pytest

from antiphon.events import EventBus, PartChanged
from antiphon.settings.models import SnapcastSettings
from antiphon.streams import Snapcast

QUICK = {"stream_port": 0, "control_port": 0, "http_port": 0, "buffer_ms": 300, "codec": "pcm"}


class Bench:
    """Makes `Snapcast`s with ports of their own, and keeps what they say about the server."""

    def __init__(self, folder: Path) -> None:
        self.run_dir = folder / "run"
        self.data_dir = folder / "data"
        self.folder = folder
        self.bus = EventBus()
        self.parts: list[PartChanged] = []
        self.bus.subscribe(PartChanged, self.parts.append)

    def snapcast(self, **changes: object) -> Snapcast:
        settings = SnapcastSettings.model_validate({**QUICK, "bind": "127.0.0.1", **changes})
        return Snapcast(settings, self.run_dir, self.data_dir, self.bus)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)

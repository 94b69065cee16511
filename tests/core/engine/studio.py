"""A renderer on a bench: ticks by hand, and everything that leaves the zones is kept."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from tests.sounds import RATE, Sound

from antiphon.engine.deck import InlineFeeder
from antiphon.engine.protocol import AddZone, Attach, Command, LoadProgramme, Report, Track
from antiphon.engine.renderer import Renderer
from antiphon.engine.sink import Sink

ReportT = TypeVar("ReportT", bound=Report)


class TapeSink(Sink):
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.tape = bytearray()

    def write(self, block: memoryview) -> None:
        self.tape += block

    def close(self) -> None:
        pass


class Studio:
    """Zones with tapes, and the reports that came."""

    def __init__(self, *zones: str, volume: int = 100) -> None:
        self.reports: list[Report] = []
        self.renderer = Renderer(InlineFeeder(), self.reports.append)
        self.tapes: dict[str, TapeSink] = {}
        for zone in zones:
            self.add(zone, volume)

    def add(self, zone: str, volume: int = 100, background_percent: int | None = None) -> None:
        self.renderer.handle(AddZone(zone, "null:", volume, background_percent))
        self.tapes[zone] = self.renderer._lanes[zone].sink = TapeSink()

    def send(self, *commands: Command) -> None:
        for command in commands:
            self.renderer.handle(command)

    def play(self, *paths: object, zone: str = "lobby", crossfade_s: float = 0.0) -> None:
        tracks = tuple(Track(str(i), str(path)) for i, path in enumerate(paths))
        self.send(LoadProgramme("music", tracks, crossfade_s=crossfade_s), Attach(zone, "music"))

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * RATE / self.renderer.block_frames)):
            self.renderer.tick()

    def heard(self, zone: str = "lobby") -> Sound:
        return np.frombuffer(bytes(self.tapes[zone].tape), np.int16).reshape(-1, 2)

    def told(self, kind: type[ReportT]) -> list[ReportT]:
        return [report for report in self.reports if isinstance(report, kind)]

"""Speaker agents as users run them: processes of their own, with a sound card made of a file."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.devices.contract import published
from tests.fakes.loudspeakers import Loudspeaker
from tests.fakes.waiting import eventually

_ROOT = Path(__file__).parents[2]
_ENDS_WITHIN_S = 15.0
# Answers as amixer does, for one control without a switch; the card is a file with a number.
_AMIXER = """#!/bin/sh
card="{card}"
for word in "$@"; do
  case "$word" in
    unmute|mute) exit 1 ;;
    [0-9]*%) echo "${{word%\\%}}" > "$card" ;;
  esac
done
echo "  Front Left: Playback $(cat "$card") [$(cat "$card")%] [-10.00dB]"
"""


class Speaker(Loudspeaker):
    """An agent beside a snapclient with a file player."""

    def __init__(self, name: str, folder: Path, url: str, **settings: str) -> None:
        self.folder = folder / name
        self.folder.mkdir(exist_ok=True)
        self.card = self.folder / "card"
        self.tone = self.folder / "tone.wav"
        self.log = self.folder / "agent.log"
        self.witnessed = self.folder / "published"
        recording = self.folder / "heard.raw"
        super().__init__(name, recording)
        self._settings = {
            "url": url,
            "device_id": name,
            "name": name.title(),
            "state_dir": str(self.folder / "state"),
            "player": f"file:filename={recording}",
            "tone_command": f"sh -c 'cat > {self.tone}'",
            **settings,
        }
        self._process: asyncio.subprocess.Process | None = None
        programs = self.folder / "bin"
        programs.mkdir(exist_ok=True)
        amixer = programs / "amixer"
        amixer.write_text(_AMIXER.format(card=self.card))
        amixer.chmod(0o755)
        if not self.card.exists():
            self.card.write_text("90\n")

    @property
    def volume(self) -> int:
        """Where the knob of the sound card stands."""
        return int(self.card.read_text() or -1)

    def turn(self, volume: int) -> None:
        """Somebody turns the knob."""
        new = self.card.with_suffix(".new")
        new.write_text(f"{volume}\n")
        new.replace(self.card)

    async def start(self) -> None:
        variables = {f"ANTIPHON_SPEAKER_{k.upper()}": v for k, v in self._settings.items()}
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.fakes.witnessed_speaker", "--verbose",
                env={**os.environ, **variables, "PATH": path, "WITNESSED": str(self.witnessed)},
                cwd=_ROOT,
                stdout=log,
                stderr=log,
            )  # fmt: skip

    async def stop(self) -> None:
        """End it as systemd does."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                await asyncio.wait_for(self._process.wait(), _ENDS_WITHIN_S)
            except TimeoutError:
                self._process.send_signal(signal.SIGUSR1)  # it tells where it is
                await asyncio.sleep(0.5)
                await self.kill()
                raise AssertionError(f"The agent did not end:\n{self.log.read_text()}") from None

    def judge(self) -> None:
        """Raise ExceptionGroup for all that it ever published and that breaks the contract."""
        faults = []
        for line in self.witnessed.read_text().splitlines():
            retain, topic, payload = f"{line} ".split(" ", 2)
            try:
                published(topic, bytes.fromhex(payload.strip()), retain=retain == "1")
            except Exception as error:
                faults.append(error)
        if faults:
            raise ExceptionGroup("The agent breaks the contract", faults)

    async def kill(self) -> None:
        """Nothing is said, nothing is tidied up."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def snapclient(self) -> int:
        """The process of its snapclient, 0 where there is none."""
        wanted = f"\0{self._settings['player']}\0".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if wanted in command and command.partition(b"\0")[0].endswith(b"snapclient"):
                return int(entry.name)
        return 0

    async def kill_snapclient(self) -> None:
        """kill −9; returns when another one has taken its place."""
        old = self.snapclient()
        os.kill(old, signal.SIGKILL)
        await eventually(lambda: self.snapclient() not in (0, old))


@asynccontextmanager
async def speaker(name: str, folder: Path, url: str, **settings: str) -> AsyncIterator[Speaker]:
    """A speaker that runs."""
    one = Speaker(name, folder, url, **settings)
    await one.start()
    try:
        yield one
    finally:
        await one.stop()
    one.judge()

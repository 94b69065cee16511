"""A whole server as users run it: its own process, its real children, loudspeakers that record."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, Self, TypeVar

import numpy as np
from tests.fakes.empty_database import put_empty_database
from tests.fakes.witness import Witness
from tests.sounds import RATE, Sound, level_db

T = TypeVar("T")
BUFFER_S = 0.8  # of snapserver: what the loudspeakers are behind
PASSWORD = "a long password for tests"


def until(check: Callable[[], T | None], what: str, timeout_s: float = 20.0) -> T:
    """The first true value that `check` gives. Other processes send us no events: look often."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := check():
            return value
        time.sleep(0.02)
    raise TimeoutError(f"{what} did not happen within {timeout_s:g} s")


def children(parent: int, word: str) -> list[int]:
    """The process ids of those children of a process that have a word in their command line."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                its_parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            if its_parent == parent and word in command and "execv" not in command:
                found.append(int(entry.name))
    return found


class Answer(Exception):
    """An answer of the API that is not a success."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status}: {problem}")
        self.status = status
        self.problem = problem


class House:
    """The server and a client of its API."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        put_empty_database(self.data_dir)
        self.log = folder / "server.log"
        self._token = ""
        self._stack = ExitStack()
        self._variables = {
            "ANTIPHON_DATA_DIR": str(self.data_dir),
            "ANTIPHON_HTTP__PORT": "0",
            "ANTIPHON_SNAPCAST__STREAM_PORT": "0",
            "ANTIPHON_SNAPCAST__CONTROL_PORT": "0",
            "ANTIPHON_SNAPCAST__HTTP_PORT": "0",
            "ANTIPHON_SNAPCAST__BIND": "127.0.0.1",
            "ANTIPHON_SNAPCAST__BUFFER_MS": str(round(BUFFER_S * 1000)),
            "ANTIPHON_SNAPCAST__CODEC": "pcm",
            "ANTIPHON_SNAPCAST__UNASSIGNED": "silent",
            "ANTIPHON_MQTT__PORT": "0",
            "ANTIPHON_ADMIN__PASSWORD": PASSWORD,
            **variables,
        }

    def __enter__(self) -> Self:
        self.start()
        self._stack.callback(self.stop)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self) -> None:
        """Start the server and log in."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ANTIPHON_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "antiphon", "run"],
                env=environment | self._variables,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.url = until(self._own_url, f"the start ({self.log})", 60)
        self._witness()
        login = {"email": "admin@antiphon.local", "password": PASSWORD}
        self._token = self.post("auth/login", login)["access_token"]

    def _witness(self) -> None:
        """Have all that the server and its agents publish written down, to be judged at the end."""
        url = self.data_dir / "plugins" / "mqtt" / "integrator.url"
        if not url.exists():
            return
        witness = Witness(url.read_text().strip(), self.folder / "mqtt.log").start()
        self._stack.callback(witness.stop)

    def _own_url(self) -> str | None:
        """Where this server answers, once it has written that down.

        A predecessor that was killed left its own note, which is taken away at any moment now.
        """
        assert self.process.poll() is None, self.log.read_text()[-4000:]
        try:
            note = json.loads((self.data_dir / "run" / "server.json").read_text())
        except FileNotFoundError:
            return None
        return str(note["url"]) if note["pid"] == self.process.pid else None

    def stop(self) -> None:
        """End the server as Ctrl-C would; it must leave no child behind."""
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise

    def command(self, *words: str, expect: int = 0) -> str:
        """Run `antiphon` beside the server; what it prints."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ANTIPHON_")}
        run = subprocess.run(
            [sys.executable, "-m", "antiphon", *words],
            env=environment | self._variables | {"COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert run.returncode == expect, run.stderr
        return run.stdout

    # --- the API ------------------------------------------------------------------------------

    def request(
        self, method: str, path: str, data: bytes | None = None, content_type: str = ""
    ) -> Any:
        """One request; the decoded answer. Raises Answer for anything but success."""
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", data, method=method)
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        if content_type:
            request.add_header("Content-Type", content_type)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                body = response.read()
        except urllib.error.HTTPError as error:
            raise Answer(error.code, json.loads(error.read() or b"{}")) from None
        return json.loads(body) if body else None

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return self.request("POST", path, json.dumps(body or {}).encode(), "application/json")

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self.request("PATCH", path, json.dumps(body).encode(), "application/json")

    def put(self, path: str, body: dict[str, Any]) -> Any:
        return self.request("PUT", path, json.dumps(body).encode(), "application/json")

    def live(self, zone: str) -> HTTPResponse:
        """The endless sound that leaves a zone, as a WAV file with a header of 44 bytes."""
        request = urllib.request.Request(f"{self.url}/api/v1/zones/{zone}/listen?format=wav")
        request.add_header("Authorization", f"Bearer {self._token}")
        stream: HTTPResponse = urllib.request.urlopen(request, timeout=30)
        return stream

    def upload(self, path: str, file: Path, **fields: str) -> Any:
        """POST a file as a form, as a browser does."""
        boundary = uuid.uuid4().hex
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; '
            f'filename="{file.name}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        )
        body = "".join(parts).encode() + file.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        return self.request("POST", path, body, f"multipart/form-data; boundary={boundary}")

    def measured(self, path: str) -> dict[str, Any]:
        """A track or an announcement, once its loudness is known."""

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.get(path)
            return found if found["loudness_lufs"] is not None else None

        return until(look, f"measuring {path}", 60)

    def call_is(self, call_id: str, state: str, timeout_s: float = 30.0) -> dict[str, Any]:
        """A call, once it has that state in all its zones."""

        def look() -> dict[str, Any] | None:
            call: dict[str, Any] = self.get(f"calls/{call_id}")
            return call if {zone["state"] for zone in call["zones"]} == {state} else None

        return until(look, f"call {call_id} {state}", timeout_s)

    # --- its children ---------------------------------------------------------------------------

    def child(self, word: str) -> int | None:
        """The process id of a child of this server by a word of its command line."""
        return next(iter(children(self.process.pid, word)), None)

    def kill(self, word: str) -> None:
        """kill −9 a child, and wait until another one has taken its place."""
        old = until(lambda: self.child(word), f"a child {word}")
        os.kill(old, signal.SIGKILL)
        until(lambda: self.child(word) not in (None, old), f"a new {word}")

    def snapcast_port(self) -> int:
        """Where loudspeakers connect; the generated configuration says so."""
        text = next((self.data_dir / "run").rglob("snapserver.conf")).read_text()
        section = text.split("[stream]")[1]
        line = next(line for line in section.splitlines() if line.startswith("port"))
        return int(line.split("=")[1])

    def loudspeaker(self, name: str, zone_id: str) -> Loudspeaker:
        """A real snapclient that records, put into a zone at full volume."""
        speaker = Loudspeaker(self.folder / f"{name}.raw", name, self.snapcast_port())
        self._stack.callback(speaker.stop)
        self.place(name, zone_id)
        return speaker

    def place(self, name: str, zone_id: str) -> None:
        """Put a loudspeaker that has just connected into a zone, at full volume."""

        def look() -> dict[str, Any] | None:
            devices = self.get("devices")["items"]
            return next((d for d in devices if d["device_id"] == name and d["is_online"]), None)

        device = until(look, f"loudspeaker {name}")
        self.patch(f"devices/{device['id']}", {"zone_id": zone_id})
        self.post(f"devices/{device['id']}/volume", {"volume": 100})


class Loudspeaker:
    """snapclient with its file player: writes exactly what a listener would hear.

    snapclient 0.26 now and then dies of a segmentation fault when its server goes away. It is
    started again, as its unit in Debian (Restart=on-failure) does.
    """

    def __init__(self, path: Path, name: str, port: int) -> None:
        self.path = path
        self._command = [
            "snapclient", "-h", "127.0.0.1", "-p", str(port), "--hostID", name,
            "--player", f"file:filename={path}",
        ]  # fmt: skip
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._process = self._start()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _keep(self) -> None:
        while not self._stopped.is_set():
            self._process.wait()
            with self._lock:
                if not self._stopped.is_set():
                    self._process = self._start()

    def stop(self) -> None:
        with self._lock:
            self._stopped.set()
            self._process.terminate()
        self._process.wait(10)
        self._keeper.join(10)

    @property
    def frames(self) -> int:
        """How much it has played so far."""
        return self.path.stat().st_size // 4 if self.path.exists() else 0

    def heard(self, start: int = 0) -> Sound:
        """What it played from a frame on."""
        data = np.fromfile(self.path, np.int16, offset=start * 4)
        return data[: len(data) // 2 * 2].reshape(-1, 2)

    def listen(self, seconds: float) -> Sound:
        """The next seconds that it plays."""
        start, wanted = self.frames, round(seconds * RATE)

        def enough() -> bool:
            nonlocal start
            if self.frames < start:  # snapclient connected anew and began a new file
                start = 0
            return self.frames - start >= wanted

        until(enough, "sound", seconds + 20)
        return self.heard(start)[:wanted]

    def until_louder(self, than_db: float) -> None:
        """Wait until something is heard."""
        until(lambda: level_db(self.listen(0.3)) > than_db, "music")

"""A real Chromium without a window, driven over its debugging protocol."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

_OPTIONS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run "
    "--no-default-browser-check --disable-background-networking --disable-component-update "
    "--disable-sync --disable-extensions --mute-audio --hide-scrollbars --remote-debugging-port=0 "
    "--autoplay-policy=no-user-gesture-required"
)
_START_S = 60
_ANSWER_S = 30


class Page:
    """One tab. `complaints` gathers what the console said in anger."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.complaints: list[str] = []

    async def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one command of the protocol; returns its result."""
        identity = next(self._ids)
        await self._socket.send_json({"id": identity, "method": method, "params": parameters})
        async with asyncio.timeout(_ANSWER_S):
            while True:
                message = json.loads(await self._socket.receive_str())
                if message.get("id") == identity:
                    assert "error" not in message, message
                    result: dict[str, Any] = message["result"]
                    return result
                self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        if message.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        elif message.get("method") == "Log.entryAdded" and parameters["entry"]["level"] == "error":
            self.complaints.append(str(parameters["entry"]["text"]))

    async def open(self, url: str, width: int = 1100, height: int = 900) -> None:
        """Go to a page."""
        for domain in ("Page", "Runtime", "Log"):
            await self.command(f"{domain}.enable")
        await self.resize(width, height)
        await self.command("Page.navigate", url=url)

    async def resize(self, width: int, height: int) -> None:
        """Be a window, or a phone."""
        await self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    async def run(self, script: str) -> Any:
        """The value of a script."""
        answer = await self.command(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, script: str) -> None:
        """Wait for an expression to be true; fails with what the page shows."""
        attempt = f"(() => {{ try {{ return Boolean({script}) }} catch {{ }} }})()"
        try:
            async with asyncio.timeout(_ANSWER_S):
                while not await self.run(attempt):  # noqa: ASYNC110  it has no event for us
                    await asyncio.sleep(0.05)
        except TimeoutError:
            pytest.fail(f"{script} did not come true: {await self.run('document.body.innerText')}")

    async def picture(self, path: Path) -> None:
        """Save what is seen as PNG."""
        answer = await self.command("Page.captureScreenshot", format="png")
        await asyncio.to_thread(path.write_bytes, base64.b64decode(answer["data"]))


@asynccontextmanager
async def open_browser(scratch: Path) -> AsyncIterator[Page]:
    """A fresh browser with one empty tab; skips the test where Chromium is not installed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("Chromium is not installed (apt-get install chromium)")
    profile = scratch / "browser"
    process = await asyncio.create_subprocess_exec(
        program,
        *_OPTIONS.split(),
        f"--user-data-dir={profile}",
        "about:blank",
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with aiohttp.ClientSession() as session:
            base = f"http://127.0.0.1:{await _port(profile / 'DevToolsActivePort')}"
            async with session.get(f"{base}/json/list") as answer:
                tabs = [tab for tab in await answer.json() if tab["type"] == "page"]
            address = tabs[0]["webSocketDebuggerUrl"]
            async with session.ws_connect(address, max_msg_size=0) as socket:
                yield Page(socket)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _port(file: Path) -> int:
    async with asyncio.timeout(_START_S):
        while not (lines := await asyncio.to_thread(_lines, file)):  # noqa: ASYNC110  nor has this
            await asyncio.sleep(0.05)
    return int(lines[0])


def _lines(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []

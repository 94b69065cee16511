"""The command line as people meet it: real processes, their words and their exit codes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.fakes.empty_database import put_empty_database

TIMEOUT_S = 60


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A server of its own: no children, any port, no colours, wide lines."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("ANTIPHON_")}
    return {
        **kept,
        "ANTIPHON_DATA_DIR": str(tmp_path / "the data"),
        "ANTIPHON_HTTP__PORT": "0",
        "ANTIPHON_SNAPCAST__MODE": "off",
        "ANTIPHON_MQTT__URL": "off",
        "ANTIPHON_AI__WARM_UP": "false",
        "COLUMNS": "200",
        "NO_COLOR": "1",
        "TERM": "dumb",
    }


def _names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def antiphon(environ: dict[str, str], *words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "antiphon", *words),
        env=environ,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def running(environ: dict[str, str], *options: str) -> AsyncIterator[tuple[int, list[str]]]:
    """A started server, and what it printed until it said how to stop it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "antiphon", "run", *options),
        env=environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    try:
        printed: list[str] = []
        async with asyncio.timeout(TIMEOUT_S):
            while not any("Ctrl-C" in line for line in printed):
                printed.append((line := await process.stdout.readline()).decode())
                assert line, printed
        yield process.pid, printed
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(TIMEOUT_S):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_all_mistakes_in_settings_are_sentences_and_exit_with_2(
    environ: dict[str, str],
) -> None:
    environ |= {"ANTIPHON_HTTP__PORT": "99999", "ANTIPHON_AUDIO__DUCK_GAP": "3"}
    code, out, err = await antiphon(environ, "run")
    assert (code, out) == (2, "")
    assert "http.port" in err
    assert "Did you mean ANTIPHON_AUDIO__DUCK_GAP_LU?" in err
    assert "Traceback" not in err


async def test_what_needs_a_server_says_how_to_start_it_and_exits_with_3(
    environ: dict[str, str],
) -> None:
    code, _, err = await antiphon(environ, "say", "Lobby", "Hello")
    assert code == 3
    assert "antiphon run" in err
    assert "Traceback" not in err


async def test_init_prints_the_password_once_and_users_can_be_added(
    environ: dict[str, str],
) -> None:
    code, out, _ = await antiphon(environ, "init")
    assert code == 0
    assert re.search(r"admin@antiphon\.local with \S{12,} \(shown this once\)", out)
    code, out, _ = await antiphon(environ, "init")
    assert code == 0
    assert "shown this once" not in out

    code, out, _ = await antiphon(environ, "user", "add", "shop@x.example")
    assert code == 0
    assert re.search(r"password \S{12,}", out)
    code, _, err = await antiphon(environ, "user", "add", "Shop@x.example")
    assert (code, "There is a user" in err) == (1, True)
    code, _, err = await antiphon(environ, "user", "password", "nobody@x.example")
    assert (code, "nobody@x.example" in err) == (1, True)
    code, out, _ = await antiphon(environ, "user", "list")
    assert code == 0
    assert re.search(r"shop@x\.example\W+client\W+My building\W+yes\W+never", out), out


async def test_doctor_names_what_is_missing_and_what_keeps_the_server_from_starting(
    environ: dict[str, str], tmp_path: Path
) -> None:
    code, out, _ = await antiphon(environ, "doctor")
    assert code == 0
    assert _names(tmp_path) == []  # it looks, it does not touch
    (tmp_path / "file").touch()
    environ |= {"ANTIPHON_DATA_DIR": str(tmp_path / "file" / "data"), "PATH": str(tmp_path)}
    code, out, _ = await antiphon(environ, "doctor")
    assert code == 1
    assert re.search(r"data\b.*wrong", out)


async def test_a_server_is_told_found_spoken_to_and_stopped(environ: dict[str, str]) -> None:
    put_empty_database(Path(environ["ANTIPHON_DATA_DIR"]))
    async with running(environ) as (_, printed):
        welcome = "".join(printed)
        assert re.search(r"runs at http://127\.0\.0\.1:\d+", welcome)
        assert "shown this once" in welcome
        assert "snapcast.mode is off" in welcome

        code, out, err = await antiphon(environ, "zones")
        assert (code, err) == (0, "")
        assert "no zone yet" in out
        code, _, err = await antiphon(environ, "say", "Attic", "Hello")
        assert (code, "'Attic'" in err) == (1, True)
        code, out, err = await antiphon(environ, "plugins")
        assert (code, err) == (0, "")
        assert all(name in out for name in ("music", "announcements", "mqtt", "scheduling", "ai"))

        code, _, err = await antiphon(environ, "run")
        assert (code, "another Antiphon" in err) == (2, True)
    assert _names(Path(environ["ANTIPHON_DATA_DIR"]) / "run") == []


async def test_version_and_the_document_need_no_server(environ: dict[str, str]) -> None:
    code, out, _ = await antiphon(environ, "--version")
    assert code == 0
    assert re.fullmatch(r"antiphon \d+\.\d+\.\d+\n", out)
    code, out, _ = await antiphon(environ, "openapi")
    document = json.loads(out)
    assert document["openapi"].startswith("3.1")
    assert "/music" in document["paths"]


async def test_help_lists_the_commands_of_plugins(environ: dict[str, str]) -> None:
    code, out, _ = await antiphon(environ, "--help")
    assert code == 0
    assert re.search(r"\bmusic\b", out)
    code, _, err = await antiphon(environ, "musick")
    assert (code, "musick" in err) == (2, True)

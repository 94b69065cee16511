from __future__ import annotations

import asyncio
import gzip
import io
import json
import logging
import re
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.core.api.conftest import Answer, Stage, open_stage
from tests.fakes.database import fresh_database

from antiphon.api.problems import WrongField
from antiphon.errors import PartAway
from antiphon.plugins import Request, Route


def problem(answer: Answer) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json.keys() >= {"type", "title", "status", "detail", "code", "errors"}
    assert answer.json["status"] == answer.status
    assert answer.json["type"] == f"urn:antiphon:error:{answer.json['code']}"
    return answer.status, answer.json["code"]


async def test_paths_and_methods_that_are_not_there(stage: Stage) -> None:
    for path in ("nothing", "zones/1/2/3", "", stage.server.url + "/nothing"):
        assert problem(await stage.owner.get(path)) == (404, "not_found")
    wrong = await stage.owner.ask("PUT", "zones")
    assert problem(wrong) == (405, "method_not_allowed")
    assert wrong.headers["Allow"] == "GET, POST"


async def test_a_path_id_that_is_no_uuid(stage: Stage) -> None:
    for bad in ("1", "x" * 500, "%00", "..%2F..%2Fetc", "{00000000-0000-0000-0000-000000000000}"):
        answer = await stage.owner.get(f"zones/{bad}")
        assert problem(answer) in ((422, "invalid"), (404, "not_found")), bad
    assert (await stage.owner.get("zones/1")).json["errors"][0]["field"] == "zone_id"


async def test_queries_that_make_no_sense(stage: Stage) -> None:
    answer = await stage.owner.get("zones", limit="x", offset="-1", florr_id="1", search="a\0")
    assert problem(answer) == (422, "invalid")
    told = {error["field"]: error["message"] for error in answer.json["errors"]}
    assert told.keys() == {"limit", "offset", "florr_id", "search"}
    assert told["florr_id"].endswith("did you mean floor_id?")
    twice = await stage.owner.get("zones?limit=1&limit=2")
    assert twice.json["errors"][0]["field"] == "limit"


@pytest.mark.parametrize(
    "content",
    [b"{", b"\xff\xfe", b'{"name": NaN}', b"[" * 100_000, b'{"name": "\\ud800"}', b"name=x"],
)
async def test_bodies_that_are_not_json(stage: Stage, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await stage.owner.ask("POST", "zones", data=content, headers=headers)
    assert problem(answer) == (422, "invalid")
    assert answer.json["errors"][0]["field"] == "body"


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_bodies_of_another_kind(stage: Stage, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    answer = await stage.owner.ask("POST", "zones", data=b'{"name": "A"}', headers=headers)
    assert problem(answer) == (415, "unsupported_media")


async def test_a_body_that_is_too_large(stage: Stage) -> None:
    body = json.dumps({"name": "A", "description": "x" * 10_000_000}).encode()
    headers = {"Content-Type": "application/json"}

    async def in_chunks() -> Any:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    for data in (io.BytesIO(body), in_chunks()):
        answer = await stage.owner.ask("POST", "zones", data=data, headers=headers)
        assert problem(answer) == (413, "too_large")
    assert (await stage.owner.get("zones")).status == 200


async def test_a_bug_and_a_part_that_is_away(caplog: pytest.LogCaptureFixture) -> None:
    async def bug(_: Request[None, None]) -> None:
        raise RuntimeError("the secret inside")

    async def away(_: Request[None, None]) -> None:
        raise PartAway("The renderer", "It is being restarted.")

    async def breaks_off(request: Request[None, None]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "10"})
        await response.prepare(request.raw)
        await response.write(b"12345")
        raise RuntimeError("half way")

    routes = [
        Route(method="GET", path=name, handler=handler, summary=name, tag="test", roles=None)
        for name, handler in (("bug", bug), ("away", away), ("breaks-off", breaks_off))
    ]
    async with fresh_database(), open_stage(routes=routes) as stage:
        caplog.set_level(logging.ERROR)
        answer = await stage.nobody.get("bug")
        assert problem(answer) == (500, "error")
        assert b"secret" not in answer.body
        identity = re.search(r"id (\w+)", answer.json["detail"])
        assert identity is not None
        assert identity[1] in answer.json["instance"]
        assert f"(id {identity[1]})" in caplog.text
        assert "the secret inside" in caplog.text
        assert problem(await stage.nobody.get("away")) == (503, "part_away")
        with pytest.raises(aiohttp.ClientError):
            await stage.nobody.get("breaks-off")
        assert (await stage.nobody.get("health/live")).status == 200


async def test_every_answer_is_kept_from_other_sites(stage: Stage) -> None:
    headers = {"Origin": "https://evil.example"}
    for path in ("zones", "nothing", "health"):
        answer = await stage.owner.ask("GET", path, headers=headers)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["Cache-Control"] == "no-store"
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert "aiohttp" not in answer.headers["Server"]
    preflight = await stage.nobody.ask("OPTIONS", "zones", headers=headers)
    assert preflight.status == 405


async def send(stage: Stage, *lines: str, body: bytes = b"", answer: bool = True) -> bytes:
    """Send raw bytes, and hang up at once or after the answer."""
    reader, writer = await asyncio.open_connection(stage.server.host, stage.server.port)
    head = [*lines, "Host: x", f"Authorization: Bearer {stage.owner.token}", "Connection: close"]
    writer.write("\r\n".join([*head, "", ""]).encode() + body)
    await writer.drain()
    received = await asyncio.wait_for(reader.read(), 10) if answer else b""
    writer.close()
    await writer.wait_closed()
    return received


async def test_bodies_that_break_off_are_not_our_mistake(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    post, kind = "POST /api/v1/zones HTTP/1.1", "Content-Type: application/json"
    await send(stage, post, kind, "Content-Length: 100", body=b'{"name":', answer=False)
    await send(stage, post, kind, "Transfer-Encoding: chunked", body=b"5\r\n{", answer=False)
    for encoding in ("gzip", "deflate"):
        lines = (post, kind, f"Content-Encoding: {encoding}", "Content-Length: 4")
        assert b"HTTP/1.1 4" in await send(stage, *lines, body=b"xxxx")
    assert (await stage.owner.get("zones")).json["total"] == 2
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_packed_body_may_not_unpack_without_end(stage: Stage) -> None:
    packed = gzip.compress(json.dumps({"name": "A", "description": "x" * 50_000_000}).encode())
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    answer = await stage.owner.ask("POST", "zones", data=packed, headers=headers)
    assert problem(answer) == (413, "too_large")


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ((f"GET /api/v1/zones?token=geheim&search={'a' * 20_000} HTTP/1.1",), "longer than"),
        (("GET /api/v1/zones HTTP/1.1", f"X-Long: geheim{'b' * 20_000}"), "longer than"),
        (("GET /api/v1/zones?geheim\0 HTTP/1.1",), "can be read"),
        (("geheim",), "can be read"),
    ],
)
async def test_what_is_no_request_is_told_so_and_not_logged(
    stage: Stage, caplog: pytest.LogCaptureFixture, lines: tuple[str, ...], told: str
) -> None:
    head, _, body = (await send(stage, *lines)).partition(b"\r\n\r\n")
    assert b" 400 " in head.splitlines()[0]
    assert b"application/problem+json" in head
    assert b"X-Content-Type-Options: nosniff" in head
    assert b"aiohttp" not in head
    said = json.loads(body)
    assert said["code"] == "refused"
    assert told in said["detail"]
    assert "geheim" not in body.decode() + caplog.text


async def test_a_form_whose_head_can_not_be_read() -> None:
    async def takes_a_form(request: Request[None, None]) -> None:
        await (await request.raw.multipart()).next()

    routes = [
        Route(
            method="POST",
            path="form",
            handler=takes_a_form,
            summary="Take a form",
            tag="test",
            roles=None,
            upload=WrongField,
        )
    ]
    async with fresh_database(), open_stage(routes=routes) as stage:
        answer = await stage.nobody.ask(
            "POST",
            "form",
            data=b"--x\r\nContent-Disposition: form-data\x18\r\n\r\n\r\n--x--\r\n",
            headers={"Content-Type": "multipart/form-data; boundary=x"},
        )
        assert problem(answer) == (400, "refused")

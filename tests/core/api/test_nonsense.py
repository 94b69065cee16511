"""No operation makes a mistake of its own over nonsense: it says what is wrong with it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from aiohttp import FormData
from tests.core.api.conftest import Stage

ODD = ["\ufeff\u202e\U0001f50a", "-1", "1e400", "'; --", "%", "null", "\x7f", "9" * 400]
BODIES: list[Any] = [None, 5, "x", [], [{}], {"": ""}, {"name": {"name": {}}, "zones": {}}]
ENDLESS = ("zones/{zone_id}/listen", "ws/events")


def _filled(path: str, value: str) -> str:
    for name in ("zone_id", "floor_id", "device_id", "call_id", "user_id", "client_id", "token_id"):
        path = path.replace(f"{{{name}}}", value)
    return path


@pytest.fixture
async def document(stage: Stage) -> dict[str, Any]:
    found: dict[str, Any] = (await stage.nobody.get("openapi.json")).json
    return found


async def test_nonsense_in_bodies(stage: Stage, document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for path, operations in document["paths"].items():
        for method, told in operations.items():
            if "requestBody" not in told:
                continue
            content = told["requestBody"]["content"]
            if "multipart/form-data" in content:
                target = _filled(path.removeprefix("/"), str(stage.ours.shop.id))
                form = content["multipart/form-data"]
                await _send_odd_forms(stage, method, target, form, schemas)
            if "application/json" not in content:
                continue
            schema = content["application/json"]["schema"]
            fields = schemas[schema["$ref"].rsplit("/", 1)[-1]]["properties"]
            odds: list[Any] = [*ODD[:4], None, {}, [], -1, 10**400]
            wrong = [dict.fromkeys(fields, odd) for odd in odds]
            for body in [*BODIES, *wrong]:
                target = _filled(path.removeprefix("/"), str(stage.ours.shop.id))
                answer = await stage.owner.ask(method.upper(), target, json=body)
                assert answer.status < 500, (method, target, body, answer.body)


async def test_nonsense_in_paths_and_queries(stage: Stage, document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        if "get" not in operations or path.removeprefix("/") in ENDLESS:
            continue
        given = operations["get"].get("parameters", [])
        names = [one["name"] for one in given if one["in"] == "query"]
        for odd in (*ODD, str(uuid4())):
            target = _filled(path.removeprefix("/"), odd.replace("%", "%25"))
            for name in [*names, "unknown"]:
                answer = await stage.owner.get(target, **{name: odd})
                assert answer.status < 500, (target, name, odd, answer.body)


async def _send_odd_forms(
    stage: Stage, method: str, target: str, form: dict[str, Any], schemas: dict[str, Any]
) -> None:
    fields = schemas[form["schema"]["$ref"].rsplit("/", 1)[-1]]["properties"]
    for name in [*fields, "unknown"]:
        for odd in ODD:
            data = FormData(default_to_multipart=True)
            data.add_field(name, odd.encode("utf-8", "replace"), filename=quote(odd[:50]))
            answer = await stage.owner.ask(method.upper(), target, data=data)
            assert 400 <= answer.status < 500, (method, target, name, odd, answer.body)


@pytest.mark.parametrize(
    "text",
    ["'; DROP TABLE zone; --", '" OR 1=1 --', "%", "S_op", "S%p", "\\", "') OR ('1'='1", "Shop\\"],
)
async def test_searches_look_for_what_was_typed(stage: Stage, text: str) -> None:
    for path in ("zones", "floors", "users", "clients", "audit-logs"):
        answer = await stage.admin.get(path, search=text)
        assert (answer.status, answer.json["total"]) == (200, 0), (path, text)
    await stage.owner.patch(f"zones/{stage.ours.shop.id}", {"name": f"a {text} b"})
    found = (await stage.owner.get("zones", search=text)).json
    assert [zone["name"] for zone in found["items"]] == [f"a {text} b"]


async def test_json_that_is_too_deep_is_no_json(stage: Stage) -> None:
    headers = {"Content-Type": "application/json"}
    for depth in (150, 500, 100_000):
        content = b'{"name":' + b'{"a":' * depth + b"1" + b"}" * depth + b"}"
        answer = await stage.owner.ask("POST", "zones", data=content, headers=headers)
        assert (answer.status, answer.json["code"]) == (422, "invalid"), depth


async def test_text_that_is_no_text_is_refused(stage: Stage) -> None:
    headers = {"Content-Type": "application/json"}
    for content in (b'{"name": "\xff\xfe"}', b'{"name": "\\u0000"}', b'{"n\xc3": 1}'):
        answer = await stage.owner.ask("POST", "zones", data=content, headers=headers)
        assert (answer.status, answer.json["code"]) == (422, "invalid"), content
    many = "&".join(f"a{number}={number}" for number in range(1_000))
    for query in ("search=%ff%fe", "search=%00", "limit=%F0%9F%94%8A", many):
        answer = await stage.owner.get(f"zones?{query}")
        assert answer.status in (200, 400, 422), query
        assert answer.status == 200 or answer.json["code"] in ("invalid", "refused"), query

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

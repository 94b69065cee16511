from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel
from tests.core.api.conftest import KEY, Stage

from antiphon import __version__
from antiphon.api.authentication import Authenticator
from antiphon.api.endless import EndlessAnswers
from antiphon.api.openapi import errors_of, openapi, operation_id
from antiphon.api.server import core_routes
from antiphon.plugins import ApiModel, Page, Request, Route
from antiphon.tenancy.tokens import Tokens


class Upload(ApiModel):
    """A file and its title."""

    file: bytes
    title: str = ""


class Item(ApiModel):
    """Refers to its like."""

    name: str
    inside: Item | None = None


async def _handler(_: Request[Any, Any]) -> BaseModel | None:
    return None


PLUGIN_ROUTES = [
    Route(method="POST", path="items", handler=_handler, summary="Add", tag="items",
          body=Item, upload=Upload, response=Item, status=201),
    Route(method="GET", path="items", handler=_handler, summary="List", tag="items",
          response=Page[Item]),
    Route(method="GET", path="items/{item_id}/audio", handler=_handler, summary="Hear",
          tag="items", produces=("audio/flac", "audio/mpeg"), status=200),
]  # fmt: skip


def routes_of(stage: Stage) -> list[Route]:
    authenticator = Authenticator(Tokens(KEY, 60))
    return core_routes(stage.parts, authenticator, EndlessAnswers())


async def test_the_document_is_valid_and_complete(stage: Stage) -> None:
    document = (await stage.nobody.get("openapi.json")).json
    OpenAPIV31SpecValidator(document).validate()
    assert document["info"]["version"] == __version__
    routes = routes_of(stage)
    told = {
        (method.upper(), path.removeprefix("/"))
        for path, operations in document["paths"].items()
        for method in operations
    }
    assert told == {(route.method, route.path) for route in routes}
    assert len({operation_id(route) for route in routes}) == len(routes)


async def test_every_operation_tells_what_it_takes_and_answers(stage: Stage) -> None:
    routes = routes_of(stage)
    document = openapi(routes, "1")
    for route in routes:
        operation = document["paths"][f"/{route.path}"][route.method.lower()]
        name = operation["operationId"]
        assert bool(operation["security"]) == (route.roles is not None), name
        takes_body = route.body is not None or route.upload is not None
        assert ("requestBody" in operation) == takes_body, name
        success = operation["responses"][str(route.status)]
        has_content = route.response is not None or bool(route.produces)
        assert ("content" in success) == has_content, name
        for status in route.also:
            assert "description" in operation["responses"][str(status)], name
        for error in errors_of(route):
            reference = operation["responses"][str(error.status)]["$ref"]
            failure = document["components"]["responses"][reference.rsplit("/", 1)[-1]]
            examples = failure["content"]["application/problem+json"]["examples"]
            assert examples[error.code]["value"]["status"] == error.status
    health = document["paths"]["/health"]["get"]["responses"]
    assert health["503"]["content"] == health["200"]["content"]
    image = document["paths"]["/zones/{zone_id}/image"]["get"]["responses"]
    assert image["206"]["content"] == image["200"]["content"]
    assert image["304"].keys() == image["416"].keys() == {"description"}
    created = document["paths"]["/zones"]["post"]["responses"]
    assert created.keys() == {"201", "400", "401", "403", "409", "413", "415", "422", "500"}


async def test_examples_of_bodies_are_accepted(stage: Stage) -> None:
    routes = routes_of(stage)
    document = openapi(routes, "1")
    for route in routes:
        if route.body is not None:
            operation = document["paths"][f"/{route.path}"][route.method.lower()]
            content = operation["requestBody"]["content"]["application/json"]
            route.body.model_validate_json(json.dumps(content["example"]), strict=True)


def test_plugins_routes_are_described_too() -> None:
    document = openapi(PLUGIN_ROUTES, "1")
    OpenAPIV31SpecValidator(document).validate()
    add = document["paths"]["/items"]["post"]["requestBody"]["content"]
    assert add.keys() == {"application/json", "multipart/form-data"}
    upload = document["components"]["schemas"]["Upload"]
    assert upload["properties"]["file"]["format"] == "binary"
    hear = document["paths"]["/items/{item_id}/audio"]["get"]
    assert hear["responses"]["200"]["content"].keys() == {"audio/flac", "audio/mpeg"}
    assert {"token_in_query": []} in hear["security"]
    assert hear["parameters"][0]["schema"] == {"type": "string", "format": "uuid"}


def test_two_routes_can_not_claim_one_operation() -> None:
    from aiohttp import web

    from antiphon.api.dispatch import mount

    with pytest.raises(ValueError, match="Two routes claim POST items"):
        mount(web.Application(), PLUGIN_ROUTES * 2, Authenticator(Tokens(KEY, 60)), 1)

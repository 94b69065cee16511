"""The API's document (OpenAPI 3.1), made from the routes and their models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from antiphon.api.authentication import takes_token_in_query
from antiphon.api.examples import example_of
from antiphon.api.problems import CONTENT_TYPE, Problem
from antiphon.errors import (
    AntiphonError,
    Invalid,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    Refused,
    ScopeMissing,
    SubscriptionInactive,
    TooLarge,
    UnexpectedError,
    UnsupportedMedia,
)
from antiphon.plugins.routes import Everyone, Route
from antiphon.types import Effect

_REF = "#/components/schemas/{model}"
_SUCCESS = {
    101: "The connection is now a WebSocket.",
    200: "Done.",
    201: "It was added.",
    202: "It was accepted and goes on in the background.",
    204: "Done; there is nothing to tell.",
    206: "The part of the file that was asked for.",
    304: "It is as it was when it was asked for before.",
    412: "It is not as it was when it was asked for before.",
    416: "The file has no such part.",
    503: "The same, while something essential is away.",
}
_WITH_CONTENT = (206, 503)  # of those that a route sends besides its own
_Key = tuple[type[BaseModel], JsonSchemaMode]


def openapi(routes: Sequence[Route], version: str) -> dict[str, Any]:
    """The whole document. Every route is in it once, with all that it takes and answers."""
    writer = _Writer(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operations = paths.setdefault(f"/{route.path}", {})
        operations[route.method.lower()] = writer.operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Antiphon",
            "version": version,
            "summary": "Music and announcements in every zone of a building.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/api/v1"}],
        "tags": [{"name": tag} for tag in dict.fromkeys(route.tag for route in routes)],
        "paths": paths,
        "components": {
            "schemas": writer.schemas,
            "responses": writer.failures,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token (`auth/login`) or an API token.",
                },
                "token_in_query": {
                    "type": "apiKey",
                    "in": "query",
                    "name": "token",
                    "description": "For elements of a page that can send no header.",
                },
            },
        },
    }


def operation_id(route: Route) -> str:
    """A name of the operation that stays while method and path do."""
    return "_".join([route.method.lower(), *re.findall(r"\w+", route.path)])


def errors_of(route: Route) -> list[type[AntiphonError]]:
    """All errors that a route can answer with: its own, and what every route of its shape can."""
    found: list[type[AntiphonError]] = []
    takes_body = route.body is not None or route.upload is not None
    if route.roles is not None:
        found.append(NotAuthenticated)
        if route.roles != Everyone:
            found.append(NotAllowed)
        if route.needs is not Effect.READ:
            found.append(ScopeMissing)
        if route.needs in (Effect.CONTROL, Effect.MANAGE):
            found.append(SubscriptionInactive)
    if "_id}" in route.path:
        found.append(NotFound)
    if takes_body or route.query is not None or "_id}" in route.path:
        found.append(Invalid)
    if takes_body:
        found += [Refused, TooLarge, UnsupportedMedia]
    return list(dict.fromkeys([*found, *route.errors, UnexpectedError]))


class _Writer:
    """Writes operations; `schemas` and `failures` are what they refer to."""

    def __init__(self, routes: Iterable[Route]) -> None:
        keys: dict[_Key, None] = {(Problem, "serialization"): None}
        for route in routes:
            taken: Mapping[Literal["validation", "serialization"], Any] = {
                "validation": (route.body, route.upload, route.query),
                "serialization": (route.response,),
            }
            for mode, models in taken.items():
                keys.update(dict.fromkeys((model, mode) for model in models if model))
        self._refs, document = models_json_schema(list(keys), ref_template=_REF)
        self.schemas: dict[str, Any] = document.get("$defs", {})
        queries = [self._name(route.query, "validation") for route in routes if route.query]
        self.failures: dict[str, Any] = {}
        self._queries = {name: self.schemas.pop(name) for name in dict.fromkeys(queries)}

    def operation(self, route: Route) -> dict[str, Any]:
        """The operation object of one route."""
        told: dict[str, Any] = {
            "operationId": operation_id(route),
            "tags": [route.tag],
            "summary": route.summary,
            "description": _description(route),
            "security": _security(route),
            "parameters": [*_path_parameters(route), *self._query_parameters(route)],
            "responses": {
                **{str(one): self._success(route, one) for one in (route.status, *route.also)},
                **self._failures(route),
            },
        }
        if content := self._request_content(route):
            required = route.body is None or bool(self._body_schema(route.body).get("required"))
            told["requestBody"] = {"required": required, "content": content}
        return {name: value for name, value in told.items() if value or name == "security"}

    def _name(self, model: type[BaseModel], mode: JsonSchemaMode) -> str:
        return str(self._refs[model, mode]["$ref"]).rsplit("/", 1)[-1]

    def _body_schema(self, model: type[BaseModel]) -> Mapping[str, Any]:
        return self.schemas[self._name(model, "validation")]  # type: ignore[no-any-return]

    def _query_parameters(self, route: Route) -> list[dict[str, Any]]:
        if route.query is None:
            return []
        schema = self._queries[self._name(route.query, "validation")]
        required = schema.get("required", [])
        parameters = []
        for name, field in schema.get("properties", {}).items():
            described = {key: value for key, value in field.items() if key != "description"}
            parameter = {
                "name": name,
                "in": "query",
                "required": name in required,
                "schema": described,
            }
            if "description" in field:
                parameter["description"] = field["description"]
            parameters.append(parameter)
        return parameters

    def _request_content(self, route: Route) -> dict[str, Any]:
        content = {}
        if route.body is not None:
            media = self._media(route.body, "validation", "application/json", route.example)
            content.update(media)
        if route.upload is not None:
            content.update(self._media(route.upload, "validation", "multipart/form-data"))
        return content

    def _media(
        self,
        model: type[BaseModel],
        mode: JsonSchemaMode,
        kind: str,
        example: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        shown = dict(example) if example else example_of(self._refs[model, mode], self.schemas)
        return {kind: {"schema": self._refs[model, mode], "example": shown}}

    def _success(self, route: Route, status: int) -> dict[str, Any]:
        answer: dict[str, Any] = {"description": _SUCCESS.get(status, "Done.")}
        if status != route.status and status not in _WITH_CONTENT:
            return answer
        if route.response is not None:
            answer["content"] = self._media(route.response, "serialization", "application/json")
        if route.produces:
            binary = {"schema": {"type": "string", "format": "binary"}}
            answer["content"] = dict.fromkeys(route.produces, binary) | answer.get("content", {})
        return answer

    def _failures(self, route: Route) -> dict[str, Any]:
        by_status: dict[int, list[type[AntiphonError]]] = {}
        for error in errors_of(route):
            by_status.setdefault(error.status, []).append(error)
        return {str(status): self._failure(kinds) for status, kinds in sorted(by_status.items())}

    def _failure(self, kinds: Sequence[type[AntiphonError]]) -> dict[str, Any]:
        name = "_or_".join(kind.code for kind in kinds)
        self.failures[name] = {
            "description": " ".join(_first_line(kind) for kind in kinds),
            "content": {
                CONTENT_TYPE: {
                    "schema": self._refs[Problem, "serialization"],
                    "examples": {kind.code: {"value": _problem(kind)} for kind in kinds},
                }
            },
        }
        return {"$ref": f"#/components/responses/{name}"}


def _problem(kind: type[AntiphonError]) -> dict[str, Any]:
    problem: dict[str, Any] = {
        "type": f"urn:antiphon:error:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": _first_line(kind),
        "code": kind.code,
        "errors": [],
    }
    if kind is Invalid:
        problem["errors"] = [
            {"field": "name", "message": "String should have at least 1 character"}
        ]
    return problem


def _first_line(kind: type[AntiphonError]) -> str:
    return (kind.__doc__ or kind.title).strip().splitlines()[0]


def _description(route: Route) -> str:
    who = ""
    if route.roles is not None and route.roles != Everyone:
        who = f"For: {', '.join(sorted(route.roles))}."
    scope = ""
    if route.roles is not None and route.needs is Effect.ACCOUNT:
        scope = "Not for API tokens."
    elif route.roles is not None:
        scope = f"API tokens need the scope `{route.needs}`."
    return "\n\n".join(part for part in (route.description, who, scope) if part)


def _security(route: Route) -> list[dict[str, list[str]]]:
    if route.roles is None:
        return []
    methods: list[dict[str, list[str]]] = [{"token": []}]
    if takes_token_in_query(route):
        methods.append({"token_in_query": []})
    return methods


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    parameters = []
    for name in re.findall(r"{(\w+)[^}]*}", route.path):
        schema = {"type": "string"} | ({"format": "uuid"} if name.endswith("_id") else {})
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    return parameters

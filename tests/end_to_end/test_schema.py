"""The running server against its own document: schemathesis makes up requests for each operation.

No answer may be a mistake of the server's own, or one that the document does not tell of.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import UUID

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from requests.adapters import HTTPAdapter
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.failures import FailureGroup
from tests.end_to_end.house import House
from tests.fakes.ai_service import KEY, ai_service

from antiphon.store.database import FILE_NAME
from antiphon.tenancy.tokens import Tokens, load_secret_key

EXAMPLES = {GenerationMode.POSITIVE: 5, GenerationMode.NEGATIVE: 5}
UNKNOWN = str(UUID(int=7))
CHECKED = (
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "allow_header_conformance",
)
SIP = 4096


@contextmanager
def service() -> Iterator[str]:
    """The URL of an AI service that runs beside the test."""
    loop, started = asyncio.new_event_loop(), threading.Event()
    url, ended = "", asyncio.Event()

    async def serve() -> None:
        nonlocal url
        async with ai_service() as found:
            url = found.url
            started.set()
            await ended.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(20)
        yield url
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("schema")
    with House(
        folder,
        ANTIPHON_SNAPCAST__MODE="off",
        ANTIPHON_MQTT__URL="off",
        ANTIPHON_AI__WARM_UP="false",
        ANTIPHON_LOG__LEVEL="warning",
    ) as house:
        yield house


class Sipping(HTTPAdapter):
    """Takes the begin of an answer that has no end."""

    def send(self, *arguments: Any, **options: Any) -> Any:
        """See `HTTPAdapter`."""
        response = super().send(*arguments, **options | {"stream": True})
        if response.headers.get("Content-Type", "").startswith("audio/"):
            response._content = next(response.iter_content(SIP), b"")
            response._content_consumed = True
            response.close()
        return response


class Admin(requests.auth.AuthBase):
    """A token that counts, whatever the requests before have done to the sessions."""

    def __init__(self, house: House) -> None:
        self._tokens = Tokens(load_secret_key(house.data_dir / "secret.key"), 3600)
        self._file = house.data_dir / FILE_NAME

    def __call__(self, request: Any) -> Any:
        with sqlite3.connect(self._file) as database:
            query = "SELECT id, token_version FROM user WHERE role = 'admin' ORDER BY created_at"
            user_id, version = database.execute(query).fetchone()
        database.close()
        token, _ = self._tokens.issue(UUID(user_id), version)
        request.headers["Authorization"] = f"Bearer {token}"
        return request


def furnished(house: House, service_url: str) -> dict[str, str]:
    """Something of each kind, so that ids lead somewhere; by the name of the path's parameter."""
    zone = house.post("zones", {"name": "Shop"})
    made = {
        "zone_id": zone,
        "floor_id": {"id": zone["floor_id"]},
        "client_id": {"id": zone["client_id"]},
        "folder_id": house.post("folders", {"name": "Jazz", "type": "music"}),
        "provider_id": house.post(
            "ai-providers",
            {
                "name": "Ours",
                "provider_type": "openai_compatible",
                "base_url": service_url,
                "api_key": KEY,
            },
        ),
    }
    return {name: str(row["id"]) for name, row in made.items()}


def document(house: House, service_url: str) -> dict[str, Any]:
    """The server's document, whose path parameters are things that are there, or are not."""
    found: dict[str, Any] = house.get("openapi.json")
    ids = furnished(house, service_url)
    for operations in found["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", []):
                name = parameter["name"]
                if parameter["in"] == "path" and name.endswith("_id"):
                    real = ids.get(name, UNKNOWN)
                    parameter["schema"] = {"type": "string", "enum": [real, UNKNOWN]}
    return found


class Interview:
    """Asks the server, and notes what is wrong with its answers."""

    def __init__(self, house: House) -> None:
        self._session = requests.Session()
        self._session.mount("http://", Sipping())
        self._auth = Admin(house)
        self._checks = [CHECKS.get_one(name) for name in CHECKED]
        self.asked = 0
        self.wrong: dict[str, str] = {}

    def about(self, operation: Any, mode: GenerationMode, examples: int) -> None:
        """Send the same requests each time: some that are right, or some that are not."""

        @given(case=operation.as_strategy(generation_mode=mode))
        @settings(
            max_examples=examples,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: Any) -> None:
            self._ask(operation.label, case)

        with suppress(Unsatisfiable):  # nothing about it could be wrong
            ask()

    def _ask(self, label: str, case: Any) -> None:
        self.asked += 1
        response = case.call(session=self._session, auth=self._auth, timeout=60)
        if response.status_code == 500:
            self.wrong[f"{label}: 500"] = response.text
        try:
            case.validate_response(response, checks=self._checks)
        except FailureGroup as failure:
            self.wrong.setdefault(f"{label}: {response.status_code}", str(failure))


def test_every_operation_answers_as_its_document_says(house: House) -> None:
    with service() as url:
        _interview(house, document(house, url))


def _interview(house: House, told: dict[str, Any]) -> None:
    schema = schemathesis.openapi.from_dict(told)
    schema.config.update(base_url=f"{house.url}/api/v1")
    interview = Interview(house)
    asked_of = set()
    operations: list[Any] = [
        result.ok()  # type: ignore[union-attr]  # an error is raised by it
        for result in schema.get_all_operations()
    ]
    # What is deleted is no more there to be asked about.
    for operation in sorted(operations, key=lambda one: str(one.method) == "delete"):
        asked_of.add((operation.method, operation.path))
        for mode, examples in EXAMPLES.items():
            interview.about(operation, mode, examples)
    wrong = interview.wrong
    assert not wrong, "\n\n".join(f"{where}\n{what}" for where, what in wrong.items())
    assert asked_of == {(method, path) for path, one in told["paths"].items() for method in one}
    assert interview.asked > 4 * len(asked_of)

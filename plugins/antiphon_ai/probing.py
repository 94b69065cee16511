"""Asks an AI service for its models, to find out whether it can be used; says what is wrong if not.

The one file that speaks HTTP to these services so far. Redirects are not followed: they would
carry the key to whoever is named there.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from antiphon_ai.models import ProviderType
from antiphon_ai.views import ProviderTest

TIMEOUT_S = 15.0
_MAX_BYTES = 4 << 20
_MAX_MODELS = 200
_MAX_WORDS = 200


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one type of service is asked for what it offers."""

    base_url: str
    path: str
    headers: Callable[[str], Mapping[str, str]] = _bearer
    needs_key: bool = True


DIALECTS = {
    ProviderType.OPENAI: Dialect("https://api.openai.com/v1", "/models"),
    ProviderType.OPENAI_COMPATIBLE: Dialect("", "/models", needs_key=False),
    ProviderType.ANTHROPIC: Dialect(
        "https://api.anthropic.com/v1",
        "/models",
        lambda key: {"x-api-key": key, "anthropic-version": "2023-06-01"},
    ),
    ProviderType.ELEVENLABS: Dialect(
        "https://api.elevenlabs.io/v1", "/models", lambda key: {"xi-api-key": key}
    ),
    ProviderType.GOOGLE: Dialect(
        "https://texttospeech.googleapis.com/v1", "/voices", lambda key: {"X-Goog-Api-Key": key}
    ),
}


class _Wrong(Exception):
    """Why the service can not be used, as sentences."""


async def probe(
    kind: ProviderType, base_url: str, key: str | None, timeout_s: float = TIMEOUT_S
) -> ProviderTest:
    """Ask the service; never raises for what it does."""
    dialect = DIALECTS[kind]
    url = (base_url or dialect.base_url) + dialect.path
    began = time.monotonic()
    models: tuple[str, ...] = ()
    problem = None
    try:
        if key is None and dialect.needs_key:
            raise _Wrong("There is no key: set api_key.")
        headers = dialect.headers(key) if key is not None else {}
        models = await _models(url, headers, timeout_s)
    except _Wrong as wrong:
        problem = str(wrong)
    took_ms = round((time.monotonic() - began) * 1000)
    return ProviderTest(
        works=problem is None, problem=problem, url=url, models=models, took_ms=took_ms
    )


async def _models(url: str, headers: Mapping[str, str], timeout_s: float) -> tuple[str, ...]:
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(url, headers=headers, allow_redirects=False) as answer,
        ):
            content = await _read(answer)
    except TimeoutError:
        raise _Wrong(f"There was no answer within {timeout_s:g} s.") from None
    except (aiohttp.ClientConnectorCertificateError, ssl.SSLError) as error:
        raise _Wrong(f"The certificate of the service is not trusted: {error}.") from error
    except aiohttp.ClientConnectorDNSError as error:
        raise _Wrong(f"The name {error.host} is not known. Check base_url.") from error
    except aiohttp.ClientConnectorError as error:
        raise _Wrong(
            f"Nothing answers at {error.host}:{error.port} ({error.strerror or error}). Is it "
            "running? Check base_url."
        ) from error
    except (aiohttp.ClientError, asyncio.IncompleteReadError, ValueError) as error:
        raise _Wrong(f"What answers there does not speak HTTP properly: {error}.") from error
    if answer.status != 200:
        raise _Wrong(_refusal(answer, url, content))
    return _names(content)


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in answer.content.iter_any():
        content += chunk
        if len(content) > _MAX_BYTES:
            raise _Wrong("Its answer is longer than any list of models. Check base_url.")
    return bytes(content)


def _refusal(answer: aiohttp.ClientResponse, url: str, content: bytes) -> str:
    said = _said(content)
    match answer.status:
        case 401 | 403:
            return f"The service refuses the key ({answer.status}){said}. Check api_key."
        case 404 | 405:
            return f"There is no {url} ({answer.status}){said}. base_url mostly ends in /v1."
        case 429:
            return (
                f"The service takes no more requests now ({answer.status}){said}. Check its plan."
            )
        case status if 300 <= status < 400:
            where = answer.headers.get("Location", "elsewhere")[:_MAX_WORDS]
            return f"The service sends us on to {where} ({status}). Put that into base_url."
        case status if status >= 500:
            return f"The service has a problem of its own ({status}){said}. Try again later."
    return f"The service refuses the request ({answer.status}){said}."


def _said(content: bytes) -> str:
    """The service's own words, where it has some: each of them puts them somewhere else."""
    try:
        found: Any = json.loads(content)
    except ValueError:
        return ""
    for name in ("error", "detail", "message"):
        if isinstance(found, dict) and found.get(name):
            found = found[name]
    words = " ".join(found.split()) if isinstance(found, str) else ""
    return f": “{words[:_MAX_WORDS].rstrip('.')}”" if words.isprintable() and words else ""


def _names(content: bytes) -> tuple[str, ...]:
    try:
        found: Any = json.loads(content)
    except ValueError:
        raise _Wrong("Its answer is not JSON. Check base_url.") from None
    if isinstance(found, dict):  # OpenAI and Anthropic; Google
        found = found.get("data", found.get("voices"))
    if not isinstance(found, list):  # ElevenLabs sends a list as such
        raise _Wrong("Its answer holds no list of models. Check base_url and provider_type.")
    names = (
        one.get("id") or one.get("model_id") or one.get("name")
        for one in found
        if isinstance(one, dict)
    )
    shown = [name[:_MAX_WORDS] for name in names if isinstance(name, str) and name.isprintable()]
    return tuple(sorted(shown)[:_MAX_MODELS])

"""Talks to the server that runs on this machine, over its own API, as its first admin.

The command line and the demo use it. They prove who they are by the server's secret key, which
the owner of the data directory alone can read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from antiphon.errors import NotFound, PartAway, Refused, Unavailable
from antiphon.settings import Settings
from antiphon.tenancy.models import User
from antiphon.tenancy.tokens import Tokens, load_secret_key
from antiphon.types import Role

_TOKEN_S = 300
_TIMEOUT = aiohttp.ClientTimeout(total=60)


def running_url(data_dir: Path) -> str:
    """Where the server of this data directory answers. Raises PartAway if none was started."""
    try:
        return str(json.loads((data_dir / "run" / "server.json").read_text())["url"])
    except (OSError, ValueError, KeyError, TypeError):
        raise PartAway("The server", "Start it with: antiphon run") from None


async def admin_token(settings: Settings) -> str:
    """A token of five minutes for the first admin. The database must be open."""
    admin = (
        await User.filter(role=Role.ADMIN, is_active=True, deleted_at__isnull=True)
        .order_by("created_at")
        .first()
    )
    if admin is None:
        raise NotFound("active admin;", "make one with: antiphon user add EMAIL --role admin")
    tokens = Tokens(load_secret_key(settings.data_dir / "secret.key"), _TOKEN_S)
    return tokens.issue(admin.id, admin.token_version)[0]


class LocalServer:
    """The API at `url`; an async context manager. Paths are relative to `/api/v1`.

    Every method raises Refused with the server's own words, and Unavailable where it says to try
    again or does not answer.
    """

    def __init__(self, url: str, token: str) -> None:
        self._base = f"{url.rstrip('/')}/api/v1/"
        self._headers = {"Authorization": f"Bearer {token}"}

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=_TIMEOUT)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._session.close()

    async def get(self, path: str, **query: str) -> Any:
        """The JSON at `path`."""
        return await self._request("GET", path, params=query)

    async def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send `body` to `path`; returns the JSON of the answer."""
        return await self._request("POST", path, json=body or {})

    async def delete(self, path: str) -> None:
        """Remove what is at `path`."""
        await self._request("DELETE", path)

    async def upload(self, path: str, file: Path, **fields: str) -> Any:
        """Send a file in a multipart form; returns the JSON of the answer."""
        form = aiohttp.FormData()
        for name, value in fields.items():
            form.add_field(name, value)
        form.add_field("file", await asyncio.to_thread(file.read_bytes), filename=file.name)
        return await self._request("POST", path, data=form)

    async def _request(self, method: str, path: str, **options: Any) -> Any:
        try:
            async with self._session.request(method, self._base + path, **options) as answer:
                if answer.status < 400:
                    return None if answer.status == 204 else await answer.json()
                detail = await _detail(answer)
        except (aiohttp.ClientConnectionError, TimeoutError) as error:
            raise PartAway("The server", "Start it with: antiphon run") from error
        if answer.status >= 500:
            raise Unavailable(detail)
        raise Refused(detail)


async def _detail(answer: aiohttp.ClientResponse) -> str:
    try:
        return str((await answer.json(content_type=None))["detail"])
    except (ValueError, KeyError, TypeError):
        return f"The server answered {answer.status} {answer.reason}."

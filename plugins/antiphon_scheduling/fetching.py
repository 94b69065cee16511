"""Fetches a calendar from an address that a user gave: with limits, not from our own network."""

from __future__ import annotations

from ipaddress import ip_address
from socket import AddressFamily

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from antiphon.errors import Invalid

MAX_BYTES = 1_000_000
_TIMEOUT_S = 15.0
_REDIRECTS = 3
_MOVED = {301, 302, 303, 307, 308}
_HEADERS = {"Accept": "text/calendar, text/plain;q=0.5, */*;q=0.1"}


class _Forbidden(OSError):
    """An address that is not to be asked."""


class _PublicResolver(AbstractResolver):
    """Knows public addresses alone. What it finds is what is connected to: nothing can differ."""

    def __init__(self) -> None:
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_INET
    ) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)
        for one in found:
            _require_public(one["host"])
        return found

    async def close(self) -> None:
        await self._system.close()


def _require_public(host: str) -> None:
    address = ip_address(host.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None) or address
    if not mapped.is_global or mapped.is_multicast:
        raise _Forbidden(f"{host} is no public address")


async def fetch(address: str, *, private: bool) -> str:
    """The text at an address. Raises Invalid on `url` for whatever goes wrong.

    `private` allows addresses of this machine and of the networks it is in.
    """
    resolver = None if private else _PublicResolver()
    connector = aiohttp.TCPConnector(resolver=resolver, limit=1)
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    try:
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            return await _follow(session, address, private=private)
    except TimeoutError:
        raise _wrong(f"there was no answer within {_TIMEOUT_S:g} s") from None
    except aiohttp.ClientConnectorError as error:
        raise _wrong(f"it can not be fetched: {error.os_error}") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise _wrong(f"it can not be fetched: {error}") from None


async def _follow(session: aiohttp.ClientSession, address: str, *, private: bool) -> str:
    url = URL(address)
    for _ in range(_REDIRECTS + 1):
        _check(url, private=private)
        async with session.get(url, headers=_HEADERS, allow_redirects=False) as answer:
            if answer.status in _MOVED and "Location" in answer.headers:
                url = url.join(URL(answer.headers["Location"]))
                continue
            if answer.status != 200:
                raise _wrong(f"the server answered {answer.status}")
            return await _read(answer)
    raise _wrong(f"it redirects more than {_REDIRECTS} times")


def _check(url: URL, *, private: bool) -> None:
    if url.scheme not in ("http", "https") or not url.host:
        raise _wrong("only http:// and https:// addresses can be fetched")
    if not private:
        try:
            ip_address(url.host)
        except ValueError:
            return  # a name: what it stands for is looked at when it is known
        _require_public(url.host)


async def _read(answer: aiohttp.ClientResponse) -> str:
    data = bytearray()
    async for chunk in answer.content.iter_chunked(65_536):
        data += chunk
        if len(data) > MAX_BYTES:
            raise _wrong(f"it is larger than {MAX_BYTES:,} bytes")
    return data.decode("utf-8-sig", errors="replace")


def _wrong(message: str) -> Invalid:
    return Invalid.field("url", message)

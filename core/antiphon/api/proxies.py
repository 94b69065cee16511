"""Behind a reverse proxy: who really asks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_HEADER = "X-Forwarded-For"


def trusting(proxies: Sequence[str]) -> Iterator[Middleware]:
    """The middleware that believes `proxies` (addresses or networks); none for none.

    Each proxy adds at the end of the header whom it heard from, so the last one that is not a
    proxy of ours is who asks. What stands before it, anybody may have written.
    """
    networks = [ip_network(proxy) for proxy in proxies]

    def is_ours(address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in networks)

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        address = _address(request.remote)
        said = ",".join(request.headers.getall(_HEADER, ())).split(",")
        while address is not None and is_ours(address) and said:
            if (before := _address(said.pop())) is None:
                break
            address = before
        if address is not None and str(address) != request.remote:
            request = request.clone(remote=str(address))
        return await handler(request)

    if networks:
        yield middleware


def _address(text: str | None) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address((text or "").strip())
    except ValueError:
        return None

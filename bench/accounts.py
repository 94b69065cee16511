"""A loudspeaker let in and one cut off at a broker with 10,000 accounts, by files and by dynsec."""

from __future__ import annotations

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiomqtt

from antiphon_devices.accounts import dynsec
from antiphon_devices.accounts.book import Account, MemoryBook
from antiphon_devices.accounts.models import AccountKind
from antiphon_devices.accounts.passwords import hashed
from antiphon_devices.accounts.service import Accounts
from antiphon_devices.broker import keeping_broker
from antiphon_devices.settings import BrokerAddress, MqttSettings
from bench.figures import median, show

ACCOUNTS, CONNECTED, ROUNDS = 10_000, 200, 5
_SECRET = "a-secret-of-its-own-0123"  # noqa: S105  of nobody
_WITHIN_S = 5.0


def _login(address: BrokerAddress, username: str) -> aiomqtt.Client:
    return aiomqtt.Client(address.host, address.port, username=username, password=_SECRET)


@asynccontextmanager
async def _commanding(
    address: BrokerAddress, control: dynsec.Control, waiting: asyncio.Queue[bytes]
) -> AsyncIterator[None]:
    """The server's own connection, over which dynamic security is commanded."""
    password = address.password.get_secret_value() if address.password else None
    server = aiomqtt.Client(
        address.host, address.port, username=address.username, password=password
    )

    async def write() -> None:
        while True:
            await server.publish(dynsec.CONTROL, await waiting.get(), 1)

    async def read() -> None:
        async for message in server.messages:
            control.received(bytes(message.payload))

    async with server:
        await server.subscribe(dynsec.RESPONSE, 1)
        control.is_connected = True
        tasks = [asyncio.create_task(write()), asyncio.create_task(read())]
        yield
        for task in tasks:
            task.cancel()


async def _measure(way: str) -> tuple[list[float], list[float]]:
    book, kept = MemoryBook(), hashed(_SECRET)
    for number in range(ACCOUNTS):
        await book.put(Account(AccountKind.DEVICE, f"d-{number}", kept))
    waiting: asyncio.Queue[bytes] = asyncio.Queue()
    control = dynsec.Control(waiting.put_nowait)
    settings = MqttSettings.model_validate({"port": 0, "accounts": way})
    let_in, cut_off = [], []
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        broker = keeping_broker(settings, folder, book, control, logging.getLogger("bench"))
        address, keeper = await stack.enter_async_context(broker)
        await stack.enter_async_context(_commanding(address, control, waiting))
        accounts = Accounts(book, keeper, logging.getLogger("bench"))
        connected = [_login(address, f"d-{number}") for number in range(CONNECTED)]
        for client in connected[ROUNDS:]:
            await stack.enter_async_context(client)
        for number in range(ROUNDS):
            started = time.perf_counter()
            await accounts.admit(f"new-{number}", _SECRET)
            await _until_in(address, f"new-{number}")
            let_in.append(time.perf_counter() - started)
            client = await connected[number].__aenter__()
            started = time.perf_counter()
            await accounts.revoke(f"d-{number}")
            await _until_out(client)
            cut_off.append(time.perf_counter() - started)
    return let_in, cut_off


async def _until_in(address: BrokerAddress, username: str) -> None:
    while True:
        try:
            async with _login(address, username):
                return
        except aiomqtt.MqttError:
            await asyncio.sleep(0.01)


async def _until_out(client: aiomqtt.Client) -> None:
    try:
        async for _ in client.messages:
            pass
    except aiomqtt.MqttError:
        return


def main() -> None:
    """Both ways, with the medians of what each takes."""
    logging.disable(logging.ERROR)
    for way in ("files", "dynsec"):
        let_in, cut_off = asyncio.run(_measure(way))
        for what, seconds in (("let in", let_in), ("cut off", cut_off)):
            show(f"accounts {way} {what}", median(seconds), "s", "limit", _WITHIN_S)

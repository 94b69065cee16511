"""`antiphon run` and `antiphon init`."""

from __future__ import annotations

import asyncio
import gc
import logging
import shutil
import signal
from contextlib import AsyncExitStack, suppress

from rich.markup import escape

from antiphon.app import Antiphon, initialise, prepare, running
from antiphon.cli.console import finish, out
from antiphon.demo.building import furnish
from antiphon.local import LocalServer, admin_token
from antiphon.logs import configure_logging
from antiphon.plugins.manager import Plugins
from antiphon.settings import Loaded

_log = logging.getLogger(__name__)

_USUAL_PORT = 1704


def init() -> None:
    """Make what the first start needs, and say what was made."""
    loaded, plugins = prepare()
    configure_logging(loaded.settings.log)
    password = finish(initialise(loaded, plugins))
    settings = loaded.settings
    _tell(f"The data lies in [bold]{escape(str(settings.data_dir))}[/].")
    _tell_admin(settings.admin.email, password)


def serve(*, demo: bool) -> None:
    """Run the server until a signal asks it to stop."""
    loaded, plugins = prepare()
    configure_logging(loaded.settings.log)
    finish(_until_signal(loaded, plugins, demo=demo))


async def _until_signal(loaded: Loaded, plugins: Plugins, *, demo: bool) -> None:
    """The server in a task of its own, which a signal cancels wherever it is."""
    work = asyncio.create_task(_serve(loaded, plugins, demo=demo), name="server")
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, work, number.name)
    with suppress(asyncio.CancelledError):
        await work


def _stop(work: asyncio.Task[None], reason: str) -> None:
    _log.info("Antiphon stops (%s)", reason)
    work.cancel()


async def _serve(loaded: Loaded, plugins: Plugins, *, demo: bool) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running(loaded, plugins))
        gc.freeze()  # never looked through for garbage again, which is a pause less each time
        gc.enable()
        _welcome(loaded, server)
        if demo:
            token = await admin_token(loaded.settings)
            api = await stack.enter_async_context(LocalServer(server.url, token))
            task = asyncio.create_task(furnish(api), name="demo")
            stack.push_async_callback(_end, task)
        await asyncio.Event().wait()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait((task,))


def _welcome(loaded: Loaded, server: Antiphon) -> None:
    _tell(f"\n[bold]Antiphon[/] runs at [bold]{server.url}[/]")
    _tell_admin(loaded.settings.admin.email, server.admin_password)
    _tell(f"  Listen in a browser: {server.url}, the button Listen")
    _tell(f"  in a player:         {server.url}/api/v1/zones/ZONE/listen?format=ogg&token=TOKEN")
    _tell(f"  on a loudspeaker:    {_loudspeaker(loaded, server)}")
    _tell('  Speak:               antiphon say all "Good morning."')
    _tell("  Stop:                Ctrl-C\n")


def _loudspeaker(loaded: Loaded, server: Antiphon) -> str:
    snapcast = loaded.settings.snapcast
    if snapcast.mode == "off":
        return "not while snapcast.mode is off"
    if snapcast.mode == "child" and shutil.which(snapcast.program) is None:
        return f"not now; {snapcast.program} is not installed (antiphon doctor says more)"
    host = "THIS-MACHINE" if snapcast.mode == "child" else snapcast.host
    port = server.snapcast.stream_port
    return f"snapclient --host {host}" + ("" if port == _USUAL_PORT else f" --port {port}")


def _tell(line: str) -> None:
    out.print(line, soft_wrap=True)


def _tell_admin(email: str, password: str | None) -> None:
    if password is None:
        _tell(f"  Log in as {escape(email)} (a lost password: antiphon user password E-MAIL)")
    else:
        _tell(f"  Log in as {escape(email)} with [bold]{password}[/] (shown this once)")

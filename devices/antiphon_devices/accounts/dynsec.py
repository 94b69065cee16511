"""Accounts in mosquitto's dynamic security plugin, told over the server's own connection."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from antiphon.errors import PartAway, PartTimedOut, Unavailable
from antiphon_devices.accounts.book import Account, Book
from antiphon_devices.accounts.keeper import Keeper
from antiphon_devices.accounts.passwords import parts
from antiphon_devices.accounts.rights import SERVER_ACCOUNT, Rights

CONTROL = "$CONTROL/dynamic-security/v1"
RESPONSE = f"{CONTROL}/response"
_TIMEOUT_S = 5.0
_PREFIX = "antiphon-"
_PLUGIN = "mosquitto_dynamic_security.so"
_FOLDERS = ("/usr/lib", "/usr/local/lib", "/usr/lib64")

Command = dict[str, Any]


class Control:
    """Gives commands to the plugin and waits for their answers.

    `say` sends a payload to the plugin's topic; `received` is called with what it answers.
    """

    def __init__(self, say: Callable[[bytes], None]) -> None:
        self._say = say
        self._open: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self.is_connected = False

    async def do(self, commands: Sequence[Command]) -> list[dict[str, Any]]:
        """Give commands, in order; returns the answer to each.

        Raises PartAway without a broker, PartTimedOut without an answer (a broker without the
        plugin, or an account without the right to command it).
        """
        if not self.is_connected:
            raise PartAway("The MQTT broker", "The log says why.")
        loop = asyncio.get_running_loop()
        marked = {secrets.token_hex(8): command for command in commands}
        answers = {mark: loop.create_future() for mark in marked}
        self._open |= answers
        given = [{**command, "correlationData": mark} for mark, command in marked.items()]
        self._say(json.dumps({"commands": given}).encode())
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                return [await answer for answer in answers.values()]
        except TimeoutError:
            what = "a command to its dynamic security"
            raise PartTimedOut("The MQTT broker", what, _TIMEOUT_S) from None
        finally:
            for mark in marked:
                self._open.pop(mark, None)

    def received(self, payload: bytes) -> None:
        """Answers came, perhaps to somebody else."""
        try:
            answers = json.loads(payload)["responses"]
        except (ValueError, KeyError, TypeError):
            return
        for answer in answers if isinstance(answers, list) else ():
            mark = answer.get("correlationData") if isinstance(answer, dict) else None
            waiting = self._open.get(mark) if isinstance(mark, str) else None
            if waiting is not None and not waiting.done():
                waiting.set_result(answer)


class DynsecKeeper(Keeper):
    """One role for each account, with literal topics: mosquitto 2.0 puts no name into them.

    Whoever else has accounts at the broker keeps them: only those that have a role of ours are
    ours. `fixed` are names of ours that no book has. At a broker elsewhere, `server` is the account
    that we log in with, which may be one that was meant for commands alone, and `newcomers` the
    one for loudspeakers that have none yet, with its password and rights.
    """

    def __init__(
        self,
        control: Control,
        root: str,
        book: Book,
        fixed: Collection[str],
        log: logging.Logger,
        *,
        server: str | None = None,
        newcomers: tuple[str, str, Rights] | None = None,
    ) -> None:
        self._control = control
        self._root = root
        self._book = book
        self._fixed = fixed
        self._server = server
        self._newcomers = newcomers
        self._log = log

    async def put(self, account: Account, password: str) -> None:
        """See `Keeper`."""
        await self._make(account.username, password, account.rights(self._root))

    async def remove(self, username: str) -> None:
        """See `Keeper`. What is not there was removed before."""
        await self._control.do(_gone(username))

    async def sync(self) -> None:
        """See `Keeper`: what the book does not have goes, and what the broker lost is told."""
        (listed,) = await self._control.do([{"command": "listClients", "verbose": True}])
        ours = {
            client["username"]
            for client in listed.get("data", {}).get("clients", ())
            if any(role["rolename"] == _role(client["username"]) for role in client["roles"])
        }
        if self._server is not None and self._server not in ours:
            await self._empower(self._server)
            return
        known = {account.username: account for account in await self._book.all()}
        for username in ours - known.keys() - {*self._fixed, self._server}:
            await self.remove(username)
        if self._newcomers is not None:
            await self._make(*self._newcomers)
        for username in known.keys() - ours:
            self._log.warning(
                "MQTT: the broker does not know the account %s any more. A loudspeaker gets it "
                "back by itself; an integrator needs a new one",
                username,
            )

    async def _empower(self, server: str) -> None:
        """Let ourselves publish, too. The broker throws us out for it; we are back at once."""
        role = _role(server)
        self._log.info(
            "MQTT: the broker's account %s gets the rights that a server needs; "
            "the broker ends this connection for that, once",
            server,
        )
        with contextlib.suppress(Unavailable):
            await self._control.do(
                [
                    {"command": "createRole", "rolename": role, "acls": _admin()},
                    {"command": "addClientRole", "username": server, "rolename": role},
                ]
            )

    async def _make(self, username: str, password: str, rights: Rights) -> None:
        role = _role(username)
        answers = await self._control.do(
            [
                *_gone(username),
                {"command": "createRole", "rolename": role, "acls": _acls(rights)},
                {
                    "command": "createClient",
                    "username": username,
                    "password": password,
                    "roles": [{"rolename": role}],
                },
            ]
        )
        for answer in answers[2:]:
            if "error" in answer:
                raise PartAway(f"The account {username} at the broker", f"It says: {answer}")


def first_file(
    server_hash: str,
    fixed: Mapping[str, tuple[str, Rights]],
    accounts: Sequence[Account],
    root: str,
) -> str:
    """What the plugin starts with: all accounts, and the server's own, which commands it."""
    clients, roles = [], []
    everybody = [
        *((name, kept, rights) for name, (kept, rights) in fixed.items()),
        *((one.username, one.password_hash, one.rights(root)) for one in accounts),
    ]
    for username, password_hash, rights in everybody:
        clients.append(_client(username, password_hash))
        roles.append({"rolename": _role(username), "acls": _acls(rights)})
    clients.append(_client(SERVER_ACCOUNT, server_hash))
    roles.append({"rolename": _role(SERVER_ACCOUNT), "acls": _admin()})
    nothing = ("publishClientSend", "publishClientReceive", "subscribe")
    defaults = {**dict.fromkeys(nothing, False), "unsubscribe": True}
    return json.dumps(
        {"defaultACLAccess": defaults, "clients": clients, "groups": [], "roles": roles}
    )


def plugin_file() -> Path | None:
    """Where the plugin lies on this machine."""
    for folder in map(Path, _FOLDERS):
        for place in (folder, *sorted(folder.glob("*-linux-*"))):
            if (file := place / _PLUGIN).exists():
                return file
    return None


def _role(username: str) -> str:
    return f"{_PREFIX}{username}"


def _gone(username: str) -> list[Command]:
    return [
        {"command": "deleteClient", "username": username},
        {"command": "deleteRole", "rolename": _role(username)},
    ]


def _client(username: str, password_hash: str) -> dict[str, Any]:
    rounds, salt, key = parts(password_hash)
    secret = {"password": key, "salt": salt, "iterations": rounds}
    return {"username": username, **secret, "roles": [{"rolename": _role(username)}]}


def _acls(rights: Rights) -> list[dict[str, Any]]:
    """The rights, and below them a no to all else, whatever the broker's defaults are."""
    allowed = [
        *(("publishClientSend", topic) for topic in rights.writes),
        *(("publishClientReceive", topic) for topic in rights.reads),
        *(("subscribePattern", topic) for topic in (*rights.reads, *rights.asks)),
    ]
    kinds = ("publishClientSend", "publishClientReceive", "subscribePattern")
    return [
        *(_acl(kind, topic, priority=1, allow=True) for kind, topic in allowed),
        *(_acl(kind, "#", priority=0, allow=False) for kind in kinds),
    ]


def _admin() -> list[dict[str, Any]]:
    kinds = ("publishClientSend", "publishClientReceive", "subscribePattern")
    topics = ("#", "$SYS/#", "$CONTROL/dynamic-security/#")
    return [_acl(kind, topic, priority=0, allow=True) for kind in kinds for topic in topics]


def _acl(kind: str, topic: str, *, priority: int, allow: bool) -> dict[str, Any]:
    return {"acltype": kind, "topic": topic, "priority": priority, "allow": allow}

"""Accounts in mosquitto's own files, which it reads again at a signal."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from antiphon_devices.accounts.book import Account, Book
from antiphon_devices.accounts.keeper import Keeper
from antiphon_devices.accounts.models import AccountKind
from antiphon_devices.accounts.rights import Rights, of_device

PASSWORDS = "passwords"
ACCESS = "access"


class Hint:
    """Has the broker read its files again: at once, and once more when no change came for a while.

    A hint that comes while mosquitto starts, or while it obeys the one before, is lost on it; the
    account would then be unknown until the next change.
    """

    def __init__(self, send: Callable[[], None], again_s: float = 1.0) -> None:
        self._send = send
        self._again_s = again_s
        self._again: asyncio.TimerHandle | None = None

    def __call__(self) -> None:
        """Something changed; called on the loop."""
        self._send()
        if self._again is not None:
            self._again.cancel()
        self._again = asyncio.get_running_loop().call_later(self._again_s, self._send)


class FileKeeper(Keeper):
    """Writes `passwords` and `access` in `folder`; `reload` makes the broker read them again.

    `fixed` are accounts that no book has, the server's own first of all: hash and rights by name.
    mosquitto cuts off at once who is not in the files any more.
    """

    def __init__(
        self,
        folder: Path,
        root: str,
        book: Book,
        fixed: Mapping[str, tuple[str, Rights]],
        reload: Callable[[], None],
    ) -> None:
        self._folder = folder
        self._root = root
        self._book = book
        self._fixed = fixed
        self._reload = Hint(reload)
        self._written: tuple[str, str] | None = None

    async def put(self, account: Account, password: str) -> None:  # noqa: ARG002  the hash does
        """See `Keeper`."""
        await self.sync()

    async def remove(self, username: str) -> None:  # noqa: ARG002  the book has forgotten it
        """See `Keeper`."""
        await self.sync()

    async def sync(self) -> None:
        """See `Keeper`."""
        accounts = sorted(await self._book.all(), key=lambda account: account.username)
        if self.write(accounts):
            self._reload()

    def write(self, accounts: Iterable[Account]) -> bool:
        """Write the files; whether they differ from what was written last."""
        accounts = list(accounts)
        texts = (self._passwords(accounts), self._access(accounts))
        if texts == self._written:
            return False
        for name, text in zip((PASSWORDS, ACCESS), texts, strict=True):
            write_secret(self._folder / name, text)
        self._written = texts
        return True

    def _passwords(self, accounts: Iterable[Account]) -> str:
        known = {name: kept for name, (kept, _) in self._fixed.items()}
        known |= {account.username: account.password_hash for account in accounts}
        return "".join(f"{name}:{kept}\n" for name, kept in known.items())

    def _access(self, accounts: Iterable[Account]) -> str:
        """One pattern serves all loudspeakers: mosquitto takes no wildcards in a name for it."""
        lines = []
        for name, (_, rights) in self._fixed.items():
            lines += [f"user {name}", *_lines("topic", rights)]
        for account in accounts:
            if account.kind is not AccountKind.DEVICE:
                rights = account.rights(self._root)
                lines += [f"user {account.username}", *_lines("topic", rights)]
        return "\n".join([*lines, *_lines("pattern", of_device(self._root, "%u")), ""])


def _lines(word: str, rights: Rights) -> list[str]:
    return [
        *(f"{word} write {topic}" for topic in rights.writes),
        *(f"{word} read {topic}" for topic in rights.reads),
    ]


def write_secret(file: Path, text: str) -> None:
    """Replace a file in one go by one that nobody else can read; its owner and group stay."""
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    try:
        before = file.stat()
    except FileNotFoundError:
        pass
    else:
        if os.geteuid() == 0:
            os.chown(new, before.st_uid, before.st_gid)
        elif before.st_gid != os.getegid() and before.st_gid in os.getgroups():
            os.chown(new, -1, before.st_gid)
        new.chmod(before.st_mode & 0o640 | 0o600)
    new.replace(file)


def signal_by_pid_file(file: Path, log: logging.Logger) -> None:
    """Send SIGHUP to the broker whose process id `file` holds."""
    try:
        os.kill(int(file.read_text().strip()), signal.SIGHUP)
    except (OSError, ValueError) as error:
        log.error("MQTT: the broker was not told of a change in its accounts: %s", error)


def kept_url(file: Path, account: str, where: str) -> str:
    """Write the URL of an account into `file`, with the password that it had; returns that."""
    try:
        known = urlsplit(file.read_text().strip()).password
    except (OSError, ValueError):
        known = None
    password = known or secrets.token_urlsafe(18)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_secret(file, f"{where.replace('://', f'://{account}:{password}@')}\n")
    return password

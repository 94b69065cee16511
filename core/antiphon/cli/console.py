"""What commands print with: results on the standard output, complaints beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from rich.console import Console

T = TypeVar("T")

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def complain(message: str) -> None:
    """Print an error as a sentence; nothing in it is read as markup."""
    err.print(f"[bold red]antiphon:[/] {_plain(message)}", soft_wrap=True)


def seconds(value: float) -> str:
    """A position or a duration as people write it: 3:07."""
    return f"{int(value) // 60}:{int(value) % 60:02d}"


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's asynchronous part to its end."""
    return asyncio.run(work)


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)

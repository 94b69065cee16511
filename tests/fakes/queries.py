"""Counts what is asked of the database, to find one query per row."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


class _Listening(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.queries: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.queries.append(record.getMessage())


@contextmanager
def counted() -> Iterator[list[str]]:
    """All queries to the database while this lasts, whoever makes them."""
    logger = logging.getLogger("tortoise.db_client")
    level, handler = logger.level, _Listening()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield handler.queries
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)

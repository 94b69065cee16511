"""Sets up logging: lines for people, or JSON for machines. All parts use `logging` as usual."""

from __future__ import annotations

import logging
import sys

import structlog

from antiphon.settings import LogSettings

_CHATTY = ("aiosqlite", "asyncio", "asyncpg", "snapcast", "tortoise")


def configure_logging(settings: LogSettings) -> None:
    """Log to the standard error from now on. Call it once, before anything starts.

    Tracebacks never hold the values of variables, which may be secrets.
    """
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
    ]
    if settings.format == "json":
        shared.append(structlog.processors.TimeStamper(fmt="iso", utc=True))
        last: list[structlog.types.Processor] = [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ]
    else:
        shared.append(structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False))
        last = [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,
                pad_event_to=0,
            )
        ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    level = logging.getLevelNamesMapping()[settings.level.upper()]
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(level, logging.INFO))

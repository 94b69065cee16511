"""Sends mail, through the server that the settings name; beside whatever asked for it."""

from __future__ import annotations

import asyncio
import logging
import smtplib
import ssl
from collections.abc import Coroutine
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from antiphon.settings.models import MailSettings

_log = logging.getLogger(__name__)


class Mailer:
    """Sends mail. `close` waits for what is being sent."""

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings
        self._sending: set[asyncio.Task[None]] = set()

    @property
    def is_on(self) -> bool:
        """Whether mail is sent at all."""
        return bool(self._settings.host)

    def soon(self, work: Coroutine[Any, Any, None]) -> None:
        """Let `work`, which sends something, go on beside whatever asked for it."""
        task = asyncio.create_task(work, name="send a mail")
        self._sending.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        if not task.cancelled() and (error := task.exception()):
            _log.error("A mail could not be made", exc_info=error)

    async def close(self) -> None:
        """Wait for what is being sent; each mail has its time-out."""
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def send(self, to: str, subject: str, text: str) -> None:
        """Send a mail. One that can not be sent is in the log, without its text."""
        message = EmailMessage()
        try:
            message["From"], message["To"] = self._settings.sender, to
            message["Subject"] = subject
            message["Date"], message["Message-ID"] = formatdate(), make_msgid("antiphon")
            message.set_content(text)
            await asyncio.to_thread(self._deliver, message)
        except (OSError, smtplib.SMTPException, ValueError) as error:
            _log.error("The mail %r could not be sent: %s", subject, error)
        else:
            _log.info("The mail %r was handed to %s", subject, self._settings.host)

    def _deliver(self, message: EmailMessage) -> None:
        wanted = self._settings
        context = ssl.create_default_context()
        if wanted.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                wanted.host, wanted.port, timeout=wanted.timeout_s, context=context
            )
        else:
            server = smtplib.SMTP(wanted.host, wanted.port, timeout=wanted.timeout_s)
        with server:
            if wanted.security == "starttls":
                server.starttls(context=context)
            if wanted.username:
                server.login(wanted.username, wanted.password.get_secret_value())
            server.send_message(message)

"""What the routes of accounts share: sessions, limits, mail, and links to a new password."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from antiphon.api.authentication import Authenticator
from antiphon.api.limits import LoginLimiter
from antiphon.settings.models import AccountSettings, HttpSettings
from antiphon.tenancy.mail import Mailer
from antiphon.tenancy.models import User
from antiphon.tenancy.sessions import Sessions
from antiphon.tenancy.tokens import Tokens

_RESETS_PER_ACCOUNT = 3
_TEXT = """\
Somebody, probably you, asked for a new password for {email}. Choose one here:

{link}

The link counts once, within {hours} hours. If you did not ask for it, do nothing.
"""


@dataclass(frozen=True, slots=True)
class AccountParts:
    """What the routes of accounts are given."""

    authenticator: Authenticator
    sessions: Sessions
    settings: AccountSettings
    http: HttpSettings
    mailer: Mailer
    logins: LoginLimiter
    signups: LoginLimiter
    resets: LoginLimiter

    @classmethod
    def of(
        cls,
        authenticator: Authenticator,
        settings: AccountSettings,
        http: HttpSettings,
        mailer: Mailer,
    ) -> AccountParts:
        """Fresh counts and no session."""
        lifetime = timedelta(days=settings.refresh_token_days)
        return cls(
            authenticator=authenticator,
            sessions=Sessions(authenticator.tokens, lifetime),
            settings=settings,
            http=http,
            mailer=mailer,
            logins=LoginLimiter(),
            signups=LoginLimiter(what="sign-ups"),
            resets=LoginLimiter(what="requests for a link", per_account=_RESETS_PER_ACCOUNT),
        )

    @property
    def tokens(self) -> Tokens:
        """What signs."""
        return self.authenticator.tokens

    @property
    def link_lifetime_s(self) -> int:
        """For how long a link counts."""
        return self.settings.password_link_hours * 3600

    def base_url(self, request: web.Request) -> str:
        """How people reach this server, without the word of whoever asks (its Host header)."""
        if self.http.public_url:
            return self.http.public_url.rstrip("/")
        host, port = request.get_extra_info("sockname")[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def password_link(self, user: User, base_url: str) -> str:
        """A link to the page where `user` chooses a password. The server never sees its end."""
        token = self.tokens.issue_link(user.id, user.token_version, self.link_lifetime_s)
        return f"{base_url}/static/password.html#{token}"

    def mail_link(self, email: str, base_url: str) -> None:
        """Mail such a link, if there is a user to mail it to; nobody waits for the difference."""
        self.mailer.soon(self._mail_link(email, base_url))

    async def _mail_link(self, email: str, base_url: str) -> None:
        user = await User.get_or_none(
            email=email.strip().casefold(), is_active=True, deleted_at__isnull=True
        )
        if user is None:
            return
        link = self.password_link(user, base_url)
        text = _TEXT.format(email=user.email, link=link, hours=self.settings.password_link_hours)
        await self.mailer.send(user.email, "A new password for Antiphon", text)

"""Log in and out, and one's own account."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from antiphon.api.accounts import AccountParts
from antiphon.api.authentication import bearer
from antiphon.errors import (
    Conflict,
    Invalid,
    MailOff,
    NotAuthenticated,
    SignupClosed,
    TooManyRequests,
)
from antiphon.plugins.lists import Line
from antiphon.plugins.routes import Request, Route
from antiphon.plugins.zones import ApiModel
from antiphon.store import in_transaction
from antiphon.tenancy.clients import trial_client
from antiphon.tenancy.identity import Identity
from antiphon.tenancy.models import User
from antiphon.tenancy.people import change_password, change_profile, set_password
from antiphon.tenancy.sessions import Granted, end_all_sessions
from antiphon.tenancy.users import authenticate, current_user, new_user, save_user
from antiphon.tenancy.views import Email, MeView, Name, Password, ProfileUpdate, Timezone, UserView
from antiphon.types import Effect, Frozen, Role

_SMALL = 10_000


class Login(ApiModel):
    """Who logs in."""

    email: str = Field(min_length=1, max_length=254)
    password: str = Field(min_length=1, max_length=1_000)


class Refresh(ApiModel):
    """The refresh token that came last."""

    refresh_token: str = Field(min_length=1, max_length=1_000)


class SignUp(ApiModel):
    """A new client, and its first user."""

    email: Email
    password: Password
    name: Name = ""
    client_name: Line
    timezone: Timezone = "UTC"


class PasswordChange(ApiModel):
    """The password that is, and the one that shall be."""

    current_password: Password
    new_password: Password


class PasswordReset(ApiModel):
    """Whose password was forgotten."""

    email: Email


class PasswordConfirm(ApiModel):
    """The token of a link, and the new password."""

    token: str = Field(min_length=1, max_length=5_000)
    password: Password


class LoggedIn(Frozen):
    """An access token; send it as `Authorization: Bearer …` until it expires.

    The refresh token then gives the next pair, once.
    """

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105  the name of a scheme
    expires_in: int = Field(description="Seconds for which the access token is valid.")
    refresh_token: str
    refresh_expires_in: int = Field(description="Seconds for which the refresh token is valid.")
    user: UserView

    @classmethod
    def of(cls, user: User, granted: Granted) -> LoggedIn:
        """What the API tells of it."""
        return cls(
            access_token=granted.access_token,
            expires_in=granted.expires_in,
            refresh_token=granted.refresh_token,
            refresh_expires_in=granted.refresh_expires_in,
            user=UserView.of(user),
        )


def auth_routes(parts: AccountParts) -> list[Route]:
    """The routes under `auth/`, but for API tokens."""
    return [*_session_routes(_Sessions(parts)), *_password_routes(_Passwords(parts))]


class _Sessions:
    """The handlers of sessions and of one's own account."""

    def __init__(self, parts: AccountParts) -> None:
        self._parts = parts

    async def sign_up(self, request: Request[SignUp, None]) -> LoggedIn:
        """Make a client and its user, both or none."""
        settings, new = self._parts.settings, request.body
        if not settings.signup:
            raise SignupClosed
        self._parts.signups.attempt("", request.raw.remote or "")
        client = trial_client(new.client_name, new.timezone, new.email, settings.trial_days)
        user = await new_user(
            new.email, new.password, Role.CLIENT, client_id=client.id, name=new.name
        )
        async with in_transaction():
            await client.save(force_create=True)
            await save_user(user, create=True)
        return LoggedIn.of(user, await self._parts.sessions.begin(user))

    async def log_in(self, request: Request[Login, None]) -> LoggedIn:
        """Begin a session."""
        address, email = request.raw.remote or "", request.body.email
        self._parts.logins.attempt(email, address)
        user = await authenticate(email, request.body.password)
        self._parts.logins.succeeded(email, address)
        return LoggedIn.of(user, await self._parts.sessions.begin(user))

    async def refresh(self, request: Request[Refresh, None]) -> LoggedIn:
        """Go on with a session."""
        return LoggedIn.of(*await self._parts.sessions.prolong(request.body.refresh_token))

    async def log_out(self, request: Request[None, None]) -> None:
        """End this session."""
        identity = await self._identity(request)
        if identity.session_id is not None:
            await self._parts.sessions.end(identity.session_id)

    async def log_out_everywhere(self, request: Request[None, None]) -> None:
        """End all sessions of this user."""
        await end_all_sessions((await self._identity(request)).user)

    async def me(self, request: Request[None, None]) -> MeView:
        """The user, as the token lets it act."""
        return _me(await self._identity(request))

    async def change_me(self, request: Request[ProfileUpdate, None]) -> MeView:
        """Change the profile."""
        identity = await self._identity(request)
        await change_profile(identity.user, request.body)
        return _me(identity)

    async def _identity(self, request: Request[Any, None]) -> Identity:
        return await self._parts.authenticator.identity(bearer(request.raw))


def _me(identity: Identity) -> MeView:
    acts = identity.principal.impersonator_id is not None
    return MeView(
        **UserView.of(identity.user).model_dump(),
        settings=identity.user.settings,
        acting_for=identity.principal.client_id if acts else None,
    )


def _session_routes(handlers: _Sessions) -> list[Route]:
    own: dict[str, Any] = {"tag": "auth", "effect": Effect.ACCOUNT}
    anyone: dict[str, Any] = {
        "tag": "auth",
        "roles": None,
        "response": LoggedIn,
        "max_body_bytes": _SMALL,
    }
    return [
        Route(method="POST", path="auth/login", handler=handlers.log_in, summary="Log in",
              description="Attempts are limited per account and per address.", body=Login,
              errors=(NotAuthenticated, TooManyRequests),
              example={"email": "admin@antiphon.local", "password": "the password"}, **anyone),
        Route(method="POST", path="auth/signup", handler=handlers.sign_up,
              summary="Sign up: make a client, on trial, and its first user", status=201,
              description="Where the setting `accounts.signup` is on.", body=SignUp,
              errors=(Conflict, SignupClosed, TooManyRequests),
              example={"email": "anna@hotel.example", "password": "a long new password",
                       "client_name": "Hotel Anna", "timezone": "Europe/Berlin"}, **anyone),
        Route(method="POST", path="auth/refresh", handler=handlers.refresh,
              summary="Go on: new tokens for the last refresh token", body=Refresh,
              description="Each refresh token counts once. One that comes a second time ends "
              "its session.", errors=(NotAuthenticated,), **anyone),
        Route(method="POST", path="auth/logout", handler=handlers.log_out, status=204,
              summary="Log out: end this session", **own),
        Route(method="POST", path="auth/logout-everywhere", handler=handlers.log_out_everywhere,
              summary="Log out everywhere: end all of one's sessions", status=204,
              description="API tokens stay; delete them one by one.", **own),
        Route(method="GET", path="auth/me", handler=handlers.me, summary="See who one is",
              tag="auth", response=MeView),
        Route(method="PATCH", path="auth/me", handler=handlers.change_me,
              summary="Change one's own profile", body=ProfileUpdate, response=MeView,
              max_body_bytes=2 * _SMALL,
              example={"name": "Anna", "timezone": "Europe/Berlin"}, **own),
    ]  # fmt: skip


class _Passwords:
    """The handlers of passwords that change."""

    def __init__(self, parts: AccountParts) -> None:
        self._parts = parts

    async def change(self, request: Request[PasswordChange, None]) -> LoggedIn:
        """Change it, and go on in a new session."""
        identity = await self._parts.authenticator.identity(bearer(request.raw))
        user, address = identity.user, request.raw.remote or ""
        self._parts.logins.attempt(user.email, address)
        await change_password(user, request.body.current_password, request.body.new_password)
        self._parts.logins.succeeded(user.email, address)
        return LoggedIn.of(user, await self._parts.sessions.begin(user))

    async def reset(self, request: Request[PasswordReset, None]) -> None:
        """Mail a link, if there is such a user; the answer is the same if there is none."""
        parts = self._parts
        if not parts.mailer.is_on:
            raise MailOff
        parts.resets.attempt(request.body.email, request.raw.remote or "")
        parts.mail_link(request.body.email, parts.base_url(request.raw))

    async def confirm(self, request: Request[PasswordConfirm, None]) -> None:
        """Set a password by a link, which counts once."""
        try:
            said = self._parts.tokens.read_link(request.body.token)
            user = await current_user(said.user_id)
        except NotAuthenticated:
            raise _OLD_LINK from None
        if said.version != user.token_version:
            raise _OLD_LINK
        await set_password(user, request.body.password)


_OLD_LINK = Invalid.field("token", "this link no longer counts; ask for a new one")


def _password_routes(handlers: _Passwords) -> list[Route]:
    return [
        Route(method="POST", path="auth/change-password", handler=handlers.change, tag="auth",
              summary="Change one's own password",
              description="Ends all sessions; the answer is a new one. API tokens stay.",
              effect=Effect.ACCOUNT, body=PasswordChange, response=LoggedIn,
              errors=(TooManyRequests,), max_body_bytes=_SMALL),
        Route(method="POST", path="auth/password-reset", handler=handlers.reset, tag="auth",
              summary="Forgot the password: ask for a link by mail", status=204, roles=None,
              description="The answer does not tell whether there is such a user.",
              body=PasswordReset, errors=(MailOff, TooManyRequests), max_body_bytes=_SMALL),
        Route(method="POST", path="auth/password-reset/confirm", handler=handlers.confirm,
              tag="auth", summary="Set a new password by a link", status=204, roles=None,
              description="A link counts once. All sessions of the user end.",
              body=PasswordConfirm, max_body_bytes=_SMALL),
    ]  # fmt: skip

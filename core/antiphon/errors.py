"""The error tree. Three branches, because whoever catches one acts on the branch.

`Refused`      the caller asked for something wrong; tell the caller, change nothing.
`Unavailable`  try again later; a supervisor retries, the API answers 503.
`Misconfigured` the settings are wrong; a restart does not help, a person must act.

Anything else that is raised is a bug. Every error has a stable `code` (docs/reference/errors.md
lists them), an HTTP `status`, and a sentence that says what happened, to what, and what to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class AntiphonError(Exception):
    """Base of all errors that Antiphon raises on purpose."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Something went wrong"


class FieldError:
    """One wrong field of an input: `field` is a dotted path, `message` what is wrong with it."""

    __slots__ = ("field", "message")

    def __init__(self, field: str, message: str) -> None:
        self.field = field
        self.message = message

    def __repr__(self) -> str:
        return f"FieldError({self.field!r}, {self.message!r})"


# --- Refused: the caller's mistake -------------------------------------------------------------


class Refused(AntiphonError):
    """The request is wrong; nothing was changed."""

    code = "refused"
    status = 400
    title = "The request was refused"


class Invalid(Refused):
    """One or more fields of the input are wrong; all of them are listed."""

    code = "invalid"
    status = 422
    title = "The input is not valid"

    def __init__(self, errors: Iterable[FieldError], what: str = "The input") -> None:
        self.errors = list(errors)
        wrong = "; ".join(f"{e.field}: {e.message}" for e in self.errors)
        super().__init__(f"{what} is not valid: {wrong}.")

    @classmethod
    def field(cls, field: str, message: str) -> Invalid:
        """The common case: exactly one wrong field."""
        return cls([FieldError(field, message)])


class NotFound(Refused):
    """No such thing, or it belongs to another tenant (which is the same to the caller)."""

    code = "not_found"
    status = 404
    title = "Not found"

    def __init__(self, what: str, identity: object) -> None:
        super().__init__(f"There is no {what} {identity}.")


class NotAuthenticated(Refused):
    """No credentials, or none that are valid."""

    code = "not_authenticated"
    status = 401
    title = "Log in first"

    def __init__(
        self, detail: str = "Send a valid access token: POST auth/login gives one."
    ) -> None:
        super().__init__(detail)


class NotAllowed(Refused):
    """The caller is known but its role does not reach this far."""

    code = "not_allowed"
    status = 403
    title = "Not allowed"

    def __init__(self, role: str, action: str) -> None:
        super().__init__(f"The role {role} may not {action}.")


class ScopeMissing(Refused):
    """The role may do this, but the token that was sent is not meant for it."""

    code = "scope_missing"
    status = 403
    title = "Not with this token"


class SubscriptionInactive(Refused):
    """The client is suspended, or its time is over: it may read, not change or play."""

    code = "subscription_inactive"
    status = 403
    title = "The subscription is not active"


class PremiumNeeded(Refused):
    """The client's subscription does not include this feature."""

    code = "premium_needed"
    status = 403
    title = "Not in this subscription"

    def __init__(self, client: str, feature: str, reason: str) -> None:
        super().__init__(f"{client} needs the premium feature {feature}: {reason}.")


class SignupClosed(Refused):
    """Nobody can sign up on this server."""

    code = "signup_closed"
    status = 403
    title = "Sign-up is closed"

    def __init__(self) -> None:
        super().__init__("Nobody can sign up here; ask the people who run this server.")


class MailOff(Refused):
    """The server is not set to send mail."""

    code = "mail_off"
    status = 403
    title = "This server sends no mail"

    def __init__(self) -> None:
        super().__init__("This server sends no mail; ask an admin for a password link.")


class MethodNotAllowed(Refused):
    """The path is there, but not for this method."""

    code = "method_not_allowed"
    status = 405
    title = "Method not allowed"

    def __init__(self, method: str, path: str, allowed: Iterable[str]) -> None:
        self.allowed = sorted(allowed)
        super().__init__(f"{path} takes {', '.join(self.allowed)}, not {method}.")


class Conflict(Refused):
    """The request contradicts what is there."""

    code = "conflict"
    status = 409
    title = "Conflict"


class RestoreRefused(Conflict):
    """What was deleted does not fit any more: its name is taken, or what it lay in is gone."""

    code = "restore_refused"
    title = "It can not be restored"

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what} can not be restored: {reason}.")


class LimitReached(Conflict):
    """The client has all that its subscription allows."""

    code = "limit_reached"
    title = "The limit is reached"

    def __init__(self, client: str, things: str, limit: int, setting: str) -> None:
        super().__init__(
            f"{client} has all {limit} {things} that its subscription allows. "
            f"Remove one, or raise {setting}."
        )


class StorageFull(LimitReached):
    """The client's share of the disk is used up."""

    code = "storage_full"
    title = "The storage is used up"

    def __init__(self, limit_gb: float, used_bytes: int) -> None:
        Conflict.__init__(
            self,
            f"The storage is used up: {used_bytes / 1e9:.2f} of {limit_gb:g} GB. Delete music or "
            "announcements, or raise max_storage_gb.",
        )


class TooLarge(Refused):
    """The body is larger than the limit."""

    code = "too_large"
    status = 413
    title = "Too large"

    def __init__(self, what: str, limit_bytes: int) -> None:
        super().__init__(f"{what} is larger than the limit of {limit_bytes:,} bytes.")


class UnsupportedMedia(Refused):
    """The content is not a kind of file that Antiphon can play or show."""

    code = "unsupported_media"
    status = 415
    title = "Unsupported media"

    def __init__(self, what: str, reason: str) -> None:
        self.reason = reason
        super().__init__(f"{what} can not be used: {reason}.")


class TooManyRequests(Refused):
    """The caller asks more often than is allowed."""

    code = "too_many_requests"
    status = 429
    title = "Too many requests"

    def __init__(self, what: str, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"Too many {what}. Try again in {retry_after_s} s.")


# --- Unavailable: try again later ---------------------------------------------------------------


class Unavailable(AntiphonError):
    """A part is away for now."""

    code = "unavailable"
    status = 503
    title = "Not available right now"


class PartTimedOut(Unavailable):
    """A part did not answer in time."""

    code = "timed_out"

    def __init__(self, part: str, action: str, timeout_s: float) -> None:
        super().__init__(f"{part} did not answer to {action} within {timeout_s:g} s. Try again.")


class PartAway(Unavailable):
    """A part is not connected or not running."""

    code = "part_away"

    def __init__(self, part: str, remedy: str) -> None:
        super().__init__(f"{part} is not available. {remedy}")


class ProgramMissing(Unavailable):
    """A program that Antiphon starts is not installed."""

    code = "program_missing"

    def __init__(self, program: str, package: str) -> None:
        self.program = program
        self.package = package
        super().__init__(f"{program} is not installed. Install it with: apt-get install {package}")


# --- Misconfigured: a person must act -----------------------------------------------------------


class Misconfigured(AntiphonError):
    """The settings are wrong; all mistakes are listed, each with its key and where it was set."""

    code = "misconfigured"
    title = "The settings are wrong"

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = list(mistakes)
        listed = "\n".join(f"  - {mistake}" for mistake in self.mistakes)
        super().__init__(f"The settings are wrong:\n{listed}")


# --- Bugs and accidents of jobs -------------------------------------------------------------------


class JobFailed(AntiphonError):
    """A job raised what it should not have raised, or its worker died: in both cases, our bug."""

    code = "job_failed"
    title = "The job failed"

    def __init__(self, job: str, reason: str) -> None:
        super().__init__(f"The job {job} failed: {reason}.")


# --- Bugs: somebody must correct the code --------------------------------------------------------


class UnexpectedError(AntiphonError):
    """A bug: the log has it under the id that the answer names."""

    def __init__(self, identity: str) -> None:
        super().__init__(f"The server made a mistake. Its log tells more under the id {identity}.")

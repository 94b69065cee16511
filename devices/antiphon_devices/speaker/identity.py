"""What a loudspeaker logs in with: a secret of its own, which it made itself."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from antiphon_devices.speaker.settings import WrongSettings

_SECRET_BYTES = 32


class Identity:
    """The secret in `state_dir`, made at the first start, and whether it ever let us in.

    Raises WrongSettings where the folder can not be used.
    """

    def __init__(self, state_dir: Path) -> None:
        self._admitted = state_dir / "admitted"
        file = state_dir / "secret"
        try:
            state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.secret = _kept(file)
            self.was_admitted = self._admitted.exists()
        except OSError as error:
            raise WrongSettings(
                f"state_dir: {file} can not be kept: {error.strerror}. Choose another folder."
            ) from None

    def admitted(self) -> None:
        """The broker let us in."""
        if not self.was_admitted:
            self.was_admitted = True
            self._admitted.touch()


def _kept(file: Path) -> str:
    try:
        known = file.read_text().strip()
    except FileNotFoundError:
        known = ""
    if known:
        return known
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(secret)
        out.flush()
        os.fsync(out.fileno())  # a memory card that lost it would have to join anew
    new.replace(file)
    return secret

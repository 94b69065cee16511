"""What each kind of account reaches, whoever enforces it."""

from __future__ import annotations

from dataclasses import dataclass

SERVER_ACCOUNT = "antiphon"
INTEGRATOR_ACCOUNT = "integrator"
ENROL_ACCOUNT = "enroll"
# No loudspeaker may have one of these for its id.
RESERVED = frozenset({SERVER_ACCOUNT, INTEGRATOR_ACCOUNT, ENROL_ACCOUNT})
_DISCOVERY = "homeassistant"


@dataclass(frozen=True, slots=True)
class Rights:
    """Filters of topics.

    `asks` are wider filters that may be subscribed to, but only what `reads` covers comes: Home
    Assistant, say, asks for all of its discovery topics.
    """

    writes: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()


EVERYTHING = Rights(writes=("#",), reads=("#", "$SYS/#"))


def of_device(root: str, key: str) -> Rights:
    """A loudspeaker reaches its own topics."""
    place = f"{root}/device/{key}"
    return Rights(writes=(f"{place}/up/#",), reads=(f"{place}/down/#", f"{place}/up/status"))


def of_newcomer(root: str) -> Rights:
    """Who has no account yet may ask for one, and nothing else."""
    return Rights(writes=(f"{root}/enroll/+/request",))


def of_integrator(root: str, client: str) -> Rights:
    """An integrator sees one client's tree, commands there, and writes no state."""
    tree = f"{root}/client/{client}"
    thing = f"{tree}/+/+"  # a zone, a floor, a loudspeaker
    return Rights(
        writes=(
            f"{tree}/cmd/#",
            f"{tree}/reply/#",
            f"{thing}/set/#",
            f"{thing}/cmd/#",
            f"{_DISCOVERY}/status",
        ),
        reads=(
            f"{tree}/#",
            f"{root}/server/+",
            f"{_DISCOVERY}/+/antiphon_{client}/#",
            f"{_DISCOVERY}/status",
        ),
        asks=(f"{_DISCOVERY}/#",),
    )

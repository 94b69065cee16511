"""Who sounds where: a table to be read. One line of a case is one thing that happens.

`+X band A B`   call X for zones A and B arrives and can be played
`X~ band A`     call X arrives, its clip is still being prepared; `X ok` or `X bad` ends that
`X A ends`      the renderer reports that X was heard to its end in A
`X A stopped`   … that X was stopped there, as was asked; `busy`: … that it could not start
`-X`            X is revoked
`t=5`           it is five seconds past the start; `X! 3 band A` may wait until second 3
`no A`          zone A is removed

After `->` stands what is done: `A:X` X starts in A, `AB:X` in both at once, `A/X` X is stopped.
At the end of a case: the last state of each call in each zone.
"""

from __future__ import annotations

from uuid import UUID

import pytest

from antiphon.playback.arbiter import Arbiter
from antiphon.playback.bids import Bid, Start
from antiphon.types import Band, CallState

CASES = {
    "a call in a free zone starts": """
        +x announcement A     -> A:x
        x A ends              ->
        x: A completed""",
    "two calls at once are heard one after the other": """
        +x announcement A     -> A:x
        +y announcement A     ->
        x A ends              -> A:y
        y A ends              ->
        x: A completed
        y: A completed""",
    "a call in two zones starts in both at once": """
        +x announcement A B   -> AB:x
        x: A queued B queued""",
    "the free zone does not wait for the busy one": """
        +x announcement A     -> A:x
        +y announcement A B C -> BC:y
        x A ends              -> A:y
        y: A queued B queued C queued""",
    "unrelated zones do not wait": """
        +x announcement A     -> A:x
        +y announcement B     -> B:y
        x: A queued
        y: B queued""",
    "higher priority first, then by arrival": """
        +x announcement A     -> A:x
        +p spot A             ->
        +q announcement A     ->
        +r announcement A     ->
        x A ends              -> A:q
        q A ends              -> A:r
        r A ends              -> A:p
        p: A queued""",
    "a page cuts in, the announcement is heard again from its start": """
        +x announcement A     -> A:x
        +p page A             -> A/x
        x A stopped           -> A:p
        p A ends              -> A:x
        x A ends              ->
        x: A completed
        p: A completed""",
    "a page waits for a page": """
        +p page A             -> A:p
        +q page A             ->
        p A ends              -> A:q
        p: A completed
        q: A queued""",
    "an urgent call overtakes the page that is about to cut in": """
        +x announcement A     -> A:x
        +p page A             -> A/x
        +u urgent A           ->
        x A stopped           -> A:u
        u A ends              -> A:p
        p A ends              -> A:x
        p: A completed""",
    "a call that is cut in one zone goes on in the other": """
        +x announcement A B   -> AB:x
        +p page A             -> A/x
        x A stopped           -> A:p
        x B ends              ->
        p A ends              -> A:x
        x A ends              ->
        x: A completed B completed""",
    "a page in a busy and a free zone starts in both on one sample": """
        +x announcement A     -> A:x
        +p page A B           -> A/x
        x A stopped           -> AB:p
        p: A queued B queued""",
    "the free zone goes ahead when the busy one is lost to a higher call": """
        +x announcement A     -> A:x
        +p page A B           -> A/x
        +u urgent A           -> B:p
        x A stopped           -> A:u
        u A ends              -> A:p
        u: A completed""",
    "the free zone goes ahead when the busy one is removed": """
        +x announcement A     -> A:x
        +p page A B           -> A/x
        no A                  -> B:p
        x: A failed
        p: A failed B queued""",
    "what ends while it is being cut was heard": """
        +x announcement A     -> A:x
        +p page A             -> A/x
        x A ends              -> A:p
        x: A completed""",
    "a waiting call is revoked": """
        +x announcement A     -> A:x
        +y announcement A     ->
        -y                    ->
        x A ends              ->
        x: A completed
        y: A revoked""",
    "a sounding call is revoked": """
        +x announcement A B   -> AB:x
        +y announcement A     ->
        -x                    -> AB/x
        -x                    ->
        x A stopped           -> A:y
        x B stopped           ->
        x: A revoked B revoked
        y: A queued""",
    "a call that is being cut is revoked and does not come back": """
        +x announcement A     -> A:x
        +p page A             -> A/x
        -x                    ->
        x A stopped           -> A:p
        p A ends              ->
        x: A revoked
        p: A completed""",
    "a call expires while it waits": """
        +x announcement A     -> A:x
        y! 3 announcement A B -> B:y
        t=3                   ->
        x A ends              ->
        y: A expired B queued""",
    "a call that is heard does not expire": """
        x! 3 announcement A   -> A:x
        t=9                   ->
        x A ends              ->
        x: A completed""",
    "a call expires while its text is spoken": """
        x~ 3 announcement A   ->
        t=3                   ->
        x ok                  ->
        x: A expired""",
    "who is still being prepared holds nobody up and keeps its place": """
        x~ announcement A     ->
        +y announcement A     -> A:y
        +z announcement A     ->
        x ok                  ->
        y A ends              -> A:x
        z: A queued""",
    "a clip that can not be prepared": """
        x~ announcement A B   ->
        x bad                 ->
        x ok                  ->
        x: A failed B failed""",
    "a zone that the renderer finds busy is tried again": """
        +x announcement A     -> A:x
        x A busy              -> A:x
        x A ends              ->
        x: A completed""",
    "an unknown zone fails alone": """
        +x announcement A Q   -> A:x
        x: A queued Q failed""",
    "a zone is removed while a call sounds and one waits": """
        +x announcement A     -> A:x
        +y announcement A B   -> B:y
        z~ announcement A     ->
        no A                  ->
        x A ends              ->
        x: A failed
        y: A failed B queued
        z: A failed""",
}


def uid(name: str) -> UUID:
    return UUID(int=ord(name))


class Table:
    """Reads the words of a case, tells the arbiter, and writes down what it does."""

    def __init__(self) -> None:
        self.arbiter = Arbiter()
        self.states: dict[tuple[str, str], CallState] = {}
        self.arrivals = 0
        for zone in "ABC":
            self.arbiter.add_zone(uid(zone))

    def submit(self, call: str, words: list[str], *, ready: bool = True) -> None:
        expires_at = float(words.pop(0)) if words[0].isdigit() else None
        band, *zones = words
        self.arrivals += 1
        ids = tuple(uid(zone) for zone in zones)
        bid = Bid(uid(call), ids, Band(band).priority, self.arrivals, expires_at)
        self.arbiter.submit(bid)
        if ready:
            self.arbiter.ready(uid(call))

    def happens(self, line: str) -> None:
        match line.split():
            case [word, *rest] if word[0] == "+":
                self.submit(word[1], rest)
            case [word, *rest] if word[1:] == "!":
                self.submit(word[0], rest)
            case [word, *rest] if word[1:] == "~":
                self.submit(word[0], rest, ready=False)
            case [call, "ok"]:
                self.arbiter.ready(uid(call))
            case [call, "bad"]:
                self.arbiter.failed(uid(call), "no such file")
            case ["no", zone]:
                self.arbiter.remove_zone(uid(zone))
            case [word] if word[0] == "-":
                self.arbiter.revoke(uid(word[1]))
            case [word] if word[:2] == "t=":
                self.arbiter.expire(float(word[2:]))
            case [call, zone, end]:
                state = {
                    "ends": CallState.COMPLETED,
                    "stopped": CallState.CUT,
                    "busy": CallState.QUEUED,
                }[end]
                self.arbiter.finished(uid(call), uid(zone), state)
            case _:
                raise ValueError(line)

    def done(self) -> set[str]:
        done = set()
        for decision in self.arbiter.decide():
            zones = "".join(chr(zone.int) for zone in decision.zones)
            done.add(
                f"{zones}{':' if isinstance(decision, Start) else '/'}{chr(decision.call.int)}"
            )
        for change in self.arbiter.drain():
            self.states[chr(change.call.int), chr(change.zone.int)] = change.state
        return done


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_case(case: str) -> None:
    table = Table()
    for line in filter(None, map(str.strip, case.splitlines())):
        if "->" in line:
            happens, does = line.split("->")
            table.happens(happens)
            assert table.done() == set(does.split()), line
        else:
            call, states = line.split(":")
            words = states.split()
            for zone, state in zip(words[::2], words[1::2], strict=True):
                assert table.states[call, zone] == state, line


def test_a_thousand_calls_in_one_zone_are_heard_in_order() -> None:
    arbiter, zone = Arbiter(), uid("A")
    arbiter.add_zone(zone)
    calls = [UUID(int=1000 + n) for n in range(1000)]
    for n, call in enumerate(calls):
        arbiter.submit(Bid(call, (zone,), Band.ANNOUNCEMENT.priority, n))
        arbiter.ready(call)
    heard = []
    while decisions := arbiter.decide():
        (start,) = decisions
        heard.append(start.call)
        arbiter.finished(start.call, zone, CallState.COMPLETED)
    assert heard == calls

"""Topics: whatever they render they parse back, and nothing else gets through."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from antiphon_devices.topics import (
    ClientTopic,
    DeviceTopic,
    EnrolTopic,
    InvalidTopic,
    Kind,
    MirrorTopic,
    ServerTopic,
    Topic,
    ZoneTopic,
    device_key,
    is_id,
    is_root,
    parse,
)

ids = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True)
ROOT = "antiphon/v1"


def _maybe(kind: Kind, place: type[Topic], name: str, **ids_: str) -> Topic | None:
    for chosen in (None, name):
        try:
            return place(kind, chosen, **ids_)
        except InvalidTopic:
            continue
    return None


@given(st.sampled_from(Kind), ids, ids, ids)
def test_every_topic_is_parsed_back_to_itself(kind: Kind, one: str, two: str, name: str) -> None:
    made = [
        _maybe(kind, ServerTopic, name),
        _maybe(kind, ClientTopic, name, client=one),
        _maybe(kind, ZoneTopic, name, client=one, zone=two),
        _maybe(kind, MirrorTopic, name, client=one, device=two),
        _maybe(kind, DeviceTopic, name, device=one),
        _maybe(kind, EnrolTopic, name, device=one),
    ]
    topics = [topic for topic in made if topic is not None]
    assert topics
    for topic in topics:
        assert parse(ROOT, topic.render(ROOT)) == topic


@given(st.lists(st.text(max_size=12), max_size=8).map("/".join))
def test_any_text_is_a_topic_or_refused(text: str) -> None:
    try:
        topic = parse(ROOT, f"{ROOT}/{text}")
    except InvalidTopic:
        return
    assert topic.render(ROOT) == f"{ROOT}/{text}"


@pytest.mark.parametrize(
    "end",
    [
        "",
        "server",
        "server/status/x",
        "client/A/info",
        "client/a b/info",
        "client/+/info",
        "client/a/zone/#/state",
        "client/a/zone/b/state/x",
        "client/a/zone/b/cmd",
        "client/a/zone/b/set/volume/x",
        "client/a/zone/b/up/state",
        "device/a/status",
        "device/a/up/desired",
        "device/" + "a" * 64 + "/up/status",
        "client/a/zone/b\n/state",
    ],
)
def test_what_is_not_of_the_contract_is_refused(end: str) -> None:
    with pytest.raises(InvalidTopic):
        parse(ROOT, f"{ROOT}/{end}")
    with pytest.raises(InvalidTopic):
        parse("another/root", f"{ROOT}/server/status")


@given(st.uuids())
def test_our_ids_fit_as_they_are(uuid: UUID) -> None:
    assert is_id(str(uuid))


@given(st.text(min_size=1, max_size=200))
def test_every_hardware_id_has_a_key(hardware: str) -> None:
    assert is_id(device_key(hardware))
    assert device_key(hardware) == device_key(hardware)


def test_keys_are_readable_and_two_devices_never_share_one() -> None:
    assert device_key("02:42:AC:11:00:02") == "02-42-ac-11-00-02"
    assert device_key("kitchen_1") == "kitchen_1"
    names = ("Kitchen.1", "kitchen 1", "kitchen-1", "KITCHEN.1")
    keys = [device_key(hardware) for hardware in names]
    assert len(set(keys)) == len(keys)
    assert keys[0].startswith("kitchen-1-")


@pytest.mark.parametrize("root", ["", "/a", "a/", "a//b", "a/+", "#", "a b", "$SYS/a", "a\x00"])
def test_roots_that_no_broker_takes_are_refused(root: str) -> None:
    assert not is_root(root)
    assert is_root("antiphon/v1")
    assert is_root("Haus")

"""Topic filters: what a subscription with `+` and `#` reaches."""

from __future__ import annotations

from itertools import zip_longest


def is_filter(text: str) -> bool:
    """Whether a broker would take `text` as a filter."""
    levels = text.split("/")
    return (
        bool(text)
        and "\x00" not in text
        and all(level in ("+", "#") or not set(level) & {"+", "#"} for level in levels)
        and "#" not in levels[:-1]
    )


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a message on `topic` goes to who subscribed to `topic_filter`."""
    for wanted, level in zip_longest(topic_filter.split("/"), topic.split("/")):
        if wanted == "#":
            return True
        if wanted is None or level is None or wanted not in ("+", level):
            return False
    return True


def reaches_below(topic_filter: str, root: str) -> bool:
    """Whether some topic below `root` (or the root itself) matches the filter."""
    levels = topic_filter.split("/")
    for wanted, level in zip(levels, root.split("/"), strict=False):
        if wanted == "#":
            return True
        if wanted not in ("+", level):
            return False
    return len(levels) >= len(root.split("/"))

"""Text is checked before a voice sees it, and cut so that no sentence eats the memory."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from antiphon.errors import Invalid
from antiphon_ai.text import pieces, speakable


@pytest.mark.parametrize("text", ["", "  \n\t ", "!!! … ***", "\x00\x01", "\ud800", "–"])
def test_what_has_no_sound_is_refused_on_the_field_text(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        speakable(text)
    assert [error.field for error in refused.value.errors] == ["text"]


def test_a_text_beyond_the_limit_is_refused_with_both_numbers() -> None:
    with pytest.raises(Invalid, match=r"20,000 characters, and 5,000"):
        speakable("a" * 20_000)


def test_control_characters_and_half_characters_do_not_reach_the_voice() -> None:
    assert speakable("Good\x00 mor\u00adning,\r\n\ud83d all ") == "Good morning, all"


def test_a_piece_ends_with_a_sentence_where_one_fits() -> None:
    text = "The first one is short. The second, too, fits. The third does not fit any more."
    assert pieces(text, 50) == [
        "The first one is short. The second, too, fits.",
        "The third does not fit any more.",
    ]


def test_a_long_sentence_is_cut_at_a_clause_then_at_a_word_then_anywhere() -> None:
    assert pieces("one two, three four", 12) == ["one two,", "three four"]
    assert pieces("one two three", 9) == ["one two", "three"]
    assert pieces("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]


@settings(deadline=None)
@given(st.text(), st.integers(1, 40))
def test_pieces_lose_no_letter_and_keep_the_limit(text: str, limit: int) -> None:
    found = pieces(text, limit)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(0 < len(piece) <= limit for piece in found)

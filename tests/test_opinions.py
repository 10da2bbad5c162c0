"""What a judge's words are worth: the integer that it wrote, or the expected one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from providers import Token
from scoring import Score, read_opinion


@dataclass(frozen=True)
class Said:
    text: str
    tokens: tuple[Token, ...] | None = None


def token(text: str, **likely: float) -> Token:
    """With its probabilities; `_` stands for a space, `n` before digits for nothing."""
    top = {name.lstrip("n").replace("_", " "): math.log(p) for name, p in likely.items()}
    return Token(text, top[text], tuple(top.items()))


def test_the_value_is_the_expected_score_of_the_integers_found() -> None:
    said = Said("7", (token("7", n7=0.5, n8=0.25, _9=0.05, n11=0.1, sure=0.1),))
    found = read_opinion(said, (1, 10))
    assert isinstance(found, Score)
    assert found.value == pytest.approx((7 * 0.5 + 8 * 0.25 + 9 * 0.05) / 0.8)
    assert found.parts == {"score": 7.0, "mass": pytest.approx(0.8)}


def test_the_score_is_found_wherever_it_stands() -> None:
    said = Said("Score: 6.", (Token("Score", -0.1), Token(":", -0.1), token(" 6", _6=0.6, _4=0.2), Token(".", -0.1)))
    found = read_opinion(said, (1, 10))
    assert isinstance(found, Score)
    assert found.value == pytest.approx((6 * 0.6 + 4 * 0.2) / 0.8)


def test_a_number_of_several_tokens_parts_from_others_at_each_of_them() -> None:
    """1 was likely at 0.7, and went on to 10 at 0.6: 10 at 0.42, 1 at 0.7 x 0.3; 19 is not on the scale."""
    first, second = (
        token("1", n1=0.7, n8=0.2),
        Token("0", math.log(0.6), (("0", math.log(0.6)), ("<e>", math.log(0.3)))),
    )
    found = read_opinion(Said("10", (first, second)), (1, 10))
    assert isinstance(found, Score)
    assert found.value == pytest.approx((10 * 0.42 + 8 * 0.2 + 1 * 0.21) / 0.83)
    assert found.parts == {"score": 10.0, "mass": pytest.approx(0.83)}


def test_what_may_be_the_beginning_of_a_longer_number_is_no_evidence_of_either() -> None:
    split, whole = (token("8", n8=0.5, n1=0.4), token("8", n8=0.5, n1=0.3, n10=0.1))
    found = read_opinion(Said("8", (split,)), (1, 10))
    assert isinstance(found, Score) and found.parts == {"score": 8.0, "mass": pytest.approx(0.5)}
    found = read_opinion(Said("8", (whole,)), (1, 10))
    assert isinstance(found, Score) and found.value == pytest.approx((8 * 0.5 + 1 * 0.3 + 10 * 0.1) / 0.9)


def test_alternatives_are_read_as_far_as_they_are_numbers() -> None:
    """Whatever a tokenizer puts behind one; Arabic digits are none."""
    first = token("8", n8=0.5)
    likely = ("7th", 0.2), ("9.", 0.1), ("1" * 5000, 0.05), ("\u0663", 0.05)
    said = Token("8", first.logprob, first.top + tuple((text, math.log(p)) for text, p in likely))
    found = read_opinion(Said("8", (said,)), (1, 10))
    assert isinstance(found, Score)
    assert found.value == pytest.approx((8 * 0.5 + 7 * 0.2 + 9 * 0.1) / 0.8)


@pytest.mark.parametrize("tokens", [None, (), (Token("9", -0.1),), (Token("7", -math.inf),), (Token("7", math.nan),)])
def test_without_usable_tokens_it_is_the_integer_that_was_written(tokens: Sequence[Token] | None) -> None:
    said = Said("7/10", None if tokens is None else tuple(tokens))
    assert read_opinion(said, (1, 10)) == Score(7.0, {"score": 7.0})


@pytest.mark.parametrize("text", ["", "good", "11", "0", "-3", "7.5", "1,000", "9" * 5000])
def test_what_is_no_integer_of_the_scale_is_no_score(text: str) -> None:
    found = read_opinion(Said(text), (1, 10))
    assert isinstance(found, str)
    assert found == f"the judge wrote {text[:60]!r}, and no integer from 1 to 10"

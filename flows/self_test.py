"""Does the scorer tell a known better text from a worse one? Asked at every start, before any money is spent.

An adapter trained on swapped preferences, or a tuned and a reference model the wrong way round, would lead a search
away from what it is after, and nothing in its record would show it.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from flows.errors import FlowError
from scoring import Candidate, Scorer


class CannotTell(FlowError):
    """A scorer that values the worse of two known texts as highly as the better one, or higher; a pair to which all
    texts are alike.
    """

    exit_status = 2


class KnownTexts(BaseModel):
    """Two continuations of a prompt, of which one is better beyond doubt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    prompt: str = Field(min_length=1, description="What both continue.")
    better: str = Field(min_length=1, description="What the scorer has to value more.")
    worse: str = Field(min_length=1, description="What the scorer has to value less.")


OF_ADAPTERS: Mapping[str, KnownTexts] = {
    "sentiment": KnownTexts(
        prompt="My grandfather",
        better=" was a good and kind man, and we all loved him.",
        worse=" was a bad and cold man, and we all hated him.",
    )
}
"""Of the built-in adapters, by name."""


_ANY = " a time.", " 17 = {", " the hill, the sea was"


def check_scorer(scorer: Scorer, known: KnownTexts | None, *, alone: bool = True) -> None:
    """By the self-test; where no texts are known by scoring any, as what is in the way of that is better told now.

    `alone`: the scorer is a weak pair and nothing else. Raises CannotTell where any texts are alike to such a one.
    """
    if known is not None:
        self_test(scorer, known)
        return
    values = {score.value for score in scorer.score([Candidate("Once upon", text, complete=True) for text in _ANY])}
    if alone and len(values) == 1:
        raise CannotTell(
            f"{scorer.name} values all texts alike, at {values.pop():.3g} {scorer.scale}",
            where="self_test",
            mend="Its adapter changes nothing: tune it on more preferences, or for more epochs. "
            "aligntree doctor --weak tells more",
        )


def self_test(scorer: Scorer, known: KnownTexts) -> tuple[float, float]:
    """The values of the better and the worse text; raises CannotTell where the first is not higher."""
    scores = scorer.score([Candidate(known.prompt, text, complete=False) for text in (known.better, known.worse)])
    better, worse = (score.value for score in scores)
    if not better > worse:  # nor where one is no number
        raise CannotTell(
            f"{scorer.name} gives the better text {better:.3g} {scorer.scale}, the worse one {worse:.3g}",
            where="self_test",
            mend="Check the weak pair: are reference and tuned the right way round, and trained for this? "
            "aligntree doctor --weak tells more",
        )
    return better, worse

"""Do two models make a pair? Their log-probabilities may be subtracted where both read a text as the same tokens."""

from __future__ import annotations

from collections.abc import Sequence

from scoring.backbone import Backbone, Reader, common_prefix
from scoring.base import Candidate
from scoring.errors import PairDisagrees
from scoring.settings import WeakSettings

_PLAIN_TEXTS = (
    "It was  good.\n\n\tTwice!   ",
    "def f(x):\n        return {y**2: 'e\u0301' for y in x}  # 1234567890",
    "本当に美味しいラーメン。 한국어 ﷽ नमस्ते",
)
_TEXTS = (
    *_PLAIN_TEXTS,
    "🍲🏳️‍🌈👩‍👩‍👧 naïve “—” … <|im_end|></s>",
)
"""Where tokenizers with one vocabulary differ: white space, digits, scripts, normal forms, special tokens in a text."""

PLAIN_TEXT = "".join(_PLAIN_TEXTS)
"""The same, but for special tokens, which a server takes for themselves."""


def check_agreement(tuned: Backbone, reference: Backbone, settings: WeakSettings) -> None:
    """Raises PairDisagrees where vocabularies, the tokens of some texts, or the scored ends of texts differ, or where
    one model alone has no logits for a token. Rows of padding after the vocabulary do no harm.
    """
    different = _vocabularies(tuned, reference) or _readings(tuned, reference) or _logits(tuned, reference)
    mend = "weak.tuned must have been tuned from weak.reference, and keep its tokenizer"
    if not different and settings.eos:
        different = _ends(tuned, reference)
        mend = "Set weak.eos to false, as that token would outweigh all others; or give both one eos_token"
    if different:
        raise PairDisagrees(
            different,
            where=f"weak pair of {settings.tuned!r} (tuned) and {settings.reference!r} (reference)",
            mend=mend,
        )


def _vocabularies(tuned: Backbone, reference: Backbone) -> str | None:
    one, other = ({i: token for token, i in of.reader.tokenizer.get_vocab().items()} for of in (tuned, reference))
    for i in sorted(one.keys() | other.keys()):
        if one.get(i) != other.get(i):
            return f"token {i} is {_token(one, i)} to the tuned model and {_token(other, i)} to the reference"
    return None


def _token(vocabulary: dict[int, str], i: int) -> str:
    return repr(vocabulary[i]) if i in vocabulary else "none"


def _readings(tuned: Backbone, reference: Backbone) -> str | None:
    for text in _TEXTS:
        one, other = (of.reader.row(Candidate(text, text, complete=False)).ids for of in (tuned, reference))
        if one != other:
            return _difference(text, one, other, "the tuned model", "the reference")
    return None


def _difference(text: str, one: Sequence[int], other: Sequence[int], whose: str, others: str) -> str:
    at = common_prefix(one, other)
    first, second = (", ".join(map(str, ids[at : at + 3])) or "none" for ids in (one, other))
    return f"{text!r} is read from token number {at} on as {first} by {whose}, {second} by {others}"


def _logits(tuned: Backbone, reference: Backbone) -> str | None:
    one, other = (of.model.config.get_text_config().vocab_size for of in (tuned, reference))
    known = len(reference.reader.tokenizer)
    if one != other and min(one, other) < known:
        return f"the tuned model has logits for {one} tokens, the reference for {other}, and their tokenizer {known}"
    return None


def _ends(tuned: Backbone, reference: Backbone) -> str | None:
    one, other = (of.reader.tokenizer for of in (tuned, reference))
    if one.eos_token_id != other.eos_token_id:
        return f"a text ends with {one.eos_token!r} to the tuned model and with {other.eos_token!r} to the reference"
    return None


def check_served(model: str, ids: Sequence[int], reader: Reader, settings: WeakSettings) -> None:
    """Raises PairDisagrees where a served model reads PLAIN_TEXT, but for its first token, as other `ids` than ours."""
    ours: list[int] = reader.tokenizer(PLAIN_TEXT)["input_ids"]
    theirs = [*ours[:1], *ids]
    if theirs != ours:
        raise PairDisagrees(
            _difference(PLAIN_TEXT, theirs, ours, "its server", "the tokenizer here"),
            where=f"weak model {model} and the tokenizer of {settings.reference!r}",
            mend="Name the directory of the served model's tokenizer in weak.reference",
        )

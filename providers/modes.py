"""How each mode puts an unfinished answer to a chat endpoint, and what is new in the text that comes back."""

from __future__ import annotations

from typing import Any

from providers.base import ContinuationRequest
from providers.endpoints import Mode

GO_ON = (
    "Your last message was cut off. Write only what comes right after its last character, as one and the same text: "
    "no greeting, no comment, nothing of it again. If it broke off within a word, begin with the rest of that word."
)
"""What emulation asks for. A chat model that is asked to go on is not the model going on: the draw is another."""


_SURELY_AN_ECHO = 16
"""Characters of prompt and answer that no model writes by chance."""


def messages(request: ContinuationRequest, mode: Mode) -> list[dict[str, Any]]:
    """The conversation: the prompt is the user's, the answer so far the model's own last message."""
    found: list[dict[str, Any]] = [{"role": "user", "content": request.prompt}]
    if request.system:
        found.insert(0, {"role": "system", "content": request.system})
    begun = sent_answer(request.answer, mode)
    if not begun:
        return found
    last: dict[str, Any] = {"role": "assistant", "content": begun}
    found.append(last | {mode: True} if mode in ("prefix", "partial") else last)
    return [*found, {"role": "user", "content": GO_ON}] if mode == "emulated" else found


def extra_fields(request: ContinuationRequest, mode: Mode) -> dict[str, Any]:
    """What a request says besides its messages."""
    if mode != "continue_final_message" or not request.answer:
        return {}
    return {"continue_final_message": True, "add_generation_prompt": False}


def sent_answer(answer: str, mode: Mode) -> str:
    """The answer as far as the endpoint takes it: Anthropic refuses a prefill that ends in white space."""
    return answer.rstrip() if mode == "prefill" else answer


def not_new(text: str, request: ContinuationRequest, mode: Mode, *, repeats: bool) -> int:
    """How many characters at the beginning of a reply are not new.

    An endpoint that `repeats` sends what it was given once more (llama.cpp's chat does); one that continues raw text
    may echo all of it; and white space that was not sent is likely to come first.
    """
    whole = request.prompt + request.answer
    if mode == "completion" and len(whole) >= _SURELY_AN_ECHO and text.startswith(whole):
        return len(whole)
    sent = sent_answer(request.answer, mode)
    again = len(sent) if repeats and sent and text.startswith(sent) else 0
    return again + _in_common(text[again:], request.answer[len(sent) :])


def _in_common(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))

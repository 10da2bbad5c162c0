"""Weak-to-strong decoding: where the strong model takes over from the weak one's draft, and by what that is found."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from transformers import AutoModelForCausalLM, AutoTokenizer

from flows import RunConfig, align
from flows.audit import _likelihoods_of_replies, audit
from flows.config import parse_config
from flows.drafting import pieces
from flows.errors import BadConfig
from flows.fork import fork
from flows.methods import (
    CUT,
    WSD,
    Child,
    Draft,
    Estimate,
    Grown,
    Keep,
    Likely,
    Tree,
    WSDConfig,
    child_id,
    cut_at_stop,
)
from flows.methods.wsd import window_means
from flows.records import open_record
from flows.replay import replayed
from flows.show import draw as show
from flows.steps import steps
from scoring import Drafted, model_dir
from store import Record
from tests.formula_api import FormulaAPI, prompt_log_probs

PROMPT = "The sea"
EXACT = {"endpoint": {"prompt_logprobs": True}}


def only_method(record: Record) -> WSD:
    run = record.run()
    (search,) = record.searches(run.id)
    method = replayed(record, run, search)
    assert isinstance(method, WSD) and not audit(record, run.id).faults
    return method


async def searched(config: RunConfig, prompt: str = PROMPT) -> WSD:
    await align([prompt], config, record="r.db")
    with open_record("r.db") as record:
        return only_method(record)


@given(st.lists(st.floats(-5, 0), min_size=1, max_size=30), st.integers(1, 8))
def test_g_is_the_geometric_mean_of_the_last_w_probabilities(logs: list[float], window: int) -> None:
    tokens = [("ab", log) for log in logs]
    found = window_means(tokens, window, 2 * len(logs))
    assert len(found) == max(len(logs) - window + 1, 0)
    for number, g in enumerate(found):
        last = [math.exp(log) for log in logs[number : number + window]]
        assert g.measure == pytest.approx(math.prod(last) ** (1 / window))
        assert g.characters == 2 * (number + window)


words = st.text(st.sampled_from("ab .\n"), max_size=4)


def test_a_draft_that_is_long_in_strong_tokens_leaves_nothing_to_write() -> None:
    method = WSD(WSDConfig(window=2, gamma=0.5), Tree(PROMPT, 4), likelihoods=True)
    (draft,) = method.ask()
    assert isinstance(draft, Draft)
    found = pieces(draft, Drafted((" un", "believ", "ab", "le"), False), ())
    children = [
        Child(c.id, c.text, c.finish, c.tokens, 1, c.prior, 1.0, parent=None if c.parent == draft.node else c.parent)
        for c in found
    ]
    method.tell(0, Grown(tuple(children), Estimate(0.0, "drafted")))
    method.tell(
        method.ask()[0].number, Likely(tuple((letter, -2.0 + i / 5) for i, letter in enumerate(" unbelievabl")), 1)
    )
    (keep,) = method.ask()
    assert isinstance(keep, Keep)
    kept = Child(child_id(keep.node, keep.text, CUT), keep.text, CUT, keep.tokens, 1, Estimate(1.0, "drafted"), 1.0)
    method.tell(keep.number, Grown((kept,), Estimate(0.0, "drafted")))
    assert method.ask() == [] and method.result().answer == " unbelievable"


@given(st.lists(words, max_size=20), st.booleans(), st.integers(1, 6), st.sampled_from([(), ("\n",), ("b.",)]))
def test_a_draft_is_cut_into_pieces_of_w_tokens_that_join_to_it(
    tokens: list[str], complete: bool, window: int, stop: tuple[str, ...]
) -> None:
    found = pieces(Draft(0, "root", 20, window), Drafted(tuple(tokens), complete), stop)
    whole = cut_at_stop("".join(tokens), stop)
    assert "".join(piece.text for piece in found) == whole
    assert all(piece.text for piece in found)
    assert [piece.parent for piece in found] == [None, *(piece.id for piece in found)][: len(found)]
    if found:
        ended = complete or len(whole) < len("".join(tokens))
        assert found[-1].finish == ("stop" if ended else "length")
        assert {piece.finish for piece in found[:-1]} <= {"cut"}
        assert sum(piece.tokens for piece in found) <= len(tokens)


async def test_over_vllms_wire_the_strong_model_takes_over_at_the_first_g_that_reaches_gamma(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    wsd = {"name": "wsd", "window": 2, "gamma": 0.75, "n": 2}
    method = await searched(formula_config(strong=EXACT, methods=[wsd]))
    assert method.form == "likelihood"
    read, *written = api.requests
    assert (read["max_tokens"], read["prompt_logprobs"]) == (1, 0)
    draft = read["prompt"].removeprefix(PROMPT)
    entries = [entry for entry in prompt_log_probs(read["prompt"]) if entry is not None]
    of_the_draft = [next(iter(entry.values())) for entry in entries][-len(draft.split()) :]
    logs, kept = [token["logprob"] for token in of_the_draft], ""
    for i, token in enumerate(of_the_draft):
        kept += token["decoded_token"]
        if i and math.exp((logs[i] + logs[i - 1]) / 2) >= 0.75:
            break
    assert method.switch == len(kept) < len(draft)
    assert {request["prompt"] for request in written} == {PROMPT + kept}
    assert sum(request["n"] for request in written) == 2
    with open_record("r.db") as record:
        outcomes = [step.outcome for step in steps(record, record.run(), record.searches(record.run().id)[0])]
    assert outcomes[1] == f"the likelihood of {len(of_the_draft)} tokens"
    result = method.result()
    assert result.answer.startswith(kept) and result.complete
    console = Console(width=200, record=True, file=StringIO())
    with open_record("r.db") as record:
        console.print(show(record.searches(record.run().id)[0], method))
    told = f"the strong model goes on after {len(kept)} of the draft's {len(draft)} characters"
    assert told in console.export_text()
    assert result.value == max(node.value or 0 for node in method._pool())


@pytest.mark.parametrize("settings", [("gamma=0.5",), ("switch=fixed", "fixed=6")])
async def test_a_fork_goes_on_from_the_draft_by_another_gamma_or_form(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], settings: tuple[str, ...]
) -> None:
    stands = await searched(formula_config(strong=EXACT, methods=[{"name": "wsd", "gamma": 1.0, "window": 3}]))
    last = stands.result().node
    assert last is not None and stands.switch is None
    summary = await fork(last, [f"methods.0.{setting}" for setting in settings], record="r.db")
    with open_record("r.db") as record:
        forked = only_method(record)
    assert forked.draft == stands.draft and forked.switch is not None
    assert summary.answers[0].text.startswith(forked.draft[: forked.switch])
    if forked.form == "fixed":
        assert len(forked.draft[: forked.switch].split()) == 6


async def test_a_draft_that_the_strong_model_is_never_sure_of_stands(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    method = await searched(formula_config(strong=EXACT, methods=[{"name": "wsd", "gamma": 1.0}]))
    assert len(api.requests) == 1 and method.switch is None
    assert method.result().answer == api.requests[0]["prompt"].removeprefix(PROMPT)
    assert method.result().why == "no switch: the draft stands"


async def test_an_audit_holds_the_likelihood_that_was_told_against_the_reply(
    api: FormulaAPI, formula_config: Callable[..., RunConfig]
) -> None:
    await searched(formula_config(strong=EXACT, methods=[{"name": "wsd"}]))
    with open_record("r.db") as record:
        history = record.history(record.searches(record.run().id)[0].id)
    assert not list(_likelihoods_of_replies(history))
    (told,) = (tell for tell in history.tells if tell.kind == "likely")
    changed = replace(told, outcome={**told.outcome, "read": [[" other", -0.1]]})
    (fault,) = _likelihoods_of_replies(replace(history, tells=(changed,)))
    assert "not as likely as its reply says" in fault


@pytest.mark.parametrize(("strong", "form"), [({}, "probe"), ({"logprobs": 0}, "agreement")])
async def test_where_likelihoods_are_withheld_the_next_best_form_runs_and_is_told(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], strong: dict[str, Any], form: str
) -> None:
    method = await searched(formula_config(strong=strong, methods=[{"name": "wsd", "window": 3, "gamma": 0.5}]))
    assert method.form == form
    probes = [request["prompt"].removeprefix(PROMPT) for request in api.requests if request["max_tokens"] == 3]
    draft = method.draft
    assert probes and all(draft.startswith(probe) and len(probe.split()) % 3 == 0 for probe in probes)
    measures = [found.measure for found in method.measured]
    assert all(measure < 0.5 for measure in measures[:-1])
    assert (measures[-1] >= 0.5) == (method.switch is not None)


async def test_a_fixed_length_of_the_draft_is_kept(api: FormulaAPI, formula_config: Callable[..., RunConfig]) -> None:
    method = await searched(formula_config(methods=[{"name": "wsd", "switch": "fixed", "fixed": 5, "window": 2}]))
    (request,) = api.requests
    assert len(request["prompt"].removeprefix(PROMPT).split()) == 5 and request["max_tokens"] == 7
    assert method.switch == len(request["prompt"]) - len(PROMPT)


@pytest.mark.parametrize(
    ("switch", "strong", "told"),
    [("likelihood", {}, "probabilities of a given text"), ("probe", {"logprobs": 0}, "log-probabilities")],
)
async def test_a_form_that_the_endpoint_cannot_is_refused_before_anything_is_drafted(
    api: FormulaAPI, formula_config: Callable[..., RunConfig], switch: str, strong: dict[str, Any], told: str
) -> None:
    config = formula_config(strong=strong, methods=[{"name": "wsd", "switch": switch}])
    with pytest.raises(BadConfig, match=told):
        await align([PROMPT], config, record="r.db")
    assert not api.requests


def test_nodes_are_no_limit_of_a_draft(formula_config: Callable[..., RunConfig]) -> None:
    with pytest.raises(BadConfig, match=r"limits\.nodes"):
        formula_config(methods=[{"name": "wsd", "limits": {"nodes": 3}}])


async def test_on_real_models_the_switch_is_where_plain_forward_passes_put_it(tmp_path: Path) -> None:
    """The built-in weak model is the strong one here, and its tuned self drafts."""
    folder = model_dir("embedded")
    prompt = "The capital of France is Paris. The capital of Germany is"
    config = parse_config(
        {
            "strong": {"model": f"local/{folder}"},
            "weak": {"reference": "embedded", "adapter": "sentiment", "number_format": "float32"},
            "methods": [{"name": "wsd", "window": 3, "gamma": 0.6}],
            "sampling": {"max_tokens": 12},
        },
        "of the test",
    )
    method = await searched(config, prompt)
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    draft = method.draft
    ids = tokenizer(prompt + draft, return_tensors="pt")["input_ids"]
    start = len(tokenizer(prompt)["input_ids"])
    with torch.inference_mode():
        log_probs = model(ids).logits[0].log_softmax(-1)
    logs = [float(log_probs[i - 1, ids[0, i]]) for i in range(start, ids.shape[1])]
    g = [math.exp(sum(logs[i - 2 : i + 1]) / 3) for i in range(2, len(logs))]
    assert [found.measure for found in method.measured] == pytest.approx(g, abs=1e-3)
    first = next(i for i, mean in enumerate(g) if mean >= 0.6)
    assert method.switch == method.measured[first].characters
    assert method.result().answer[: method.switch] == draft[: method.switch]

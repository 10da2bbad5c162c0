"""The verbs that prepare: preferences, tune, average, doctor."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli import completing
from flows.cli.options import (
    Approximate,
    Json,
    Quiet,
    Recipe,
    RecordOption,
    Settings,
    approximation,
    print_json,
    print_table,
    quiet_libraries,
)
from flows.cli.telling import tell

if TYPE_CHECKING:
    from scoring import WeakSettings

Reference = Annotated[
    str,
    typer.Option(
        "--reference",
        help="The weak model: embedded (SmolLM2-135M-Instruct), or a directory as transformers saves it.",
    ),
]
Folder = Annotated[Path, typer.Option("--output", "-o", help="Folder to write; an unfinished one is gone on with.")]
OwnSettings = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        metavar="KEY=VALUE",
        help="A setting of this verb or, as weak.KEY, of the weak pair.",
    ),
]


def preferences(
    file: Annotated[
        str,
        typer.Option(
            "--file",
            "-f",
            help="Prompts from a text file (one a line) or JSONL; - is stdin.",
            autocompletion=completing.prompts,
        ),
    ],
    output: Folder,
    reference: Reference = "embedded",
    settings: OwnSettings = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Make preferences of a weak model's own continuations.

    They are for aligntree tune. Each prompt is continued several times; a gold scorer judges prompt + text; the best is
    preferred to the worst, the second best to the second worst, and so on. Writes samples.jsonl, preferences.jsonl and
    preferences.json.

    aligntree preferences --file prompts.txt -o pairs --set choices=8 --set margin=0.4
    """
    quiet_libraries()
    from flows.config import load_settings
    from flows.preferences import PREFERENCES, PreferenceSettings, make_preferences
    from flows.progress import Steps, Watch
    from flows.prompts import read_prompts

    weak, rest = _weak(reference, settings or ())
    own, prompts, steps = load_settings(PreferenceSettings, rest), read_prompts((), file), Steps("prompts")
    with _going_on(), Watch(steps.line, quiet=quiet):
        told = make_preferences(prompts, output, weak, own, steps)
    if json:
        print_json({"folder": str(output), **told})
        return
    print(f"{told['pairs']} preferences from {told['samples']} samples of {told['prompts']} prompts")
    print(f"next: aligntree tune {quote(str(output / PREFERENCES))} -o ADAPTER{_again(reference, settings or ())}")


def tune(
    preferences: Annotated[
        Path, typer.Argument(metavar="PREFERENCES.jsonl", help='Lines of {"prompt", "chosen", "rejected"}.')
    ],
    output: Folder,
    reference: Reference = "embedded",
    settings: OwnSettings = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Tune a weak model on preferences.

    This makes a LoRA adapter, which weak.adapter takes. Needs the extra tune.

    TRL trains; the default loss holds the level of the log-ratio while it learns to rank. Try epochs, learning_rate,
    rank, loss and beta, and judge by aligntree doctor --weak.

    aligntree tune preferences.jsonl -o adapter --set epochs=2
    """
    quiet_libraries()
    from flows.config import load_settings
    from flows.progress import Steps, Watch
    from scoring import TuneSettings, tune

    weak, rest = _weak(reference, settings or ())
    own, steps = load_settings(TuneSettings, rest), Steps("steps")
    with _going_on(), Watch(steps.line, quiet=quiet):
        told = tune(preferences, output, weak, own, steps)
    if json:
        print_json({"folder": str(output), **told})
        return
    print(f"{output}: an adapter on {reference}, from {told['pairs']} preferences")
    pair = f" --set weak.reference={quote(reference)} --set weak.adapter={quote(str(output))}"
    print(f"next: aligntree doctor --weak SAMPLES.jsonl{pair}{_again('embedded', settings or ())}")


def average(
    adapters: Annotated[
        list[Path], typer.Argument(metavar="ADAPTER...", help="Adapters on one reference; twice counts twice.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write.")],
    rank: Annotated[
        int | None, typer.Option("--rank", min=1, help="Of the mean. Default: the highest of theirs.")
    ] = None,
    json: Json = False,
) -> None:
    """Average adapters into one.

    It is often better than each: those that were tuned apart err apart. Tune with other preferences, seeds or settings,
    average, and judge by aligntree doctor --weak.

    aligntree average first second third -o adapter
    """
    quiet_libraries()
    from scoring import average_adapters

    told = average_adapters(adapters, output, rank)
    if json:
        print_json({"folder": str(output), **told})
        return
    print(f"{output}: the mean of {len(adapters)} adapters, of rank {told['rank']}")
    print(f"next: aligntree doctor --weak SAMPLES.jsonl --set weak.adapter={quote(str(output))}")


def _weak(reference: str, settings: Sequence[str]) -> tuple[WeakSettings, list[str]]:
    """The weak pair's settings, and those that are the verb's own."""
    from flows.config import load_settings
    from scoring import WeakSettings

    weak = [setting.removeprefix("weak.") for setting in settings if setting.startswith("weak.")]
    own = [setting for setting in settings if not setting.startswith("weak.")]
    return load_settings(WeakSettings, weak, reference=reference), own


def _again(reference: str, settings: Sequence[str]) -> str:
    """What the next verb must be told of the weak pair as well."""
    told = [] if reference == "embedded" else [f" --reference {quote(reference)}"]
    return "".join(told + [f" --set {quote(setting)}" for setting in settings if setting.startswith("weak.")])


@contextmanager
def _going_on() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        sys.exit(130)


def doctor(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="A strong model, by LiteLLM's name or embedded: it is probed."),
    ] = None,
    weak: Annotated[
        str | None,
        typer.Option(
            "--weak",
            metavar="SAMPLES.jsonl",
            help='Texts of the strong model: lines of {"prompt", "text", "gold"}, several a prompt (aligntree export '
            "makes some); or held_out: those of the built-in models.",
            autocompletion=completing.samples,
        ),
    ] = None,
    recipe: Recipe = "sentiment",
    settings: Settings = None,
    margin: Annotated[float, typer.Option("--margin", min=0, help="By how much gold differs in a preference.")] = 0.4,
    approximate: Approximate = False,
    record: RecordOption = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Look at an endpoint or a weak pair before a run relies on it.

    MODEL: does it continue an unfinished answer, and what else does it offer? Seven tiny requests, paid for and on
    record. --weak: the log-ratio against gold, on texts of the strong model; no request.

    aligntree doctor hosted_vllm/my-model --set strong.api_base=http://127.0.0.1:8000/v1

    aligntree doctor --weak held_out.jsonl --recipe sentiment --set weak.adapter=adapter
    """
    quiet_libraries()
    if (model is None) == (weak is None):
        raise typer.BadParameter("give MODEL, or --weak SAMPLES.jsonl")
    if model is not None:
        _examine(model, recipe, [*(settings or ()), *approximation(approximate)], record, json)
        return
    from flows.config import load_config
    from flows.doctor import by_prompt, diagnose, samples_of
    from flows.progress import Steps, Watch
    from flows.served import Servers
    from flows.tables import diagnosis_table
    from scoring import open_pair

    config, samples, steps = load_config(recipe, settings or ()), samples_of(weak or ""), Steps("texts")
    by_prompt(samples, margin)  # what cannot be judged is told before a model is loaded
    with Servers() as servers, Watch(steps.line, quiet=quiet):
        found = diagnose(samples, open_pair(config.weak, servers), margin, steps)
    if json:
        print_json(found.to_json())
        return
    print_table(diagnosis_table(found))


def _examine(model: str, recipe: str, settings: Sequence[str], record: str | None, json: bool) -> None:
    from flows.config import load_config
    from flows.examine import examine
    from flows.tables import examination_table

    found = asyncio.run(examine(load_config(recipe, [f"strong.model={model}", *settings]), record))
    if json:
        print_json(found.to_json())
        return
    print_table(examination_table(found))
    for warning in found.warnings:
        tell("warning", warning)

"""RunConfig: one YAML file says everything about a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from flows.gold import Gold
from flows.judge_settings import JudgeSettings, check
from flows.methods import AlignTreeConfig, MethodConfig, called
from flows.recipe import Recipe, read_recipe
from flows.self_test import OF_ADAPTERS, KnownTexts
from flows.validation import Settings, validated
from providers import StrongSettings
from scoring import PAIR_PARTS, ValueSettings, WeakSettings, value_name


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sampling(_Settings):
    """How the strong model draws, and how long an answer may be."""

    max_tokens: int = Field(64, ge=1, description="Strong tokens in an answer, at most.")
    temperature: float = Field(0.7, ge=0, le=2, description="Temperature of the strong model.")
    top_p: float = Field(1.0, gt=0, le=1, description="Nucleus: smallest set of tokens of this probability.")
    top_k: int | None = Field(None, ge=1, description="Likeliest tokens to draw from, on servers that know top_k.")
    stop: tuple[str, ...] = Field(
        (),
        max_length=4,
        description="Texts that end an answer and are cut off.",
    )


class Amounts(_Settings):
    """The most that may be spent; none: no limit."""

    requests: int | None = Field(None, ge=1, lt=2**63, description="HTTP requests to the strong model.")
    tokens: int | None = Field(None, ge=1, lt=2**63, description="Strong tokens, input and output.")
    usd: Decimal | None = Field(
        None, gt=0, le=1_000_000_000, description="US dollars; refused where the model's price is unknown."
    )

    def limits(self) -> dict[str, int]:
        """As the record counts: by unit, dollars in nano-dollars."""
        nano = int(self.usd * 1_000_000_000) if self.usd is not None else None
        found = {"requests": self.requests, "tokens": self.tokens, "nano_usd": nano}
        return {unit: limit for unit, limit in found.items() if limit is not None}


class Budget(Amounts):
    """Limits of a run, checked before each request against its worst case."""

    day: Amounts = Field(default_factory=Amounts, description="Limits of a day (UTC), all runs of the record together.")
    all: Amounts = Field(default_factory=Amounts, description="Limits of the whole record, since it was begun.")

    def scopes(self) -> dict[str, dict[str, int]]:
        """Limits by scope and unit, as the record keeps them."""
        return {"run": self.limits(), "day": self.day.limits(), "all": self.all.limits()}

    @property
    def in_usd(self) -> str | None:
        """The name of a limit in dollars, which needs a known price; none: there is no such limit."""
        told = {"budget.usd": self.usd, "budget.day.usd": self.day.usd, "budget.all.usd": self.all.usd}
        return next((name for name, limit in told.items() if limit is not None), None)


class RunConfig(_Settings):
    """Everything that a run is told. Keys come from the environment, the record from --record: neither is in here."""

    name: str = Field("run", min_length=1, max_length=100, description="What runs of this recipe are called.")
    strong: StrongSettings = Field(default_factory=StrongSettings, description="The strong model.")
    weak: WeakSettings = Field(default_factory=WeakSettings, description="The weak pair.")
    values: tuple[ValueSettings, ...] = Field(
        (), description="What else an answer is worth: a list, each added to the weak pair's value at its weight."
    )
    judge: JudgeSettings | None = Field(None, description="Chooses among the best whole answers; none: value does.")
    sampling: Sampling = Field(default_factory=Sampling, description="Drawing from the strong model.")
    methods: tuple[MethodConfig, ...] = Field(
        (AlignTreeConfig(),), min_length=1, description="Search methods; each prompt is searched with each."
    )
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**63)], ...] = Field(
        (0,), min_length=1, description="Each prompt is searched once with each seed."
    )
    searches_at_once: int = Field(4, ge=1, description="Searches under way at the same time.")
    budget: Budget = Field(default_factory=Budget, description="Limits of the run.")
    self_test: KnownTexts | None = Field(
        None,
        description="Texts that the scorer has to tell apart before a run begins; none: those of the built-in adapter, "
        "where nothing but it is of value.",
    )
    gold: Gold | None = Field(
        None,
        description="Judge of the final answers, which no search ever sees; vader: sentiment, -1 to 1; "
        "distinct: share of word pairs that are not said again.",
    )

    @property
    def known_texts(self) -> KnownTexts | None:
        """What the scorer is tested on at the start; none: nothing is known of what it is to value."""
        built_in = None if self.values else OF_ADAPTERS.get(self.weak.adapter or "")
        return self.self_test or built_in

    @model_validator(mode="after")
    def _each_once(self) -> RunConfig:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: each seed once")
        if len({m.model_dump_json(exclude={"label", "preset"}) for m in self.methods}) < len(self.methods):
            raise ValueError("methods: each method with the same settings once")
        names = Counter(called(m) for m in self.methods)
        if twice := [name for name, count in names.items() if count > 1]:
            raise ValueError(f"methods: two are called {twice[0]!r}; give one of them a label")
        return self

    @model_validator(mode="after")
    def _something_to_value(self) -> RunConfig:
        names = Counter([*PAIR_PARTS, *map(value_name, self.values)])
        if twice := [name for name, count in names.items() if count > 1]:
            whose = "the weak pair has a part" if twice[0] in PAIR_PARTS else "two are"
            raise ValueError(f"values: {whose} called {twice[0]!r}; give it another name")
        if not self.weak.beta and not any(value.weight for value in self.values):
            raise ValueError("weak.beta = 0: nothing is left to guide by; raise it, or set values")
        return self

    @model_validator(mode="after")
    def _a_judge_beside_the_rest(self) -> RunConfig:
        if self.judge is not None:
            check(self.judge, self.methods, self.values)
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_not_there(self, told: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """No judge is no key: there was none when older runs began."""
        found: dict[str, Any] = told(self)
        return found if self.judge else {name: value for name, value in found.items() if name != "judge"}

    @model_validator(mode="after")
    def _room_for_an_answer(self) -> RunConfig:
        for number, method in enumerate(self.methods):
            tokens = method.limits.tokens
            if tokens is not None and tokens < self.sampling.max_tokens:
                raise ValueError(
                    f"methods.{number}.limits.tokens = {tokens} is less than one answer: "
                    f"sampling.max_tokens = {self.sampling.max_tokens}"
                )
        return self


def load_config(recipe: str | None = None, settings: Sequence[str] = (), method: str | None = None) -> RunConfig:
    """A recipe (a built-in name or a YAML file; none: the defaults) with single settings over it, `a.b=value` each.

    `method` keeps that method alone, as the recipe sets it, else with its defaults. Raises BadConfig, naming the line
    or option, the field, the value and the mend.
    """
    given = read_recipe(recipe) if recipe else Recipe("defaults")
    if method:
        given.keep(method)
    given.set(settings)
    return validated(RunConfig, given)


def parse_config(data: Mapping[str, Any], source: str, settings: Sequence[str] = ()) -> RunConfig:
    """Validate data, with single settings over it; raises BadConfig with the first few problems."""
    given = Recipe(f"recipe {source}", deepcopy(dict(data)))
    given.set(settings)
    return validated(RunConfig, given)


def load_settings(kind: type[Settings], settings: Sequence[str], **given: Any) -> Settings:
    """Settings of one verb: its defaults, what was `given`, and single settings over them. Raises BadConfig."""
    told = Recipe("settings", given)
    told.set(settings)
    return validated(kind, told)

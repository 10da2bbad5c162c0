"""Chunks that end where the strong model's uncertainty rises: what W2S-AlignTree (arXiv 2511.11518) leaves open."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator


class Rise(BaseModel):
    """A chunk ends before the first token whose position has an entropy above `entropy`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    least: int = Field(ge=1, description="Strong tokens in a chunk before it may end so.")
    most: int = Field(ge=1, description="L: strong tokens in a chunk, at most; so many are asked for.")
    entropy: float = Field(
        ge=0, description="Bits, as estimated from the top lists, above which a position begins the next chunk."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Rise:
        if self.least > self.most:
            raise ValueError(f"least = {self.least} is above most = {self.most}")
        return self


ChunkTokens = Annotated[
    Annotated[int, Field(ge=1), Tag("tokens")] | Annotated[Rise, Tag("rise")],
    Discriminator(lambda told: "rise" if isinstance(told, dict | Rise) else "tokens"),
]
"""L, or where chunks of different lengths end."""

LENGTH = "L: strong tokens in a chunk, at most; or as follows: a chunk ends where the strong model's uncertainty rises."
"""What this setting is."""


def most_tokens(length: int | Rise) -> int:
    """Of a chunk."""
    return length.most if isinstance(length, Rise) else length


def rise(length: int | Rise) -> int | Rise:
    """What a text is cut by: 0 where it is one chunk."""
    return length if isinstance(length, Rise) else 0


def check_unit(unit: str, length: int | Rise) -> None:
    """Raises ValueError where two settings say where a chunk ends."""
    if isinstance(length, Rise) and unit != "tokens":
        raise ValueError(
            f"chunk = {unit}, and by chunk_tokens chunks end where uncertainty rises: take chunk = tokens, or give "
            "chunk_tokens a number"
        )

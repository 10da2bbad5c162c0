"""What a schedule has to do: the searches that its prompts ask for, against what is on record of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from store import ENDED, NewSearch, Record, Standing, known_keys


@dataclass(frozen=True)
class Wanted:
    """`new` are on no record yet; `unfinished` are runs with searches to go on with, oldest first.

    `held` are worked on by somebody else, `given_up` were claimed too often to be tried once more.
    """

    new: tuple[NewSearch, ...]
    unfinished: tuple[str, ...]
    held: tuple[Standing, ...]
    given_up: tuple[Standing, ...]


def wanted(record: Record, searches: Sequence[NewSearch], tries: int) -> Wanted:
    """Sort `searches` by what is on record under their identities, in whichever run. Nothing is claimed."""
    found = record.standing([search.key for search in searches])
    known = known_keys(found, tries)
    open_ones = [standing for standing in found if standing.status not in ENDED]
    free = [standing for standing in open_ones if standing.holder is None]
    return Wanted(
        new=tuple(search for search in searches if search.key not in known),
        unfinished=tuple(dict.fromkeys(standing.run_id for standing in free if standing.tries < tries)),
        held=tuple(standing for standing in open_ones if standing.holder is not None),
        given_up=tuple(standing for standing in free if standing.tries >= tries),
    )

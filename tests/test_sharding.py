"""A run on three machines: one is gone and one stalls midway, and each search is done once all the same."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from flows import RunConfig
from flows.audit import audit
from store import Record
from tests.formula_api import FormulaAPI
from tests.machines import Machine, Site, create_database, site
from tests.on_record import asked, trees

PROMPTS = [f"Prompt {number}" for number in range(200)]
SETTINGS = {
    "methods": [{"name": "aligntree", "limits": {"iterations": 6}, "children": 2, "chunk_tokens": 2}],
    "sampling": {"max_tokens": 64},
    "searches_at_once": 8,
}
LATENCY_S = 1.0
"""A search takes 6 s, less than the 15 s of a lease: who is left takes over what the others had as soon as it may."""


@pytest.fixture
def standing() -> Iterator[Site]:
    with site() as found:
        yield found


@dataclass
class Trouble:
    """Once half of a run's requests were made: one of three machines is gone, and one stalls until others have taken
    searches of its over.
    """

    site: Site
    api: FormulaAPI
    record: Record
    half: int
    seen: list[int] = field(default_factory=list)
    """Processes that hold searches, in the order in which they came; the first began the run."""
    gone: Machine | None = None
    stalled: Machine | None = None
    woken: bool = False
    held: set[str] = field(default_factory=set)

    def __call__(self) -> None:
        if len(self.api.requests) == 0 or self.woken:
            return
        rows = self.record.searches(self.record.find())
        owners = {row.id: int(row.owner.rsplit(":", 3)[1]) for row in rows if row.owner}
        self.seen += sorted(set(owners.values()) - set(self.seen))
        if self.gone is None and len(self.seen) == 3 and len(self.api.requests) >= self.half:
            _, dead, stalled = (next(m for m in self.site.machines if m.has(pid)) for pid in self.seen)
            stalled.signal(signal.SIGSTOP)
            dead.signal(signal.SIGKILL)
            self.gone, self.stalled = dead, stalled
            self.held = {search for search, pid in owners.items() if pid == self.seen[2]}
        elif self.stalled is not None and any(owners.get(s) not in (None, self.seen[2]) for s in self.held):
            self.stalled.signal(signal.SIGCONT)
            self.woken = True


async def seconds(found: Site, config: RunConfig, record: str, watch: Callable[[], None]) -> float:
    return await found.run(await found.deploy(config, PROMPTS, 3, record), watch)


@pytest.mark.system
@pytest.mark.timeout(900)
async def test_a_run_on_three_machines_survives_one_that_is_gone_and_one_that_stalls(
    standing: Site, api: FormulaAPI, formula_config: Callable[..., RunConfig], capsys: pytest.CaptureFixture[str]
) -> None:
    await standing.make_pool()
    for _ in range(3):
        standing.add_machine()
    api.delay = lambda: LATENCY_S
    whole, troubled = (create_database(standing.postgres, name) for name in ("whole", "troubled"))
    undisturbed = await seconds(standing, formula_config(**SETTINGS, name="whole"), whole, lambda: None)
    requests = asked(api)
    assert owners_of(whole) == Counter({1: len(PROMPTS)})
    api.requests.clear()
    record = Record.open(troubled, create=True)
    trouble = Trouble(standing, api, record, requests.total() // 2)
    disturbed = await seconds(standing, formula_config(**SETTINGS, name="troubled"), troubled, trouble)
    assert trouble.woken
    with capsys.disabled():
        print(f"\n200 prompts, 3 workers: {undisturbed:.1f} s; one killed, one stalled: {disturbed:.1f} s")
    assert disturbed <= 1.5 * undisturbed
    run = record.run()
    assert run.statuses == {"done": len(PROMPTS)}
    assert audit(record, run.id).faults == ()
    record.close()
    assert trees(troubled) == trees(whole)
    # A request is made again only where a search was taken over, and only the one that was on the wire.
    again = asked(api) - requests
    assert requests - asked(api) == Counter()
    assert again.total() <= sum(count * (claims - 1) for claims, count in owners_of(troubled).items())


def owners_of(url: str) -> Counter[int]:
    """How many searches were claimed how often."""
    record = Record.open(url)
    found = Counter(row.fence for row in record.searches(record.find()))
    record.close()
    return found

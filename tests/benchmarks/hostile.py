"""Runs against an API that misbehaves in random mixes of ways; stops at the first that ends wrongly.

python -m tests.benchmarks.hostile --mixes 1000
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from random import Random

from tests.hostile import KEY, PASSING, HostileAPI, endure, hostile_surroundings, mix


async def mixes(count: int, first: int, folder: Path) -> tuple[int, int]:
    """Faults set and stops met, over `count` runs."""
    api, record = HostileAPI(), str(folder / "hostile.db")
    faults = stopped = 0
    try:
        plain, _ = await endure(api, record, [])
        for seed in range(first, first + count):
            schedule = mix(Random(seed))
            try:
                met, stops = await endure(api, record, schedule)
                if {*schedule} <= PASSING | {""}:
                    assert [a.text for a in met.answers] == [a.text for a in plain.answers], "other answers"
            except AssertionError as error:
                raise SystemExit(f"mix {seed} of {schedule}: {error}") from error
            faults, stopped = faults + sum(map(bool, schedule)), stopped + stops
            if (seed - first + 1) % 100 == 0:
                print(f"{seed - first + 1} mixes", flush=True)
    finally:
        api.close()
    return faults, stopped


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mixes", type=int, default=1000, help="Runs, each with one to eight faults.")
    parser.add_argument("--first", type=int, default=1000, help="Seed of the first mix.")
    given = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, hostile_surroundings():
        faults, stopped = asyncio.run(mixes(given.mixes, given.first, Path(folder)))
        written = [file for file in Path(folder).rglob("*") if file.is_file()]
        assert not any(KEY.encode() in file.read_bytes() for file in written), "a key in the record"
    print(
        f"{given.mixes} mixes of {faults} faults in {time.monotonic() - began:.0f} s: every run ended with its answers "
        f"(after {stopped} stops with one error each), nothing paid for twice, all audits clean, no key in the record"
    )


if __name__ == "__main__":
    main()

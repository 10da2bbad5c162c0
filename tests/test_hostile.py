"""A hostile API: whatever it does, a run ends with correct answers or one clear error, and nothing is paid twice."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from tests.hostile import FAULTS, KEY, PASSING, HostileAPI, endure, hostile_surroundings, mix

RECORD = "hostile.db"


@pytest.fixture
def hostile() -> Iterator[HostileAPI]:
    served = HostileAPI()
    with hostile_surroundings():
        yield served
    served.close()


@pytest.fixture(autouse=True)
def no_key_is_written(
    hostile: HostileAPI, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> Iterator[None]:
    caplog.set_level(logging.DEBUG)
    yield
    told = capfd.readouterr()
    assert KEY not in told.out + told.err
    assert KEY not in "".join(f"{record.getMessage()}{record.exc_text}" for record in caplog.records)
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("name", FAULTS)
async def test_each_fault_alone(hostile: HostileAPI, name: str) -> None:
    """Met by the first request, by one in the middle, and by two in a row."""
    plain, _ = await endure(hostile, RECORD, [])
    for schedule in ([name], ["", "", "", name], ["", name, name]):
        met, stops = await endure(hostile, RECORD, schedule)
        if name in PASSING:
            assert [answer.text for answer in met.answers] == [answer.text for answer in plain.answers]
        assert (stops > 0) == name.startswith("401")


async def test_random_mixes_of_faults(hostile: HostileAPI) -> None:
    """A thousand: python -m tests.benchmarks.hostile."""
    plain, _ = await endure(hostile, RECORD, [])
    for seed in range(25):
        schedule = mix(Random(seed))
        met, _ = await endure(hostile, RECORD, schedule)
        if {*schedule} <= PASSING | {""}:
            assert [answer.text for answer in met.answers] == [answer.text for answer in plain.answers], schedule

"""The account in words and as JSON."""

import asyncio

import orjson

from router.simulator import telling
from router.simulator.account import LATE, Attempt, Record, State
from router.simulator.pushes import Push
from router.simulator.simulator import Simulator


def account(simulator: Simulator, number: int, state: State, *answers: str) -> None:
    record = Record(Push(f"e-{number}", "a.b_v1", b"{}"), "cli_a", "webhook")
    simulator.account.begin(record)
    for answer in answers:
        simulator.account.note(record, Attempt("webhook", answer, 12.34))
    if state is not State.WAITING:
        simulator.account.end(record, state)


async def test_of_few_each_has_its_line() -> None:
    simulator = Simulator()
    account(simulator, 1, State.ACCEPTED, "503", "200")
    account(simulator, 2, State.WAITING)
    simulator.faults.struck["reset"] = 3
    one, other = telling.lines(simulator)
    assert "e-1" in one
    assert "accepted: 503 (12.3 ms), 200 (12.3 ms)" in one
    assert "waiting: not pushed yet" in other
    text = "\n".join(telling.summary(simulator.report(), 2.0))
    assert "2 events in 2.0 s (1/s): 1 accepted, 0 lost, 1 waiting" in text
    assert "webhook: 200: 1, 503: 1" in text
    assert "p50 12.3 ms" in text
    assert "reset: 3" in text


async def test_of_many_only_those_that_went_wrong() -> None:
    simulator = Simulator()
    for number in range(100):
        account(simulator, number, State.ACCEPTED, "200")
    account(simulator, 100, State.LOST, "500")
    account(simulator, 101, State.ACCEPTED, LATE, "200")
    lines = list(telling.lines(simulator))
    assert [line.split()[1] for line in lines] == ["e-100", "e-101"]
    for number in range(200, 240):
        account(simulator, number, State.LOST, "500")
    *some, last = telling.lines(simulator)
    assert len(some) == telling.FEW
    assert "22 more" in last


async def test_of_many_those_that_wait_since_they_were_refused() -> None:
    simulator = Simulator()
    for number in range(100):
        account(simulator, number, State.WAITING)
    account(simulator, 100, State.WAITING, "503")
    [line] = telling.lines(simulator)
    assert line.split()[1] == "e-100"
    assert "1 of them refused" in next(iter(telling.summary(simulator.report(), 1.0)))


async def test_as_json() -> None:
    simulator = Simulator()
    account(simulator, 1, State.ACCEPTED, "200")
    whole = orjson.loads(orjson.dumps(telling.document(simulator, events=True)))
    assert (whole["events"], whole["accepted"], whole["good"], whole["connections"]) == (1, 1, True, 0)
    assert whole["each"][0]["attempts"][0]["answer"] == "200"
    assert "each" not in telling.document(simulator, events=False)
    await asyncio.sleep(0)

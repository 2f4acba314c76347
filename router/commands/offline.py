"""Reading while no router runs: the admin API's questions about the journal's file, answered in this process."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import click

from router.admin.api import PREFIX, Api, Ask
from router.clock import SystemClock
from router.commands.client import ClientError, Door, Query, understood
from router.dispatch.registration import REPLAY
from router.journal.contract import DeadLetter, JournalError, LaneState, LetterFilter, LetterGroup, LetterKey, Meta
from router.journal.offline import OfflineJournal
from router.operations.contract import Operators, SinkRow, UnknownError
from router.operations.sinks import absent_row
from router.settings import Settings

ANSWER_SECONDS = 600.0


class OfflineClient:
    """Answers what can be read; what changes something needs a router. Opens the journal at once, and until the command ends.

    Raises ClientError when the file can't be read, or a router has it.
    """

    def __init__(self, settings: Settings) -> None:
        self._door = Door(str(settings.journal_file))
        journal = OfflineJournal(settings.journal_file, settings.journal.max_bytes)
        click.get_current_context().call_on_close(journal.close)
        try:
            journal.open()
        except JournalError as error:
            raise ClientError(str(error)) from error
        operators = cast("Operators", _Readers(journal, settings))
        self._api = Api(operators, _nothing_to_note, SystemClock(), deadline_seconds=ANSWER_SECONDS)

    def get(self, path: str, query: Query = (), *, exact: bool = False) -> dict[str, Any]:
        """Read something."""
        ask = Ask("GET", PREFIX + path, [(name, str(value)) for name, value in query])
        reply = asyncio.run(self._api.answer(ask))
        return understood(self._door, reply.status, reply.body, exact=exact)

    def post(self, path: str, document: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - as `Client` has it
        """Never: only a running router changes its journal."""
        raise ClientError(f"{path} needs a running router")

    def delete(self, path: str) -> dict[str, Any]:
        """Never: only a running router changes its journal."""
        raise ClientError(f"{path} needs a running router")


class _Readers:
    """Those of `Operators` that only read."""

    def __init__(self, journal: OfflineJournal, settings: Settings) -> None:
        self._journal = journal
        self._settings = settings

    async def sinks(self) -> Sequence[SinkRow]:
        """Sinks of the settings, then those that only the journal knows."""
        meta = self._journal.meta()
        states = {state.name: state for state in self._journal.lanes() if REPLAY not in state.name}
        rows = [self._present(name, states.get(name), meta) for name in self._settings.sinks]
        absent = [states[name] for name in sorted(states) if name not in self._settings.sinks]
        return rows + [absent_row(state, meta.head, meta.dead.get(state.name, 0)) for state in absent]

    async def letters(self, wanted: LetterFilter, limit: int, after: LetterKey | None) -> Sequence[DeadLetter]:
        """A page of dead letters."""
        return self._journal.dead_letters(wanted, limit, after)

    async def letter(self, number: int) -> DeadLetter:
        """One of them."""
        found = self._journal.dead_letters(LetterFilter(ids=(number,)), 1)
        if not found:
            raise UnknownError(f"there is no dead letter {number}: replayed or purged, or never there")
        return found[0]

    async def count_letters(self, wanted: LetterFilter) -> Sequence[LetterGroup]:
        """How many."""
        return self._journal.count_letters(wanted)

    def _present(self, name: str, state: LaneState | None, meta: Meta) -> SinkRow:
        """A sink that would run."""
        state = state or LaneState(name, meta.head, [], 0, 0)
        row = absent_row(state, meta.head, meta.dead.get(name, 0))
        now = "paused" if state.notes.paused else "stopped"
        return replace(row, type=self._settings.sinks[name].type, state=now, absent_ms=0)


def _nothing_to_note(action: str, what: str, client: str, **fields: Any) -> None:
    """Reading changes nothing."""

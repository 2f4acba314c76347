"""Dead letters: seen, given back, deleted."""

import base64
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import groupby
from operator import attrgetter

import orjson

from router.clock import Clock
from router.dispatch.dispatcher import Dispatcher
from router.feishu.callback import Keyring, reread
from router.feishu.results import FlawError
from router.journal.contract import INGRESS, DeadLetter, Journal, JournalError, LetterFilter, LetterKey
from router.operations.contract import Slice
from router.telemetry import Telemetry, facts

WAIT_SECONDS = 1.0
"""For a lane that holds many subjects already."""
NOT_YET = "the sink has not come to its place yet and will get it then, or somebody else has just taken it"

Skipped = list[tuple[int, str]]
KeyringOf = Callable[[str], Keyring | None]
"""The keys of an app by its name in the settings."""


class Letters:
    """Dead letters of all lanes, and of the ingress."""

    def __init__(
        self, journal: Journal, dispatcher: Dispatcher, keyring_of: KeyringOf, telemetry: Telemetry, clock: Clock
    ) -> None:
        self._journal = journal
        self._dispatcher = dispatcher
        self._keyring_of = keyring_of
        self._telemetry = telemetry
        self._clock = clock

    async def replay(self, wanted: LetterFilter, limit: int, after: LetterKey | None) -> Slice:
        """See `Operators.replay_letters`."""
        letters = await self._journal.dead_letters(wanted, limit, after)
        done, skipped = 0, Skipped()
        for lane, group in groupby(letters, attrgetter("lane")):
            some = list(group)
            if lane in self._dispatcher.lanes and not self._dispatcher.lanes[lane].room_for_letters():
                return Slice(done, skipped, _before(some[0]), WAIT_SECONDS)
            try:
                given = await self._give_back(lane, some, skipped)
            except JournalError:
                if not done:
                    raise
                return Slice(done, skipped, _before(some[0]), WAIT_SECONDS)
            if given:
                self._telemetry.emit(facts.REVIVED, given, sink=lane, events=given)
            done += given
        return Slice(done, skipped, key_of(letters[-1]) if letters else None)

    async def purge(self, wanted: LetterFilter, limit: int, after: LetterKey | None) -> Slice:
        """See `Operators.purge_letters`."""
        letters = await self._journal.dead_letters(wanted, limit, after)
        done = await self._journal.purge([letter.id for letter in letters]) if letters else 0
        for lane, group in groupby(letters, attrgetter("lane")):
            count = len(list(group))
            self._telemetry.emit(facts.PURGED, count, sink=lane, events=count)
        return Slice(done, (), key_of(letters[-1]) if letters else None)

    async def _give_back(self, lane: str, letters: Sequence[DeadLetter], skipped: Skipped) -> int:
        if lane == INGRESS:
            return await self._each(letters, self._read_anew, skipped)
        if lane not in self._dispatcher.lanes:
            skipped += [(letter.id, f"the sink {lane} is not in the settings") for letter in letters]
            return 0
        try:
            revived = set(await self._dispatcher.lanes[lane].revive(letters))
            skipped += [(letter.id, NOT_YET) for letter in letters if letter.id not in revived]
            return len(revived)
        except ValueError:  # one of them is damaged
            return await self._each(letters, self._revive_one, skipped)

    async def _each(
        self, letters: Iterable[DeadLetter], give: Callable[[DeadLetter], Awaitable[int]], skipped: Skipped
    ) -> int:
        done = 0
        for letter in letters:
            try:
                given = await give(letter)
                done += given
                skipped += [] if given else [(letter.id, NOT_YET)]
            except ValueError as error:
                skipped.append((letter.id, f"it can't be read: {error}"))
            except FlawError as flaw:
                skipped.append((letter.id, f"still not understood: {flaw}"))
        return done

    async def _revive_one(self, letter: DeadLetter) -> int:
        return len(await self._dispatcher.lanes[letter.lane].revive([letter]))

    async def _read_anew(self, letter: DeadLetter) -> int:
        """Store the event of a quarantined push; a copy that was stored before is no second one (once in)."""
        kept = orjson.loads(letter.body)
        keyring = self._keyring_of(kept["app"])
        if keyring is None:
            raise ValueError(f"the app {kept['app']!r} is not in the settings")
        push = base64.b64decode(kept["push_base64"]) if "push_base64" in kept else kept["push"].encode()
        event = reread(keyring, push, self._clock.wall())
        await self._journal.append(event.envelope)
        return await self._journal.purge([letter.id])


def key_of(letter: DeadLetter) -> LetterKey:
    """Its place among all letters."""
    return LetterKey(letter.lane, letter.position or 0, letter.id)


def _before(letter: DeadLetter) -> LetterKey:
    return key_of(letter)._replace(id=letter.id - 1)

"""The worker that watches the files and hands over what changed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from router.clock import Clock
from router.rotation.parts import Difference, difference, parts_of
from router.rotation.watch import Watch, look_at
from router.settings.load import read_sections
from router.settings.names import APPS, FILE_SUFFIX, SINKS
from router.settings.sections import Sections
from router.telemetry import Telemetry, facts

LOOK_SECONDS = 2.0
AGAIN_SECONDS = 30.0
"""What could not be taken up is tried again so often, whether its files change or not: a sink may be back by then."""
RESTART = "changed, which takes a restart to be taken up"


class KeptError(Exception):
    """Raised by a taker: it keeps what it has. The text says why, for people and without a secret."""


Taker = Callable[[Any], Awaitable[None]]
"""Takes up the settings of one part. Raises KeptError, and then has changed nothing."""


class Rotation:
    """Reads the settings anew when a file that they came from has changed; each part takes up its own credentials.

    A part with a fault keeps what it has and hinders no other. Each fault is told once, and again when it changes.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        sections: Sections,
        takers: Mapping[str, Taker],
        telemetry: Telemetry,
        clock: Clock,
    ) -> None:
        """sections: what `environ` gave at the start and is in use; takers: by the prefix of the part's variables."""
        self._environ = dict(environ)
        self._files = sections.files
        self._names = {APPS: set(sections.apps), SINKS: set(sections.sinks)}
        self._used = parts_of(sections)
        self._takers = takers
        self._telemetry = telemetry
        self._clock = clock
        self._watch = Watch()
        self._faults: dict[str, Sequence[str]] = {}
        self._taking: dict[str, asyncio.Task[None]] = {}
        self._read_at = float("-inf")
        telemetry.gauge("settings_kept", "Faults of changed files, of which the old content is in use.", (), self._kept)

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._look(group)
                await self._clock.sleep(LOOK_SECONDS)

    async def _look(self, group: asyncio.TaskGroup) -> None:
        if not self._files:
            return
        look = await asyncio.to_thread(look_at, self._files)
        now = self._clock.monotonic()
        due = bool(self._faults) and now - self._read_at >= AGAIN_SECONDS
        if not self._watch.complete(look) or not (due or self._watch.is_new(look)):
            return
        sections = await asyncio.to_thread(read_sections, self._environ)
        if await asyncio.to_thread(look_at, self._files) == look:  # else it may be half of what was being written
            self._read_at = now
            self._watch.done(look)
            self._compare(sections, group)

    def _compare(self, sections: Sections, group: asyncio.TaskGroup) -> None:
        found = parts_of(sections)
        changes = {
            prefix: difference(prefix, used, found[prefix]) for prefix, used in self._used.items() if prefix in found
        }
        left = [variable for change in changes.values() for variable in change.left] + self._renamed(sections)
        unread = {variable + FILE_SUFFIX for variable in sections.faulty}
        faults = [str(fault) for fault in sections.faults]
        self._report("", faults + [f"{variable}: {RESTART}" for variable in left if variable not in unread])
        for prefix in self._used:
            self._hand_over(prefix, changes.get(prefix), group)

    def _hand_over(self, prefix: str, change: Difference | None, group: asyncio.TaskGroup) -> None:
        """change: None for a part that has faults, and keeps what it has."""
        if prefix in self._taking:
            self._watch.done(None)
        elif change is not None and change.taken and prefix in self._takers:
            self._taking[prefix] = group.create_task(self._take(prefix, change))
        else:
            self._report(prefix, ())

    def _renamed(self, sections: Sections) -> list[str]:
        """The lists of names that changed."""
        found = {APPS: set(sections.apps), SINKS: set(sections.sinks)}
        return [name + FILE_SUFFIX for name in found if found[name] != self._names[name]]

    async def _take(self, prefix: str, change: Difference) -> None:
        variables = ", ".join(change.taken)
        try:
            await self._takers[prefix](change.part.section)
        except KeptError as error:
            self._report(prefix, [f"{variables}: {error}"])
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything; its text might hold a secret
            self._report(prefix, [f"{variables}: taking it up raised {type(error).__name__}"])
        else:
            self._used[prefix] = change.part
            self._report(prefix, ())
            self._telemetry.emit(facts.RELOADED, variables=list(change.taken))
        finally:
            del self._taking[prefix]

    def _report(self, source: str, faults: Sequence[str]) -> None:
        """Tell the faults that a source has now, unless they were told already."""
        before = self._faults.pop(source, ())
        if faults:
            self._faults[source] = faults
            if list(faults) != list(before):
                self._telemetry.emit(facts.RELOAD_FAILED, faults=list(faults))

    def _kept(self) -> list[tuple[tuple[str, ...], float]]:
        return [((), float(sum(map(len, self._faults.values()))))]

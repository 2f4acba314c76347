"""A router's journal in a process of its own: appends as fast as it can and prints each id once it is durable.

python -m tests.journal.appender DIRECTORY FIRST [COUNT]
"""

import asyncio
import os
import sys
from itertools import count, islice
from pathlib import Path

from router.journal.contract import JournalError, Settlement
from tests.doubles.envelopes import make_envelope
from tests.journal.books import opened

AT_ONCE = 32


async def main(directory: Path, first: int, number: int | None) -> None:
    numbers = islice(count(first), number)
    async with opened(directory) as journal:
        lane = await journal.register("bus", 0)

        async def client() -> None:
            for n in numbers:
                await journal.append(make_envelope(n)._replace(created_ms=1_769_903_997_000 + n))
                os.write(1, f"{n}\n".encode())
                if n % 50 == 0:
                    _ = journal.settle("bus", Settlement(max(lane.position, journal.head - 10)))

        await asyncio.gather(*[client() for _ in range(AT_ONCE)])


if __name__ == "__main__":
    try:
        asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None))
    except JournalError as error:
        os.write(1, f"{type(error).__name__}: {error}\n".encode())
        sys.exit(3)

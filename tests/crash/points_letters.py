"""All dead letters of one lane, page by page."""

from dataclasses import replace

from router.journal.contract import DeadLetter, LetterFilter, LetterKey
from router.journal.sqlite import SqliteJournal


async def letters_of(journal: SqliteJournal, lane: str) -> list[DeadLetter]:
    """In their order, without the ids that the journal gave them."""
    found: list[DeadLetter] = []
    wanted, after = LetterFilter(lanes=(lane,)), LetterKey(lane, 0, 0)
    while some := await journal.dead_letters(wanted, 1000, after):
        found += some
        after = LetterKey(lane, some[-1].position or 0, some[-1].id)
    return [replace(letter, id=0) for letter in found]

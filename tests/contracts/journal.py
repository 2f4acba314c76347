"""The suite of journals, where our tests have always found it."""

from router.testing.journal import MANY, JournalContract, dated, ids, key, letter

__all__ = ["MANY", "JournalContract", "dated", "ids", "key", "letter"]

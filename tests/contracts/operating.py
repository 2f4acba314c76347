"""The suite of journals for operators, where our tests have always found it."""

from router.testing.operating import OperatingContract, bury, of_event

__all__ = ["OperatingContract", "bury", "of_event"]

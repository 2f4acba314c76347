import pytest

from router.journal.contract import JournalError, JournalFailedError, JournalFullError, JournalOpenError


def test_the_error_of_a_full_journal_names_who_holds_it() -> None:
    assert JournalFullError("full", "iam").holder == "iam"
    assert JournalFullError("full").holder is None
    assert str(JournalFullError("full", "iam")) == "full"


@pytest.mark.parametrize("error", [JournalFailedError, JournalFullError, JournalOpenError])
def test_one_except_catches_all(error: type[Exception]) -> None:
    assert issubclass(error, JournalError)

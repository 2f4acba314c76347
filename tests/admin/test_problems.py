"""What an operation's refusal is over HTTP."""

import pytest

from router.admin.problems import ProblemError, problem_of
from router.journal.contract import JournalError, JournalFailedError, JournalFullError
from router.operations.contract import ConflictError, OperationError, UnknownError


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (UnknownError("there is no sink x"), 404, "there is no sink x"),
        (ConflictError("it is paused"), 409, "it is paused"),
        (OperationError("it has ended"), 422, "it has ended"),
        (JournalFailedError("EIO"), 503, "the journal failed"),
        (JournalFullError("10 GiB"), 503, "the journal is full"),
        (JournalError("closed"), 503, "the journal can't do that now: closed"),
    ],
)
def test_each_refusal_has_its_status(error: OperationError | JournalError, status: int, words: str) -> None:
    problem = problem_of(error)
    assert problem.status == status
    assert problem.detail.startswith(words)
    assert ("Retry-After" in problem.headers) == (status == 503)


def test_the_document_is_that_of_rfc_9457() -> None:
    assert ProblemError(404, "no").document() == {"title": "Not Found", "status": 404, "detail": "no"}
    assert ProblemError(422, "two", ["a", "b"]).document()["errors"] == ["a", "b"]

"""What the admin API answers when it can't do what was asked: problem documents (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from router.journal.contract import JournalError, JournalFailedError, JournalFullError
from router.operations.contract import ConflictError, OperationError, UnknownError

CONTENT_TYPE = "application/problem+json"


class ProblemError(Exception):
    """A question that is answered with a problem. detail: one sentence for people; errors: each fault, where there are
    several; headers: what the answer needs besides."""

    def __init__(
        self, status: int, detail: str, errors: Sequence[str] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})

    def document(self) -> dict[str, Any]:
        """Its members. `type` is left out, which means that `title` says no more than the status."""
        said = {"title": HTTPStatus(self.status).phrase, "status": self.status, "detail": self.detail}
        return {**said, "errors": self.errors} if self.errors else said


def problem_of(error: OperationError | JournalError) -> ProblemError:
    """What an operation's refusal is over HTTP."""
    match error:
        case UnknownError():
            status = 404
        case ConflictError():
            status = 409
        case OperationError():
            status = 422
        case _:
            return ProblemError(503, _journal(error), headers={"Retry-After": "5"})
    return ProblemError(status, str(error))


def _journal(error: JournalError) -> str:
    match error:
        case JournalFailedError():
            return f"the journal failed, and the router starts afresh: {error}"
        case JournalFullError():
            return f"the journal is full: {error}"
    return f"the journal can't do that now: {error}"

"""Answers are short JSON and tell nothing of the push."""

import orjson
import pytest

from router.ingress import replies
from router.ingress.replies import Reply
from router.ingress.webhook import to_response

ALL = [reply for reply in vars(replies).values() if isinstance(reply, Reply)]


@pytest.mark.parametrize("reply", ALL, ids=lambda reply: reply.reason or str(reply.body))
def test_reply(reply: Reply) -> None:
    assert isinstance(orjson.loads(reply.body), dict)
    assert (reply.status == 200) == (reply.reason == "")
    assert (reply.retry_after > 0) == (reply.status == 503), "whoever is told to come back is told when"
    response = to_response(reply)
    assert response.headers.get("Retry-After") == (str(reply.retry_after) if reply.retry_after else None)
    assert (response.keep_alive is False) == reply.close

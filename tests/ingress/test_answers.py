import pytest

from router.ingress.answers import Answers, to_bytes
from router.ingress.replies import BUSY, CALLBACK, SUCCESS, Reply

NOW = 784111777.5


def test_an_answer_is_status_fields_and_body() -> None:
    assert to_bytes(SUCCESS, int(NOW), last=False) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: feishu-event-router\r\nContent-Length: 17\r\n"
        b'Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n{"msg":"success"}'
    )


def test_retry_after_and_the_end_of_the_connection_are_said() -> None:
    head = Answers().of(BUSY, NOW, last=True).split(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"\r\nRetry-After: 1\r\n" in head
    assert head.endswith(b"\r\nConnection: close")


@pytest.mark.parametrize("reply", [SUCCESS, CALLBACK, Reply(200, b'{"challenge":"x"}')])
def test_what_is_kept_for_a_second_is_the_same_as_what_is_made(reply: Reply) -> None:
    answers = Answers()
    for now in (NOW, NOW + 0.4, NOW + 1, NOW + 7200):
        assert answers.of(reply, now, last=False) == to_bytes(reply, int(now), last=False)
        assert answers.of(reply, now, last=True) == to_bytes(reply, int(now), last=True)

"""Replies as they go over the wire, for requests that aiohttp doesn't see. Those given all the time are made once a second."""

from email.utils import formatdate
from http import HTTPStatus

from router.ingress.plain import NAME
from router.ingress.replies import CALLBACK, SUCCESS, Reply

CONSTANT = (SUCCESS, CALLBACK)


class Answers:
    """Bytes of answers, with the date that RFC 9110 section 6.6.1 asks for."""

    def __init__(self) -> None:
        self._second = -1
        self._made: dict[int, bytes] = {}

    def of(self, reply: Reply, now: float, *, last: bool) -> bytes:
        """The whole answer. now: Unix seconds; last: the connection ends with it."""
        second = int(now)
        if second != self._second:
            self._second = second
            self._made = {id(each): to_bytes(each, second, last=False) for each in CONSTANT}
        made = None if last else self._made.get(id(reply))
        return made or to_bytes(reply, second, last=last)


def to_bytes(reply: Reply, second: int, *, last: bool) -> bytes:
    """Status line, fields, body."""
    fields = [
        f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}",
        "Content-Type: application/json",
        f"Server: {NAME}",
        f"Content-Length: {len(reply.body)}",
        f"Date: {formatdate(second, usegmt=True)}",
    ]
    if reply.retry_after:
        fields.append(f"Retry-After: {reply.retry_after}")
    if last:
        fields.append("Connection: close")
    return "\r\n".join([*fields, "", ""]).encode() + reply.body

"""The protocol's vectors: what comes in, and what must come of it."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

from multidict import CIMultiDict, CIMultiDictProxy

from router.feishu.callback import Challenge, Event, Quarantined, Refused, Result
from router.feishu.keys import Keyring

ALL = json.loads(Path(__file__).with_name("vectors.json").read_bytes())
NOW: float = ALL["meta"]["assumed_now"]
POSTS: list[dict[str, Any]] = [vector for vector in ALL["vectors"] if vector["request"]["method"] == "POST"]
BY_ID = {vector["id"]: vector for vector in POSTS}


def body_of(request: dict[str, Any]) -> bytes:
    if "body_recipe" in request:
        body = "".join(text * count for text, count in request["body_recipe"]["parts"]).encode()
    elif request["body"] is None:
        body = base64.b64decode(request["body_base64"])
    else:
        body = request["body"].encode()
    assert len(body) == request["body_len"]
    assert hashlib.sha256(body).hexdigest() == request["body_sha256"]
    return body


def keyring_of(vector: dict[str, Any]) -> Keyring:
    config = vector["config"]
    return Keyring([config["encrypt_key"]], [config["verification_token"]])


def headers_of(vector: dict[str, Any]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(vector["request"]["headers"]))


def outcome(result: Result) -> str:
    match result:
        case Event(_, callback):
            return "callback" if callback else "accept"
        case Challenge():
            return "challenge"
        case Refused(status, _):
            return f"reject-{status}"
        case Quarantined():
            return "quarantine"

import pytest
from multidict import CIMultiDict

from router.feishu import push
from router.feishu.callback import Event, receive
from router.feishu.catalogue import types
from router.feishu.keys import Keyring
from router.feishu.samples import fresh, sample, seed_types
from tests.feishu.vectors import BY_ID

NOW = 1608725991.25


def test_the_five_seeds_are_the_documented_examples() -> None:
    assert len(seed_types()) == 5
    for type_ in seed_types():
        documented = BY_ID[f"{type_}/plain"]["expect"]["payload"]
        assert sample(type_)["event"] == documented["event"]
        assert fresh(sample(type_), NOW, "t")["header"].keys() == documented["header"].keys()


@pytest.mark.parametrize("type_", [*types(), "some.new.type_v1"])
@pytest.mark.parametrize("key", ["a key", ""])
def test_a_sample_of_any_type_is_understood(type_: str, key: str) -> None:
    keyring = Keyring([key], ["a-token"], "cli_mine")
    body, headers = push.build(fresh(sample(type_), NOW, "a-token", "cli_mine"), key, NOW)
    result = receive(keyring, "", CIMultiDict(headers), body, NOW, max_age=1.0)
    assert isinstance(result, Event)
    assert result.envelope.type == type_
    assert result.envelope.appid == "cli_mine"
    assert result.envelope.time == "2020-12-23T12:19:51.250Z" or "." not in type_


def test_fresh_changes_nothing_in_place_and_is_new_each_time() -> None:
    for type_ in ("corehr.department.updated_v2", "message"):
        original = sample(type_)
        copies = [fresh(original, NOW, "t", "cli") for _ in range(2)]
        assert copies[0] != copies[1]
        assert fresh({"x": 1}, NOW, "t") == {"x": 1, "token": "t"}
        assert "t" not in (original.get("token"), original.get("header", {}).get("token"))

import pytest

from router.feishu.masking import mask


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (b'{"token":"abc"}', b'{"token":"***"}'),
        (b'{"a":"token","b":"c"}', b'{"a":"token","b":"c"}'),
        (b'{"a":"token:\\"x\\"","b":"c"}', b'{"a":"token:\\"x\\"","b":"c"}'),
        (b'{"file_token":"f","encrypt":"AAAA"}', b'{"file_token":"f","encrypt":"AAAA"}'),
        (b'{"t\\u006fken" :\n"a\\"bc", "x":1}', b'{"t\\u006fken" :\n"***", "x":1}'),
        (b'{"event":{"app_ticket":"t-1"}}', b'{"event":{"app_ticket":"***"}}'),
        (b'{"token":"cut of', b'{"token":"***"'),
        (b'{"token":null,"x":"y"}', b'{"token":null,"x":"y"}'),
        (b'"odd" " "token":"abc"}', b'"odd" " "token":"***"}'),
        (b"no JSON, s3cret", b"no JSON, ***"),
        (b"", b""),
    ],
)
def test_mask(text: bytes, masked: bytes) -> None:
    assert mask(text, [b"s3cret"]) == masked


def test_it_takes_linear_time() -> None:
    for piece in (b'\\"', b'"', b'"a":', b'":"', b'token"', b'token":', b'token":"', b" ", b'"\\', b'" :'):
        mask(piece * (250_000 // len(piece)), [b"s3cret"])

"""What one would write by hand: aiohttp and aiokafka, verify, decrypt, produce, 200 after the broker's acknowledgement.

It keeps nothing: an event that the broker doesn't take in time is Feishu's to push again. `BOOTSTRAP`, `TOPIC`, `PORT`,
`ENCRYPT_KEY` and `TOKEN` come from the environment.
"""

import base64
import hashlib
import hmac
import os

import orjson
import uvloop
from aiohttp import web
from aiokafka import AIOKafkaProducer
from Crypto.Cipher import AES
from Crypto.Util.Padding import unpad

SECRET = os.environ["ENCRYPT_KEY"].encode()
AES_KEY = hashlib.sha256(SECRET).digest()
TOKEN = os.environ["TOKEN"]
TOPIC = os.environ["TOPIC"]
PRODUCER = web.AppKey("producer", AIOKafkaProducer)


def signed(headers: web.BaseRequest, body: bytes) -> bool:
    timestamp = headers.headers.get("X-Lark-Request-Timestamp", "")
    nonce = headers.headers.get("X-Lark-Request-Nonce", "")
    expected = hashlib.sha256(timestamp.encode() + nonce.encode() + SECRET + body).hexdigest()
    return hmac.compare_digest(expected, headers.headers.get("X-Lark-Signature", ""))


def decrypt(text: str) -> bytes:
    sealed = base64.b64decode(text)
    cipher = AES.new(AES_KEY, AES.MODE_CBC, sealed[:16])
    return unpad(cipher.decrypt(sealed[16:]), 16)


async def receive(request: web.Request) -> web.Response:
    body = await request.read()
    if not signed(request, body):
        return web.Response(status=401)
    push = orjson.loads(decrypt(orjson.loads(body)["encrypt"]))
    header = push["header"]
    if header["token"] != TOKEN:
        return web.Response(status=401)
    await request.app[PRODUCER].send_and_wait(
        TOPIC.format(event_type=header["event_type"]), orjson.dumps(push), key=header["event_id"].encode()
    )
    return web.Response(body=b"{}", content_type="application/json")


async def make() -> web.Application:
    app = web.Application()
    producer = AIOKafkaProducer(
        bootstrap_servers=os.environ["BOOTSTRAP"],
        acks="all",
        enable_idempotence=True,
        compression_type=os.environ.get("COMPRESSION") or None,
    )
    await producer.start()
    app[PRODUCER] = producer
    app.router.add_post("/webhook/event", receive)
    app.on_cleanup.append(lambda _: producer.stop())
    return app


if __name__ == "__main__":
    uvloop.install()
    web.run_app(make(), host="127.0.0.1", port=int(os.environ["PORT"]), access_log=None, print=None)

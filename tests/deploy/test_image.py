"""The image, built and run confined as in the pod: an event goes in through the webhook and comes out of the file sink."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.deploy.image import built
from tests.deploy.manifests import container
from tests.doubles.waiting import whole_lines

pytestmark = [pytest.mark.image, pytest.mark.timeout(600)]

KEY = "the-encrypt-key-of-this-test"
CONFINE = Path(__file__).with_name("confine.py")
DEADLINE_SECONDS = 30


@dataclass(frozen=True)
class Image:
    root: Path
    config: dict[str, Any]

    @property
    def user(self) -> str:
        user: str = self.config["User"].partition(":")[0]
        return user

    def environment(self, **more: str) -> dict[str, str]:
        return dict(entry.split("=", 1) for entry in self.config["Env"]) | more

    def command(self, data: Path) -> list[str]:
        """How to start the program confined; what it shall do follows."""
        outside = ["unshare", "--mount", "--net", "--", sys.executable, str(CONFINE)]
        return [*outside, str(self.root), str(data), self.user, *self.config["Entrypoint"]]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    with built(tmp_path_factory.mktemp("image")) as (root, config):
        yield Image(root, config)


@pytest.fixture
def data(image: Image, tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    os.chown(folder, int(image.user), int(image.user))
    return folder


def inside(
    process: subprocess.Popen[bytes], image: Image, *command: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command beside the router, in its name spaces and as its user."""
    enter = ["nsenter", "--target", str(process.pid), "--mount", "--net", "--root", "--wd"]
    return subprocess.run(
        [*enter, "--setuid", image.user, "--setgid", image.user, "--", *command],
        env=image.environment(**more), capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False,
    )  # fmt: skip


@contextmanager
def serving(image: Image, data: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    """The router of the image, ready."""
    log = data.with_name("log")
    with log.open("wb") as stderr:
        command = [*image.command(data), *image.config["Cmd"]]
        process = subprocess.Popen(command, env=image.environment(**more), stderr=stderr)
    try:
        wait_until_healthy(process, image, log)
        yield process
    finally:
        process.kill()
        process.wait(DEADLINE_SECONDS)


def wait_until_healthy(process: subprocess.Popen[bytes], image: Image, log: Path) -> None:
    """Ask by the image's own health check until it says yes."""
    end = time.monotonic() + DEADLINE_SECONDS
    while inside(process, image, *image.config["Healthcheck"]["Test"][1:]).returncode != 0:
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"the router is not healthy:\n{log.read_text()[-3000:]}")


def delivered(data: Path, count: int) -> list[dict[str, Any]]:
    """The envelopes in the file sink, once there are that many."""
    end = time.monotonic() + DEADLINE_SECONDS
    while True:
        lines = [line for path in data.rglob("*.jsonl") for line in whole_lines(path)]
        if len(lines) >= count:
            return [json.loads(line) for line in lines]
        assert time.monotonic() < end, f"{len(lines)} of {count} events in {sorted(data.rglob('*'))}"
        time.sleep(0.05)


def test_an_event_goes_through_the_image(image: Image, data: Path) -> None:
    with serving(image, data, FER_APP__ENCRYPT_KEY=KEY, FER_DRAIN__ACCEPT_SECONDS="0") as process:
        sent = inside(process, image, *image.config["Entrypoint"], "send", FER_APP__ENCRYPT_KEY=KEY)
        assert sent.returncode == 0, sent.stdout + sent.stderr
        events = delivered(data, 5)
        assert len({event["id"] for event in events}) == 5
        assert {event["specversion"] for event in events} == {"1.0"}
        process.send_signal(getattr(signal, image.config["StopSignal"]))
        assert process.wait(DEADLINE_SECONDS) == 0


def test_it_takes_nothing_without_a_key(image: Image, data: Path) -> None:
    done = subprocess.run(
        [*image.command(data), "run"], env=image.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2, done.stdout + done.stderr
    assert "FER_APP__ENCRYPT_KEY" in done.stderr


def test_nothing_but_data_and_tmp_is_writable(image: Image, data: Path) -> None:
    script = "import pathlib, sys; pathlib.Path(sys.argv[1], 'x').write_text('x')"
    command = [*image.command(data)[: -len(image.config["Entrypoint"])], "python", "-c", script]
    writable = {
        path: subprocess.run(
            [*command, path], env=image.environment(), capture_output=True, timeout=60, check=False
        ).returncode
        == 0
        for path in ("/data", "/tmp", "/opt/router", "/", "/etc")
    }
    assert {path for path, yes in writable.items() if yes} == {"/data", "/tmp"}


def test_the_image_says_what_it_is(image: Image) -> None:
    ports = {f"{port['containerPort']}/tcp" for port in container()["ports"]}
    assert image.config["ExposedPorts"].keys() == ports
    assert image.config["Volumes"].keys() == {"/data"}
    assert image.config["StopSignal"] == "SIGTERM"
    assert image.config["User"].replace(":", "").isdigit()
    assert (image.root / "data").stat().st_uid == int(image.user)  # what a new volume begins with
    assert image.config["Labels"]["org.opencontainers.image.title"] == "feishu-event-router"


def test_the_image_holds_no_secret_and_no_tools(image: Image) -> None:
    router = image.root / "opt" / "router"
    (packages,) = router.glob("lib/python3.*/site-packages")
    names = {path.name.partition("-")[0] for path in packages.glob("*.dist-info")}
    assert "aiohttp" in names
    assert names.isdisjoint({"pip", "pytest", "mypy", "ruff", "hatchling"})
    assert not (image.root / "etc" / "pip.conf").exists()
    assert not (image.root / "run" / "secrets").exists()


def test_everything_is_compiled(image: Image) -> None:
    (packages,) = (image.root / "opt" / "router").glob("lib/python3.*/site-packages")
    modules = [*(packages / "router").rglob("*.py"), *(packages / "sinks").rglob("*.py")]
    assert modules
    compiled = {path.name.partition(".")[0] for path in packages.rglob("__pycache__/*.pyc")}
    assert {path.stem for path in modules} <= compiled

"""What the manifests set passes the router's own check, with the secrets mounted as they will be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.manifests import compose, pod_environment, pod_secrets

ROUTER = Path(sys.executable).with_name("feishu-event-router")
KEY = "a-key-that-must-not-be-shown"


def compose_environment() -> dict[str, str]:
    environment: dict[str, str] = compose()["services"]["router"]["environment"]
    return environment


def compose_secrets() -> dict[str, str]:
    return {f"/run/secrets/{name}": KEY for name in compose()["services"]["router"]["secrets"]}


def check(environment: dict[str, str], secrets: dict[str, str], root: Path) -> subprocess.CompletedProcess[str]:
    """Run `check` as if `root` were the container's root: absolute paths in values are moved below it."""
    for path, content in secrets.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content + "\n")
    (root / "data").mkdir()
    moved = {name: f"{root}{value}" if value.startswith("/") else value for name, value in environment.items()}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FER_")}
    return subprocess.run(
        [ROUTER, "check"], env=clean | moved, cwd=root, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("environment", "secrets"),
    [(pod_environment(), pod_secrets()), (compose_environment(), compose_secrets())],
    ids=["kubernetes", "compose"],
)
def test_the_settings_are_good(environment: dict[str, str], secrets: dict[str, str], tmp_path: Path) -> None:
    done = check(environment, secrets, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for name in environment["FER_SINKS"].split(","):
        assert name in done.stdout
    for secret in secrets.values():
        assert secret not in done.stdout + done.stderr


def test_a_secret_that_is_not_mounted_is_found(tmp_path: Path) -> None:
    done = check(pod_environment(), {}, tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "FER_APP__ENCRYPT_KEY_FILE" in done.stdout + done.stderr
    assert "FER_APP__VERIFICATION_TOKEN_FILE" in done.stdout + done.stderr


def test_a_misspelt_setting_is_found(tmp_path: Path) -> None:
    done = check(pod_environment() | {"FER_SINK__BUS__TOPICS": "x"}, pod_secrets(), tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "FER_SINK__BUS__TOPICS" in done.stdout + done.stderr

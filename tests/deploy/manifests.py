"""The files under `deploy/`, parsed."""

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"


def documents(pattern: str = "*.yaml") -> list[Any]:
    """Every Kubernetes object under deploy/kubernetes, patterns included, kustomization.yaml not."""
    paths = sorted(KUBERNETES.glob(pattern))
    return [doc for path in paths if path.name != "kustomization.yaml" for doc in yaml.safe_load_all(path.read_text())]


def manifest(kind: str) -> Any:
    """The one object of that kind that is applied, or the pattern where none is."""
    patterns = documents("*.example.yaml")
    of_kind = [doc for doc in documents() if doc["kind"] == kind]
    (found,) = [doc for doc in of_kind if doc not in patterns] or of_kind
    return found


def pod() -> Any:
    """The Deployment's pod."""
    return manifest("Deployment")["spec"]["template"]["spec"]


def container() -> Any:
    """The pod's only container."""
    (found,) = pod()["containers"]
    return found


def pod_environment() -> dict[str, str]:
    """What the container gets: the ConfigMap, then its own `env`, which wins."""
    (source,) = container()["envFrom"]
    settings = manifest("ConfigMap")
    assert source["configMapRef"]["name"] == settings["metadata"]["name"]
    return dict(settings["data"]) | {entry["name"]: entry["value"] for entry in container()["env"]}


def pod_secrets() -> dict[str, str]:
    """Path in the container → content, as the example Secret is mounted."""
    (volume,) = [volume for volume in pod()["volumes"] if "secret" in volume]
    (mount,) = [mount for mount in container()["volumeMounts"] if mount["name"] == volume["name"]]
    secret = manifest("Secret")
    assert volume["secret"]["secretName"] == secret["metadata"]["name"]
    return {f"{mount['mountPath']}/{key}": value for key, value in secret["stringData"].items()}


def compose() -> Any:
    """The whole compose.yaml."""
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())

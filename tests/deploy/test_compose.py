"""compose.yaml: the same care as in Kubernetes."""

from router.settings.model import DrainSettings
from tests.deploy.manifests import DEPLOY, ROOT, compose


def test_the_router_runs_confined() -> None:
    router = compose()["services"]["router"]
    assert router["read_only"] is True
    assert router["cap_drop"] == ["ALL"]
    assert router["security_opt"] == ["no-new-privileges:true"]
    assert [volume.partition(":")[2] for volume in router["volumes"]] == [router["environment"]["FER_DATA_DIR"]]


def test_the_webhook_alone_is_published() -> None:
    services = compose()["services"]
    port = services["router"]["environment"]["FER_LISTEN"].rpartition(":")[2]
    assert [published.rpartition(":")[2] for published in services["router"]["ports"]] == [port]
    assert "ports" not in services["kafka"]


def test_the_drain_fits_into_the_grace_period() -> None:
    drain = DrainSettings()
    grace = int(compose()["services"]["router"]["stop_grace_period"].removesuffix("s"))
    assert grace >= drain.accept_seconds + drain.lanes_seconds + 15


def test_the_sink_finds_the_broker() -> None:
    services = compose()["services"]
    listener = services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"].removeprefix("PLAINTEXT://")
    assert services["router"]["environment"]["FER_SINK__BUS__BOOTSTRAP_SERVERS"] == listener
    host, _, port = listener.partition(":")
    assert host in services
    assert f"PLAINTEXT://:{port}" in services["kafka"]["environment"]["KAFKA_LISTENERS"].split(",")


def test_secrets_and_volumes_are_declared() -> None:
    whole = compose()
    router = whole["services"]["router"]
    assert set(router["secrets"]) == whole["secrets"].keys()
    used = {volume.partition(":")[0] for service in whole["services"].values() for volume in service["volumes"]}
    assert used == whole["volumes"].keys()


def test_secret_files_are_never_committed() -> None:
    assert "secrets/" in (DEPLOY / ".gitignore").read_text().splitlines()
    assert all(secret["file"].startswith("./secrets/") for secret in compose()["secrets"].values())


def test_the_image_is_built_from_this_tree() -> None:
    build = compose()["services"]["router"]["build"]
    context = (DEPLOY / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()

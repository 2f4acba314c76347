"""The manifests: valid by Kubernetes' own schemas, and true to what the router needs."""

from typing import Any

import kubernetes_validate
import pytest
import yaml

from router.settings.model import DrainSettings, JournalSettings
from tests.deploy.manifests import KUBERNETES, container, documents, manifest, pod, pod_environment

GIB = 1 << 30


@pytest.mark.parametrize("version", ["1.29", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("document", documents(), ids=lambda document: document["kind"])
def test_every_object_is_valid(document: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(document, version, strict=True)


def test_the_schemas_do_refuse() -> None:
    broken = manifest("Deployment") | {"spec": {"replicaz": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, kubernetes_validate.latest_version(), strict=True)


def test_kustomization_applies_everything_but_the_patterns() -> None:
    kustomization = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())
    present = {path.name for path in KUBERNETES.glob("*.yaml") if ".example." not in path.name}
    assert {*kustomization["resources"], "kustomization.yaml"} == present
    assert container()["image"] in [image["name"] for image in kustomization["images"]]


def test_no_object_names_a_namespace() -> None:
    assert [doc["kind"] for doc in documents() if "namespace" in doc["metadata"]] == []


def test_one_router_at_a_time() -> None:
    spec = manifest("Deployment")["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}


def test_selectors_meet_the_pod() -> None:
    labels = manifest("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert manifest("Deployment")["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert manifest("Service")["spec"]["selector"].items() <= labels.items()
    assert manifest("NetworkPolicy")["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_the_service_has_the_webhook_port_only() -> None:
    assert [port["targetPort"] for port in manifest("Service")["spec"]["ports"]] == ["webhook"]


def test_the_service_for_programs_leads_to_their_port() -> None:
    [service] = yaml.safe_load_all((KUBERNETES / "programs.example.yaml").read_text())
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ["programs"]
    assert service["spec"]["selector"] == manifest("Service")["spec"]["selector"]


def test_the_network_policy_opens_the_admin_port_to_prometheus_only() -> None:
    rules = manifest("NetworkPolicy")["spec"]["ingress"]
    opened = {port["port"]: rule.get("from") for rule in rules for port in rule["ports"]}
    assert opened.keys() == {"webhook", "programs", "admin"}
    assert opened["webhook"] is None
    assert opened["programs"] == [{"namespaceSelector": {}}], "from within the cluster"
    assert opened["admin"]


def test_ports_are_those_the_router_listens_on() -> None:
    ports = {port["name"]: port["containerPort"] for port in container()["ports"]}
    environment = pod_environment()
    assert environment["FER_LISTEN"] == f"0.0.0.0:{ports['webhook']}"
    assert environment["FER_WS__LISTEN"] == f"0.0.0.0:{ports['programs']}"
    assert environment["FER_ADMIN__LISTEN"] == f"0.0.0.0:{ports['admin']}"
    annotations = manifest("Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(ports["admin"])


def test_probes_ask_the_admin_port() -> None:
    paths = {probe: container()[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
    assert paths == {
        "startupProbe": {"path": "/healthz", "port": "admin"},
        "livenessProbe": {"path": "/healthz", "port": "admin"},
        "readinessProbe": {"path": "/readyz", "port": "admin"},
    }


def test_the_drain_fits_into_the_grace_period() -> None:
    drain = DrainSettings()
    assert pod()["terminationGracePeriodSeconds"] >= drain.accept_seconds + drain.lanes_seconds + 15


def test_unreadiness_is_seen_while_the_router_still_accepts() -> None:
    probe = container()["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"] < DrainSettings().accept_seconds


def test_the_volume_holds_more_than_the_journal() -> None:
    claim = manifest("PersistentVolumeClaim")["spec"]
    storage = int(claim["resources"]["requests"]["storage"].removesuffix("Gi")) * GIB
    limit = JournalSettings.model_validate({"max_bytes": pod_environment()["FER_JOURNAL__MAX_BYTES"]}).max_bytes
    assert storage >= 1.5 * limit


def test_services_leave_no_variables() -> None:
    assert pod()["enableServiceLinks"] is False


def test_the_pod_keeps_to_the_restricted_profile() -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted."""
    spec, inner = pod()["securityContext"], container()["securityContext"]
    assert spec["runAsNonRoot"] is True
    assert spec["runAsUser"] > 0
    assert spec["seccompProfile"]["type"] == "RuntimeDefault"
    assert inner["allowPrivilegeEscalation"] is False
    assert inner["capabilities"] == {"drop": ["ALL"]}
    assert not inner.get("privileged")
    assert not any(pod().get(host) for host in ("hostNetwork", "hostPID", "hostIPC"))
    allowed = {
        "name",
        "configMap",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
    assert {key for volume in pod()["volumes"] for key in volume} <= allowed


def test_only_data_and_tmp_are_writable() -> None:
    assert container()["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = container()["volumeMounts"]
    assert {mount["mountPath"] for mount in mounts if not mount.get("readOnly")} == {"/data", "/tmp"}
    assert {mount["name"] for mount in mounts} == {volume["name"] for volume in pod()["volumes"]}


def test_the_volume_belongs_to_the_user_of_the_image() -> None:
    dockerfile = (KUBERNETES.parent / "Dockerfile").read_text()
    user = pod()["securityContext"]["runAsUser"]
    assert f"USER {user}:{user}\n" in dockerfile
    assert pod()["securityContext"]["fsGroup"] == user


def test_no_secret_stands_in_a_variable() -> None:
    words = ("KEY", "TOKEN", "PASSWORD", "SECRET")
    named = [name for name in pod_environment() if any(word in name for word in words)]
    assert named
    assert [name for name in named if not name.endswith("_FILE")] == []

"""The manifests in deploy/kubernetes: what Kubernetes takes, and timings that fit one another."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml  # type: ignore[import-untyped]  # stubs are a package of their own

from app.settings import Settings

FOLDER = Path(__file__).parents[1] / "deploy" / "kubernetes"
KUBERNETES = "1.33"
OF_OTHERS = {"kustomize.config.k8s.io/v1beta1", "keda.sh/v1alpha1"}


def manifests() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every document with the file it is in."""
    for path in sorted(FOLDER.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text()):
            yield path.name, document


def the(kind: str, name: str) -> dict[str, Any]:
    """Return the one manifest of this kind and name."""
    (found,) = (
        each
        for _, each in manifests()
        if (each["kind"], each.get("metadata", {}).get("name")) == (kind, name)
    )
    return found


def pod(kind: str, name: str) -> dict[str, Any]:
    """Return the pod that a manifest makes."""
    spec: dict[str, Any] = the(kind, name)["spec"]["template"]["spec"]
    return spec


def container(kind: str, name: str) -> dict[str, Any]:
    """Return the one container of a pod."""
    (only,) = pod(kind, name)["containers"]
    found: dict[str, Any] = only
    return found


def settings() -> Settings:
    """Read settings.env as a pod would."""
    lines = (FOLDER / "settings.env").read_text().splitlines()
    values = dict(line.split("=", 1) for line in lines if line)
    known = {f"APP_{name.upper()}" for name in Settings.model_fields} | {"PORT"}
    assert set(values) <= known
    return Settings.model_validate(
        {name.removeprefix("APP_").lower(): value for name, value in values.items()}
    )


@pytest.mark.parametrize(
    "document",
    [pytest.param(each, id=f"{name} {at}") for at, (name, each) in enumerate(manifests())],
)
def test_a_manifest_is_what_kubernetes_takes(document: dict[str, Any]) -> None:
    if document["apiVersion"] in OF_OTHERS:
        assert document["kind"] in {"Kustomization", "ScaledObject"}
        return
    kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_a_misspelt_manifest_is_noticed() -> None:
    document = the("Deployment", "api")
    document["spec"]["template"]["spec"]["terminationGraceSeconds"] = 3

    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(document, KUBERNETES, strict=True)


def test_kustomize_knows_every_file() -> None:
    (kustomization,) = (each for _, each in manifests() if each["kind"] == "Kustomization")

    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == files
    assert kustomization["configMapGenerator"] == [{"name": "orderly", "envs": ["settings.env"]}]


def test_selectors_find_their_pods() -> None:
    shared = {"app.kubernetes.io/name": "orderly"}
    for name in ("api", "worker"):
        deployment = the("Deployment", name)["spec"]
        labels = shared | deployment["template"]["metadata"]["labels"]
        budget = the("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"]
        assert deployment["selector"]["matchLabels"] == budget == labels
    assert the("Service", "api")["spec"]["selector"] == {
        **shared,
        **the("Deployment", "api")["spec"]["template"]["metadata"]["labels"],
    }


@pytest.mark.parametrize(
    ("kind", "name"), [("Deployment", "api"), ("Deployment", "worker"), ("Job", "migrate")]
)
def test_a_pod_may_do_no_more_than_it_must(kind: str, name: str) -> None:
    held, inside = pod(kind, name), container(kind, name)

    assert held["automountServiceAccountToken"] is False
    assert held["securityContext"]["runAsNonRoot"] is True
    assert held["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inside["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in inside["resources"]["limits"]


def test_a_rolling_restart_has_the_time_it_needs() -> None:
    given = settings()
    api, worker = pod("Deployment", "api"), pod("Deployment", "worker")

    for probed in (container("Deployment", "api"), container("Deployment", "worker")):
        assert probed["readinessProbe"]["httpGet"]["path"] == "/health/ready"
        assert probed["livenessProbe"]["httpGet"]["path"] == "/health/live"
        assert probed["ports"] == [{"name": "http", "containerPort": given.port}]
    probe = container("Deployment", "api")["readinessProbe"]
    seen_after_s = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    # A balancer has heard of it before the API closes its door.
    assert seen_after_s < given.drain_notice_s
    assert given.drain_notice_s + given.drain_s < api["terminationGracePeriodSeconds"]
    # A worker that ends with a batch in hand lets its handler finish.
    assert given.handler_timeout_s + given.drain_s < worker["terminationGracePeriodSeconds"]
    # Whom liveness kills has had longer than the longest handler, which may be all that is slow.
    alive = container("Deployment", "worker")["livenessProbe"]
    assert alive["periodSeconds"] * alive["failureThreshold"] > given.handler_timeout_s
    for name in ("api", "worker"):
        assert the("Deployment", name)["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_workers_scale_on_every_stream_a_subscriber_reads() -> None:
    from app.main import SUBSCRIBERS  # noqa: PLC0415 - the whole application

    given = settings()
    triggers = [each["metadata"] for each in the("ScaledObject", "worker")["spec"]["triggers"]]

    asked = {(each["stream"], each["consumerGroup"]) for each in triggers}
    assert asked == {
        (f"{given.stream_prefix}:{context}", each.name)
        for each in SUBSCRIBERS
        for context in each.contexts
        if each.name in {"orders", "inventory"}
    }
    assert all(int(each["lagCount"]) >= given.batch for each in triggers)
    # The relay lives in workers, so there is always one, and one that may be restarted.
    assert the("ScaledObject", "worker")["spec"]["minReplicaCount"] >= 2

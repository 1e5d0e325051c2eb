"""What the chart makes of its values; every object that is rendered here is held to its schema."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

pytest.importorskip("helm_python", reason="the chart's tests run by `make test-deploy`")

import helm_python
import yaml

from tests.deploy.chart import rendering
from tests.deploy.chart.rendering import environment, kinds, of_kind, pod, rendered, server

REPOSITORY = rendering.CHART.parents[2]
KEYS = {"resumeKeys": {"name": "keys"}}
ALL: dict[str, Any] = {
    "autoscaling": {"kind": "keda"},
    "redis": {"enabled": True},
    "resume": {"store": "redis"},
    "secrets": {**KEYS, "apiKeys": {"name": "access"}},
    "ingress": {"enabled": True, "tlsSecret": "certificate"},
    "gateway": {"enabled": True, "parents": [{"name": "public"}]},
    "monitoring": {"serviceMonitor": True, "rules": True, "dashboards": True},
}


def test_lint_finds_nothing() -> None:
    found = helm_python.lint(str(rendering.CHART), ALL, strict=True)
    assert found["errors"] == []
    assert [m for m in found["messages"] if "icon" not in m["error"]] == []


def test_by_default_it_serves_on_the_cpu() -> None:
    objects = rendered()
    assert kinds(objects) == {
        *("Deployment", "Service", "ServiceAccount", "ConfigMap"),
        *("PodDisruptionBudget", "NetworkPolicy"),
    }
    assert server(objects)["image"] == "antiphon:0.1.0"
    assert server(objects)["args"] == ["serve", "--engine", "embedded"]
    assert not any("gpu" in name for name in server(objects)["resources"]["limits"])


def test_everything_at_once_is_valid() -> None:
    assert kinds(rendered(**ALL)) >= {
        *("ScaledObject", "ServiceMonitor", "PrometheusRule", "HTTPRoute", "Ingress"),
    }


# ------------------------------------------------------------------------- calls are never cut


@pytest.mark.parametrize("seconds", [0, 60, 1800, 7200])
def test_the_grace_period_follows_the_drain(seconds: int) -> None:
    objects = rendered(drain={"seconds": seconds, "preStopSeconds": 7})
    grace = pod(objects)["terminationGracePeriodSeconds"]
    assert grace >= 7 + seconds + 10 + 5 + 5  # the wait, the drain's three parts, the shutdown
    assert server(objects)["lifecycle"]["preStop"] == {"sleep": {"seconds": 7}}
    assert environment(objects)["ANTIPHON_DRAIN__SECONDS"] == str(seconds)


def test_a_grace_period_that_would_kill_calls_is_refused() -> None:
    with pytest.raises(helm_python.HelmError, match="calls would be killed"):
        rendered(terminationGracePeriodSeconds=600)
    assert (
        pod(rendered(terminationGracePeriodSeconds=4000))["terminationGracePeriodSeconds"] == 4000
    )


def test_readiness_never_asks_whether_there_is_a_place() -> None:
    container = server(rendered())
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"


@pytest.mark.parametrize("seconds", [None, 301, 7200])
def test_a_slow_load_is_not_killed(seconds: int | None) -> None:
    """Until the models are in memory liveness is not asked; that a part outside is away, or that
    the pod drains, never starts it again."""
    container = server(rendered(**({} if seconds is None else {"startupSeconds": seconds})))
    probe = container["startupProbe"]
    assert probe["httpGet"]["path"] == "/healthz?loaded=1"
    assert probe["periodSeconds"] * probe["failureThreshold"] >= (seconds or 1800)
    liveness = container["livenessProbe"]
    assert liveness["periodSeconds"] * liveness["failureThreshold"] >= 60


def test_a_rollout_adds_before_it_takes_away() -> None:
    strategy = of_kind(rendered(), "Deployment")["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxSurge": 1, "maxUnavailable": 0}


def test_service_links_are_off() -> None:
    """Kubernetes would set ANTIPHON_PORT for a Service of that name."""
    assert pod(rendered())["enableServiceLinks"] is False


# -------------------------------------------------------------------------------------- scaling


@pytest.mark.parametrize(("pairs", "per_pair", "buffer"), [(1, 4, 4), (2, 8, 3)])
def test_keda_wants_a_pod_for_every_places_calls(pairs: int, per_pair: int, buffer: int) -> None:
    objects = rendered(
        calls={"pairs": pairs, "perPair": per_pair},
        autoscaling={"kind": "keda", "buffer": buffer, "maxReplicas": 30},
    )
    spec = of_kind(objects, "ScaledObject")["spec"]
    (trigger,) = spec["triggers"]
    assert trigger["metricType"] == "AverageValue"  # desired = ceil(query / threshold)
    assert int(trigger["metadata"]["threshold"]) == pairs * per_pair
    query = trigger["metadata"]["query"]
    assert query.endswith(f"+ {buffer}") and "1 - antiphon_draining" in query
    assert 'namespace="talk",service="voice-antiphon"' in query
    assert spec["scaleTargetRef"]["name"] == "voice-antiphon"
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, 30)
    assert "replicas" not in of_kind(objects, "Deployment")["spec"]


@pytest.mark.parametrize("kind", ["keda", "hpa"])
def test_up_at_once_and_down_one_pod_a_minute(kind: str) -> None:
    objects = rendered(autoscaling={"kind": kind})
    if kind == "hpa":
        behaviour = of_kind(objects, "HorizontalPodAutoscaler")["spec"]["behavior"]
    else:
        advanced = of_kind(objects, "ScaledObject")["spec"]["advanced"]
        behaviour = advanced["horizontalPodAutoscalerConfig"]["behavior"]
    assert behaviour["scaleUp"]["stabilizationWindowSeconds"] == 0
    assert behaviour["scaleDown"]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 60}]


def test_hpa_scales_on_calls() -> None:
    objects = rendered(autoscaling={"kind": "hpa", "hpaShare": 0.5}, calls={"perPair": 8})
    (metric,) = of_kind(objects, "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == "antiphon_sessions"
    assert metric["pods"]["target"] == {"type": "AverageValue", "averageValue": "4000m"}


def test_the_budget_lets_draining_pods_go() -> None:
    spec = of_kind(rendered(), "PodDisruptionBudget")["spec"]
    assert spec["maxUnavailable"] == 1 and spec["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert "PodDisruptionBudget" not in kinds(rendered(podDisruptionBudget={"enabled": False}))


# ---------------------------------------------------------------------------- engine and model


@pytest.mark.parametrize(("engine", "tag"), [("pytorch", "0.1.0-gpu"), ("vllm", "0.1.0-vllm")])
def test_gpu_engines_get_a_gpu_and_their_own_image(engine: str, tag: str) -> None:
    objects = rendered(
        engine=engine,
        model={"source": "claim", "claim": "weights", "name": "vita"},
        gpu={"runtimeClassName": "nvidia", "resource": "nvidia.com/mig-3g.40gb", "count": 2},
    )
    container = server(objects)
    assert container["image"] == f"antiphon:{tag}"
    for kind in ("limits", "requests"):
        assert container["resources"][kind]["nvidia.com/mig-3g.40gb"] == 2
    assert pod(objects)["runtimeClassName"] == "nvidia"
    assert container["args"] == ["serve", "--engine", engine, "--model", "/model"]
    assert environment(objects)["ANTIPHON_MODEL_NAME"] == "vita"
    shared = [mount for mount in container["volumeMounts"] if mount["mountPath"] == "/dev/shm"]
    assert bool(shared) == (engine == "vllm")


@pytest.mark.parametrize(
    ("model", "volume"),
    [
        ({"source": "claim", "claim": "weights"}, "persistentVolumeClaim"),
        ({"source": "image", "image": "models/vita:1"}, "image"),
        ({"source": "init", "init": {"image": "loader:1", "command": ["fetch"]}}, "emptyDir"),
    ],
)
def test_where_the_model_comes_from(model: dict[str, Any], volume: str) -> None:
    objects = rendered(engine="pytorch", model=model)
    (found,) = (each for each in pod(objects)["volumes"] if each["name"] == "model")
    assert volume in found
    assert ("initContainers" in pod(objects)) == (model["source"] == "init")
    mounts = {mount["name"]: mount for mount in server(objects)["volumeMounts"]}
    assert mounts["model"]["readOnly"] is True


# ------------------------------------------------------------------------------ keys and store


def test_keys_come_from_secrets() -> None:
    given = environment(rendered(secrets={"apiKeys": {"name": "access", "key": "keys"}}))
    assert given["ANTIPHON_API_KEYS"] == {"secretKeyRef": {"name": "access", "key": "keys"}}
    assert "ANTIPHON_API_KEYS" not in environment(rendered())


def test_calls_are_resumed_through_our_redis() -> None:
    objects = rendered(
        resume={"store": "redis", "seconds": 90}, redis={"enabled": True}, secrets=KEYS
    )
    given = environment(objects)
    assert given["ANTIPHON_RESUME__STORE"] == "redis://voice-antiphon-redis:6379/0"
    assert given["ANTIPHON_RESUME__SECONDS"] == "90"
    assert given["ANTIPHON_RESUME__KEYS"]["secretKeyRef"]["name"] == "keys"
    assert given["ANTIPHON_RESUME__SERVER"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    policy = of_kind(objects, "NetworkPolicy", "voice-antiphon-redis")["spec"]
    (rule,) = policy["ingress"]
    selector = rule["from"][0]["podSelector"]["matchLabels"]
    assert selector["app.kubernetes.io/component"] == "server"
    labels = of_kind(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert selector.items() <= labels.items()


def test_calls_are_resumed_through_a_redis_of_yours() -> None:
    secrets = {**KEYS, "redisUrl": {"name": "redis"}}
    objects = rendered(resume={"store": "redis"}, secrets=secrets)
    store = environment(objects)["ANTIPHON_RESUME__STORE"]
    assert store == {"secretKeyRef": {"name": "redis", "key": "redis-url"}}
    assert len([one for one in objects if one["kind"] == "Deployment"]) == 1


def test_resume_is_off_by_default() -> None:
    assert not [name for name in environment(rendered()) if "RESUME" in name]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"resume": {"store": "redis"}, "secrets": KEYS}, "redis.enabled or secrets.redisUrl"),
        ({"resume": {"store": "redis"}, "redis": {"enabled": True}}, "secrets.resumeKeys"),
        ({"model": {"source": "claim"}}, "model.claim"),
        ({"model": {"source": "image"}}, "model.image"),
        ({"model": {"source": "init"}}, "model.init.image"),
        ({"autoscaling": {"minReplicas": 30}}, "minReplicas"),
        ({"engine": "gpu"}, "engine"),
        ({"replica": 2}, "replica"),
        ({"drain": {"second": 2}}, "second"),
        ({"calls": {"perPair": 0}}, "perPair"),
        ({"autoscaling": {"hpaShare": 0}}, "hpaShare"),
        ({"service": {"port": "http"}}, "port"),
        ({"terminationGracePeriodSeconds": "long"}, "terminationGracePeriodSeconds"),
    ],
)
def test_wrong_values_are_refused(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(helm_python.HelmError, match=re.escape(complaint)):
        rendered(**values)


# ------------------------------------------------------------------------ where, and by whom


def test_nothing_may_be_written_and_nobody_is_root() -> None:
    for objects in (rendered(), rendered(**ALL)):
        for one in objects:
            if one["kind"] == "Deployment":
                spec = one["spec"]["template"]["spec"]
                assert spec["securityContext"]["runAsNonRoot"] is True
                assert spec["automountServiceAccountToken"] is False
                for container in spec["containers"]:
                    locked = container["securityContext"]
                    assert locked["readOnlyRootFilesystem"] is True
                    assert locked["capabilities"] == {"drop": ["ALL"]}
    assert pod(rendered())["securityContext"]["runAsUser"] == 10001


def test_pods_spread_over_zones() -> None:
    (spread,) = pod(rendered())["topologySpreadConstraints"]
    labels = of_kind(rendered(), "Deployment")["spec"]["template"]["metadata"]["labels"]
    assert spread["labelSelector"]["matchLabels"].items() <= labels.items()
    off = rendered(topologySpread={"enabled": False})
    assert "topologySpreadConstraints" not in pod(off)


def test_what_the_scheduler_is_told() -> None:
    told = {
        "nodeSelector": {"pool": "calls"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "priorityClassName": "calls",
        "imagePullSecrets": [{"name": "registry"}],
    }
    spec = pod(rendered(**told))
    assert {key: spec[key] for key in told} == told


def test_a_service_account_of_yours() -> None:
    objects = rendered(serviceAccount={"create": False, "name": "caller"})
    assert pod(objects)["serviceAccountName"] == "caller"
    assert "ServiceAccount" not in kinds(objects)


def test_every_selector_finds_the_pods() -> None:
    objects = rendered(**ALL)
    labels = of_kind(objects, "Deployment")["spec"]["template"]["metadata"]["labels"]
    service = of_kind(objects, "Service")
    assert service["spec"]["selector"].items() <= labels.items()
    monitor = of_kind(objects, "ServiceMonitor")["spec"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        selector = of_kind(objects, kind)["spec"][key]["matchLabels"]
        assert selector.items() <= labels.items()
        assert selector["app.kubernetes.io/component"] == "server"


# -------------------------------------------------------------------------------- the network


@pytest.mark.parametrize(("page", "path"), [(False, "/v1/"), (True, "/")])
def test_ingress(page: bool, path: str) -> None:
    values = {"enabled": True, "host": "voice.example", "tlsSecret": "cert", "page": page}
    secrets = {"apiKeys": {"name": "access"}}
    objects = rendered(ingress=values, secrets=secrets)
    assert "voice.example" in environment(objects)["ANTIPHON_HOST_NAMES"].split(",")
    ingress = of_kind(objects, "Ingress")
    (rule,) = ingress["spec"]["rules"]
    assert rule["http"]["paths"][0]["path"] == path
    assert ingress["spec"]["tls"] == [{"hosts": ["voice.example"], "secretName": "cert"}]
    notes = ingress["metadata"]["annotations"]
    assert int(notes["nginx.ingress.kubernetes.io/proxy-read-timeout"]) >= 3600


@pytest.mark.parametrize("way", ["ingress", "gateway"])
def test_a_way_in_from_outside_needs_keys(way: str) -> None:
    with pytest.raises(helm_python.HelmError, match="apiKeys"):
        rendered(**{way: {"enabled": True}})


def test_without_keys_the_server_is_told_so() -> None:
    open_to_all = environment(rendered())
    assert open_to_all["ANTIPHON_WITHOUT_KEYS"] == "true"
    names = open_to_all["ANTIPHON_HOST_NAMES"].split(",")
    assert names[0] == "voice-antiphon"
    assert names[-1].endswith(".svc.cluster.local")
    secret = rendered(secrets={"apiKeys": {"name": "access"}})
    assert "ANTIPHON_WITHOUT_KEYS" not in environment(secret)


def test_gateway_route_has_no_time_limit() -> None:
    values = {"enabled": True, "parents": [{"name": "public", "namespace": "gates"}]}
    (rule,) = of_kind(rendered(gateway=values, withoutKeys=True), "HTTPRoute")["spec"]["rules"]
    assert rule["timeouts"] == {"request": "0s", "backendRequest": "0s"}
    assert rule["backendRefs"] == [{"name": "voice-antiphon", "port": 80}]


def test_network_policy_lets_in_whom_you_name() -> None:
    peers = [{"namespaceSelector": {"matchLabels": {"name": "ingress"}}}]
    (rule,) = of_kind(rendered(networkPolicy={"from": peers}), "NetworkPolicy")["spec"]["ingress"]
    assert rule["from"] == peers
    assert "NetworkPolicy" not in kinds(rendered(networkPolicy={"enabled": False}))


# ----------------------------------------------------------------------------------- watching


def test_rules_and_dashboards_are_the_repository_s_own() -> None:
    objects = rendered(**ALL)
    groups = of_kind(objects, "PrometheusRule")["spec"]["groups"]
    own = yaml.safe_load((REPOSITORY / "deploy" / "alerts.yml").read_text())["groups"]
    assert [group for group in own if group not in groups] == []
    for path in (REPOSITORY / "deploy" / "grafana" / "dashboards").glob("*.json"):
        name = f"voice-antiphon-{path.stem}-dashboard"
        shown = of_kind(objects, "ConfigMap", name)
        assert json.loads(shown["data"][path.name]) == json.loads(path.read_text())
        assert shown["metadata"]["labels"]["grafana_dashboard"] == "1"


def test_monitoring_labels() -> None:
    monitoring = {"serviceMonitor": True, "labels": {"release": "prometheus"}, "interval": "10s"}
    monitor = of_kind(rendered(monitoring=monitoring), "ServiceMonitor")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["endpoints"][0]["interval"] == "10s"


# ------------------------------------------------------------------------------- the settings


def test_settings_are_the_server_s_file() -> None:
    tomllib = pytest.importorskip("tomllib")
    settings = {"instructions": 'Say "yes".\nOr no.', "limits": {"idle": 300}}
    data = of_kind(rendered(settings=settings), "ConfigMap")["data"]
    assert tomllib.loads(data["antiphon.toml"]) == settings
    before = of_kind(rendered(), "Deployment")["spec"]["template"]["metadata"]["annotations"]
    after = of_kind(rendered(settings=settings), "Deployment")["spec"]["template"]["metadata"]
    assert before["checksum/settings"] != after["annotations"]["checksum/settings"]


def test_every_variable_is_a_setting_of_the_server() -> None:
    """The chart and server/config.py must not drift apart."""
    source = (REPOSITORY / "server" / "config.py").read_text()
    names = [name for name in environment(rendered(**ALL)) if name != "ANTIPHON_CONFIG"]
    for name in names:
        for part in name.removeprefix("ANTIPHON_").lower().split("__"):
            assert re.search(rf"^    {part}: ", source, re.M), name


def test_long_release_names_stay_names() -> None:
    with helm_python.Chart.load(rendering.CHART) as chart:
        files = chart.render({"redis": {"enabled": True}}, name="x" * 53, namespace="talk")
    names = re.findall(r"^  name: (\S+)$", "\n".join(files.values()), re.M)
    assert len(names) >= 6 and all(len(name) <= 63 for name in names)

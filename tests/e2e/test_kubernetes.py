"""The manifests of docs/hosts/kubernetes.md: valid, fitting one another, and what they name is in hybridsite."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest
import yaml

from hybridsite.config import Settings
from hybridsite.errors import SecretError
from hybridsite.security import SECRET_VARIABLE, signing_keys
from tests.e2e.hosting import dockerfile
from tests.e2e.support import SECRET, MakeSite, Server, built, session_cookie, wait_until
from tests.sessions.conftest import start_redis
from tests.sessions.servers import RedisServer

__all__ = ["start_redis"]

DOCUMENT = (Path(__file__).parents[2] / "docs/hosts/kubernetes.md").read_text("utf-8")
BLOCKS = re.findall(r"^```yaml\n(.+?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
MANIFESTS: list[dict[str, Any]] = [each for block in BLOCKS for each in yaml.safe_load_all(block)]
# Seconds that a function which isn't async has after the grace.
LATE = 5


def named(kind: str, name: str = "shop") -> dict[str, Any]:
    """Gives a manifest."""
    (found,) = (each for each in MANIFESTS if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def pods() -> Iterator[dict[str, Any]]:
    """What is said of each kind of pod."""
    yield from (each["spec"]["template"] for each in MANIFESTS if "template" in each.get("spec", ()))


POD = named("Deployment")["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


# 1.30 is the first that knows how to sleep before a pod ends.
@pytest.mark.parametrize("version", ["1.30", kubernetes_validate.latest_version()])
@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda each: f"{each['kind']} {each['metadata']['name']}")
def test_a_manifest_is_valid(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_what_is_there_is_what_a_cluster_needs() -> None:
    kinds = [each["kind"] for each in MANIFESTS if each["metadata"]["name"] == "shop"]
    assert kinds == ["Secret", "Deployment", "PodDisruptionBudget", "Service", "Ingress"]


def test_selectors_and_names_lead_to_what_is_there() -> None:
    labels = [pod["metadata"]["labels"] for pod in pods()]
    ports = {port["name"] for pod in pods() for one in pod["spec"]["containers"] for port in one["ports"]}
    selectors = [
        each["spec"]["selector"].get("matchLabels", each["spec"]["selector"])
        for each in MANIFESTS
        if "selector" in each.get("spec", ())
    ]
    selectors.append(named("NetworkPolicy", "shop-redis")["spec"]["podSelector"]["matchLabels"])
    for selector in selectors:
        assert any(selector.items() <= each.items() for each in labels), selector
    for each in MANIFESTS:
        if each["kind"] == "Service":
            assert {port["targetPort"] for port in each["spec"]["ports"]} <= ports
    backend = named("Ingress")["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"]
    assert backend["port"]["name"] in {port["name"] for port in named("Service", backend["name"])["spec"]["ports"]}
    for pod in pods():
        spec = pod["spec"]
        claims = [
            claim["metadata"]["name"]
            for each in MANIFESTS
            for claim in each.get("spec", {}).get("volumeClaimTemplates", ())
        ]
        volumes = {volume["name"] for volume in spec.get("volumes", ())} | set(claims)
        for one in spec["containers"]:
            assert {mount["name"] for mount in one.get("volumeMounts", ())} <= volumes
            assert one["securityContext"]["readOnlyRootFilesystem"]
            assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
            assert "memory" in one["resources"]["limits"]
        assert spec["securityContext"]["runAsNonRoot"]
    for variable in CONTAINER["env"]:
        host = httpx.URL(variable["value"]).host
        assert named("Service", host)["spec"]["ports"][0]["port"] == httpx.URL(variable["value"]).port


def test_a_pod_may_take_as_long_to_end_as_the_server_takes() -> None:
    asked = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert asked + Settings().server.grace + LATE < POD["terminationGracePeriodSeconds"]


def test_the_secret_is_filled_in_or_refused(tmp_path: Path) -> None:
    data = named("Secret")["stringData"]
    assert list(data) == [SECRET_VARIABLE]
    with pytest.raises(SecretError):
        signing_keys(data, tmp_path)
    assert CONTAINER["envFrom"] == [{"secretRef": {"name": "shop"}}]


def test_the_site_runs_with_what_the_manifests_say(
    make_site: MakeSite, start_redis: Callable[..., RedisServer]
) -> None:
    found = re.search(r"^```toml\n(.+?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)
    assert found
    form = "async def POST(context):\n    context.session['a'] = 'kept'\n    return context.redirect('/', 303)\n"
    page = "---\nprerender: false\n---\n<< session.get('a', '') >>"
    site = make_site({"site.toml": found[1], "pages/index.html": page, "pages/form.py": form})
    # The two Redis, as they are started there, but for the folder of the volume.
    urls = {}
    for kind, name in (("StatefulSet", "shop-sessions"), ("Deployment", "shop-cache")):
        (redis,) = named(kind, name)["spec"]["template"]["spec"]["containers"]
        program, *words = redis["args"]
        assert program == "redis-server"
        words = [word for word in words if word not in ("--dir", "/data")]
        urls[name] = start_redis(*words).url
    env = {each["name"]: urls[str(httpx.URL(each["value"]).host)] for each in CONTAINER["env"]}
    env[SECRET_VARIABLE] = SECRET
    built(site, env=env)
    the_image_is_what_the_manifest_takes_it_for(site / "dist")
    with Server(site / "dist", "--no-build", env=env) as server:
        client = server.client()
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            asked: Mapping[str, Any] = CONTAINER[probe]["httpGet"]
            headers = {header["name"]: header["value"] for header in asked["httpHeaders"]}
            assert client.get(asked["path"], headers=headers).text == "ok\n", probe
        host = named("Ingress")["spec"]["rules"][0]["host"]
        there = {"Host": host, "X-Forwarded-Proto": "https"}
        answer = client.post("/form", headers={**there, "Origin": f"https://{host}"})
        assert answer.status_code == 303
        cookie = session_cookie(answer)
        assert cookie is not None
        assert "secure" in cookie
        assert client.get("/", headers={**there, "Cookie": f"hybridsite-session={cookie['value']}"}).text == "kept"
        wait_until(lambda: '"path": "/readyz"' in server.log(), "the log, as the settings have it")
        assert server.stop() == 0


def the_image_is_what_the_manifest_takes_it_for(dist: Path) -> None:
    """Looks whether port, user and folders are those of the image."""
    steps = dockerfile(dist)
    (user,) = (value for word, value in steps if word == "USER")
    (port,) = (value for word, value in steps if word == "EXPOSE")
    (environment,) = (value for word, value in steps if word == "ENV")
    context = POD["securityContext"]
    assert {str(context[name]) for name in ("runAsUser", "runAsGroup", "fsGroup")} == {user}
    assert CONTAINER["ports"] == [{"name": "http", "containerPort": int(port)}]
    state = re.search(r"HYBRIDSITE_STATE=(\S+)", environment)
    assert state
    assert {mount["mountPath"] for mount in CONTAINER["volumeMounts"]} == {state[1], "/tmp"}

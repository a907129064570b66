"""The container's files: what the image installs and runs, and that its state has to be a volume."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import yaml

from hybridsite import __version__
from tests.e2e.hosting import REPOSITORY, dockerfile, in_container
from tests.e2e.support import SECRET, Serve, free_port, write_site
from tests.inprocess import ENVIRON, ON_DEMAND, built_here

CONTAINER = '[build]\nadapter = "container"\n'


def image(folder: Path, toml: str = "", **files: str) -> Path:
    root = write_site(folder / "site", {"site.toml": CONTAINER + toml, "pages/a.html": ON_DEMAND + "a", **files})
    built_here(root)
    return root / "dist"


def test_it_runs_as_a_user_that_is_not_root_and_says_how_it_is_asked(tmp_path: Path) -> None:
    steps = dict(dockerfile(image(tmp_path)))
    assert steps["USER"] == "10001"
    assert steps["FROM"] == f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
    assert json.loads(steps["CMD"])[:5] == ["python", "-m", "hybridsite", "serve", "dist"]
    assert "/healthz" in steps["HEALTHCHECK"]
    assert "HYBRIDSITE_STATE=/state" in steps["ENV"]
    assert "VOLUME" not in steps  # an engine would make one that nobody finds again, and nobody would be warned


def test_the_health_check_finds_a_server_and_misses_one(tmp_path: Path, serve: Serve) -> None:
    dist = image(tmp_path)
    server = serve(dist)
    words = json.loads(dict(dockerfile(dist))["HEALTHCHECK"].partition("CMD ")[2])
    check = words[2].replace("8000", str(server.port))
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
    server.kill()
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize(
    ("toml", "first"),
    [
        ("", f"hybridsite=={__version__}"),
        ('[session]\ndriver = "redis"\n', f"hybridsite[redis]=={__version__}"),
        ('[cache]\ndriver = "redis"\n', f"hybridsite[redis]=={__version__}"),
        ("[server]\nspans = true\n[server.metrics]\nport = 9100\n", f"hybridsite[metrics,otel]=={__version__}"),
        (
            '[session]\ndriver = "postgres"\n[i18n]\nlocales = ["en", "de"]\n',
            f"hybridsite[postgres,i18n]=={__version__}",
        ),
    ],
)
def test_the_image_installs_what_serving_needs(tmp_path: Path, toml: str, first: str) -> None:
    dist = image(tmp_path, toml, **{"requirements.txt": "humanize>=4\n"})
    assert (dist / "requirements.txt").read_text().splitlines()[1:] == [first, "humanize>=4"]
    copied = [line.split()[1:-1] for line in (dist / "Dockerfile").read_text().splitlines() if line.startswith("COPY")]
    ignored = (dist / ".dockerignore").read_text().splitlines()
    assert not {source for sources in copied for source in sources} & set(ignored)  # an engine would find none of it


def test_compose_has_a_root_that_nobody_writes_and_one_volume(tmp_path: Path) -> None:
    compose = yaml.safe_load((image(tmp_path) / "compose.yaml").read_text())
    site = compose["services"]["site"]
    assert (site["read_only"], site["volumes"], site["tmpfs"]) == (True, ["state:/state"], ["/tmp"])
    assert site["cap_drop"] == ["ALL"]
    assert "depends_on" not in site
    assert compose["services"]["redis"]["profiles"] == ["redis"]  # nothing asks for it


def test_compose_starts_redis_for_a_site_that_uses_it_and_passes_its_variables_on(tmp_path: Path) -> None:
    toml = '[session]\ndriver = "redis"\noptions = { url = "env:REDIS_URL", prefix = "env:PREFIX" }\n'
    root = write_site(tmp_path / "site", {"site.toml": CONTAINER + toml, "pages/a.html": ""})
    from hybridsite.build.build import build_site

    build_site(root, root / ".hybridsite", environ={**ENVIRON, "REDIS_URL": "redis://x", "PREFIX": "p"})
    compose = yaml.safe_load((root / "dist/compose.yaml").read_text())
    site = compose["services"]["site"]
    assert site["depends_on"] == {"redis": {"condition": "service_healthy"}}
    assert site["environment"] == {
        "PREFIX": "${PREFIX:?is read by site.toml}",
        "HYBRIDSITE_SECRET": "${HYBRIDSITE_SECRET:?shared by all servers}",
        "REDIS_URL": "redis://redis:6379/0",
    }
    assert "profiles" not in compose["services"]["redis"]
    assert set(compose["volumes"]) == {"state", "redis"}


def test_a_start_without_the_volume_warns(tmp_path: Path, serve: Serve) -> None:
    dist = image(tmp_path)
    state = tmp_path / "state"
    server = serve(dist, env={"HYBRIDSITE_STATE": str(state), "HYBRIDSITE_VOLUME": str(state)})
    told = f"{state} is no volume: the sessions and the secret that signs their cookies end with this container"
    assert told in server.log()
    assert server.log().count("is no volume") == 1
    mounted = serve(dist, env={"HYBRIDSITE_STATE": str(state), "HYBRIDSITE_VOLUME": "/proc"})  # which is one
    assert "is no volume" not in mounted.log()
    assert "is no volume" not in serve(dist, env={"HYBRIDSITE_SECRET": SECRET}).log()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_an_empty_image_installs_all_that_it_needs(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(REPOSITORY)]
    subprocess.run(pip, check=True)
    dist, port = image(tmp_path, '[session]\ndriver = "sqlite"\n'), free_port()
    with in_container(dist.parent, port, 0, tmp_path, wheels):
        assert httpx.get(f"http://127.0.0.1:{port}/a/", trust_env=False).text == "a"


def test_what_is_written_for_the_engine_is_no_part_of_the_site(tmp_path: Path) -> None:
    ignored = (image(tmp_path) / ".dockerignore").read_text().splitlines()
    assert {"Dockerfile", "compose.yaml", ".dockerignore"} <= set(ignored)
    assert not re.search(r"^(client|server)", "\n".join(ignored), re.MULTILINE)

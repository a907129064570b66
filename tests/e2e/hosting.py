"""Hosts on this machine for what the adapters write: CDNs by their own packages from npm, nginx, a container's root."""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import site as python_site
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests import tools
from tests.e2e import nginx
from tests.e2e.support import SECRET, Server, environment, wait_until
from tests.sessions.servers import RedisServer, binary, moto_server
from tests.sessions.upstash_server import TOKEN, upstash

REPOSITORY = Path(__file__).parents[2]
HOSTS = Path(__file__).parents[1] / "tools/hosts.mjs"
# What each host needs of npm.
PACKAGES = {
    "netlify": ("netlify-redirector", "netlify-redirect-parser", "netlify-headers-parser"),
    "cloudflare": ("@cloudflare/pages-shared",),
}

Front = Callable[[Path, int, int, Path], AbstractContextManager[None]]
"""Puts a built site online: its folder, the port of visitors, the port of the origin, a folder for what it needs."""


@dataclass(frozen=True)
class Hosting:
    """A host in the tests: what site.toml says of it, and how what is built gets online.

    `settings` has ORIGIN for where the origin is, and PYTHON for the version of a function's Python.
    """

    settings: str
    front: Front

    def told(self, origin: str) -> str:
        """Gives the settings with what is known when the test runs."""
        text = self.settings.replace("ORIGIN", origin)
        if "PYTHON" not in text:
            return text
        own = f"{sys.version_info.major}.{sys.version_info.minor}"
        return text.replace("PYTHON", vercel_python()[0] if "vercel" in text else own)


@contextmanager
def _origin(site: Path, port: int, folder: Path) -> Iterator[Server]:
    """Runs `hybridsite serve` on dist/ alone, as on another machine."""
    server = Server(site / "dist", "--no-build", env={"HYBRIDSITE_STATE": str(folder / "state")})
    server.port, server.cwd = port, folder
    with server:
        yield server


@contextmanager
def standalone(site: Path, port: int, origin: int, folder: Path) -> Iterator[None]:
    """The server itself."""
    with _origin(site, port, folder):
        yield


@contextmanager
def behind_nginx(site: Path, port: int, origin: int, folder: Path) -> Iterator[None]:
    """nginx by the files that the build wrote."""
    dist = site / "dist"
    block = (
        f"include {dist}/nginx/maps.conf;\n"
        f"server {{ listen 127.0.0.1:{port}; root {dist}/client; include {dist}/nginx/site.conf; }}"
    )
    with _origin(site, origin, folder), nginx.running(folder / "nginx", port, block):
        yield


@contextmanager
def behind_caddy(site: Path, port: int, origin: int, folder: Path) -> Iterator[None]:
    """Caddy by the file that the build wrote."""
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("caddy is not installed")
    dist = site / "dist"
    (folder / "Caddyfile").write_text(
        "{\n\tadmin off\n\tauto_https off\n}\n"
        f"http://127.0.0.1:{port} {{\n\troot * {dist}/client\n\timport {dist}/caddy/site.caddy\n}}\n"
    )
    log = folder / "caddy.log"
    with log.open("wb") as output:
        command = [caddy, "run", "--config", "Caddyfile", "--adapter", "caddyfile"]
        env = environment({"HOME": str(folder)})
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        with _origin(site, origin, folder):
            wait_until(answers, "caddy")
            yield
    finally:
        process.kill()
        process.wait()


def on_cdn(kind: str) -> Front:
    """A CDN, with the origin behind it."""

    @contextmanager
    def front(site: Path, port: int, origin: int, folder: Path) -> Iterator[None]:
        with _origin(site, origin, folder), cdn(kind, site / "dist", port, folder):
            yield

    return front


@contextmanager
def cdn(kind: str, dist: Path, port: int, folder: Path) -> Iterator[None]:
    """Gives out dist/client/ as Netlify or Cloudflare Pages would."""
    for name in PACKAGES[kind]:
        tools.package(name)
    log = folder / f"{kind}.log"
    with log.open("wb") as output:
        command = ["node", str(HOSTS), kind, str(dist), str(tools.FOLDER), str(port)]
        process = subprocess.Popen(command, stdout=output, stderr=output)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        return log.read_text().startswith(str(port))

    try:
        wait_until(answers, kind)
        yield
    finally:
        process.kill()
        process.wait()


@contextmanager
def in_container(site: Path, port: int, origin: int, folder: Path, wheels: Path | None = None) -> Iterator[None]:
    """Runs the steps of dist/Dockerfile in a root of their own, and its command as its user there.

    It is what a container engine does, with the means of the kernel alone: an overlay over this machine's root, in
    which the steps write; then the root is read-only, but for the volume and /tmp. The Python of the image is this
    one, with what the tests have installed, so that nothing has to be fetched; or, where `wheels` has hybridsite's, an
    empty one, which installs all that the steps say.
    """
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this user may make no mounts")
    script = folder / "container.sh"
    script.write_text(_script(site / "dist", folder, port, wheels))
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "bash", str(script)]
    server = Server(site / "dist", command=lambda _: command)
    server.port, server.cwd, server.patience = port, folder, 30 if wheels is None else 110
    with server:
        yield


_WITH_PACKAGES = """{python} -m venv --without-pip /opt/python
cd /opt/python/lib/python3*/site-packages
printf '/opt/own\\nimport site; site.addsitedir("/opt/packages")\\n' > image.pth
printf '#!/bin/sh\\nexec python -m pip "$@"\\n' > /opt/python/bin/pip && chmod +x /opt/python/bin/pip"""
_EMPTY = """{python} -m venv /opt/python
export PIP_FIND_LINKS={wheels}"""


def _script(dist: Path, folder: Path, port: int, wheels: Path | None) -> str:
    steps = dockerfile(dist)
    variables = " ".join(value for word, value in steps if word == "ENV")
    (user,) = (value for word, value in steps if word == "USER")
    (command,) = (value for word, value in steps if word == "CMD")
    words = [str(port) if word == "8000" else word for word in json.loads(command)]
    inside = "\n".join(_step(word, value) for word, value in steps)
    packages = python_site.getsitepackages()[0]
    return textwrap.dedent(
        """\
        set -euo pipefail
        mkdir {folder}/layer
        mount -t tmpfs none {folder}/layer
        mkdir {folder}/layer/upper {folder}/layer/work {folder}/layer/root
        root={folder}/layer/root
        mount -t overlay overlay -o lowerdir=/,upperdir={folder}/layer/upper,workdir={folder}/layer/work $root
        mount --rbind /dev $root/dev
        mount -t proc proc $root/proc
        chmod o+rx $root/root
        mkdir -p $root/opt/packages $root/opt/own $root/opt/context
        mount --bind {packages} $root/opt/packages
        mount --bind {own} $root/opt/own
        mount --bind {dist} $root/opt/context
        cat > $root/opt/steps.sh <<'STEPS'
        set -euo pipefail
        {image}
        export PATH=/opt/python/bin:$PATH PYTHONDONTWRITEBYTECODE=1
        unset PYTHONPATH
        {inside}
        STEPS
        chroot $root bash /opt/steps.sh >&2
        umount $root/opt/context
        mount -t tmpfs none $root/tmp
        {volume}
        mount -o remount,ro $root
        path=/opt/python/bin:/usr/bin:/bin
        exec chroot --userspec={user}:{user} $root /usr/bin/env -i PATH=$path HOME=/site {variables} \\
          sh -c 'cd /site && exec "$@"' - {command}
        """
    ).format(
        folder=folder,
        packages=packages,
        own=REPOSITORY,
        dist=dist,
        image=(_WITH_PACKAGES if wheels is None else _EMPTY).format(
            python=Path(sys.executable).resolve(), wheels=wheels
        ),
        inside=inside,
        volume='mount -t tmpfs -o uid="$(stat -c %u $root/state)",mode=0700 none $root/state',
        user=user,
        variables=variables,
        command=shlex.join(words),
    )


def _step(word: str, value: str) -> str:
    """Gives a step of a Dockerfile as a line of a shell. What only describes the image is none."""
    if word == "RUN":
        return value
    if word == "WORKDIR":
        return f"mkdir -p {value} && cd {value}"
    if word == "ARG":
        return ":"  # the machine's own index, as everywhere in the tests
    if word == "COPY":
        *sources, target = value.split()
        # What .dockerignore names is no part of the context, for any step.
        ignored = "--exclude-from=<(sed 's,^,./,' /opt/context/.dockerignore)"
        named = " ".join("." if source == "." else f"./{source}" for source in sources)
        packed = f"(cd /opt/context && shopt -s nullglob && tar {ignored} -c {named})"
        return f"mkdir -p {target} && {packed} | tar -C {target} -x"
    return ":"


def dockerfile(dist: Path) -> list[tuple[str, str]]:
    """Reads dist/Dockerfile: its instructions, each with what it says."""
    text = (dist / "Dockerfile").read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, value.strip()) for word, _, value in (line.partition(" ") for line in lines)]


LAMBDA_HOST = REPOSITORY / "tests/tools/lambda_host.py"
VERCEL_HOST = REPOSITORY / "tests/tools/vercel_host.py"


@contextmanager
def _running(command: list[str], env: Mapping[str, str], port: int, folder: Path) -> Iterator[None]:
    """Runs a program of the tests' own until its port answers, in an empty environment but for `env`."""
    log = folder / "host.log"
    with log.open("wb") as output:
        plain = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HYBRIDSITE_SECRET": SECRET, **env}
        process = subprocess.Popen(command, cwd=folder, env=plain, stdout=output, stderr=output)

    def answers() -> bool:
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        wait_until(answers, command[-1], 60)
        yield
        assert "Traceback" not in log.read_text()
    finally:
        process.kill()
        process.wait()


def on_lambda(kind: str, store: Callable[[], AbstractContextManager[Mapping[str, str]]]) -> Front:
    """The function as AWS calls it: in a process that has nothing but its folder, with events of a kind."""

    @contextmanager
    def front(site: Path, port: int, origin: int, folder: Path) -> Iterator[None]:
        with store() as env:
            state = {"HYBRIDSITE_STATE": str(folder / "state")}  # /tmp/hybridsite would be shared by all tests
            command = [sys.executable, "-I", "-S", str(LAMBDA_HOST), str(site / ".lambda/function"), kind, str(port)]
            with _running(command, {**env, **state}, port, folder):
                yield

    return front


@contextmanager
def on_vercel(site: Path, port: int, origin: int, folder: Path) -> Iterator[None]:
    """Vercel's runtime from PyPI, which the function has with it, behind the rules of .vercel/output/config.json."""
    with upstash_store() as env:
        state = {"HYBRIDSITE_STATE": str(folder / "state")}
        command = [vercel_python()[1], "-I", "-S", str(VERCEL_HOST), str(site / ".vercel/output"), str(port)]
        with _running(command, {**env, **state}, port, folder):
            yield


@cache
def vercel_python() -> tuple[str, str]:
    """Gives a Python that Vercel has, and its path; skips the test without: the runtime doesn't parse in an older."""
    own = Path("~/.pyenv/versions").expanduser()
    for version in ("3.12", "3.13", "3.14"):
        places = [sys.executable, shutil.which(f"python{version}"), *map(str, own.glob(f"{version}.*/bin/python"))]
        for place in filter(None, places):
            ask = [place, "-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
            if subprocess.run(ask, capture_output=True, text=True, check=False).stdout.strip() == version:
                return version, place
    pytest.skip("there is no Python from 3.12 on")


@contextmanager
def redis_store() -> Iterator[Mapping[str, str]]:
    """A Redis, and the environment that leads to it."""
    if binary("redis-server") is None:
        pytest.skip("redis-server is not installed")
    server = RedisServer()
    try:
        yield {"REDIS_URL": server.url}
    finally:
        server.end()


@contextmanager
def upstash_store() -> Iterator[Mapping[str, str]]:
    """Upstash's protocol, and the environment that leads to it."""
    with redis_store() as env, upstash(env["REDIS_URL"]) as server:
        yield {"UPSTASH_REDIS_REST_URL": server.url, "UPSTASH_REDIS_REST_TOKEN": TOKEN}


@contextmanager
def dynamodb_store() -> Iterator[Mapping[str, str]]:
    """moto's DynamoDB, and the environment that leads to it."""
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "eu-north-1"}
    with moto_server() as address:
        yield {"AWS_ENDPOINT_URL_DYNAMODB": address, **keys}


MACHINE = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
FUNCTION = f'[build.function]\narchitecture = "{MACHINE}"\npython = "PYTHON"\n'

HOSTINGS = {
    "standalone": Hosting("", standalone),
    "nginx": Hosting('[build]\norigin = "ORIGIN"\n', behind_nginx),
    "caddy": Hosting('[build]\norigin = "ORIGIN"\n', behind_caddy),
    "container": Hosting('[build]\nadapter = "container"\n', in_container),
    "netlify": Hosting('[build]\nadapter = "netlify"\norigin = "ORIGIN"\n', on_cdn("netlify")),
    "cloudflare": Hosting('[build]\nadapter = "cloudflare"\norigin = "ORIGIN"\n', on_cdn("cloudflare")),
    "vercel": Hosting(f'[build]\nadapter = "vercel"\n{FUNCTION}[session]\ndriver = "upstash"\n', on_vercel),
    "lambda": Hosting(
        f'[build]\nadapter = "lambda"\n{FUNCTION}[session]\ndriver = "dynamodb"\n', on_lambda("url", dynamodb_store)
    ),
    "lambda-rest": Hosting(
        f'[build]\nadapter = "lambda"\n{FUNCTION}[session]\ndriver = "redis"\n', on_lambda("rest", redis_store)
    ),
    "lambda-alb": Hosting(
        f'[build]\nadapter = "lambda"\n{FUNCTION}[session]\ndriver = "redis"\n', on_lambda("alb", redis_store)
    ),
}
"""One row a host of tests/e2e/test_adapters.py."""

"""Hosts on this machine for what the adapters write: CDNs by their own packages from npm, nginx, a container's root."""

from __future__ import annotations

import json
import shlex
import shutil
import site as python_site
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import tools
from tests.e2e import nginx
from tests.e2e.support import Server, environment, wait_until

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

    `settings` has ORIGIN for where the origin is.
    """

    settings: str
    front: Front


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
        source, target = value.split()
        if source == ".":
            ignored = "--exclude-from=<(sed 's,^,./,' /opt/context/.dockerignore)"
            return f"mkdir -p {target} && tar -C /opt/context {ignored} -c . | tar -C {target} -x"
        return f"cp /opt/context/{source} {target}"
    return ":"


def dockerfile(dist: Path) -> list[tuple[str, str]]:
    """Reads dist/Dockerfile: its instructions, each with what it says."""
    text = (dist / "Dockerfile").read_text().replace("\\\n", "")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(word, value.strip()) for word, _, value in (line.partition(" ") for line in lines)]


HOSTINGS = {
    "standalone": Hosting("", standalone),
    "nginx": Hosting('[build]\norigin = "ORIGIN"\n', behind_nginx),
    "caddy": Hosting('[build]\norigin = "ORIGIN"\n', behind_caddy),
    "container": Hosting('[build]\nadapter = "container"\n', in_container),
    "netlify": Hosting('[build]\nadapter = "netlify"\norigin = "ORIGIN"\n', on_cdn("netlify")),
    "cloudflare": Hosting('[build]\nadapter = "cloudflare"\norigin = "ORIGIN"\n', on_cdn("cloudflare")),
}
"""One row a host of tests/e2e/test_adapters.py."""

"""The adapter for containers: dist/ is the context of an image that runs it, as a user that is not root."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from hybridsite import __version__
from hybridsite.adapters.adapter import SERVER, Adapter, Host, HostedBuild
from hybridsite.adapters.requirements import DRIVERS, REQUIREMENTS, extras_of, own_requirements
from hybridsite.errors import SiteError
from hybridsite.settings import Settings

if TYPE_CHECKING:
    from hybridsite.site import Site

_VARIABLE = re.compile(r"""["']env:([A-Za-z_][A-Za-z0-9_]*)["']""")
_DOCKERFILE = """# Written by hybridsite build. `docker build -t site dist` makes the image, and this starts it:
#   docker run --read-only --tmpfs /tmp --volume state:/state --publish 8000:8000 site
FROM python:{python}-slim
ARG PIP_INDEX_URL=https://pypi.org/simple
ARG PIP_FIND_LINKS=
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /site --shell /usr/sbin/nologin site
RUN install --directory --owner site --group site --mode 0700 /state
WORKDIR /site
COPY requirements.txt *.whl ./
RUN pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore --find-links . -r requirements.txt
COPY . dist/
ENV HYBRIDSITE_STATE=/state HYBRIDSITE_VOLUME=/state PYTHONDONTWRITEBYTECODE=1 PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1
USER 10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10s \\
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["python", "-m", "hybridsite", "serve", "dist", "--no-build", "--host", "0.0.0.0", "--port", "8000"]
"""
_IGNORED = """# Written by hybridsite build: what is no part of the site.
.dockerignore
Dockerfile
caddy
compose.yaml
nginx
"""
_COMPOSE = """# Written by hybridsite build: `docker compose --file dist/compose.yaml up`.
services:
  site:
    build: .
    ports: ["8000:8000"]
    read_only: true
    tmpfs: ["/tmp"]
    volumes: ["state:/state"]
    cap_drop: ["ALL"]
    security_opt: ["no-new-privileges:true"]
    restart: unless-stopped
    environment:
{environment}
{depends}  redis:
{profiles}    image: redis:8-alpine
    command: ["redis-server", "--appendonly", "yes"]
    volumes: ["redis:/data"]
    restart: unless-stopped
    healthcheck:
      test: ["CMD", "redis-cli", "ping"]
      interval: 5s
      timeout: 3s
volumes:
  state:
  redis:
"""
_DEPENDS = """    depends_on:
      redis:
        condition: service_healthy
"""


class ContainerAdapter(Adapter):
    """What serves is `hybridsite serve` in the container; what it keeps lies in the volume /state."""

    def host(self, settings: Settings) -> Host:
        """Tells that everything is there: the file system that stays is the volume."""
        return SERVER

    def finish(self, build: HostedBuild) -> Iterable[SiteError]:
        """Writes Dockerfile, .dockerignore, compose.yaml and requirements.txt into dist/."""
        site: Site = build.site
        python = f"{sys.version_info.major}.{sys.version_info.minor}"
        build.write("Dockerfile", _DOCKERFILE.format(python=python))
        build.write(".dockerignore", _IGNORED)
        build.write(REQUIREMENTS, "\n".join(["# Written by hybridsite build.", *_requirements(site)]) + "\n")
        build.write("compose.yaml", _compose(site))
        if site.settings.build.origin is not None:
            from hybridsite.adapters.webservers import write_web_servers

            write_web_servers(build, site.settings.build.origin)
        return ()


def _requirements(site: Site) -> Iterator[str]:
    """Yields what the image installs: hybridsite with the extras that serving needs, then what the site lists."""
    extras = extras_of(site)
    chosen = f"[{','.join(extras)}]" if extras else ""
    yield f"hybridsite{chosen}=={__version__}"
    yield from own_requirements(Path(site.root))


def _compose(site: Site) -> str:
    uses_redis = "redis" in (site.settings.session.driver, site.settings.cache.driver)
    named = set(_VARIABLE.findall((Path(site.root) / "site.toml").read_text("utf-8")))
    names = sorted(named - {"REDIS_URL", "HYBRIDSITE_SECRET"})
    lines = [f"      {name}: ${{{name}:?is read by site.toml}}" for name in names]
    secret = ":?shared by all servers" if site.settings.session.driver in DRIVERS else ":-"
    lines.append(f"      HYBRIDSITE_SECRET: ${{HYBRIDSITE_SECRET{secret}}}")
    if uses_redis or "REDIS_URL" in named:
        lines.append("      REDIS_URL: redis://redis:6379/0")
    return _COMPOSE.format(
        environment="\n".join(lines),
        depends=_DEPENDS if uses_redis else "",
        profiles="" if uses_redis else '    profiles: ["redis"]  # nothing of the site asks for it\n',
    )

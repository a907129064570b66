"""What web servers of one's own are told of a site: nginx and Caddy."""

from __future__ import annotations

from hybridsite.adapters.adapter import HostedBuild
from hybridsite.adapters.caddy import write_caddy
from hybridsite.adapters.nginx import write_nginx


def write_web_servers(build: HostedBuild, origin: str | None) -> None:
    """Writes dist/nginx/ and dist/caddy/, which give out dist/client/ and pass on the rest to `origin`, if any."""
    write_nginx(build, origin)
    write_caddy(build, origin)

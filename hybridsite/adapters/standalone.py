"""The adapter for `hybridsite serve`, which does all that a site may ask."""

from __future__ import annotations

from collections.abc import Iterable

from hybridsite.adapters.adapter import SERVER, Adapter, Host, HostedBuild
from hybridsite.errors import SiteError
from hybridsite.settings import Settings


class StandaloneAdapter(Adapter):
    """A server of one's own."""

    def host(self, settings: Settings) -> Host:
        """Tells that everything is there."""
        return SERVER

    def finish(self, build: HostedBuild) -> Iterable[SiteError]:
        """Writes what a web server in front is told, where [build] origin says that there is one."""
        origin: str | None = build.site.settings.build.origin
        if origin is not None:
            from hybridsite.adapters.webservers import write_web_servers

            write_web_servers(build, origin)
        return ()

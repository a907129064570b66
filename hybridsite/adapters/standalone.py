"""The adapter for `hybridsite serve`, which does all that a site may ask."""

from __future__ import annotations

from hybridsite.adapters.adapter import SERVER, Adapter, Host
from hybridsite.settings import Settings


class StandaloneAdapter(Adapter):
    """A server of one's own."""

    def host(self, settings: Settings) -> Host:
        """Tells that everything is there."""
        return SERVER

"""For those who extend hybridsite: what their own tests can use."""

from __future__ import annotations

from hybridsite.sessions.contract import StoreContract

__all__ = ["StoreContract"]

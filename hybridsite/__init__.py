"""hybridsite builds the pages that all visitors share into files, and renders the personal ones on demand.

The names here are the ones that a site's own Python files import.
"""

from typing import TYPE_CHECKING, Any

from hybridsite.collections import Collection, reference
from hybridsite.decorators import action
from hybridsite.errors import ActionError, NotFound, SessionValueError, SiteError

if TYPE_CHECKING:
    from hybridsite.context import Context
    from hybridsite.entries import Entry
    from hybridsite.sessions.session import Session
    from hybridsite.uploads import UploadFile

__all__ = [
    "ActionError",
    "Collection",
    "Context",
    "Entry",
    "NotFound",
    "Session",
    "SessionValueError",
    "SiteError",
    "UploadFile",
    "__version__",
    "action",
    "reference",
]

__version__ = "0.1.0"

# For annotations in a site's modules. They lead to much that `hybridsite --help` shall not wait for.
_LATER = {
    "Context": "hybridsite.context",
    "Entry": "hybridsite.entries",
    "Session": "hybridsite.sessions.session",
    "UploadFile": "hybridsite.uploads",
}

if not TYPE_CHECKING:  # or any name would pass for one

    def __getattr__(name: str) -> Any:
        if name in _LATER:
            from importlib import import_module

            return getattr(import_module(_LATER[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

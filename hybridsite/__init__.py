"""hybridsite builds the pages that all visitors share into files, and renders the personal ones on demand.

The names here are the ones that a site's own Python files import.
"""

from typing import TYPE_CHECKING, Any

from hybridsite.decorators import action
from hybridsite.errors import ActionError, NotFound, SessionValueError, SiteError

if TYPE_CHECKING:
    from hybridsite.uploads import UploadFile

__all__ = ["ActionError", "NotFound", "SessionValueError", "SiteError", "UploadFile", "__version__", "action"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "UploadFile":  # it stands on Starlette, which most commands don't need
        from hybridsite.uploads import UploadFile

        return UploadFile
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

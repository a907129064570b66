"""hybridsite builds the pages that all visitors share into files, and renders the personal ones on demand.

The names here are the ones that a site's own Python files import.
"""

from hybridsite.errors import NotFound, SessionValueError, SiteError

__all__ = ["NotFound", "SessionValueError", "SiteError", "__version__"]

__version__ = "0.1.0"

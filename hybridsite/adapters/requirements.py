"""What a site needs of packages where it is served: hybridsite's own in the extras that it uses, and the site's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hybridsite.errors import Location, SourceError

if TYPE_CHECKING:
    from hybridsite.site import Site

REQUIREMENTS = "requirements.txt"
DRIVERS = ("redis", "postgres", "upstash", "dynamodb", "key-value")


def extras_of(site: Site) -> list[str]:
    """Names hybridsite's extras that serving the site needs."""
    extras = [name for name in DRIVERS if site.settings.session.driver == name]
    extras += ["redis"] if site.settings.cache.driver == "redis" and "redis" not in extras else []
    server = site.settings.server
    extras += ["i18n"] if site.settings.i18n.locales else []
    extras += ["metrics"] if server.metrics.port is not None else []
    return extras + (["otel"] if server.spans else [])


def own_requirements(root: Path) -> list[str]:
    """Gives the lines of the site's own requirements.txt, if there is one. Raises SourceError."""
    try:
        return (root / REQUIREMENTS).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError("the file can't be read", why=str(error), location=Location(REQUIREMENTS)) from None

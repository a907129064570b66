"""Adapters: what a host offers, what it is given besides the files that every build writes, and what it can't run.

The names without an underscore are the public interface. The adapters of hybridsite's own stand on it and on nothing
else. This module stands below what loads a site, since the host decides where sessions are kept.
"""

from __future__ import annotations

import posixpath
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from hybridsite.capabilities import EVERY, Capability
from hybridsite.config import setting_locations
from hybridsite.errors import AdapterError, Faults, Location, SiteError, SourceError
from hybridsite.extensions import Kind, found
from hybridsite.files import PUBLIC
from hybridsite.manifest import BuiltFile
from hybridsite.modules import make_importable
from hybridsite.settings import Settings

ENTRY_POINTS: Final = "hybridsite.adapters"
BUILT_IN: Final[Mapping[str, str]] = {
    "standalone": "hybridsite.adapters.standalone:StandaloneAdapter",
    "static": "hybridsite.adapters.static:StaticAdapter",
    "container": "hybridsite.adapters.container:ContainerAdapter",
    "netlify": "hybridsite.adapters.netlify:NetlifyAdapter",
    "cloudflare": "hybridsite.adapters.cloudflare:CloudflareAdapter",
    "vercel": "hybridsite.adapters.vercel:VercelAdapter",
    "lambda": "hybridsite.adapters.aws_lambda:LambdaAdapter",
}


@dataclass(frozen=True, slots=True)
class Host:
    """Where a site's code answers requests, and what it finds there.

    `answers` is false where nothing of the site runs: then there are files alone, and `mend` says what would change
    that. `session_driver` is the driver of a site that names none; None for no sessions.
    """

    answers: bool
    offers: frozenset[Capability] = frozenset()
    session_driver: str | None = None
    mend: str = ""


SERVER: Final = Host(answers=True, offers=EVERY, session_driver="sqlite")
"""A machine of one's own on which `hybridsite serve` runs."""
FUNCTION: Final = Host(answers=True, offers=frozenset(("sockets",)))
"""A function that a host starts and ends as it likes, on a file system that nobody keeps."""


@dataclass(frozen=True)
class HostedBuild:
    """A build whose files stand, before it takes the place of dist/.

    `site` is the site, `files` what lies below dist/client/ (and, guarded, beside it) as the server gives it out.
    """

    site: Any
    files: Sequence[BuiltFile]
    _write: Callable[[str, bytes], object] = field(repr=False)
    _read: Callable[[str], bytes] = field(repr=False)
    _size: Callable[[], int] = field(repr=False)

    def size(self) -> int:
        """Gives how many bytes dist/ has, with what the server needs and what the adapter has written so far."""
        return self._size()

    def read(self, name: str) -> bytes:
        """Gives a file by its path below dist/. Raises FileNotFoundError."""
        return self._read(_path(name))

    def write(self, name: str, body: bytes | str) -> None:
        """Writes a file by its path below dist/. Raises AdapterError for no such path, BuildError for a full disk."""
        self._write(_path(name), body.encode() if isinstance(body, str) else body)

    def own(self, name: str) -> str:
        """Gives the text that the site has in public/ under a name of `Adapter.claims`; "" without. Raises
        SourceError."""
        shown = f"{PUBLIC}/{name}"
        try:
            return (Path(self.site.root) / shown).read_text("utf-8-sig").replace("\r\n", "\n")
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError:
            what = "the file isn't text in UTF-8"
            raise SourceError(what, mend="save it as UTF-8", location=Location(shown)) from None
        except OSError as error:
            why = error.strerror or ""
            raise SourceError("the file can't be read", why=why, location=Location(shown)) from None


class Adapter(ABC):
    """The base class of adapters: fits a build to a host. Only `host` has to be there.

    The class is made without arguments, and keeps nothing: `[build]` and the rest of site.toml say what it needs.
    """

    claims: ClassVar[tuple[str, ...]] = ()
    """Names below dist/client/ that it writes itself. Such a file of public/ isn't copied: `HostedBuild.own` has it."""

    @abstractmethod
    def host(self, settings: Settings) -> Host:
        """Tells what the host offers to a site with these settings. Called before the site is loaded."""

    def check(self, site: Any, faults: Faults) -> None:
        """Adds a fault for what the host can't do, besides what `host` tells. Called before anything is rendered."""
        return

    def finish(self, build: HostedBuild) -> Iterable[SiteError]:
        """Adds files. Gives what the author is told; raises SiteError, and SiteErrors, for what is no build."""
        return ()

    def placed(self, site: Any, dist: Path) -> Iterable[Path]:
        """Learns that the build stands in dist/, and may write what has to lie elsewhere below the site's root.

        Gives files of that by which the next build sees whether it is still there, and as it was.
        """
        return ()


_KIND = Kind("adapter", ENTRY_POINTS, AdapterError, 'or name a class: "package.module:Adapter"', BUILT_IN)


def find_adapter(name: str) -> Adapter:
    """Makes the adapter of a built-in name, of an entry point's, or of `package.module:Class`. Raises AdapterError."""
    kind = found(_KIND, name)
    if not (isinstance(kind, type) and issubclass(kind, Adapter)):
        what = f'the adapter "{name}" is no subclass of hybridsite.adapters.adapter.Adapter'
        raise AdapterError(what, mend="derive the class from it")
    try:
        return kind()
    except Exception as error:
        raise AdapterError(f'the adapter "{name}" can\'t be made', why=f"{type(error).__name__}: {error}") from error


def adapter_of(root: Path, settings: Settings) -> Adapter:
    """Gives the adapter that site.toml names. Raises AdapterError with its line."""
    try:
        return find_adapter(settings.build.adapter)
    except AdapterError as error:
        raise error.at(setting_locations(root).get(("build", "adapter")) or Location("site.toml")) from error


def host_of(settings: Settings) -> Host:
    """Gives the host of a site whose adapter was found before."""
    return find_adapter(settings.build.adapter).host(settings)


def fitted(root: Path, settings: Settings) -> Settings:
    """Gives the settings with the session driver of the host, where site.toml names none; and without a cache in
    memory, where no process stays that could keep it. Raises AdapterError."""
    if ":" in settings.build.adapter:
        make_importable(root)
    host = adapter_of(root, settings).host(settings)
    if host.answers and "process" not in host.offers and "driver" not in settings.cache.model_fields_set:
        cache = settings.cache.model_copy(update={"driver": False})
        settings = settings.model_copy(update={"cache": cache})
    default = host.session_driver or False
    if "driver" in settings.session.model_fields_set or settings.session.driver == default:
        return settings
    session = settings.session.model_copy(update={"driver": default})
    return settings.model_copy(update={"session": session})


def _path(name: str) -> str:
    if posixpath.normpath(name) != name or name.startswith(("/", "../")) or name in (".", "..") or "\\" in name:
        raise AdapterError(f'"{name}" is no path below dist/')
    return name

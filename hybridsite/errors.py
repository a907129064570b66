"""What can be wrong with a site, and where: the one tree of errors that every room raises.

    SiteError                     anything a site's author can mend
    ├── SourceError               a file can't be read, or is not text in UTF-8
    ├── ConfigError               site.toml, or the environment that it names
    ├── FrontMatterError          the front matter of a page
    ├── TemplateError             a template doesn't parse, or fails while it renders
    ├── MarkdownError             a Markdown body
    ├── AssetError                a file in assets/, or what asset() and image() ask for
    ├── ContentError              a collection, or one of its entries
    ├── RouteError                files under pages/, and what `paths` gives
    ├── ModuleError               a Python file of the site doesn't load, or raises
    ├── PluginError               a plugin doesn't load, or raises
    ├── ContextError              something asked of the request that this page can't have
    ├── PrerenderSessionError     `session` on a page that has none
    ├── SessionValueError         a value that a session can't hold (also a ValueError)
    ├── SessionDataError          stored bytes that can't be read back
    ├── SessionClosedError        a session changed after its answer began
    ├── SessionNotFoundError      no session by that handle (also a LookupError)
    ├── SessionIndexError         sessions looked up by a key that is not in [session] index (also a LookupError)
    ├── DriverError               the session driver can't be used as it is set
    ├── SecretError               the signing secret is missing, short or a well-known one
    ├── AdapterError              the host can't do what the site asks for
    ├── BuildError                dist/ can't be written
    └── ServeError                the server can't start
    SiteErrors                    several of them, found in one run
    Answer                        no fault, but what ends a request
    ├── NotFound                  raised by a page or an endpoint to answer 404
    ├── ActionError               raised by an action to refuse what it was asked
    └── SessionUnavailable        the session was touched while its store does not answer: 503

An error shows itself as `file:line:column: what; why; mend`. Its `code` is a permanent name, which
docs/errors.md explains.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import ClassVar

from hybridsite.extras import with_one_command


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place in a file of the site.

    `file` is relative to the site's root, with forward slashes. `line` and `column` count from 1; 0 means unknown.
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        numbers = [str(n) for n in (self.line, self.column) if n] if self.line else []
        return ":".join([self.file, *numbers])


class SiteError(Exception):
    """Something that the site's author can mend, with its place, its reason and its mend.

    `what` is a clause without a full stop. `why` and `mend` are further clauses, or empty. `pages` names the pages that
    met the fault, where it stands in another file than theirs.
    """

    code: ClassVar[str] = "site"

    def __init__(self, what: str, *, why: str = "", mend: str = "", location: Location | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.mend = mend
        self.location = location
        self.pages: tuple[str, ...] = ()

    def at(self, location: Location) -> SiteError:
        """Gives the error a place, unless it has one with a line already."""
        if self.location is None or not self.location.line:
            self.location = location
        return self

    def __str__(self) -> str:
        met = f"met by {self.pages[0]}" if self.pages else ""
        if len(self.pages) > 1:
            met += f" and {count(len(self.pages) - 1, 'more page')}"
        text = "; ".join(part for part in (self.what, self.why, met, self.mend) if part)
        return f"{self.location}: {text}" if self.location else text


class SourceError(SiteError):
    """A file of the site can't be read: it is missing, not text in UTF-8, too large, or leads out of the site."""

    code = "source"


class ConfigError(SiteError):
    """A setting in site.toml is unknown, of the wrong type or out of range, or names a variable that is not set."""

    code = "config"


class FrontMatterError(SiteError):
    """The front matter of a page doesn't parse, or one of its reserved keys has a value that it can't have."""

    code = "front-matter"


class TemplateError(SiteError):
    """A template doesn't parse, names something that isn't there, or fails while it renders."""

    code = "template"


class MarkdownError(SiteError):
    """A Markdown body can't be turned into HTML."""

    code = "markdown"


class AssetError(SiteError):
    """A file in assets/ can't be processed, or `asset()` and `image()` ask for what isn't there or can't be made."""

    code = "asset"


class ContentError(SiteError):
    """A collection can't be loaded or isn't there, or an entry of one doesn't fit its schema."""

    code = "content"


class RouteError(SiteError):
    """Two files claim one route, a file name is no route, or `paths` gives what the route can't take."""

    code = "route"


class ModuleError(SiteError):
    """A Python file of the site doesn't parse, doesn't load, defines what it may not, or raises."""

    code = "module"


class PluginError(SiteError):
    """A plugin can't be loaded, gives what can't be used, or raises."""

    code = "plugin"


class ContextError(SiteError):
    """Code asked for a part of the request that this kind of page doesn't have."""

    code = "context"


class PrerenderSessionError(SiteError):
    """A prerendered page, or a page of a site without a session driver, uses `session`, which is undefined there."""

    code = "prerender-session"


class SessionValueError(SiteError, ValueError):
    """A value, or a key, that a session can't store. It names the key, the type and the place inside the value."""

    code = "session-value"


class SessionDataError(SiteError):
    """The stored bytes of a session can't be read: cut off, of another version, or another program's. They are kept."""

    code = "session-data"


class SessionClosedError(SiteError):
    """A session was changed after it had been saved, when the answer had already begun to leave."""

    code = "session-closed"


class SessionNotFoundError(SiteError, LookupError):
    """There is no session by that handle: it ended, or never was."""

    code = "session-not-found"


class SessionIndexError(SiteError, LookupError):
    """Sessions are looked up by a key that `[session] index` does not name."""

    code = "session-index"


class DriverError(SiteError):
    """The session driver is unknown, not installed, or can't be used with the other settings."""

    code = "session-driver"


class SecretError(SiteError):
    """The secret that signs cookies is too short, or one that everybody knows."""

    code = "secret"


class AdapterError(SiteError):
    """The host that [build] adapter names can't do what the site asks for."""

    code = "adapter"


class BuildError(SiteError):
    """The built site can't be written: no space, no permission, or a file that vanished meanwhile."""

    code = "build"


class ServeError(SiteError):
    """The server can't start: the site isn't built, or the address is taken."""

    code = "serve"


class SiteErrors(Exception):
    """Several faults of a site, found in one run, in the order of their places."""

    def __init__(self, faults: Iterable[SiteError]) -> None:
        once: dict[tuple[object, ...], SiteError] = {}
        for fault in with_one_command(faults):
            # A fault in a layout is met by every page: it is told once.
            first = once.setdefault((fault.location, fault.what, fault.why, fault.mend), fault)
            first.pages = tuple(dict.fromkeys((*first.pages, *fault.pages)))
        self.faults = tuple(sorted(once.values(), key=lambda fault: (fault.location or Location(""), fault.what)))
        super().__init__(f"{len(self.faults)} faults")

    def __str__(self) -> str:
        return "\n".join(map(str, self.faults))


class Answer(Exception):
    """An exception that is an answer to the request, and no fault: it ends the rendering wherever it is raised."""


class NotFound(Answer):
    """Raised by a page's `load`, or an endpoint, to answer 404 with the site's own page."""


ACTION_STATUSES: Mapping[str, int] = {
    "invalid": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "gone": 410,
    "too_large": 413,
    "unsupported_type": 415,
    "too_many_requests": 429,
    "internal": 500,
    "unavailable": 503,
}
"""The codes of an ActionError that have a status of their own."""


class ActionError(Answer):
    """Raised by an action to refuse what it was asked: a code for programs, a message for people.

    `fields` has what is wrong with single fields: a message, or several, for each. `status` is that of the code in
    ACTION_STATUSES, and 400 for any other. What the action changed in the session is saved.
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        status: int | None = None,
        fields: Mapping[str, str | Iterable[str]] | None = None,
    ) -> None:
        super().__init__(code, message)
        if status is not None and not 400 <= status <= 599:
            raise ValueError(f"{status} is no status of an error")
        self.code = code
        self.message = message
        self.status = ACTION_STATUSES.get(code, 400) if status is None else status
        self.fields = {name: [told] if isinstance(told, str) else list(told) for name, told in (fields or {}).items()}


class SessionUnavailable(Answer):
    """Raised where the session is touched or saved while its store does not answer: 503. Code may catch it."""


class Faults:
    """Collects faults, so that one run shows all of them rather than the first."""

    def __init__(self) -> None:
        self._faults: list[SiteError] = []

    def __bool__(self) -> bool:
        return bool(self._faults)

    def add(self, fault: SiteError) -> None:
        """Keeps one fault."""
        self._faults.append(fault)

    @contextmanager
    def collect(self, *page: str) -> Iterator[None]:
        """Keeps the faults that its block raises. One that is in none of the files of `page` says that it met it."""
        try:
            yield
        except (SiteError, SiteErrors) as error:
            self.take(error, *page)

    def take(self, error: SiteError | SiteErrors, *page: str) -> None:
        """Keeps the fault, or all of them, as `collect` does."""
        for fault in error.faults if isinstance(error, SiteErrors) else (error,):
            if page and fault.location and fault.location.file not in page:
                fault.pages = fault.pages or page[:1]
            self._faults.append(fault)

    def raise_any(self) -> None:
        """Raises the only fault as itself, several as SiteErrors, none not at all."""
        if not self._faults:
            return
        several = SiteErrors(self._faults)
        raise several.faults[0] if len(several.faults) == 1 else several


def count(number: int, noun: str) -> str:
    """Gives a number with its noun: `1 page`, `3 pages`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def closest(name: str, candidates: Iterable[str]) -> str | None:
    """Gives the candidate that `name` was most likely meant to be, or None."""
    import difflib  # only a fault needs it

    names = list(candidates)
    folded = {candidate.casefold(): candidate for candidate in names}
    if name.casefold() in folded:
        return folded[name.casefold()]
    if matches := difflib.get_close_matches(name, names, n=1, cutoff=0.7):
        return matches[0]
    return next((candidate for candidate in names if len(name) > 2 and one_slip(name, candidate)), None)


def one_slip(word: str, target: str) -> bool:
    """Tells whether one insertion, deletion, replacement or exchange of neighbours turns `word` into `target`."""
    if word == target or abs(len(word) - len(target)) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(word, target, strict=False)) if a != b), min(len(word), len(target)))
    rest, wanted = word[start:], target[start:]
    return (
        rest[1:] == wanted
        or rest == wanted[1:]
        or rest[1:] == wanted[1:]
        or (rest[:2] == wanted[:2][::-1] and rest[2:] == wanted[2:])
    )


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """Gives the clause `did you mean "x"?`, or nothing where no candidate is near."""
    match = closest(name, candidates)
    return f'did you mean "{match}"?' if match is not None else ""


def place_of(error: BaseException, root: str) -> Location | None:
    """Finds where in the site an exception came from: the last frame whose file lies below `root`."""
    return next(reversed(frames_of(error, root)), None)


def is_of_site(file: str, root: str) -> bool:
    """Tells whether a file is the author's own: below the site's root, and not in a virtual environment there."""
    folders = file[len(root) + 1 :].split("/")[:-1]
    strange = any(folder.startswith(".") or folder in ("site-packages", "node_modules") for folder in folders)
    return file.startswith(f"{root}/") and not strange


def frames_of(error: BaseException, root: str) -> list[Location]:
    """Gives the lines of the site that led to an exception, templates' too, the outermost first."""
    if isinstance(error, SyntaxError) and error.filename and is_of_site(error.filename, root):
        return [Location(error.filename[len(root) + 1 :], error.lineno or 0, error.offset or 0)]
    found: list[Location] = []
    frames = error.__traceback__
    while frames is not None:
        file = frames.tb_frame.f_code.co_filename
        if is_of_site(file, root):
            found.append(Location(file[len(root) + 1 :], frames.tb_lineno))
        frames = frames.tb_next
    return found


def traceback_of(error: BaseException, root: str) -> TracebackType | None:
    """Gives the traceback of an exception from the site's first line on: what called that is not the author's."""
    frames = error.__traceback__
    while frames is not None and not is_of_site(frames.tb_frame.f_code.co_filename, root):
        frames = frames.tb_next
    return frames or error.__traceback__

"""What the error page has to tell: each fault with its causes, the lines that led to it, and the values in scope."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from hybridsite.errors import Location, SiteError, SiteErrors, frames_of, is_of_site, place_of
from hybridsite.sources import excerpt

MASKED = "••••••"
"""What stands in the place of a secret."""
_SECRET = r"pass(?:word|wd|phrase)?|secret|token|api_?key|private_?key|credential|cookie|authorization|session|csrf"
_SECRET_NAME = re.compile(_SECRET, re.IGNORECASE)
# What stands behind such a name inside of a value: in a mapping, or in what a dataclass shows of itself.
_SECRET_INSIDE = re.compile(
    rf"""((?:{_SECRET})\w*['"]?\s*[:=]\s*)(?:b?'(?:[^'\\]|\\.)*'|b?"(?:[^"\\]|\\.)*"|[^,)}}\]]+)""", re.IGNORECASE
)
_MOST_VALUES = 40
_MOST_FRAMES = 60
_MOST_CAUSES = 20


@dataclass(frozen=True, slots=True)
class Step:
    """A line on the way to a fault. `location` counts from the site's root, where `is_own`."""

    location: Location
    function: str
    is_own: bool


@dataclass(frozen=True, slots=True)
class Told:
    """One fault, or one of its causes, as it is shown."""

    kind: str
    what: str
    why: str = ""
    mend: str = ""
    location: Location | None = None
    excerpt: str = ""
    pages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """All that there is to tell. `values` are those in scope where it happened, secrets masked."""

    faults: tuple[Told, ...]
    causes: tuple[Told, ...]
    steps: tuple[Step, ...]
    values: Mapping[str, str]

    @property
    def locations(self) -> tuple[Location, ...]:
        """The places of the faults."""
        return tuple(fault.location for fault in self.faults if fault.location)


def report(error: BaseException, root: Path, *, with_values: bool) -> Report:
    """Tells what is known of an exception: of all faults, where it is several."""
    first: list[BaseException] = list(error.faults) if isinstance(error, SiteErrors) else [error]
    chain = [one for top in first for one in _chain(top)]
    known = [one for one in chain if isinstance(one, SiteError) or not _is_ours(type(one))]
    faults = tuple(_told(one, root) for one in first)
    seen = {(one.location, one.what) for one in faults}
    told = dict.fromkeys(_told(one, root) for one in known)
    causes = tuple(one for one in told if (one.location, one.what) not in seen)
    steps = tuple(dict.fromkeys(step for one in reversed(chain) for step in _steps(one, str(root))))
    own = sorted(steps, key=lambda step: not step.is_own)[:_MOST_FRAMES]
    return Report(faults, causes, tuple(own), _values(chain, str(root)) if with_values else {})


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an exception and what it came from."""
    known: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in known and len(known) < _MOST_CAUSES:
        known.add(id(one))
        yield one
        cause = one.__cause__
        # An error that was given its place, and raised on, is its own cause: what it came from is its context.
        one = one.__context__ if cause is one or (cause is None and not one.__suppress_context__) else cause


def _told(error: BaseException, root: Path) -> Told:
    place = error.location if isinstance(error, SiteError) else None
    place = place or next(reversed(frames_of(error, str(root))), None)
    if not isinstance(error, SiteError):
        what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        return Told(type(error).__name__, what, location=place, excerpt=_excerpt(place, root))
    return Told(error.code, error.what, error.why, error.mend, place, _excerpt(place, root), error.pages)


def _excerpt(place: Location | None, root: Path) -> str:
    if place is None or not place.line:
        return ""
    path = (root / place.file).resolve()
    if not path.is_relative_to(root):
        return ""
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError:
        return ""
    return excerpt(text.replace("\r\n", "\n"), place.line, around=4)


def _steps(error: BaseException, root: str) -> Iterator[Step]:
    frames = error.__traceback__
    found = []
    while frames is not None:
        code = frames.tb_frame.f_code
        own = is_of_site(code.co_filename, root)
        file = code.co_filename[len(root) + 1 :] if own else code.co_filename
        found.append(Step(Location(file, frames.tb_lineno), code.co_name, own))
        frames = frames.tb_next
    yield from reversed(found)


def _values(chain: list[BaseException], root: str) -> dict[str, str]:
    """Gives the values of the site's own line that was reached last: a template's or a function's."""
    frame: FrameType | None = None
    for error in reversed(chain):
        frames = error.__traceback__
        while frames is not None:
            if is_of_site(frames.tb_frame.f_code.co_filename, root):
                frame = frames.tb_frame
            frames = frames.tb_next
        if frame is not None:
            break
    if frame is None or frame.f_code.co_name == "<module>":
        return {}
    in_template = "__jinja_exception__" in frame.f_globals
    found = {name: value for name, value in frame.f_locals.items() if not name.startswith("__")}
    own = [name for name, value in found.items() if not (in_template and _is_everywhere(name, value))]
    return {name: shown_value(name, found[name]) for name in own[:_MOST_VALUES]}


def _is_ours(thing: object) -> bool:
    """Tells whether a class or a function is hybridsite's, or Jinja's."""
    return str(getattr(thing, "__module__", "")).partition(".")[0] in ("hybridsite", "jinja2")


def _is_everywhere(name: str, value: object) -> bool:
    """Tells whether a name of a template is one that every template has, and neither the page's nor the author's."""
    from jinja2.defaults import DEFAULT_NAMESPACE  # only a fault needs it

    if name in ("site", "data") or DEFAULT_NAMESPACE.get(name) is value:
        return True
    return callable(value) and _is_ours(value)


def is_secret(name: str) -> bool:
    """Tells whether a name is that of a secret."""
    return _SECRET_NAME.search(name) is not None


def shown_value(name: str, value: object) -> str:
    """Gives a value as it is shown: short, and masked where its name, or a name inside of it, is that of a secret."""
    if is_secret(name):
        return MASKED
    short = reprlib.Repr()
    short.maxstring = short.maxother = 200
    short.maxdict = short.maxlist = short.maxtuple = short.maxset = 12
    try:
        text = short.repr(value)
    except Exception as error:
        return f"<its repr raises {type(error).__name__}>"
    return _SECRET_INSIDE.sub(lambda found: found[1] + MASKED, text)


def told_in_a_line(error: BaseException, root: Path) -> str:
    """Gives what a terminal shows of a fault: its place, and what it is."""
    if isinstance(error, SiteError | SiteErrors):
        return str(error)
    place = place_of(error, str(root))
    return f"{f'{place}: ' if place else ''}{type(error).__name__}: {error}"

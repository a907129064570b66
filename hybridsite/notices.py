"""The places that use `session` where there is none: each told once, with the pages that lead there."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import FrameType

from hybridsite import used
from hybridsite.errors import Location, PrerenderSessionError, count, is_of_site
from hybridsite.used import Notice

Listener = Callable[[PrerenderSessionError], None]

_GUARD = "guard the place with `{% if session is defined %}` (in Python: context.has_session)"
MEND_PRERENDERED = f"give the page `prerender: false`, put the piece into an island, or {_GUARD}"


def no_driver(drivers: Sequence[str] | None) -> str:
    """Tells what to do where the site has no driver: `drivers` are those that work on its host, None where all do."""
    if drivers is None:
        return f"name a [session] driver in site.toml, or {_GUARD}"
    if not drivers:
        return f"choose a [build] adapter whose host runs the site, or {_GUARD}"
    return f"name a [session] driver in site.toml that works there ({', '.join(drivers)}), or {_GUARD}"


class SessionNotices:
    """Collects the uses of an undefined session by place. A listener hears of each new place at once."""

    def __init__(self) -> None:
        self._places: dict[Location, tuple[dict[str, None], Sequence[str], str]] = {}
        self._listener: Listener | None = None

    def add(self, place: Location, page: str, *, way: Sequence[str] = (), mend: str) -> None:
        """Notes that `page` uses the session at `place`; `way` names the templates and lines between them."""
        used.note_notice((place.file, place.line, page, tuple(way), mend))
        known = self._places.get(place)
        if known:
            known[0][page] = None
            return
        self._places[place] = ({page: None}, way, mend)
        if self._listener is not None:
            self._listener(self._fault(place))

    def repeat(self, notices: Iterable[Notice]) -> None:
        """Notes again what was noted by an earlier build, or of another process."""
        for file, line, page, way, mend in notices:
            self.add(Location(file, line), page, way=way, mend=mend)

    def faults(self) -> list[PrerenderSessionError]:
        """Gives one fault a place, in the order of the places."""
        return [self._fault(place) for place in sorted(self._places)]

    def of(self, page: str) -> list[PrerenderSessionError]:
        """Gives the faults that a page meets."""
        return [self._fault(place) for place, (pages, _, _) in sorted(self._places.items()) if page in pages]

    def listen(self, listener: Listener) -> None:
        """Tells `listener` of every place known now, and of each new one when it is found."""
        for fault in self.faults():
            listener(fault)
        self._listener = listener

    def _fault(self, place: Location) -> PrerenderSessionError:
        pages, way, mend = self._places[place]
        reason = "is rendered at build" if mend == MEND_PRERENDERED else "has no session, since the site has no driver"
        why = f"{next(iter(pages))} {reason}"
        if way:
            why += ", and leads here by " + " → ".join(way)
        if len(pages) > 1:
            why += f" (and {count(len(pages) - 1, 'more page')})"
        return PrerenderSessionError("`session` is undefined", why=why, mend=mend, location=place)


def caller(root: str) -> Location | None:
    """Finds the line of the site that asked what calls this."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if is_of_site(file, root):
            return Location(Path(file).relative_to(root).as_posix(), frame.f_lineno)
        frame = frame.f_back
    return None

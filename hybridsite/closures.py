"""What a template leads to: every reference followed, and its islands where they are rendered in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hybridsite.analysis import SESSION, TemplateFacts, Use


@dataclass(frozen=True, slots=True)
class Step:
    """One stop on the way from a page to a place: the template and the line that leads on."""

    template: str
    line: int


@dataclass(frozen=True, slots=True)
class Closure:
    """What is known of a template and all that it leads to.

    `unguarded` holds, for each place that uses the session without a guard, the way there: its last step is the
    place itself. `islands` has the components of the islands that it leads to.
    """

    names: frozenset[str]
    templates: tuple[str, ...]
    uses_session: bool
    dynamic: bool
    unguarded: tuple[tuple[Step, ...], ...]
    uses_content: bool = False
    islands: tuple[str, ...] = ()


def trace(start: str, facts: Callable[[str], TemplateFacts | None], *, in_place: bool = False) -> Closure:
    """Follows a template through every reference. `facts` gives None for templates that don't exist.

    With `in_place` islands are followed too: they are rendered with the page. Otherwise what their components use is
    no use of the page's.
    """
    names: set[str] = set()
    islands: dict[str, None] = {}
    uses_session = dynamic = uses_content = False
    order: dict[str, None] = {}
    seen: set[tuple[str, bool]] = set()
    pending = [(start, False)]
    while pending:
        name, hidden = stop = pending.pop()
        found = facts(name) if stop not in seen else None
        if found is None:
            continue
        seen.add(stop)
        order[name] = None
        names |= found.names
        uses_session = uses_session or any(_is_the_visitors(use, hidden) for use in found.uses)
        dynamic = dynamic or found.dynamic
        uses_content = uses_content or found.uses_content
        islands |= dict.fromkeys(use.component for use in found.islands)
        pending.extend(stop for stop, _, _ in reversed(_stops(found, hidden, in_place)))
    unguarded = tuple(_unguarded(start, facts, in_place))
    return Closure(frozenset(names), tuple(order), uses_session, dynamic, unguarded, uses_content, tuple(islands))


def _stops(found: TemplateFacts, hidden: bool, in_place: bool) -> list[tuple[tuple[str, bool], int, bool]]:
    """Gives where a template leads: each stop with its line, and whether a guard stands before it."""
    stops = [((one.template, hidden or one.hides), one.line, one.guarded) for one in found.references]
    # A component sees none of the page's local names, so none of them hides the visitor's session.
    return stops + [((use.component, False), use.line, use.guarded) for use in found.islands if in_place]


def _is_the_visitors(use: Use, hidden: bool) -> bool:
    return not hidden or use.name != SESSION


def _unguarded(start: str, facts: Callable[[str], TemplateFacts | None], in_place: bool) -> list[tuple[Step, ...]]:
    # Breadth first, so that the way shown to a place is the shortest one.
    ways: list[tuple[str, bool, tuple[Step, ...]]] = [(start, False, ())]
    seen = {(start, False)}
    places: dict[Step, tuple[Step, ...]] = {}
    for name, hidden, way in ways:
        found = facts(name)
        if found is None:
            continue
        for use in found.uses:
            if not use.asks and not use.guarded and _is_the_visitors(use, hidden):
                place = Step(name, use.line)
                places.setdefault(place, (*way, place))
        for stop, line, guarded in _stops(found, hidden, in_place):
            if not guarded and stop not in seen:
                seen.add(stop)
                ways.append((*stop, (*way, Step(name, line))))
    return list(places.values())

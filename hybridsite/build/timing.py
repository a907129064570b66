"""Where the time of a build goes: by its phases, and by the templates that render."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jinja2

from hybridsite.site import Site


class Phases:
    """The seconds of each phase of a build, in the order in which they began first. `first` begins now."""

    def __init__(self, first: str) -> None:
        self.seconds: dict[str, float] = {first: 0.0}
        self._phase = first
        self._since = time.perf_counter()

    def enter(self, phase: str) -> None:
        """Ends the phase under way, and begins another one, or goes on with it."""
        self.end()
        self.seconds.setdefault(phase, 0.0)
        self._phase = phase

    def end(self) -> None:
        """Ends the phase under way."""
        now = time.perf_counter()
        if self._phase:
            self.seconds[self._phase] += now - self._since
        self._phase, self._since = "", now


class Stopwatch:
    """The seconds that templates take, each without those that it includes, extends or is extended by."""

    def __init__(self) -> None:
        self._spent: dict[str, float] = {}
        self._inner: list[float] = []

    def take(self) -> dict[str, float]:
        """Gives what was spent since it was last asked."""
        spent, self._spent = self._spent, {}
        return spent

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Counts the time of its block as that of a template, less what runs within it."""
        self._inner.append(0.0)
        began = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - began
            self._spent[name] = self._spent.get(name, 0.0) + spent - self._inner.pop()
            if self._inner:
                self._inner[-1] += spent


class _Watched:
    """A function of a compiled template, watched while it runs. It is equal to it: `super()` looks for that one."""

    def __init__(self, stopwatch: Stopwatch, name: str, render: Callable[..., Iterator[str]]) -> None:
        self._stopwatch = stopwatch
        self._name = name
        self._render = render

    def __call__(self, *arguments: Any, **options: Any) -> Iterator[str]:
        parts = self._render(*arguments, **options)
        while True:
            with self._stopwatch.running(self._name):
                part = next(parts, None)
            if part is None:
                return
            yield part

    def __eq__(self, other: object) -> bool:
        return other is self._render or other is self

    def __hash__(self) -> int:
        return hash(self._render)


def watched(site: Site) -> Stopwatch:
    """Watches the templates of a site from now on, at a price for each of their parts."""
    stopwatch, environment = Stopwatch(), site.templates.environment
    get, seen = environment.get_template, set[str]()

    def get_template(name: Any, parent: str | None = None, globals: Any = None) -> jinja2.Template:
        template = get(name, parent, globals)
        if template.name is not None and template.name not in seen:
            seen.add(template.name)
            template.root_render_func = _Watched(stopwatch, template.name, template.root_render_func)
            for block, render in template.blocks.items():
                template.blocks[block] = _Watched(stopwatch, template.name, render)
        return template

    environment.get_template = get_template  # type: ignore[method-assign]
    return stopwatch

"""The collector of circles, which looks through all objects there are again and again unless it is told not to."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


def leave_it() -> None:
    """Leaves all that there is to the end of the process, which is near: Python looks through it again then."""
    gc.freeze()


@contextmanager
def seldom_collecting() -> Iterator[None]:
    """Lets the collector look seldom: imported modules and a loaded site are many objects that stay."""
    thresholds = gc.get_threshold()
    gc.set_threshold(200_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)

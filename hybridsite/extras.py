"""The packages that only some sites need, by the extras of hybridsite that bring them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any, TypeVar

F = TypeVar("F", bound=Any)
_COMMAND = re.compile(r'pip install "hybridsite\[([a-z0-9,-]+)\]"')


def install(*extras: str) -> str:
    """Gives the command that installs extras."""
    return f'pip install "hybridsite[{",".join(extras)}]"'


def is_missing(package: str) -> bool:
    """Tells whether a package can't be imported, without importing it."""
    return find_spec(package) is None


def with_one_command(faults: Iterable[F]) -> list[F]:
    """Gives faults, those that lack packages with one command in their mends, which brings what they all lack."""
    told = list(faults)
    wanted = {extra for fault in told for found in _COMMAND.findall(fault.mend) for extra in found.split(",")}
    for fault in told if len(wanted) > 1 else ():
        fault.mend = _COMMAND.sub(install(*sorted(wanted)), fault.mend)
    return told

"""Classes that strangers bring: found by a built-in name, by that of an entry point, or by `package.module:Class`."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points

from hybridsite.errors import SiteError, did_you_mean


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of them: the word for it in errors, the group of its entry points, the error that is raised.

    `built_in` has places by names, `unknown` is the mend where no name is near, `absent` that for one that can't be
    imported.
    """

    word: str
    group: str
    error: type[SiteError]
    unknown: str
    built_in: Mapping[str, str] = field(default_factory=dict)
    absent: Callable[[str], str] = lambda name: "install its package, or put the module at the site's root"


def found(kind: Kind, name: str) -> object:
    """Imports what a name stands for, whatever that is. Raises the kind's error."""
    place = kind.built_in.get(name, name)
    if ":" not in place:
        installed = {point.name: point.value for point in entry_points(group=kind.group)}
        if name not in installed:
            names = [*kind.built_in, *installed]
            known = f"known are {', '.join(names)}" if names else ""
            mend = did_you_mean(name, names) or kind.unknown
            raise kind.error(f'there is no {kind.word} "{name}"', why=known, mend=mend)
        place = installed[name]
    module, _, attribute = place.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        what = f'the {kind.word} "{name}" can\'t be loaded'
        raise kind.error(what, why=str(error), mend=kind.absent(name)) from error
    except Exception as error:  # the module is run, and may raise anything
        why = f"{module} raises {type(error).__name__}: {error}"
        raise kind.error(f'the {kind.word} "{name}" can\'t be loaded', why=why) from error

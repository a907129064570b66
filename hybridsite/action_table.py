"""The actions of a site: what actions.py defines, checked as it is loaded, found by exact name alone."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hybridsite.decorators import MARK, MARKED
from hybridsite.errors import Location, ModuleError
from hybridsite.forms import FormModel
from hybridsite.modules import Handler, SiteModule, load_module
from hybridsite.resources import Resource
from hybridsite.routes import Part, Route

ACTIONS_FILE = "actions.py"
# The first name of every action's path. Nothing below pages/ whose name begins with _ is a route.
ACTIONS = "_actions"


@dataclass(frozen=True, eq=False)
class Action:
    """A function that a browser may ask for: by its name, with its model (None where it takes no form)."""

    name: str
    function: Handler
    form: FormModel | None
    resource: Resource
    place: Location


def load_actions(root: Path) -> Mapping[str, Action]:
    """Loads actions.py, where there is one, and gives its actions by name.

    Raises ModuleError where the file doesn't load or marks no function, and for a function that can't be an action.
    """
    if not (root / ACTIONS_FILE).exists():
        return MappingProxyType({})
    module = load_module(root, ACTIONS_FILE)
    _check_doubles(module, root)
    found = {name: value for name, value in module.functions().items() if getattr(value, MARK, False) is True}
    if not found:
        raise ModuleError(
            f"{ACTIONS_FILE} has no action",
            mend="write @action above the functions that forms may ask for (from hybridsite import action)",
            location=Location(ACTIONS_FILE),
        )
    return MappingProxyType({name: _action(root, module, name, function) for name, function in found.items()})


def _check_doubles(module: SiteModule, root: Path) -> None:
    seen: dict[str, Handler] = {}
    marked = module.value(MARKED)
    for function in marked if isinstance(marked, list) else []:
        first = seen.setdefault(function.__name__, function)
        if first is not function:
            raise ModuleError(
                f'there are two actions of the name "{function.__name__}"',
                why=f"the other one stands in {_place(root, first)}, and would never be called",
                mend="rename one",
                location=_place(root, function),
            )


def _action(root: Path, module: SiteModule, name: str, function: Handler) -> Action:
    place = _place(root, function)
    if name.startswith("_"):
        raise ModuleError(f'the action "{name}" begins with _', mend="give it a name without", location=place)
    segments = ((Part(ACTIONS, "text"),), (Part(name, "text"),))
    route = Route(segments, "action", module=ACTIONS_FILE, prerender=False)
    return Action(name, function, _form(name, function, place), Resource(route, module=module), place)


def _form(name: str, function: Handler, place: Location) -> FormModel | None:
    """Gives the model of the function's second parameter. Raises ModuleError where it can't be called as an action."""
    mend = f"write `def {name}(context)` or `def {name}(context, form: Model)`, Model being a pydantic model"
    every = list(_signature(function).parameters.values())
    given = [one for one in every if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    needed = [one for one in given if one.default is one.empty]
    keywords = [one for one in every if one.kind is one.KEYWORD_ONLY and one.default is one.empty]
    variable = any(one.kind is one.VAR_POSITIONAL for one in every)
    if (not given and not variable) or len(needed) > 2 or keywords:
        raise ModuleError(
            f'the action "{name}" takes other parameters than an action is given', mend=mend, location=place
        )
    if len(needed) < 2 and (len(given) < 2 or given[1].annotation is given[1].empty):
        return None
    parameter = given[1]
    if parameter.annotation is parameter.empty:
        why = f"its parameter {parameter.name} has no annotation"
        raise ModuleError(f'the action "{name}" doesn\'t say what its form holds', why=why, mend=mend, location=place)
    model = _annotation(name, parameter, function, place)
    from pydantic import BaseModel
    from pydantic.errors import PydanticUserError

    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        why = f"the annotation of its parameter {parameter.name} is no pydantic model"
        raise ModuleError(f'the action "{name}" doesn\'t say what its form holds', why=why, mend=mend, location=place)
    try:
        return FormModel(model)
    except (PydanticUserError, NameError, TypeError) as error:
        why = str(error).partition("\n")[0]
        raise ModuleError(f'the model of the action "{name}" is not complete', why=why, location=place) from error


def _signature(function: Handler) -> inspect.Signature:
    if sys.version_info >= (3, 14):  # which evaluates annotations when they are asked for, all of them
        from annotationlib import Format

        return inspect.signature(function, annotation_format=Format.FORWARDREF)
    return inspect.signature(function)


def _annotation(name: str, parameter: inspect.Parameter, function: Handler, place: Location) -> object:
    # This one alone: that of `context` may be there for type checkers only.
    if not isinstance(parameter.annotation, str):
        return parameter.annotation
    names: dict[str, Any] = getattr(inspect.unwrap(function), "__globals__", {})
    try:
        return eval(parameter.annotation, names)
    except Exception as error:
        raise ModuleError(
            f'the action "{name}" has an annotation that can\'t be read',
            why=f"{type(error).__name__}: {error}",
            mend="define the model in the file, or import it there, above the action",
            location=place,
        ) from error


def _place(root: Path, function: Callable[..., Any]) -> Location:
    """Gives the place of a function, which may have been imported from another file of the site."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return Location(ACTIONS_FILE)
    file = Path(code.co_filename)
    own = file.relative_to(root).as_posix() if file.is_relative_to(root) else ACTIONS_FILE
    return Location(own, code.co_firstlineno if file.is_relative_to(root) else 0)

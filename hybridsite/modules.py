"""The Python files of a site: loaded once, by their place, with faults that name the site's own lines."""

from __future__ import annotations

import ast
import asyncio
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from hybridsite.errors import Location, ModuleError, SiteError, is_of_site, one_slip, place_of
from hybridsite.inheritance import code_state, inherited, signature

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
PAGE_METHODS = ("POST", "PUT", "PATCH", "DELETE")

_OF_SESSION = frozenset({"session", "sessions", "has_session", "flashes"})

Handler = Callable[..., Any]
T = TypeVar("T")


class SiteModule:
    """One Python file of the site, with the functions that hybridsite looks for in it."""

    def __init__(
        self,
        file: str,
        module: ModuleType,
        *,
        names_session: bool,
        names_result: bool = False,
        sets_cache: bool = False,
    ) -> None:
        self.file = file
        self.names_session = names_session
        self.names_result = names_result
        self.sets_cache = sets_cache
        self._module = module

    def function(self, name: str) -> Handler | None:
        """Gives the function of that name that the file defines, or None."""
        found = getattr(self._module, name, None)
        return found if callable(found) else None

    def value(self, name: str) -> object:
        """Gives what stands under that name in the file, or None."""
        return getattr(self._module, name, None)

    def methods(self, names: tuple[str, ...]) -> dict[str, Handler]:
        """Gives the functions named for HTTP methods, of those in `names`."""
        return {name: found for name in names if (found := self.function(name))}

    def functions(self) -> dict[str, Handler]:
        """Gives all that can be called in the file, by name: what it defines and what it imports."""
        return {name: found for name, found in vars(self._module).items() if callable(found)}

    def of_type(self, kind: type[T]) -> dict[str, T]:
        """Gives what the file's public names stand for, where that is of a kind."""
        found = {name: value for name, value in vars(self._module).items() if isinstance(value, kind)}
        return {name: value for name, value in found.items() if not name.startswith("_")}

    def place(self, function: Handler) -> Location:
        """Gives the place of a function in the file."""
        return function_place(function, self.file)

    @property
    def prerender(self) -> bool | None:
        """`prerender` at module level, or None. Raises ModuleError where it is no bool."""
        value = self.value("prerender")
        if value is None or isinstance(value, bool):
            return value
        raise ModuleError(f"`prerender` is {value!r}", mend="write True or False", location=Location(self.file))


def function_place(function: Handler, file: str) -> Location:
    """Gives the place of a function in a file; the file alone where a decorator has put an object around it."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return Location(file, code.co_firstlineno if code else 0)


def load_module(root: Path, file: str) -> SiteModule:
    """Runs a Python file of the site. Raises ModuleError, with the site's own line, where that fails.

    The module's name is made from the place of its site, so that two sites in one process don't meet.
    """
    path = root / file
    return inherited("module", file, (path, signature(path), code_state()), lambda: _run_module(root, file, path))


def _run_module(root: Path, file: str, path: Path) -> SiteModule:
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise _load_fault(error, root, file) from error
    place = hashlib.sha256(str(root).encode()).hexdigest()[:8]
    name = f"hybridsite_site_{place}." + file.removesuffix(".py").replace("/", ".")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look annotations up there
    try:
        # Not by the loader, whose compiled files go by whole seconds: an edit of the same size would be missed.
        exec(compile(tree, str(path), "exec", dont_inherit=True), module.__dict__)
    except SiteError as error:
        del sys.modules[name]
        raise error.at(place_of(error, str(root)) or Location(file)) from error
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _load_fault(error, root, file) from error
    named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return SiteModule(
        file,
        module,
        names_session=not _OF_SESSION.isdisjoint(named),
        names_result="action_result" in named,
        sets_cache=_sets_cache(tree),
    )


def make_importable(root: Path) -> None:
    """Puts the site's root first on Python's path, so that its modules can import helpers that lie there.

    Helpers of the same names from another root, loaded earlier in this process, are forgotten.
    """
    place = str(root)
    if place in sys.path:
        sys.path.remove(place)
    sys.path.insert(0, place)
    helpers = {path.stem for path in root.glob("*.py")} | {path.parent.name for path in root.glob("*/__init__.py")}
    helpers -= sys.stdlib_module_names  # collections.py is hybridsite's to load, never Python's to import
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None)
        if name.partition(".")[0] in helpers and origin and _is_of_another_site(Path(origin), root):
            del sys.modules[name]


def forget_modules(root: Path) -> None:
    """Forgets what was imported from a site's folder, so that it is run again when it is next asked for."""
    for name, module in list(sys.modules.items()):
        origin = getattr(module, "__file__", None)
        if origin and is_of_site(origin, str(root)):
            del sys.modules[name]


def forget_root(root: Path) -> None:
    """Forgets a site's folder that nothing is imported from any more."""
    forget_modules(root)
    if str(root) in sys.path:
        sys.path.remove(str(root))


def _is_of_another_site(origin: Path, root: Path) -> bool:
    return not origin.is_relative_to(root) and any((folder / "site.toml").exists() for folder in origin.parents)


def check_definitions(module: SiteModule, known: tuple[str, ...]) -> None:
    """Raises ModuleError for a function whose name is a known one in another case or spelling (`get`, `Load`)."""
    for name in vars(module._module):
        if name in known or not inspect.isfunction(found := module.value(name)):
            continue
        if found.__module__ != module._module.__name__ or name.startswith("_"):
            continue  # imported from elsewhere, or a helper
        missing = [word for word in known if module.function(word) is None]
        near = next((word for word in known if name.casefold() == word.casefold()), None)
        near = near or next((word for word in missing if one_slip(name, word)), None)
        if near is not None:
            raise ModuleError(
                f'the function "{name}" is never called',
                mend=f'did you mean "{near}"? The name of a helper begins with _',
                location=Location(module.file, found.__code__.co_firstlineno),
            )


def middleware_functions(module: SiteModule) -> tuple[Handler, ...]:
    """Gives the functions of middleware.py, outermost first: the list `middleware`, or `on_request`.

    Raises ModuleError where there is neither, and for a function that isn't `async`.
    """
    several = module.value("middleware")
    chosen: list[Any] = list(several) if isinstance(several, list | tuple) else [module.value("on_request")]
    for function in chosen:
        if not callable(function):
            raise ModuleError(
                "middleware.py has no middleware",
                mend="define `async def on_request(context, call_next)`, or a list `middleware` of such functions",
                location=Location(module.file),
            )
        if not inspect.iscoroutinefunction(function):
            name = getattr(function, "__name__", type(function).__name__)
            raise ModuleError(
                f"the middleware {name} is not async",
                mend=f"write `async def {name}(context, call_next)`",
                location=module.place(function),
            )
    return tuple(chosen)


class ThreadCall:
    """A call of a function in a thread, which goes on though nobody waits for it any more."""

    __slots__ = ("_function", "is_done")

    def __init__(self, function: Handler) -> None:
        self._function = function
        self.is_done = False

    def __call__(self, *arguments: object) -> Any:
        """Calls the function."""
        try:
            return self._function(*arguments)
        finally:
            self.is_done = True


CALLS: ContextVar[list[ThreadCall]] = ContextVar("calls")
"""The calls that a request makes in threads, where somebody wants to know them."""


async def call(function: Handler, *arguments: object) -> Any:
    """Calls a function of the site.

    An `async` one on the loop, any other in a thread, so that it never blocks the server.
    """
    code = getattr(function, "__code__", None)
    # The flag first: inspect would look through wrappers before it asks for it, at each request.
    if (code is not None and code.co_flags & inspect.CO_COROUTINE) or inspect.iscoroutinefunction(function):
        return await function(*arguments)
    import anyio.to_thread  # here since most pages have no module

    calls = CALLS.get(None)
    if calls is not None:
        function = ThreadCall(function)
        calls.append(function)
    result = await anyio.to_thread.run_sync(function, *arguments)
    return await result if inspect.isawaitable(result) else result


def run_from_thread(awaitable: Awaitable[Any]) -> Any:
    """Waits, in a function that is not `async`, for something that is. Raises ModuleError on the loop's own thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        import anyio.from_thread

        return anyio.from_thread.run(_wait, awaitable)
    if inspect.iscoroutine(awaitable):
        awaitable.close()
    raise ModuleError(
        "context.run() was called in an async function or a template", mend="write `await …` there instead"
    )


async def _wait(awaitable: Awaitable[Any]) -> Any:
    return await awaitable


def _load_fault(error: BaseException, root: Path, file: str) -> ModuleError:
    place = place_of(error, str(root)) or Location(file)
    if isinstance(error, OSError) and error.filename == str(root / file):
        return ModuleError("the file can't be read", why=(error.strerror or "").lower(), location=place)
    if isinstance(error, SyntaxError):
        return ModuleError("the file is no valid Python", why=error.msg, location=place)
    if isinstance(error, ValueError) and "null bytes" in str(error):  # no SyntaxError before Python 3.11.4
        return ModuleError("the file is no valid Python", why=str(error), location=place)
    mend = ""
    if isinstance(error, ModuleNotFoundError):
        mend = f"install it, or put {error.name}.py at the site's root"
    return ModuleError("the file doesn't load", why=f"{type(error).__name__}: {error}", mend=mend, location=place)


def _sets_cache(tree: ast.Module) -> bool:
    """Tells whether the code has `….cache.set`: what hides it is learnt when it is first called."""
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "set"]
    return any(isinstance(node.value, ast.Attribute) and node.value.attr == "cache" for node in found)

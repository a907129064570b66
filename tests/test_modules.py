"""A site's Python files: loaded once and by their place, with faults that name the site's own lines."""

from __future__ import annotations

import asyncio
import functools
import os
import sys
import threading
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from hybridsite.errors import Location, ModuleError, RouteError
from hybridsite.modules import (
    METHODS,
    SiteModule,
    call,
    check_definitions,
    load_module,
    make_importable,
    middleware_functions,
    run_from_thread,
)


def module(root: Path, source: str | bytes, file: str = "pages/cart.py") -> SiteModule:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(source if isinstance(source, bytes) else dedent(source).encode())
    return load_module(root, file)


def fault(root: Path, source: str | bytes) -> ModuleError:
    with pytest.raises(ModuleError) as caught:
        module(root, source)
    assert not [name for name in sys.modules if name.endswith(".pages.cart") and str(root) in str(sys.modules[name])]
    return caught.value


def test_functions_and_values(tmp_path: Path) -> None:
    found = module(tmp_path, "prerender = False\nlimit = 3\ndef GET(context): pass\nasync def POST(context): pass\n")
    assert found.prerender is False
    assert found.value("limit") == 3
    assert found.function("limit") is None
    assert list(found.methods(METHODS)) == ["GET", "POST"]
    get = found.function("GET")
    assert get is not None
    assert found.place(get) == Location("pages/cart.py", 3)


@pytest.mark.parametrize("wrapper", ["functools.cache", "functools.partial", "staticmethod", "Once"])
def test_the_place_of_what_a_decorator_made(tmp_path: Path, wrapper: str) -> None:
    head = "import functools\nclass Once:\n    def __init__(self, function): pass\n    def __call__(self): pass\n"
    found = module(tmp_path, f"{head}@{wrapper}\ndef paths(site=None):\n    return []\n")
    function = found.function("paths")
    assert function is not None
    assert found.place(function) in (Location("pages/cart.py", 5), Location("pages/cart.py"))


@pytest.mark.parametrize(
    ("source", "line", "told"),
    [
        ("\nx = (\n", 2, "no valid Python"),
        ("def GET(context)\n    pass", 1, "no valid Python"),
        (b"x = '\xff'", 0, "no valid Python"),
        (b"x = 1\0", 0, "no valid Python"),
        ("\n\nraise RuntimeError('the till is open')", 3, "RuntimeError: the till is open"),
        ("import nothing_of_the_kind", 1, "put nothing_of_the_kind.py at the site's root"),
        ("\nimport sys\nsys.exit(0)", 3, "SystemExit"),
        ("x = 1\ny = z\n", 2, "NameError"),
        ("x = " + "-" * 100_000 + "1", 0, "pages/cart.py"),
    ],
)
def test_a_fault_has_the_site_s_own_line(tmp_path: Path, source: str | bytes, line: int, told: str) -> None:
    found = fault(tmp_path, source)
    assert found.location is not None
    assert found.location.file == "pages/cart.py"
    assert line in (0, found.location.line)
    assert told in str(found)


@pytest.mark.parametrize("kind", ["missing", "folder", "dangling"])
def test_what_can_not_be_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "middleware.py"
    if kind == "folder":
        path.mkdir()
    elif kind == "dangling":
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(ModuleError, match=r"^middleware\.py: the file can't be read; (no such file|is a directory)"):
        load_module(tmp_path, "middleware.py")


def test_an_error_of_ours_keeps_its_kind(tmp_path: Path) -> None:
    with pytest.raises(RouteError, match=r"^pages/cart\.py:3: no route"):
        module(tmp_path, "from hybridsite.errors import RouteError\n\nraise RouteError('no route')")


@pytest.mark.parametrize(
    "source", [b"\xef\xbb\xbfname = 'gr\xc3\xbcn'\r\n", b"# coding: latin-1\nname = 'gr\xfcn'\n", "name = 'grün'"]
)
def test_a_file_is_read_as_python_reads_it(tmp_path: Path, source: str | bytes) -> None:
    # case D3
    assert module(tmp_path, source).value("name") == "grün"


def test_an_edit_of_the_same_size_in_the_same_second_counts(tmp_path: Path) -> None:
    assert module(tmp_path, "number = 1").value("number") == 1
    before = (tmp_path / "pages/cart.py").stat()
    (tmp_path / "pages/cart.py").write_text("number = 2")
    os.utime(tmp_path / "pages/cart.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load_module(tmp_path, "pages/cart.py").value("number") == 2
    assert not list(tmp_path.rglob("__pycache__"))


def test_our_own_future_imports_are_not_the_site_s(tmp_path: Path) -> None:
    found = module(tmp_path, "def GET(context: int) -> str: ...")
    get = found.function("GET")
    assert get is not None
    assert get.__annotations__ == {"context": int, "return": str}


def test_two_sites_in_one_process_do_not_meet(tmp_path: Path) -> None:
    one, two = module(tmp_path / "one", "x = __name__"), module(tmp_path / "two", "x = __name__")
    assert one.value("x") != two.value("x")


def test_a_dataclass_finds_its_module(tmp_path: Path) -> None:
    source = "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass A:\n    x: int\n"
    assert callable(module(tmp_path, source).value("A"))


def test_helpers_of_another_site_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "site.toml").touch()
        (tmp_path / name / "helper_of_mine.py").write_text(f"name = {name!r}")
        make_importable(tmp_path / name)
        source = "from helper_of_mine import name\nimport json\nkept = json"
        found.append(module(tmp_path / name, source))
    assert [one.value("name") for one in found] == ["one", "two"]
    assert found[0].value("kept") is found[1].value("kept")
    del sys.modules["helper_of_mine"]


@pytest.mark.parametrize(("value", "prerender"), [("True", True), ("False", False), ("None", None)])
def test_prerender(tmp_path: Path, value: str, prerender: bool | None) -> None:
    assert module(tmp_path, f"prerender = {value}").prerender is prerender


@pytest.mark.parametrize("value", ["'no'", "0", "[]"])
def test_prerender_is_true_or_false(tmp_path: Path, value: str) -> None:
    with pytest.raises(ModuleError, match="write True or False"):
        _ = module(tmp_path, f"prerender = {value}").prerender


@pytest.mark.parametrize(
    ("name", "told"), [("get", 'did you mean "GET"?'), ("Post", "POST"), ("all", "ALL"), ("gett", None), ("_get", None)]
)
def test_a_function_that_is_never_called_is_named(tmp_path: Path, name: str, told: str | None) -> None:
    found = module(tmp_path, f"from json import load as delete\n\ndef {name}(context): pass")
    if told is None:
        check_definitions(found, (*METHODS, "ALL"))
        return
    with pytest.raises(ModuleError, match=rf"^pages/cart\.py:3: the function .{name}. is never called") as caught:
        check_definitions(found, (*METHODS, "ALL"))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("async def on_request(context, call_next): ...", ["on_request"]),
        ("async def a(c, n): ...\nasync def b(c, n): ...\nmiddleware = [a, b]", ["a", "b"]),
        ("async def a(c, n): ...\nmiddleware = (a,)\nasync def on_request(c, n): ...", ["a"]),
    ],
)
def test_middleware(tmp_path: Path, source: str, names: list[str]) -> None:
    found = module(tmp_path, source, "middleware.py")
    assert [function.__name__ for function in middleware_functions(found)] == names


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("", "middleware.py has no middleware"),
        ("middleware = [1]", "middleware.py has no middleware"),
        ("\ndef on_request(c, n): ...", "middleware.py:2: the middleware on_request is not async"),
        ("import functools\nmiddleware = [functools.partial(print)]", "the middleware partial is not async"),
        ("class A:\n    def __call__(self, c, n): ...\nmiddleware = [A()]", "the middleware A is not async"),
    ],
)
def test_what_is_no_middleware(tmp_path: Path, source: str, told: str) -> None:
    with pytest.raises(ModuleError, match=r".+") as caught:
        middleware_functions(module(tmp_path, source, "middleware.py"))
    assert told in str(caught.value)


def test_a_plain_function_runs_in_a_thread_and_an_async_one_on_the_loop() -> None:
    def plain(value: int) -> tuple[int, int]:
        return value, threading.get_ident()

    async def on_the_loop(value: int) -> tuple[int, int]:
        return value, threading.get_ident()

    async def main() -> list[Any]:
        later = functools.partial(on_the_loop, 3)
        return [await call(plain, 1), await call(on_the_loop, 2), await call(later), await call(lambda: on_the_loop(4))]

    results = asyncio.run(main())
    assert [value for value, _ in results] == [1, 2, 3, 4]
    here = threading.get_ident()
    assert [thread == here for _, thread in results] == [False, True, True, True]


def test_run_waits_in_a_thread_and_is_refused_on_the_loop() -> None:
    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    async def on_the_loop() -> None:
        run_from_thread(answer())

    assert asyncio.run(call(lambda: run_from_thread(answer()))) == 42
    with pytest.raises(ModuleError, match="write `await …` there instead"):
        asyncio.run(on_the_loop())


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def GET(context): return context.session", True),
        ("def GET(context): return context.sessions.open('x')", True),
        ("def GET(c): return c.has_session", True),
        ("session = 1\ndef GET(context): return session", False),
        ("def GET(context): return context.params['session']", False),
    ],
)
def test_whether_a_module_names_the_session(tmp_path: Path, source: str, names: bool) -> None:
    assert module(tmp_path, source).names_session is names


@pytest.mark.parametrize(
    ("source", "sets"),
    [
        ("def GET(context):\n    context.cache.set(max_age=1)", True),
        ("def GET(context):\n    context.cache.invalidate(path='/')", False),
        (
            "import functools\n@functools.cache\ndef _a(): ...\ndef GET(context):\n    context.cookies.set('a', 'b')",
            False,
        ),
    ],
)
def test_code_that_lets_its_answer_be_kept_is_known(tmp_path: Path, source: str, sets: bool) -> None:
    assert module(tmp_path, source).sets_cache is sets

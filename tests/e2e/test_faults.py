"""What a site's author reads when something is wrong: place, what, why, mend; and exit codes."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.support import SECRET, Hybridsite, MakeSite, errors_at


class Fault(NamedTuple):
    """Files with one fault, the place that stderr names, and words of the line that does."""

    files: dict[str, str | bytes]
    file: str
    line: int
    words: tuple[str, ...] = ()


HOME = "---\ntitle: Home\n---\n"
FAULTS = {
    # names
    "undefined": Fault({"pages/index.html": HOME + "<p>\n  << nobody >>"}, "pages/index.html", 5, ("nobody",)),
    "near a name": Fault({"pages/index.html": "<< pge.title >>"}, "pages/index.html", 1, ("pge", '"page"')),
    "near a loaded name": Fault(
        {"pages/index.html": "<< prise >>", "pages/index.py": "def load(context):\n    return {'price': 1}"},
        "pages/index.html",
        1,
        ("prise", '"price"'),
    ),
    "in an include": Fault(
        {
            "pages/index.html": "{% include 'components/a.html' %}",
            "components/a.html": "<p>\n{% include 'components/b.html' %}",
            "components/b.html": "<p>\n<p>\n<< nobody >>",
        },
        "components/b.html",
        3,
        ("nobody", "pages/index.html"),
    ),
    "in a layout": Fault(
        {"pages/index.html": "{% extends 'layouts/a.html' %}", "layouts/a.html": "<p>\n<< nobody >>"},
        "layouts/a.html",
        2,
        ("nobody", "pages/index.html"),
    ),
    "filter": Fault({"pages/index.html": "<p>\n<< 'a' | uper >>"}, "pages/index.html", 2, ("uper",)),
    # keys
    "page key": Fault({"pages/index.html": HOME + "<< page.titel >>"}, "pages/index.html", 4, ("titel", '"title"')),
    "data key": Fault(
        {"pages/index.html": "<p>\n<< data.shop.nmae >>", "data/shop.toml": "name = 'Tea'"},
        "pages/index.html",
        2,
        ("nmae",),
    ),
    "data file": Fault(
        {"pages/index.html": "<< data.shpo >>", "data/shop.toml": "name = 'Tea'"},
        "pages/index.html",
        1,
        ("shpo", '"shop"'),
    ),
    "params key": Fault({"pages/index.html": "<< params.slug >>"}, "pages/index.html", 1, ("slug",)),
    "props key": Fault({"pages/index.html": "<< props.slug >>"}, "pages/index.html", 1, ("slug",)),
    "locals key": Fault({"pages/index.html": "<< locals.user >>"}, "pages/index.html", 1, ("user",)),
    # syntax
    "shift in a script": Fault(
        {"pages/index.html": "<script>\nlet a = 1 << 2;\n</script>"}, "pages/index.html", 2, ("{% raw %}",)
    ),
    "here-document": Fault({"pages/install.txt": "set -e\ncat <<EOF\nEOF\n"}, "pages/install.txt", 3, ("{% raw %}",)),
    "open block": Fault({"pages/index.html": HOME + "{% if true %}\n<p>"}, "pages/index.html", 4),
    "unknown tag": Fault({"pages/index.html": "<p>\n{% iff true %}<p>{% endiff %}"}, "pages/index.html", 2, ("iff",)),
    # templates
    "missing include": Fault(
        {"pages/index.html": "<p>\n{% include 'components/heder.html' %}", "components/header.html": ""},
        "pages/index.html",
        2,
        ("components/heder.html", '"components/header.html"'),
    ),
    "missing layout": Fault(
        {"pages/index.html": "{% extends 'layouts/bse.html' %}", "layouts/base.html": ""},
        "pages/index.html",
        1,
        ("layouts/bse.html", '"layouts/base.html"'),
    ),
    "missing Markdown layout": Fault(
        {"pages/index.md": "---\ntitle: A\nlayout: layouts/bse.html\n---\nx", "layouts/base.html": ""},
        "pages/index.md",
        3,
        ("layouts/bse.html", '"layouts/base.html"'),
    ),
    "raises": Fault({"pages/index.html": "<p>\n<< 1 / 0 >>"}, "pages/index.html", 2, ("division by zero",)),
    # url_for
    "wrong page": Fault(
        {"pages/index.html": "<p>\n<< url_for('pages/abuot.html') >>", "pages/about.html": ""},
        "pages/index.html",
        2,
        ("pages/abuot.html", '"pages/about.html"'),
    ),
    "missing parameter": Fault(
        {
            "pages/index.html": "<p>\n<< url_for('pages/[slug].html') >>",
            "pages/[slug].html": "---\nprerender: false\n---\nx",
        },
        "pages/index.html",
        2,
        ("slug",),
    ),
    "unknown parameter": Fault(
        {
            "pages/index.html": "<< url_for('pages/[slug].html', slg='x') >>",
            "pages/[slug].html": "---\nprerender: false\n---\nx",
        },
        "pages/index.html",
        1,
        ("slug",),
    ),
    # the request on a prerendered page
    "request headers": Fault(
        {"pages/index.html": "<p>\n<< request.headers['accept'] >>"},
        "pages/index.html",
        2,
        ("headers", "prerender"),
    ),
    "request in a module": Fault(
        {
            "pages/index.html": "x",
            "pages/index.py": "def load(context):\n    return {'q': context.request.query_params}",
        },
        "pages/index.py",
        2,
        ("query_params", "prerender"),
    ),
    # front matter
    "near miss": Fault(
        {"pages/index.html": "---\ntitle: A\nprerendr: false\n---\n"},
        "pages/index.html",
        3,
        ("prerendr", 'did you mean "prerender"?'),
    ),
    "near miss in TOML": Fault(
        {"pages/index.html": '+++\ntitle = "A"\nprerendr = false\n+++\n'},
        "pages/index.html",
        3,
        ("prerendr", 'did you mean "prerender"?'),
    ),
    "near headers": Fault(
        {"pages/index.html": "---\nheader: Hello\n---\n"}, "pages/index.html", 2, ("header", '"headers"', "keys")
    ),
    "no boolean": Fault({"pages/index.html": "---\nprerender: 'no'\n---\n"}, "pages/index.html", 2, ("prerender",)),
    "number for a boolean": Fault(
        {"pages/index.html": "---\ntitle: A\ndraft: 1\n---\n"}, "pages/index.html", 3, ("draft",)
    ),
    "broken YAML": Fault({"pages/index.html": "---\ntitle: A\n\tlist: 1\n---\nx"}, "pages/index.html", 3),
    "broken TOML": Fault({"pages/index.html": "+++\ntitle = 'A'\nlist = 1, 2\n+++\nx"}, "pages/index.html", 3),
    "endless front matter": Fault({"pages/index.html": "---\ntitle: A\n<p>x</p>"}, "pages/index.html", 1, ("---",)),
    "object in YAML": Fault(
        {"pages/index.html": "---\ntitle: A\nrun: !!python/object/apply:os.getcwd []\n---\n"}, "pages/index.html", 3
    ),
    "duplicate key": Fault({"pages/index.html": "---\ntitle: A\ntitle: B\n---\n"}, "pages/index.html", 3, ("title",)),
    # modules
    "module syntax": Fault(
        {"pages/index.html": "x", "pages/index.py": "def load(context):\n    return {\n"}, "pages/index.py", 2
    ),
    "module raises": Fault(
        {"pages/index.html": "x", "pages/index.py": "def load(context):\n    a = 1\n    return a / 0"},
        "pages/index.py",
        3,
        ("division by zero",),
    ),
    "a helper of a module raises": Fault(
        {
            "pages/index.html": "x",
            "pages/index.py": "import shop\ndef load(context):\n    return shop.price()",
            "shop.py": "def price():\n    raise ValueError('no stock')",
        },
        "shop.py",
        2,
        ("no stock", "raised for /, by way of pages/index.py:3", "pages/index.html"),
    ),
    "module import": Fault(
        {"pages/index.html": "x", "pages/index.py": "import os\nimport nothing_of_that_name\n"},
        "pages/index.py",
        2,
        ("nothing_of_that_name",),
    ),
    "reserved name": Fault(
        {"pages/index.html": "x", "pages/index.py": "def load(context):\n    return {'session': 1}"},
        "pages/index.py",
        1,
        ("session",),
    ),
    # data and settings
    "broken data": Fault({"pages/index.html": "x", "data/shop.json": '{\n  "a": 1\n  "b": 2\n}'}, "data/shop.json", 3),
    "broken data in TOML": Fault({"pages/index.html": "x", "data/shop.toml": "a = 1\nb = \n"}, "data/shop.toml", 2),
    "unknown setting": Fault(
        {"site.toml": '[site]\nurl = "https://shop.example"\nbsae = "/x"', "pages/index.html": "x"},
        "site.toml",
        3,
        ("bsae", '"base"'),
    ),
    "unknown table": Fault({"site.toml": "[sesion]\n", "pages/index.html": "x"}, "site.toml", 1, ('"session"',)),
    "wrong type": Fault({"site.toml": "[server]\nport = 'high'", "pages/index.html": "x"}, "site.toml", 2, ("port",)),
    "broken settings": Fault({"site.toml": "[site]\nurl = \n", "pages/index.html": "x"}, "site.toml", 2),
    "unknown driver": Fault(
        {"site.toml": '[session]\ndriver = "sqlit"', "pages/index.html": "x"}, "site.toml", 2, ("sqlit", '"sqlite"')
    ),
    "not UTF-8": Fault({"pages/index.html": b"<p>\nT\xe4e"}, "pages/index.html", 2, ("UTF-8",)),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_told_with_its_place(make_site: MakeSite, hybridsite: Hybridsite, name: str) -> None:
    fault = FAULTS[name]
    site = make_site(fault.files)
    done = hybridsite("build", site)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    found = errors_at(done.stderr, fault.file, fault.line)
    assert len(found) == 1, done.stderr
    assert found[0].startswith(fault.file)
    for word in fault.words:
        assert word in found[0].split(": ", 1)[1], found[0]
    assert not (site / "dist").exists()


def test_the_column_is_true(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    done = hybridsite("build", make_site({"pages/index.html": HOME + "<p>\n  <b><< nobody >></b>"}))
    column = re.match(r"pages/index\.html:5:(\d+): ", done.stderr)
    assert column, done.stderr
    assert 6 <= int(column[1]) <= 9  # where << stands, or the name


def test_all_faults_of_all_pages_in_one_run(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site(
        {
            "pages/index.html": "fine",
            "pages/a.html": "<< nobody >>",
            "pages/b.html": "---\nprerendr: true\n---\n",
            "pages/c.html": "{% if %}",
            "pages/d.html": "x",
            "pages/d.py": "def load(context):\n    raise ValueError('no stock')",
            "pages/e.html": "<< url_for('pages/nowhere.html') >>",
            "pages/live.html": "---\nprerender: false\n---\n{% include 'components/none.html' %}",
        }
    )
    done = hybridsite("build", site)
    assert done.returncode == 1
    places = [("a.html", 1), ("b.html", 2), ("c.html", 1), ("d.py", 2), ("e.html", 1), ("live.html", 4)]
    assert [len(errors_at(done.stderr, f"pages/{file}", line)) for file, line in places] == [1] * 6, done.stderr


def test_all_faults_of_site_toml_in_one_run(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    settings = "[site]\nbsae = '/x'\n[server]\nport = 'high'\n[sesion]\n"
    done = hybridsite("build", make_site({"site.toml": settings, "pages/index.html": "x"}))
    assert done.returncode == 1
    assert [len(errors_at(done.stderr, "site.toml", line)) for line in (2, 4, 5)] == [1, 1, 1], done.stderr


@pytest.mark.parametrize(
    "files",
    [
        {
            "pages/index.html": "{% include 'components/a.html' %}",
            "components/a.html": "{% include 'components/a.html' %}",
        },
        {"pages/index.html": "{% extends 'layouts/a.html' %}", "layouts/a.html": "{% extends 'layouts/a.html' %}"},
        {
            "pages/index.html": "{% include 'components/a.html' %}",
            "components/a.html": "{% include 'components/b.html' %}",
            "components/b.html": "{% include 'components/a.html' %}",
        },
    ],
)
def test_a_template_that_includes_itself(make_site: MakeSite, hybridsite: Hybridsite, files: dict[str, str]) -> None:
    # case D4
    done = hybridsite("build", make_site(files))
    assert done.returncode == 1
    for name in set(files) - {"pages/index.html"}:
        assert name in done.stderr
    assert "Traceback" not in done.stderr


def test_a_verbose_run_shows_the_traceback(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site(
        {"pages/index.html": "x", "pages/index.py": "def load(context):\n    raise ValueError('no stock')"}
    )
    done = hybridsite("--verbose", "build", site)
    if done.returncode == 2:  # the option may belong to the command
        done = hybridsite("build", "--verbose", site)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("command", ["build", "serve", "routes"])
def test_a_folder_without_settings_is_no_site(tmp_path: Path, hybridsite: Hybridsite, command: str) -> None:
    (tmp_path / "pages").mkdir()
    done = hybridsite(command, tmp_path)
    assert done.returncode == 1
    assert "site.toml" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "; " in done.stderr  # and what to do


@pytest.mark.parametrize(
    "args",
    [["bild"], ["build", "--strct"], ["build", "a", "b"], ["serve", "--port", "high"], ["serve", "--workers", "0"]],
)
def test_a_wrong_command_line_ends_2(make_site: MakeSite, hybridsite: Hybridsite, args: list[str]) -> None:
    done = hybridsite(*args, cwd=make_site({"pages/index.html": "x"}))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr != ""


@pytest.mark.parametrize("args", [["--help"], ["build", "--help"], ["serve", "--help"], ["routes", "--help"]])
def test_help(hybridsite: Hybridsite, tmp_path: Path, args: list[str]) -> None:
    done = hybridsite(*args, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: " in done.stdout
    expected = {"--help": "serve", "build": "--strict", "serve": "--workers", "routes": "SITE"}
    assert expected[args[0]] in done.stdout


def test_the_version(hybridsite: Hybridsite) -> None:
    done = hybridsite("--version")
    assert done.returncode == 0
    assert re.search(r"\d+\.\d+\.\d+", done.stdout)


def test_site_defaults_to_the_current_folder(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site({"pages/index.html": "x"})
    assert hybridsite("build", cwd=site).returncode == 0
    assert (site / "dist/client/index.html").read_text() == "x"


def test_the_memory_driver_with_several_workers_is_an_error(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site({"site.toml": '[session]\ndriver = "memory"', "pages/index.html": "x"})
    done = hybridsite("serve", site, "--workers", "2", "--port", "0")
    assert done.returncode == 1
    assert "memory" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_in_use_is_one_sentence(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site({"pages/index.html": "x"})
    hybridsite("build", site)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for workers in ("1", "2"):
            done = hybridsite("serve", site, "--port", str(port), "--workers", workers)
            assert done.returncode == 1
            (line,) = done.stderr.splitlines()
            assert str(port) in line
            assert "in use" in line


def test_a_missing_variable_is_named_with_its_key_and_line(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site({"site.toml": '[session]\n\noptions = { path = "env:SHOP_DATABASE" }', "pages/index.html": "x"})
    assert hybridsite("build", site).returncode == 0  # it is read when the server starts
    done = hybridsite("serve", site, "--port", "0", env={"HYBRIDSITE_SECRET": SECRET})
    assert done.returncode == 1
    assert len(errors_at(done.stderr, "site.toml", 3)) == 1, done.stderr
    assert "SHOP_DATABASE" in done.stderr


def test_the_old_experimental_setting_is_ignored_with_a_warning(make_site: MakeSite, hybridsite: Hybridsite) -> None:
    site = make_site({"site.toml": "[experimental]\nsession = true", "pages/index.html": "x"})
    done = hybridsite("build", site)
    assert done.returncode == 0
    assert len(errors_at(done.stderr, "site.toml", 2)) == 1, done.stderr
    assert "remove" in done.stderr

"""`hybridsite new`: by its options where there is no terminal, and by what is typed where there is one."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from hybridsite.config import load_settings
from tests.e2e.support import COMMAND, Hybridsite, environment, tree


def typed(cwd: Path, answers: str, *args: str) -> tuple[int, str]:
    """Runs the command on a terminal, types the answers, and gives its exit code and what the screen shows."""
    screen, terminal = pty.openpty()
    command = [*COMMAND, "new", *args]
    process = subprocess.Popen(
        command, cwd=cwd, env=environment({"PYTHONSAFEPATH": "1"}), stdin=terminal, stdout=terminal, stderr=terminal
    )
    os.close(terminal)
    os.write(screen, answers.encode())
    shown = b""
    with suppress(OSError):  # which is how a terminal tells that nobody writes to it any more
        while data := os.read(screen, 4096):
            shown += data
    os.close(screen)
    return process.wait(60), shown.decode().replace("\r\n", "\n")


def titles(folder: Path) -> Mapping[str, str]:
    """Gives the title of each site in a folder."""
    return {path.parent.name: load_settings(path.parent, {}).site.title for path in folder.glob("*/site.toml")}


def test_without_a_terminal_nothing_is_asked(tmp_path: Path, hybridsite: Hybridsite) -> None:
    done = hybridsite("new", "my-notes", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, *rest = done.stdout.splitlines()
    assert re.fullmatch(r"made my-notes: blog, \d+ files\. Next:", first)
    assert [re.sub(r"^  .* -P -m hybridsite", "  hybridsite", line) for line in rest] == [
        "  hybridsite dev my-notes      # shows it while you write",
        "  hybridsite check my-notes    # finds what is wrong with it",
    ]
    assert titles(tmp_path) == {"my-notes": "My notes"}
    done = hybridsite("new", "till", "--template", "shop", "--title", "Tea", cwd=tmp_path)
    assert "made till: shop, " in done.stdout
    assert titles(tmp_path) == {"my-notes": "My notes", "till": "Tea"}


def test_the_commands_that_it_prints_can_be_typed(tmp_path: Path, hybridsite: Hybridsite) -> None:
    done = hybridsite("new", "it's mine", "--template", "minimal", cwd=tmp_path)
    check = done.stdout.splitlines()[2].partition("#")[0]
    ran = subprocess.run(check, shell=True, cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, "nothing is wrong\n"), ran.stderr


def test_in_the_folder_one_is_in_the_commands_name_none(tmp_path: Path, hybridsite: Hybridsite) -> None:
    done = hybridsite("new", ".", cwd=tmp_path)
    assert "hybridsite dev      #" in done.stdout


@pytest.mark.parametrize(
    ("args", "told"),
    [
        ((), 'Error: where to? Name a folder that isn\'t there yet: "hybridsite new my-site"\n'),
        (("full",), "Error: full is not empty; it has mine; name a folder that is empty or isn't there yet\n"),
        (("full/mine",), "Error: full/mine is no folder; name a folder that isn't there yet\n"),
        (
            ("x", "--title", " "),
            'Error: the title is empty, or more than a line; write a few words: --title "My site"\n',
        ),
        (("x", "--template", "wiki"), "'wiki' is not one of 'blog', 'shop', 'minimal'.\n"),
    ],
)
def test_a_command_line_at_fault_ends_2_and_writes_nothing(
    tmp_path: Path, hybridsite: Hybridsite, args: tuple[str, ...], told: str
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_text("x")
    before = tree(tmp_path)
    done = hybridsite("new", *args, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith(told), done.stderr
    assert tree(tmp_path) == before


def test_a_place_that_can_not_be_written_is_told_without_a_traceback(hybridsite: Hybridsite) -> None:
    done = hybridsite("new", "/proc/nowhere")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("/proc/nowhere can't be written; ")
    assert len(done.stderr.splitlines()) == 1


def test_on_a_terminal_it_asks_for_what_is_missing(tmp_path: Path) -> None:
    code, shown = typed(tmp_path, "my-tea\nshop\nTea & cakes\n")
    assert code == 0, shown
    assert "Folder [my-site]: " in shown
    assert "  shop     a shelf, a cart that remembers, a checkout to finish\n" in shown
    assert "Template (blog, shop, minimal) [blog]: " in shown
    assert "Title [My tea]: " in shown
    assert titles(tmp_path) == {"my-tea": "Tea & cakes"}


def test_on_a_terminal_enter_takes_what_is_offered(tmp_path: Path) -> None:
    code, shown = typed(tmp_path, "\n\n\n")
    assert (code, "made my-site: blog, " in shown) == (0, True), shown
    assert titles(tmp_path) == {"my-site": "My site"}


def test_on_a_terminal_what_is_said_is_not_asked(tmp_path: Path) -> None:
    code, shown = typed(tmp_path, "", "tea", "--template", "minimal", "--title", "Tea")
    assert (code, ":" in shown.partition("made ")[0]) == (0, False), shown


def test_on_a_terminal_a_folder_that_is_full_is_asked_for_again(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/mine").write_text("x")
    code, shown = typed(tmp_path, "full\nfree\nwiki\nminimal\n \nTea\n")
    assert code == 0, shown
    assert "Error: full is not empty; it has mine;" in shown
    assert "Error: 'wiki' is not one of" in shown
    assert "Error: the title is empty" in shown
    assert titles(tmp_path) == {"free": "Tea"}


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    code, shown = typed(tmp_path, "my-tea\n\x04")
    assert (code, "Aborted!" in shown, list(tmp_path.iterdir())) == (1, True, [])


def test_its_options_are_those_of_the_contract(hybridsite: Hybridsite) -> None:
    told = hybridsite("new", "--help").stdout
    assert "DIR" in told.splitlines()[0]
    assert "[blog|shop|minimal]" in told
    assert sys.executable not in told

"""The command line: exit codes, where lines go, colours, and help."""

from __future__ import annotations

import json
import logging.config
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from hybridsite.cli.main import main
from tests.e2e.support import SECRET, write_site

SITE = {"pages/index.html": "home", "pages/now.html": "---\nprerender: false\n---\nnow"}
COMMANDS = ("build", "serve", "routes")


@pytest.fixture(autouse=True)
def _log_as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    # A command sets up the log of its process, which these tests share with others.
    monkeypatch.setattr(logging.config, "dictConfig", lambda settings: None)
    level = logging.getLogger("hybridsite").level
    yield
    logging.getLogger("hybridsite").setLevel(level)


def run(*args: str | Path, env: dict[str, str] | None = None) -> Result:
    environ = {"NO_COLOR": "1", "HYBRIDSITE_SECRET": SECRET, "HYBRIDSITE_STATE": None, **(env or {})}
    return CliRunner().invoke(main, [str(arg) for arg in args], env=environ)


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(command: str, flag: str) -> None:
    done = run(*filter(None, [command, flag]))
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: main")


def test_help_names_every_command_and_option() -> None:
    listed = run("--help").stdout
    for name, command in main.commands.items():
        assert name in listed
        told = run(name, "--help").stdout
        for parameter in command.params:
            assert all(option in told for option in parameter.opts if option.startswith("--"))
        assert command.help
        assert command.help.endswith(".")


@pytest.mark.parametrize(
    "args",
    [
        ["bulid"],
        ["build", "--fast"],
        ["build", "no-such-folder"],
        ["build", ".", "."],
        ["build", __file__],
        ["serve", "--port", "99999"],
        ["serve", "--port", "x"],
        ["serve", "--workers", "0"],
        ["routes", "--strict"],
    ],
)
def test_a_wrong_command_line_ends_2(args: list[str]) -> None:
    done = run(*args)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Usage:" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_a_folder_that_is_no_site_ends_1(tmp_path: Path, command: str) -> None:
    done = run(command, tmp_path)
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert "site.toml" in done.stderr
    assert list(tmp_path.glob("dist")) == []


def test_a_build_ends_0_and_prints_its_table(tmp_path: Path) -> None:
    done = run("build", write_site(tmp_path / "site", SITE))
    assert (done.exit_code, done.stderr) == (0, "")
    heading, *rows, last = done.stdout.splitlines()
    assert heading.split() == ["route", "kind", "why", "source", "size", "time"]
    assert [row.split()[0] for row in rows] == ["/", "/now/"]
    assert last.startswith("built 1 page in ")
    assert last.endswith("; 1 route on demand")


@pytest.mark.parametrize("command", ["build", "routes"])
def test_faults_go_to_stderr_each_on_a_line(tmp_path: Path, command: str) -> None:
    files = {"pages/a.html": "{% if %}", "pages/b.html": "{% nonsense %}"}
    done = run(command, write_site(tmp_path / "site", files))
    assert (done.exit_code, done.stdout) == (1, "")
    assert [line.partition(":")[0] for line in done.stderr.splitlines()] == ["pages/a.html", "pages/b.html"]
    assert "Traceback" not in done.stderr
    assert "Traceback" in run(command, tmp_path / "site", "--verbose").stderr


def test_strict_ends_1_and_without_it_0(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {"pages/a.html": "<< session.get('x') >>"})
    done = run("build", site)
    assert (done.exit_code, len(done.stderr.splitlines())) == (0, 1)
    assert (run("build", site, "--strict").exit_code, run("build", site, "--strict").stderr) == (1, done.stderr)


def test_routes_build_nothing(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", SITE)
    done = run("routes", site)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].split() == ["route", "kind", "why", "source"]
    assert not (site / "dist").exists()


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"NO_COLOR": ""}, {}])
def test_what_is_no_terminal_gets_no_colour(tmp_path: Path, env: dict[str, str]) -> None:
    site = write_site(tmp_path / "site", {"pages/a.html": "<< session.get('x') >>"})
    done = CliRunner().invoke(main, ["build", str(site)], env={"NO_COLOR": None, **env}, color="NO_COLOR" in env)
    assert "\x1b" not in done.output


def test_the_state_lies_where_the_environment_says(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", SITE)
    assert run("build", site, env={"HYBRIDSITE_STATE": str(tmp_path / "state")}).exit_code == 0
    assert not (site / ".hybridsite").exists()
    assert json.loads((tmp_path / "state/built.json").read_text())["fingerprint"]


def test_drafts_are_built_when_asked_for(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {"pages/a.html": "---\ndraft: true\n---\na"})
    assert "/a/" not in run("build", site).stdout
    assert "/a/" in run("build", site, "--drafts").stdout
    assert "/a/" in run("routes", site, "--drafts").stdout


def test_a_build_told_in_json_is_read_line_by_line(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {**SITE, "pages/a.html": "<< session.get('x') >>"})
    done = run("build", site, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each["event"] for each in told] == ["route", "route", "route", "fault", "built"]
    assert told[0]["route"] == "/"
    assert told[0]["pages"] == 1
    assert told[3]["faults"][0]["file"] == "pages/a.html"
    assert told[4]["pages"] == 2
    failed = run("build", write_site(tmp_path / "other", {"pages/a.html": "{% if %}"}), "--json")
    assert (failed.exit_code, failed.stderr) == (1, "")
    assert json.loads(failed.stdout)["event"] == "fault"


def test_a_quiet_build_says_what_is_wrong_alone(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site", {"pages/a.html": "<< session.get('x') >>"})
    done = run("build", site, "-q")
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (0, "", 1)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_a_shell(shell: str) -> None:
    done = run("completion", shell)
    assert (done.exit_code, done.stderr) == (0, "")
    assert f"_HYBRIDSITE_COMPLETE={shell}_complete" in done.stdout


def completed(*words: str, env: dict[str, str] | None = None) -> list[str]:
    """Gives what bash is offered for the last word."""
    own = {"_HYBRIDSITE_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(["hybridsite", *words])}
    asked = {**own, "COMP_CWORD": str(len(words)), **(env or {})}
    done = CliRunner().invoke(main, [], env=asked, prog_name="hybridsite")
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


def test_commands_options_and_routes_are_completed(tmp_path: Path) -> None:
    assert "build" in completed("bu")
    assert "--json" in completed("dev", "--js")
    files = {**SITE, "pages/blog/[slug].html": "---\npaths: blog\n---\nx", "content/blog/a.md": "a"}
    site = write_site(tmp_path / "site", files)
    assert completed("build", str(site), "--why", "/") == ["/", "/now/"]
    assert run("build", site).exit_code == 0
    assert completed("build", str(site), "--why", "/b") == ["/blog/a/"]

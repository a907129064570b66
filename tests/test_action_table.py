"""What may be an action, and what is told of what can't be one."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from hybridsite.errors import SiteError, SiteErrors
from tests.acting import CODE
from tests.e2e.support import write_site
from tests.inprocess import ON_DEMAND, app_of, ask, built_here, loaded


def fault(folder: Path, code: str, page: str = "") -> str:
    head = "from hybridsite import action\nfrom pydantic import BaseModel\n"
    with pytest.raises((SiteError, SiteErrors)) as caught:
        loaded(folder, {"actions.py": head + code, "pages/index.html": ON_DEMAND + page})
    return str(caught.value)


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("def helper(): ...", "actions.py: actions.py has no action; write @action above"),
        (
            "@action\ndef a(context, form): ...",
            'actions.py:3: the action "a" doesn\'t say what its form holds; its parameter',
        ),
        (
            "@action\ndef a(context, form: dict): ...",
            'actions.py:3: the action "a" doesn\'t say what its form holds; the anno',
        ),
        (
            "@action\ndef a(context, form: 'Missing'): ...",
            'actions.py:3: the action "a" has an annotation that can\'t be r',
        ),
        (
            "@action\ndef a(): ...",
            'actions.py:3: the action "a" takes other parameters than an action is given; write `def a(',
        ),
        ("@action\ndef a(context, form: BaseModel, more): ...", "takes other parameters"),
        ("@action\ndef a(context, *, more): ...", "takes other parameters"),
        ("@action\ndef _a(context): ...", 'actions.py:3: the action "_a" begins with _; give it a name without'),
        (
            "@action\ndef a(context): ...\n@action\ndef a(context): ...",
            'actions.py:5: there are two actions of the name "a"; the other one stands in actions.py:3, and would',
        ),
        (
            "class M(BaseModel):\n    a: 'Nothing'\n@action\ndef a(context, form: M): ...",
            'model of the action "a" is not c',
        ),
        ("import nothing_such", "actions.py:3: the file doesn't load; ModuleNotFoundError"),
    ],
)
def test_what_can_not_be_an_action_is_told_with_its_line(tmp_path: Path, code: str, told: str) -> None:
    assert told in fault(tmp_path / "site", code, "<< action('nobody') >>")  # which would follow from it


@pytest.mark.parametrize(
    ("page", "told"),
    [
        (
            "\n<form action=\"<< action('wite') >>\">",
            'pages/index.html:5: there is no action "wite"; did you mean "write"?',
        ),
        (
            "{% if false %}<< action('zzz') >>{% endif %}",
            'pages/index.html:4: there is no action "zzz"; define it in act',
        ),
        ("{% include 'components/form.html' %}", "components/form.html:2: there is no action"),
    ],
)
def test_a_wrong_name_is_an_error_with_its_line(tmp_path: Path, page: str, told: str) -> None:
    files = {"actions.py": CODE, "pages/index.html": ON_DEMAND + page, "components/form.html": "<i>\n<< action('x') >>"}
    if "include" not in page:
        del files["components/form.html"]
    with pytest.raises((SiteError, SiteErrors)) as caught:
        loaded(tmp_path / "site", files)
    assert told in str(caught.value)


def test_a_name_that_is_made_is_an_error_when_it_is_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    page = ON_DEMAND + "\n<< action(page.a | default('wri') ~ 'e') >>"
    app = app_of(write_site(tmp_path / "site", {"actions.py": CODE, "pages/index.html": page}))
    with caplog.at_level(logging.ERROR, "hybridsite"):
        assert ask(app, "/").status == 500
    assert caplog.messages == ['pages/index.html:5: there is no action "wrie"; did you mean "write"?']


def test_actions_may_come_from_other_files_of_the_site(tmp_path: Path) -> None:
    files = {
        "actions.py": "from letters import write as send, helper",
        "letters.py": CODE + "\ndef helper(): ...",
        "pages/a.html": "<< action('send') >>",
        "site.toml": '[site]\nbase = "/app"\n',
    }
    site = loaded(tmp_path / "site", files)
    assert list(site.actions) == ["send"]
    assert str(site.actions["send"].place).startswith("letters.py:")
    assert site.action_url("send") == "/app/_actions/send"


def test_no_page_has_a_path_of_actions(tmp_path: Path) -> None:
    paths = "def paths(site):\n    return [{'params': {'rest': '_actions/write'}}]"
    with pytest.raises((SiteError, SiteErrors), match=r"pages/\[\.\.\.rest\]\.html:1: .* which belongs to actions"):
        built_here(write_site(tmp_path / "site", {"pages/[...rest].html": "", "pages/[...rest].py": paths}))


def test_a_local_name_action_is_none_of_ours(tmp_path: Path) -> None:
    page = "{% macro form(action) %}<< action('x') >>{% endmacro %}{% for action in [1] %}<< action >>{% endfor %}"
    assert loaded(tmp_path / "site", {"pages/index.html": page}).actions == {}

"""Catalogues: what {% trans %} says, in the language of the request, and what is wrong with a catalogue."""

from __future__ import annotations

import asyncio
import sys
from io import BytesIO
from pathlib import Path

import pytest

from hybridsite.errors import SiteError
from tests.e2e.support import write_site
from tests.inprocess import MEMORY, ON_DEMAND, app_of, ask, asked, built_here, scope_of

HEAD = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\\n"

"""
GERMAN = (
    HEAD
    + """msgid "Hello %(name)s"
msgstr "Hallo <b>%(name)s</b>"

msgid "%(num)s ink"
msgid_plural "%(num)s inks"
msgstr[0] "%(num)s Tinte"
msgstr[1] "%(num)s Tinten"

msgctxt "month"
msgid "May"
msgstr "Mai"

#, fuzzy
msgid "Cart"
msgstr "Karte"

msgid "100%"
msgstr "hundert %%"
"""
)
PAGE = """{% trans name=params.name %}Hello << name >>{% endtrans %}|{% trans num=1 %}<< num >> ink{% pluralize %}<<
 num >> inks{% endtrans %}|<< ngettext("%(num)s ink", "%(num)s inks", 3) >>|<< pgettext("month", "May") >>|<<
 _("Cart") >>|<< gettext("unknown") >>"""
TOML = '[i18n]\nlocales = ["en", "de", "de-AT"]\nfallback = { de-AT = "de", de = "en" }\n' + MEMORY
PO = "locales/de/LC_MESSAGES/messages.po"


def site(folder: Path, files: dict[str, str | bytes]) -> Path:
    """Writes a site with the page in three languages."""
    pages = {f"pages/{lang}[name].html": ON_DEMAND + PAGE for lang in ("", "de/", "de-AT/")}
    return write_site(folder, {"site.toml": TOML, **pages, **files})


def test_a_text_is_said_in_the_language_of_the_request(tmp_path: Path) -> None:
    app = app_of(site(tmp_path, {PO: GERMAN}))
    assert ask(app, "/A&B/").text == "Hello A&amp;B|1 ink|3 inks|May|Cart|unknown"
    assert ask(app, "/de/A&B/").text == "Hallo <b>A&amp;B</b>|1 Tinte|3 Tinten|Mai|Cart|unknown"


def test_what_a_catalogue_lacks_the_fallbacks_say(tmp_path: Path) -> None:
    austrian = HEAD + 'msgctxt "month"\nmsgid "May"\nmsgstr "Mei"\n'
    app = app_of(site(tmp_path, {PO: GERMAN, "locales/de_AT/LC_MESSAGES/messages.po": austrian}))
    assert ask(app, "/de-AT/x/").text == "Hallo <b>x</b>|1 Tinte|3 Tinten|Mei|Cart|unknown"
    assert "|Mai|" in ask(app, "/de/x/").text


def test_requests_of_two_languages_at_once_dont_meet(tmp_path: Path) -> None:
    app = app_of(site(tmp_path, {PO: GERMAN}))

    async def many() -> list[str]:
        paths = ["/x/", "/de/x/"] * 20
        return [answer.text for answer in await asyncio.gather(*(asked(app, scope_of(path)) for path in paths))]

    got = asyncio.run(many())
    assert {text.partition(" ")[0] for text in got[::2]} == {"Hello"}
    assert {text.partition(" ")[0] for text in got[1::2]} == {"Hallo"}


def test_macros_and_text_files_say_it_too(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "site.toml": TOML,
        "components/m.html": "{% macro hello(name) %}{% trans %}Hello << name >>{% endtrans %}{% endmacro %}",
        "pages/de/a.html": '{% from "components/m.html" import hello %}<< hello("x") >>',
        "pages/de/a.txt": '<< gettext("Hello %(name)s", name="<x>") >>',
        PO: GERMAN,
    }
    app = app_of(write_site(tmp_path, files))
    assert ask(app, "/de/a/").text == "Hallo <b>x</b>"
    assert ask(app, "/de/a.txt").text == "Hallo <b><x></b>"


def test_python_says_it_by_the_context(tmp_path: Path) -> None:
    module = "def GET(context): return context.translations.pgettext('month', 'May')\n"
    module = "from starlette.responses import PlainTextResponse\n" + module.replace(
        "return ", "return PlainTextResponse("
    )
    files = {"site.toml": TOML, "pages/de/say.py": module.rstrip() + ")\n", PO: GERMAN}
    assert ask(app_of(write_site(tmp_path, files)), "/de/say").text == "Mai"


def test_a_compiled_catalogue_needs_no_babel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    write_mo(compiled, read_po(BytesIO(GERMAN.encode())))
    monkeypatch.setitem(sys.modules, "babel.messages.pofile", None)
    app = app_of(site(tmp_path, {PO.replace(".po", ".mo"): compiled.getvalue()}))
    assert ask(app, "/de/x/").text.startswith("Hallo <b>x</b>")


def test_a_missing_babel_is_told_with_what_brings_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "babel.messages.pofile", None)
    with pytest.raises(SiteError, match=r'messages.po: .* needs Babel.*pip install "hybridsite\[i18n\]"'):
        built_here(site(tmp_path, {PO: GERMAN + "# other content\n"}))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + 'msgid "a\nmsgstr "b"\n', (f"{PO}:6", "doesn't parse")),
        (
            HEAD + 'msgid "a %(b)s"\nmsgstr "a %(c)s"\n',
            (f"{PO}:6", 'translation of "a %(b)s" doesn\'t fit', "placeholders"),
        ),
        (HEAD.encode() + b'msgid "a"\nmsgstr "\xff"\n', (f"{PO}:7", "no text in the charset")),
        (HEAD.replace("n != 1", "n ! 1"), (PO, "can't be read")),
    ],
)
def test_what_is_wrong_with_a_catalogue_is_told_with_its_line(
    tmp_path: Path, text: str | bytes, words: tuple[str, ...]
) -> None:
    with pytest.raises(SiteError) as caught:
        built_here(site(tmp_path, {PO: text}))
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_a_catalogue_of_no_language_is_told(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r'there is no language "dee"; did you mean "de"'):
        built_here(site(tmp_path, {PO.replace("/de/", "/dee/"): GERMAN}))


def test_a_damaged_mo_is_told(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"messages.mo:1: the catalogue can't be read"):
        built_here(site(tmp_path, {PO.replace(".po", ".mo"): b"no catalogue"}))

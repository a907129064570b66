"""Catalogues of gettext: what `{% trans %}` and its functions say in a language, from locales/LANG/LC_MESSAGES/."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache, partial
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import Any

from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from markupsafe import Markup

from hybridsite.errors import Faults, Location, SourceError, did_you_mean
from hybridsite.extras import install
from hybridsite.inheritance import inherited, signature

FOLDER = "locales"
_FILE = re.compile(rf"{FOLDER}/([^/]+)/LC_MESSAGES/messages\.(po|mo)")
_LINE = re.compile(
    rb'(?:\xef\xbb\xbf)?\s*(?:#.*|(?:(?:msgid|msgid_plural|msgctxt|msgstr(?:\[\d+\])?)\s+)?"(?:[^"\\]|\\.)*"\s*)?'
)
PIP = install("i18n")


class Catalogues:
    """The catalogues of a site, by their languages."""

    def __init__(self, by_locale: Mapping[str, NullTranslations] | None = None) -> None:
        self._by_locale = by_locale or {}

    def of(self, locale: str) -> NullTranslations:
        """Gives what says things in a language; where there is no catalogue, the texts are what they are."""
        return self._by_locale.get(locale) or NullTranslations()

    def function(self, name: str, locale: str) -> Callable[..., str]:
        """Gives a function of gettext for templates, which fills in its values: "gettext" and its like."""
        says = self.of(locale)

        @pass_eval_context
        def gettext(context: EvalContext, message: str, /, **values: Any) -> str:
            return _filled(context, says.gettext(message), values)

        @pass_eval_context
        def ngettext(context: EvalContext, one: str, many: str, number: int, /, **values: Any) -> str:
            return _filled(context, says.ngettext(one, many, number), {"num": number, **values})

        @pass_eval_context
        def pgettext(context: EvalContext, about: str, message: str, /, **values: Any) -> str:
            return _filled(context, says.pgettext(about, message), {"context": about, **values})

        @pass_eval_context
        def npgettext(context: EvalContext, about: str, one: str, many: str, number: int, /, **values: Any) -> str:
            text = says.npgettext(about, one, many, number)
            return _filled(context, text, {"context": about, "num": number, **values})

        functions: dict[str, Callable[..., str]] = {
            "_": gettext,
            "gettext": gettext,
            "ngettext": ngettext,
            "pgettext": pgettext,
        }
        return functions.get(name, npgettext)


FUNCTIONS = ("_", "gettext", "ngettext", "pgettext", "npgettext")


def _filled(context: EvalContext, text: str, values: Mapping[str, object]) -> str:
    # As Jinja's own new style has it: a text is safe, as a template's is, and what is filled in is escaped.
    return (Markup(text) if context.autoescape else text) % values


def load_catalogues(
    files: Mapping[str, Path], locales: Iterable[str], chain: Callable[[str], Iterable[str]], faults: Faults
) -> Catalogues:
    """Reads the catalogues among some files of locales/. What a language doesn't say, those of its `chain` say.

    A folder is named for its language in either spelling: `pt-BR` or `pt_BR`. Of two files the .po is read.
    """
    known = {locale.replace("-", "_"): locale for locale in locales}
    if not known:
        return Catalogues()
    found: dict[str, str] = {}
    for name in sorted(files):  # .mo before .po
        if match := _FILE.fullmatch(name):
            with faults.collect():
                found[_locale(match[1], known, name)] = name
    read: dict[str, GNUTranslations] = {}
    for locale, name in found.items():
        with faults.collect():
            path = files[name]
            read[locale] = inherited("catalogue", name, (path, signature(path)), partial(_read, path, name))
    together: dict[str, NullTranslations] = {}
    for locale in known.values():
        own = [read[one] for one in (locale, *chain(locale)) if one in read]
        if own:
            together[locale] = _Chain(own) if len(own) > 1 else own[0]
    return Catalogues(together)


def _locale(folder: str, known: Mapping[str, str], name: str) -> str:
    locale = known.get(folder.replace("-", "_"))
    if locale is None:
        mend = did_you_mean(folder, known.values()) or "name it in [i18n] locales, or take the file out"
        raise SourceError(f'there is no language "{folder}"', mend=mend, location=Location(name))
    return locale


class _Chain(NullTranslations):
    """Several catalogues: the first that knows a text says it."""

    def __init__(self, catalogues: Iterable[GNUTranslations]) -> None:
        super().__init__()
        for catalogue in catalogues:
            copy = GNUTranslations()
            copy.__dict__.update(catalogue.__dict__, _fallback=None)  # those that are kept stay as they are
            self.add_fallback(copy)


def _read(path: Path, name: str) -> GNUTranslations:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SourceError("the catalogue can't be read", why=error.strerror or "", location=Location(name)) from None
    return _compiled(data, name)


@lru_cache(maxsize=64)
def _compiled(data: bytes, name: str) -> GNUTranslations:
    """Gives a catalogue, once for its content. Raises SourceError."""
    try:
        return GNUTranslations(BytesIO(_to_mo(data, name) if name.endswith(".po") else data))
    except (OSError, ValueError, UnicodeDecodeError, IndexError) as error:
        raise SourceError("the catalogue can't be read", why=str(error), location=Location(name, 1)) from None


def _to_mo(data: bytes, name: str) -> bytes:
    """Compiles a .po file in memory. Raises SourceError with its line for what it holds wrong."""
    for number, text in enumerate(data.splitlines(), 1):  # Babel reads on where a quote is missing
        if not _LINE.fullmatch(text):
            mend = 'write msgid "…", msgstr "…" and their like, each text in quotes of its own'
            raise SourceError("the catalogue doesn't parse", mend=mend, location=Location(name, number))
    try:
        from babel.messages.mofile import write_mo
        from babel.messages.pofile import PoFileError, read_po
    except ImportError:
        mend = f"{PIP}; or give messages.mo alone"
        raise SourceError(
            "a .po file needs Babel, which is not installed", mend=mend, location=Location(name)
        ) from None
    try:
        catalogue = read_po(BytesIO(data), locale=name.split("/")[1].replace("-", "_"), abort_invalid=True)
    except PoFileError as error:
        line = error.lineno + 1
        why = str(error).rstrip(".").partition(" on ")[0]
        raise SourceError("the catalogue doesn't parse", why=why, location=Location(name, line)) from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, data.find(error.object)) + 1
        why = "it is no text in the charset that its head names"
        raise SourceError("the catalogue can't be read", why=why, location=Location(name, line)) from None
    for message, errors in catalogue.check():
        if not message.fuzzy:
            raise SourceError(
                f'the translation of "{_shown(message.id)}" doesn\'t fit',
                why=str(errors[0]),
                mend="give it the placeholders and the number of forms that the text has",
                location=Location(name, message.lineno or 0),
            )
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    return compiled.getvalue()


def _shown(text: Any) -> str:
    whole = str(text[0] if isinstance(text, list | tuple) else text)
    return whole if len(whole) <= 40 else f"{whole[:39]}…"

"""What an author meant to be printed and nobody prints: `{{ page.title }}` in a template, or `<< … >>` in Markdown.

Both are text where they stand, and may be meant as that: so only names that hybridsite has, or the template itself, are
told, none in code, and none that is marked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import unescape

from hybridsite.errors import Location, SourceError, TemplateError
from hybridsite.site import Site
from hybridsite.sources import read_text
from hybridsite.used import BODY, Notes

_NAMES = (
    *("page", "site", "data", "collection", "entry", "content", "session", "params", "pagination"),
    *("url_for", "asset", "image", "action", "action_result", "flashes", "seo"),
)
_FRAGMENT = re.compile(r"\{\{[^{}<>]*\}\}|<<[^{}<>]*>>|\{%[^{}]*%\}")
_STATEMENT = re.compile(r"\{%[-+]?\s*(?:if|for|set|include|import|extends|block|macro|island|else|end\w+)\b")
_PRINTED = re.compile(r"(?:\{\{|<<)[-+]?\s*([A-Za-z_]\w*)\s*(?:[.(\[|][^\n]*)?(?:\}\}|>>)", re.DOTALL)
_BOUND = re.compile(r"\{%[-+]?\s*(?:for|set)\s+([A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)")
# Where text is code, or a script's; and where a source says that it is text.
_CODE = re.compile(r"<(pre|code|script|style|textarea|samp|kbd)\b.*?</\1\s*>|<!--.*?-->", re.DOTALL | re.IGNORECASE)
_MARKED = re.compile(r"\{%[-+]?\s*raw\b.*?\{%[-+]?\s*endraw\b.*?%\}|\{#.*?#\}", re.DOTALL)
_MARKDOWN_CODE = re.compile(r"^( {0,3})(`{3,}|~{3,}).*?(?:^ {0,3}\2|\Z)|(`+)(?!`).+?(?<!`)\3(?!`)", re.DOTALL | re.M)
_MOST_SHOWN = 60


def unprinted(site: Site, files: Iterable[str], used: Notes, html: str) -> Iterator[TemplateError]:
    """Yields a warning for each source of a page, the first place of it that was meant to be printed.

    `files` are the page's own ones and its templates; the entries whose bodies it shows are among `used`.
    """
    if "{{" not in html and "{%" not in html and "&lt;&lt;" not in html:
        return
    text = unescape(_CODE.sub("", html))
    fragments = list(dict.fromkeys(found[0] for found in _FRAGMENT.finditer(text)))
    for file in dict.fromkeys([*files, *_entry_files(site, used)]) if fragments else ():
        if warning := _first(site, file, fragments):
            yield warning


def _entry_files(site: Site, used: Notes) -> Iterator[str]:
    for key, slugs in used.fields.items():
        if key.endswith(BODY):
            entries = site.content.collection(key.removesuffix(BODY))
            yield from (entry.file for slug in slugs if (entry := entries.get(slug)) is not None and entry.file)


def _first(site: Site, file: str, fragments: Iterable[str]) -> TemplateError | None:
    try:
        source = read_text(site.root / file, file)
    except SourceError:
        return None
    is_markdown = file.endswith(".md")
    names = {*_NAMES, *(name.strip() for bound in _BOUND.findall(source) for name in bound.split(","))}
    opening, closing = site.settings.templates.variable
    shown = (_MARKDOWN_CODE if is_markdown else _MARKED).sub(_blank, _CODE.sub(_blank, source))
    if not is_markdown:  # what stands inside of an expression is none of the page's text
        shown = re.sub(f"{re.escape(opening)}.*?{re.escape(closing)}", _blank, shown, flags=re.DOTALL)
        fragments = [each for each in fragments if not each.startswith("{%")]  # which is carried out there
    found = [(at, each) for each in fragments if _is_meant(each, names) and (at := shown.find(each)) >= 0]
    at, fragment = min(((at, each) for at, each in found if source[at - 1 : at] != "\\"), default=(-1, ""))
    if at < 0:
        return None
    inner = " ".join(fragment[2:-2].strip("-+ \n").split())
    raw = "put {% raw %} and {% endraw %} around it"
    mend = f"write {opening} {inner} {closing}; where it is meant as it stands, {raw}"
    if is_markdown:
        mend = "give the page `jinja: true`" if file.startswith("pages/") else "let the page's template print it"
        mend += "; where it is meant as it stands, write a \\ before it, or `…` around it"
    what = fragment if len(fragment) <= _MOST_SHOWN else f"{fragment[: _MOST_SHOWN - 1]}…"
    why = "Markdown is no template" if is_markdown else f"templates print what stands between {opening} and {closing}"
    line = source.count("\n", 0, at) + 1
    place = Location(file, line, at - source.rfind("\n", 0, at))
    return TemplateError(f"{' '.join(what.split())} is shown as it is written", why=why, mend=mend, location=place)


def _is_meant(fragment: str, names: set[str]) -> bool:
    if fragment.startswith("{%"):
        return _STATEMENT.match(fragment) is not None
    found = _PRINTED.fullmatch(fragment)
    return found is not None and found[1] in names


def _blank(found: re.Match[str]) -> str:
    return re.sub(r"[^\n]", " ", found[0])

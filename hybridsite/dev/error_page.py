"""The page that an author sees in place of one that fails: what, where, why, and how it is mended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from urllib.parse import quote

from markupsafe import Markup, escape
from starlette.responses import Response

from hybridsite.csp import digest
from hybridsite.dev.faults import Report, Step, Told
from hybridsite.errors import Location, count

MARK = "x-hybridsite-dev"
"""The header by which dev's script tells this page from the site's own."""
EDITOR_VARIABLE = "HYBRIDSITE_EDITOR"
_EDITORS: Mapping[str, str] = {
    "code": "vscode://file{file}:{line}:{column}",
    "vscode": "vscode://file{file}:{line}:{column}",
    "codium": "vscodium://file{file}:{line}:{column}",
    "cursor": "cursor://file{file}:{line}:{column}",
    "windsurf": "windsurf://file{file}:{line}:{column}",
    "zed": "zed://file{file}:{line}:{column}",
    "subl": "subl://open?url=file://{file}&line={line}&column={column}",
    "idea": "idea://open?file={file}&line={line}",
    "pycharm": "pycharm://open?file={file}&line={line}",
}
PALETTE = """
:host, :root { color-scheme: light dark; --ink: #1c1b1a; --paper: #fffdf9; --soft: #6a655e; --line: #e4ddd2; \
--red: #b3261e; --mark: #fde7e4; --mend: #1d6b3a }
@media (prefers-color-scheme: dark) { :host, :root { --ink: #eeeae4; --paper: #191817; --soft: #a39c92; \
--line: #3a3733; --red: #ff8a80; --mark: #4a211e; --mend: #7fd6a0 } }
"""
"""The colours of dev's own pages, in light and dark."""
_STYLE = (
    PALETTE
    + """body { margin: 0 }
main { box-sizing: border-box; min-height: 100vh; padding: 2rem max(1rem, calc(50vw - 30rem)) 4rem; \
background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.4rem; line-height: 1.3; color: var(--red); margin: 0 0 .5rem }
h2 { font-size: 1rem; margin: 2rem 0 .5rem }
p { margin: .25rem 0 } .soft { color: var(--soft) } .mend { color: var(--mend) }
a { color: inherit } section + section { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: 2rem }
pre { margin: 1rem 0; padding: .75rem 0; border: 1px solid var(--line); border-radius: 6px; overflow-x: auto; \
font: 14px/1.6 ui-monospace, monospace } pre span { display: block; padding: 0 1rem; min-width: max-content }
pre .at { background: var(--mark) } ol { padding-left: 1.5rem } code { font: 14px ui-monospace, monospace }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; font: 14px ui-monospace, monospace }
dt { color: var(--soft) } dd { margin: 0 } summary { cursor: pointer }
"""
)


def error_page(report: Report, root: Path, environ: Mapping[str, str]) -> Response:
    """Makes the answer. It loads nothing but dev's own script, and runs nothing that a fault could have in it."""
    link = Linker(root, environ)
    first = report.faults[0]
    title = first.what if len(report.faults) == 1 else count(len(report.faults), "fault")
    number = count(len(report.faults), "fault")
    more = Markup('<a href="/_dev/">routes, sessions, settings</a>')
    parts = [Markup("<p class=soft>hybridsite dev: {} · {}</p>").format(number, more)]
    parts += [_fault(fault, link) for fault in report.faults]
    if report.causes:
        told = (_cause(cause, link) for cause in report.causes)
        parts.append(Markup("<h2>Causes</h2><ol>{}</ol>").format(Markup("").join(told)))
    if report.steps:
        parts.append(Markup("<h2>The way here, the last line first</h2>{}").format(_way(report.steps, link)))
    if report.values:
        values = (Markup("<dt>{}</dt><dd>{}</dd>").format(*pair) for pair in report.values.items())
        parts.append(Markup("<h2>Values</h2><dl>{}</dl>").format(Markup("").join(values)))
    body = Markup(
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="viewport" '
        'content="width=device-width, initial-scale=1">\n<title>{}</title>\n<style>{}</style>\n</head>\n'
        "<body>\n<main data-hybridsite-error>\n{}\n</main>\n</body>\n</html>\n"
    ).format(title, Markup(_STYLE), Markup("\n").join(parts))
    policy = f"default-src 'none'; style-src {digest(_STYLE)}; script-src 'self'; connect-src 'self'; base-uri 'none'"
    headers = {"Cache-Control": "no-store", "Content-Security-Policy": policy, MARK: "error"}
    return Response(str(body), 500, headers | {"X-Content-Type-Options": "nosniff"}, media_type="text/html")


def _way(steps: Sequence[Step], link: Linker) -> Markup:
    """Shows the author's own lines, and folds those of packages and of Python."""

    def listed(some: list[Step]) -> Markup:
        lines = (Markup("<li>{} <code>{}</code></li>").format(link(step.location), step.function) for step in some)
        return Markup("<ol>{}</ol>").format(Markup("").join(lines))

    own, other = [step for step in steps if step.is_own], [step for step in steps if not step.is_own]
    folded = Markup("<details class=soft><summary>{} of packages and of Python</summary>{}</details>")
    return (listed(own) if own else Markup("")) + (
        folded.format(count(len(other), "line"), listed(other)) if other else Markup("")
    )


def _fault(fault: Told, link: Linker) -> Markup:
    parts = [Markup("<h1>{}</h1>").format(fault.what)]
    if fault.location:
        parts.append(Markup("<p class=where>{}</p>").format(link(fault.location)))
    if fault.why:
        parts.append(Markup("<p>{}</p>").format(fault.why))
    if fault.pages:
        parts.append(Markup("<p class=soft>met by {}</p>").format(", ".join(fault.pages)))
    if fault.mend:
        parts.append(Markup("<p class=mend>{}</p>").format(fault.mend))
    if fault.excerpt:
        lines = (
            Markup("<span{}>{}</span>").format(Markup(" class=at") if line.startswith(">") else "", line)
            for line in fault.excerpt.split("\n")
        )
        parts.append(Markup("<pre>{}</pre>").format(Markup("").join(lines)))
    return Markup("<section>{}</section>").format(Markup("\n").join(parts))


def _cause(cause: Told, link: Linker) -> Markup:
    place = Markup("{}: ").format(link(cause.location)) if cause.location else ""
    why = "; ".join(part for part in (cause.what, cause.why) if part)
    return Markup("<li>{}{}</li>").format(place, why)


class Linker:
    """Makes places into links that open the author's editor."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self._root = root
        self._form = editor_form(environ)

    def __call__(self, place: Location) -> Markup:
        file = quote(str(self._root / place.file))
        href = self._form.replace("{file}", file).replace("{line}", str(place.line or 1))
        href = href.replace("{column}", str(place.column or 1))
        return Markup('<a href="{}">{}</a>').format(escape(href), str(place))


def editor_form(environ: Mapping[str, str]) -> str:
    """Gives the form of the links to an editor: that of HYBRIDSITE_EDITOR, a name or a URL, or what EDITOR names."""
    named = environ.get(EDITOR_VARIABLE, "")
    if "{file}" in named and not named.lstrip().lower().startswith(("javascript:", "data:")):
        return named
    for value in (named, environ.get("VISUAL", ""), environ.get("EDITOR", "")):
        words = value.split()
        if words and (form := _EDITORS.get(PurePath(words[0]).name)):
            return form
    return _EDITORS["vscode"]

"""The pages below /_dev/, by their paths: who may see them, what they show, and the few things that they change."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from hybridsite import __version__
from hybridsite.csp import digest
from hybridsite.dev.error_page import MARK, PALETTE, Linker, error_page
from hybridsite.dev.faults import report
from hybridsite.dev.history import History
from hybridsite.dev.loading import Loaded
from hybridsite.dev.look.origins import Flags, Table, run_facts, tables
from hybridsite.dev.look.routes import details, lines
from hybridsite.dev.look.sessions import DONE, Refused, change, look, own_id, visitors
from hybridsite.dev.look.trying import Tried, trials, tried, with_typed
from hybridsite.errors import Location, SessionNotFoundError, SessionUnavailable, SiteError, SiteErrors, count
from hybridsite.templating import Templates
from hybridsite.units import size_text

_FOLDER = Path(__file__).parent / "pages"
PAGES: Mapping[str, str] = {
    "": "Routes",
    "sessions/": "Sessions",
    "actions/": "Actions",
    "settings/": "Settings",
    "errors/": "Errors",
}
"""The pages by what stands behind /_dev/ in their paths; that of one route stands beside them."""
_MOST_BODY = 8 * 2**20
_MOST_TRIES, _MOST_KEPT = 20, 2**16
"""How many tries are remembered, and of how many bytes what was sent."""


@dataclass(frozen=True)
class Now:
    """What dev has at the moment: the last good state of the site, what is wrong with its sources, and its run."""

    loaded: Loaded | None
    fault: Exception | None
    flags: Flags


@dataclass(frozen=True)
class _Try:
    """What came of an action that was tried: what was sent (type and body), and the number of the fault, or 0."""

    name: str
    sent: tuple[str, bytes]
    result: Tried
    fault: int


class Look:
    """Shows a site to its author. Whoever calls it has asked who it is."""

    def __init__(self, root: Path, environ: Mapping[str, str], history: History) -> None:
        self._root = root
        self._environ = environ
        self._history = history
        self._link = Linker(root, environ)
        self._tries: OrderedDict[str, _Try] = OrderedDict()
        self._number = 0

    async def answer(self, request: Request, name: str, now: Now) -> Response:
        """Answers a request for a page by its name: what stands behind /_dev/ in its path."""
        try:
            return await self._answer(request, name, now)
        except HTTPException as error:
            return _plain(error.detail, error.status_code)

    async def _answer(self, request: Request, name: str, now: Now) -> Response:
        changes = {"sessions/": self._change_session, "actions/": self._try_action}
        if request.method == "POST" and name in changes:
            return await changes[name](request, now) if is_own_form(request) else _plain("the form is another's", 403)
        if request.method not in ("GET", "HEAD"):
            known = name in PAGES or name == "routes/"
            return _plain("the page answers GET", 405, {"Allow": "GET, HEAD"}) if known else _plain("Not Found", 404)
        shows = {
            "": self._routes,
            "routes/": self._route,
            "sessions/": self._sessions,
            "actions/": self._actions,
            "settings/": self._settings,
            "errors/": self._errors,
        }
        return await shows[name](request, now) if name in shows else _plain("Not Found", 404)

    # Routes.

    async def _routes(self, request: Request, now: Now) -> Response:
        words = request.query_params.get("q", "")
        known = lines(now.loaded.site, self._history) if now.loaded else []
        found = [line for line in known if line.holds(words)]
        keeps = now.loaded is not None and now.loaded.site.cache is not None
        values: dict[str, Any] = {"number": len(known), "words": words, "keeps": keeps, "load": self._history.load}
        return self._page("routes.html", "", now, lines=found, **values)

    async def _route(self, request: Request, now: Now) -> Response:
        asked, source = request.query_params.get("path", ""), request.query_params.get("source", "")
        found = details(now.loaded.site, self._history, asked, source) if now.loaded else None
        status = 200 if found else 404
        return self._page("route.html", "", now, status=status, title=asked or "Route", asked=asked, found=found)

    # Sessions.

    async def _sessions(self, request: Request, now: Now) -> Response:
        query = request.query_params
        told = DONE.get(query.get("done", ""), "").format(query.get("key", ""))
        return await self._shown_sessions(request, now, query.get("id", ""), told=told)

    async def _shown_sessions(
        self, request: Request, now: Now, handle: str, *, told: str = "", refused: str = "", typed: Any = None
    ) -> Response:
        """Shows one session, where there is a handle, or all; what went wrong instead, where the store says no."""
        manager = now.loaded.site.sessions if now.loaded else None
        values: dict[str, Any] = {"handle": handle, "told": told, "refused": refused, "typed": typed or {}}
        if manager is None:
            return self._page("sessions.html", "sessions/", now, **values, off=True)
        own, template, status = None, "sessions.html", 422 if refused else 200
        try:
            own = await own_id(manager, _cookies(request))
            if handle:
                with suppress(SessionNotFoundError):
                    values["held"], template = await look(manager, handle), "session.html"
            if template == "sessions.html":
                values["all"] = await visitors(manager, own)
            if handle and template == "sessions.html":
                values["refused"], status = "There is no such session: it ended, or never was.", 404
        except SessionUnavailable as error:
            cause = error.__cause__.__cause__ if error.__cause__ else None
            values["refused"], status = f"The session store does not answer. {cause or ''}", 503
        except SiteError as error:  # a record that can't be read, or a store that can't list what it holds
            values["refused"], status = str(error), 503
        return self._page(template, "sessions/", now, status=status, **values, own=own)

    async def _change_session(self, request: Request, now: Now) -> Response:
        manager = now.loaded.site.sessions if now.loaded else None
        sent = parse_qs((await _body(request)).decode("utf-8", "replace"), keep_blank_values=True)
        fields = {name: values[-1] for name, values in sent.items()}
        handle, do, key = fields.get("id", ""), fields.get("do", ""), fields.get("key", "")
        if manager is None:
            return await self._sessions(request, now)
        try:
            await change(manager, handle, do, key, fields.get("value", ""))
        except (Refused, SiteError, SessionUnavailable) as error:
            refused = str(error) or "The session store does not answer."
            return await self._shown_sessions(request, now, handle, refused=refused, typed=fields)
        shown = {} if do == "destroy" else {"id": handle, "key": key}
        return _to(f"/_dev/sessions/?{urlencode({**shown, 'done': do})}")

    # Actions.

    async def _actions(self, request: Request, now: Now) -> Response:
        number = request.query_params.get("try", "")
        last = self._tries.get(number)
        known = trials(now.loaded.site) if now.loaded else []
        if last is not None:
            known = [with_typed(each, *last.sent) if each.name == last.name else each for each in known]
        return self._page("actions.html", "actions/", now, trials=known, last=last)

    async def _try_action(self, request: Request, now: Now) -> Response:
        """Runs an action, and leads to its outcome: to load that again doesn't run it again."""
        name = request.query_params.get("name", "")
        known = trials(now.loaded.site) if now.loaded else []
        trial = next((trial for trial in known if trial.name == name), None)
        if now.loaded is None or trial is None:
            return _plain("there is no such action", 404)
        loaded, body = now.loaded, await _body(request)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await self._history.answer(loaded.app, loaded.site, scope, receive, send)

        kind, met = request.headers.get("content-type", ""), self._history.met
        result = await tried(app, request.scope, trial, kind, body)
        fault = next(self._history.faults).number if self._history.met > met else 0
        self._number += 1
        number = str(self._number)
        self._tries[number] = _Try(name, (kind, body if len(body) <= _MOST_KEPT else b""), result, fault)
        if len(self._tries) > _MOST_TRIES:
            self._tries.popitem(last=False)
        response = _to(f"/_dev/actions/?{urlencode({'try': number})}#{name}")
        for cookie in result.cookies:
            response.headers.append("set-cookie", cookie)
        return response

    # Settings and errors.

    async def _settings(self, request: Request, now: Now) -> Response:
        words, only = request.query_params.get("q", "").casefold(), "set" in request.query_params
        refused, found = "", []
        if now.loaded is not None:
            try:
                found = tables(self._root, now.loaded.site.settings, self._environ)
            except (SiteError, SiteErrors) as error:
                refused = str(error)
        every = [run_facts(self._root, self._environ, now.flags), *found]
        shown = [kept for table in every if (kept := _kept(table, words, only)).settings]
        number = sum(setting.is_set for table in every[1:] for setting in table.settings)
        values: dict[str, Any] = {"words": words, "only": only, "refused": refused, "number": number}
        return self._page("settings.html", "settings/", now, tables=shown, **values)

    async def _errors(self, request: Request, now: Now) -> Response:
        number = request.query_params.get("id", "")
        if not number:
            return self._page(
                "errors.html", "errors/", now, folds=sorted(self._history.faults, key=lambda fold: fold.is_mended)
            )
        fold = self._history.fault(int(number)) if number.isascii() and number.isdigit() and len(number) < 10 else None
        if fold is None:
            return _plain("there is no such error any more", 404)
        response = error_page(fold.report, self._root, self._environ)
        response.status_code = 200
        del response.headers[MARK]  # it is shown, and did not happen to this page
        return response

    def _editor(self, place: Location) -> Markup:
        """Gives the link that opens a place; the name alone of what is no file, such as a plugin's route."""
        return self._link(place) if (self._root / place.file).is_file() else Markup("{}").format(str(place))

    def _page(
        self, template: str, name: str, now: Now, /, *, status: int = 200, title: str = "", **values: Any
    ) -> Response:
        """Renders a page, which loads nothing but dev's own script."""
        site = now.loaded.site if now.loaded else None
        pages = templates()
        text = pages.render(
            pages.get(template),
            {
                "style": Markup(style()),
                "pages": [(f"/_dev/{path}", word) for path, word in PAGES.items()],
                "here": f"/_dev/{name}",
                "title": title or PAGES[name],
                "editor": self._editor,
                "editor_at": lambda file: self._editor(Location(file)),
                "site": site,
                "root": str(self._root),
                "version": __version__,
                "errors": self._history.standing,
                "now": report(now.fault, self._root, with_values=False) if now.fault else None,
                **values,
            },
        )
        policy = f"default-src 'none'; style-src {digest(style())}; form-action 'self'; base-uri 'none'"
        headers = {"Content-Security-Policy": f"{policy}; frame-ancestors 'none'", **_HEADERS}
        return Response(text, status, headers, media_type="text/html")


_HEADERS: Mapping[str, str] = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # a stricter one would take the Origin from forms
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def is_own_form(request: Request) -> bool:
    """Tells whether a page of this very origin sent a form: its Origin says so, or the browser by Sec-Fetch-Site."""
    origin = request.headers.get("origin")
    if origin is None:
        return request.headers.get("sec-fetch-site") == "same-origin"
    return origin.casefold() == f"{request.scope['scheme']}://{request.headers.get('host', '')}".casefold()


@cache
def style() -> str:
    """Gives the style sheet, in the colours of the error page."""
    return PALETTE + files("hybridsite").joinpath("dev/look/pages/look.css").read_text("utf-8")


@cache
def templates() -> Templates:
    """Gives the templates of the pages: in the environment that sites have, with its escaping."""
    made = Templates(_FOLDER, {path.name: path for path in sorted(_FOLDER.glob("*.html"))})
    filters = {"size": size_text, "lasted": _lasted, "clock": _clock, "count": count, "urlencode": urlencode}
    filters["with_code"] = _with_code
    made.environment.filters.update(filters)
    return made


def _lasted(seconds: float) -> str:
    milliseconds = seconds * 1000
    return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"


def _clock(when: float | datetime) -> str:
    """Gives a moment in this machine's time: the day only where it isn't today."""
    moment = when.astimezone() if isinstance(when, datetime) else datetime.fromtimestamp(when).astimezone()
    today = moment.date() == datetime.fromtimestamp(time.time()).date()
    return f"{moment:%H:%M:%S}" if today else f"{moment:%Y-%m-%d %H:%M}"


def _with_code(text: str) -> Markup:
    """Gives a text in which `so` stands for code."""
    parts = (Markup("<code>{}</code>" if n % 2 else "{}").format(part) for n, part in enumerate(text.split("`")))
    return Markup("").join(parts)


def _kept(table: Table, words: str, only: bool) -> Table:
    """Gives a table with the settings alone that were asked for."""

    def wanted(name: str, value: str, note: str) -> bool:
        text = f"{table.name}.{name} {value} {note}".casefold()
        return all(word in text for word in words.split())

    kept = (each for each in table.settings if wanted(each.name, each.value, each.note) and (each.is_set or not only))
    return replace(table, settings=tuple(kept))


def _cookies(request: Request) -> list[bytes]:
    return [value for name, value in request.scope["headers"] if name == b"cookie"]


async def _body(request: Request) -> bytes:
    """Reads a form. Raises HTTPException 413."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BODY:
            raise HTTPException(413)
    return bytes(body)


def _plain(text: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return PlainTextResponse(f"{text}\n", status, {**_HEADERS, **(headers or {})})


def _to(url: str) -> Response:
    return Response(status_code=303, headers={**_HEADERS, "Location": url})

"""An action: what a form, or a script, asks for by name. It runs, and its outcome goes to the page it leads to.

A browser's form is answered 303, and the page shows the outcome once, out of the session. Where there are no sessions,
the page is rendered in the same answer. What went wrong on a page that can't show it is told by a page of its own. JSON
in gives JSON out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from hybridsite.action_table import ACTIONS, Action
from hybridsite.context import Context
from hybridsite.errors import ACTION_STATUSES, ActionError, ModuleError
from hybridsite.forms import JSON, FormModel, Submission, media_type_of, read_submission
from hybridsite.modules import call
from hybridsite.outcomes import ActionResult, Failure, Messages, Typed, shortened
from hybridsite.senders import own_path, sender
from hybridsite.site import Site
from hybridsite.urls import RequestPath

_NO_STORE = {"Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Shown:
    """An outcome to be shown in the same answer, by the page at `url` if that is each visitor's own."""

    result: ActionResult
    status: int
    path: RequestPath
    url: str


async def respond(context: Context, method: str) -> Response | Shown:
    """Answers a request for an action.

    Raises HTTPException: 405 for other methods than POST, and what `read_submission` does; and whatever the action
    raises but for ActionError.
    """
    if method != "POST":
        allow = {"Allow": "POST, OPTIONS"}
        if method == "OPTIONS":
            return Response(status_code=204, headers=allow)
        raise HTTPException(405, headers=allow)
    action = context.site.actions[context.action or ""]
    settings, request = context.site.settings, context._request
    security = settings.security
    sent = await read_submission(
        request, max_body=settings.most_body, max_fields=security.max_fields, max_files=security.max_parts
    )
    by_script = speaks_json(request)
    if not by_script and context._session is not None:
        # Where the store doesn't answer, nobody could be told what came of it: it is refused before it runs.
        context._session._show_result("", use_up=False)
    try:
        given = await _run(context, action, sent)
    except ActionError as error:
        status, result = error.status, _failed(action, sent, error)
        return error_as_json(status, error) if by_script else _lead_back(context, result, status)
    if isinstance(given, Response):
        if not 300 <= given.status_code < 400 or "location" not in given.headers:
            return given
        given.status_code = given.status_code if by_script else 303
        to = given.headers["location"]
        return _as_json(action, None, redirect=to) if by_script else _lead_on(context, action, given, to)
    if by_script:
        return _as_json(action, given)
    return _lead_back(context, ActionResult(action.name, _plain(given)), 200)


async def _run(context: Context, action: Action, sent: Submission) -> Any:
    if action.form is None:
        return await call(action.function, context)
    return await call(action.function, context, action.form.validate(sent))


def _failed(action: Action, sent: Submission, error: ActionError) -> ActionResult:
    form: FormModel | None = action.form
    values = Typed(form.typed(sent) if form else {})
    return ActionResult(action.name, None, Failure(error.code, error.message), Messages(error.fields), values)


def _plain(given: Any) -> Any:
    """Gives what an action returned; a pydantic model as the dict that its JSON would be."""
    return given.model_dump(mode="json") if hasattr(given, "model_dump") else given


# Where it leads.


def _lead_on(context: Context, action: Action, answer: Response, to: str) -> Response:
    """Sends a browser where the action redirects to; a page of the site itself shows the outcome."""
    path = own_path(context._request, context.site.policy, context.site.url, to)
    if path is not None:
        _leave(context, ActionResult(action.name), path)
    return answer


def _lead_back(context: Context, result: ActionResult, status: int) -> Response | Shown:
    """Sends a browser back to the page that it came from, if it says and that is the site's own; else to the root."""
    path, query = sender(context._request, context.site.policy, context.site.url) or (RequestPath((), True), "")
    if path.segments[:1] == (ACTIONS,):
        path, query = RequestPath((), True), ""
    url = context.site.policy.url("page", path.segments, slash=path.slash) + (f"?{query}" if query else "")
    if context._session is None or (result.error and not _may_show(context.site, path)):
        return Shown(result, status, path, url)
    _leave(context, result, path)
    return Response(status_code=303, headers={"Location": url, **_NO_STORE})


def _may_show(site: Site, path: RequestPath) -> bool:
    """Tells whether a page may show an outcome: its own code, or, where all visitors share it, one of its islands."""
    is_file = site.policy.url("page", path.segments, slash=path.slash) in site.built
    places = (path.segments, *site.languages.stand_ins(path.segments))
    for match in (match for place in places for match in site.router.match(place)):
        if match.route.redirect is None and match.route.prerender == is_file:
            page = site.resource(match.route)
            islands = page.closure.islands if page.closure else ()
            return not page.is_shared or any(_asks_for_result(site, component) for component in islands)
    return not is_file  # middleware may know what is there


def _asks_for_result(site: Site, component: str) -> bool:
    closure = site.templates.closure(component, in_place=True)
    modules = [site.islands.modules.get(name) for name in (component, *closure.islands)]
    named = "action_result" in closure.names or any(module is not None and module.names_result for module in modules)
    return named or closure.dynamic


def _leave(context: Context, result: ActionResult, path: RequestPath) -> None:
    session = context._session
    if session is None or (session._destroyed and result.ok and result.data is None):
        return  # who was signed out is not given another session to be told so
    session._leave_result(result.to_plain(), "/".join(path.segments))


# Answers for scripts.


def speaks_json(request: Request) -> bool:
    """Tells whether a script asks, which is answered in JSON: it sends JSON, or sends a form and takes JSON alone."""
    takes = request.headers.get("accept", "").lower()
    return media_type_of(request) == JSON or (JSON in takes and "text/html" not in takes)


def error_as_json(status: int, error: ActionError, headers: Mapping[str, str] | None = None) -> Response:
    """Gives an error as scripts get it."""
    told = {"code": error.code, "message": error.message, "fields": dict(shortened(error.fields))}
    return _json({"error": told}, status, headers)


def refusal_as_json(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Gives an answer of the server itself, such as 413, as scripts get it."""
    code = next((code for code, known in ACTION_STATUSES.items() if known == status), "invalid")
    return error_as_json(status, ActionError(code, message), headers)


def _as_json(action: Action, data: Any, *, redirect: str | None = None) -> Response:
    from pydantic_core import PydanticSerializationError, to_jsonable_python  # only scripts need it

    try:
        content = {"data": to_jsonable_python(data)} | ({} if redirect is None else {"redirect": redirect})
        return _json(content, 200)
    except (PydanticSerializationError, TypeError, ValueError) as error:
        raise ModuleError(
            f'what the action "{action.name}" gave is no JSON',
            why=str(error),
            mend="return JSON's types, or a pydantic model",
            location=action.place,
        ) from error


def _json(content: object, status: int, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return Response(body, status, {**_NO_STORE, **(headers or {})}, media_type=JSON)


# Where no page can show it.


def plain_page(shown: Shown, language: str) -> Response:
    """Gives a page with the outcome alone, and a link back."""
    result = shown.result
    title = "Done" if result.ok else "That didn’t work"
    told = [str(result)] if result.error else []
    told += [f"{name}: {message}" for name, messages in shortened(result.fields) for message in messages]
    lines = "".join(f"<p>{escape(line)}</p>\n" for line in told if line)
    body = (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n</head>\n'
        f'<body>\n<h1>{title}</h1>\n{lines}<p><a href="{escape(shown.url)}">Back</a></p>\n</body>\n</html>\n'
    )
    return Response(body, shown.status, _NO_STORE, media_type="text/html")

"""Islands: on a page that all visitors share, places to be filled; elsewhere, and when they are fetched, the pieces."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import Response

from hybridsite import pages
from hybridsite.answers import log_failure
from hybridsite.caching import policy_of
from hybridsite.context import Context
from hybridsite.errors import Answer, ModuleError, NotFound, SessionUnavailable, TemplateError
from hybridsite.exchange import Outgoing
from hybridsite.island_client import script_path
from hybridsite.island_props import Island, read_island
from hybridsite.island_table import IslandMatch
from hybridsite.previous import KEPT

_MOST_DEPTH = 50
# What stands for a piece until the template is done: digits between characters that no filter changes, the first ones
# known to nobody ahead.
_MARK = re.compile("\ue000([0-9]+)-([0-9]+)\ue000")


class Pieces:
    """Places the islands of one request's templates: what `{% island %}` calls.

    A piece whose component has a module may have to wait for it, which a template can't: a mark stands for it until
    the template is done.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._waiting: list[tuple[Island, str]] = []
        self._has_script = False
        self._placed: dict[str, Island] = {}
        self._token = ""

    def __call__(self, component: str, props: Mapping[str, object], when: str, fallback: str) -> Markup:
        """Gives the HTML of an island. Raises TemplateError for props that are none, and what its component raises."""
        island = read_island(component, props)
        if self._context.resource.is_shared:
            return self._place(island, when, fallback)
        if component not in self._context.site.islands.modules:
            return Markup(self._rendered(island, {}))
        self._token = self._token or str(secrets.randbits(64))
        self._waiting.append((island, fallback))
        return Markup(f"\ue000{self._token}-{len(self._waiting) - 1}\ue000")

    @property
    def are_waiting(self) -> bool:
        """Whether marks stand in what was rendered."""
        return bool(self._waiting)

    def _place(self, island: Island, when: str, fallback: str) -> Markup:
        # A slot outside of a shadow tree shows what it holds, and has no box of its own (HTML, 15.3.1).
        site = self._context.site
        script = ""
        if not self._has_script:
            self._has_script = True
            script = f'<script type="module" src="{site.policy.url("file", script_path())}"></script>'
        island = site.languages.piece(island, self._context.locale)
        if self._context.prerendering:
            digest = site.islands.place(island)
        else:
            # Those that this build knows, too: a server of another build may be asked for them.
            digest = site.islands.digest(island)
            self._placed[digest] = island
        return Markup(f'<slot name="{digest}" data-island="{when}">{fallback}</slot>{script}')

    async def note(self) -> None:
        """Lets the server remember the islands of a page that may be kept, as long as anybody may ask for them."""
        memory, policy = self._context.site.islands.memory, policy_of(self._context)
        if self._placed and memory is not None and policy is not None:
            await memory.note(self._placed, policy.max_age + policy.swr + KEPT)

    def _rendered(self, island: Island, values: Mapping[str, object]) -> str:
        context, templates = self._context, self._context.site.templates
        closure = templates.closure(island.component, in_place=True)
        page_props, context.props = context.props, island.props
        try:
            own = {**context.variables(closure.names, closure.dynamic), **island.props, **values}
            return templates.render(templates.get(island.component), own)
        finally:
            context.props = page_props

    async def piece(self, island: Island, depth: int = 0) -> str:
        """Gives the HTML of an island with all that it holds. Raises what its component does."""
        if depth > _MOST_DEPTH:
            raise TemplateError("the islands lead to each other without end", why=f"{island.component} is one of them")
        context = self._context
        module = context.site.islands.modules.get(island.component)
        values: Mapping[str, object] = {}
        if module is not None:
            load = module.function("load")
            assert load is not None
            page_props, context.props = context.props, island.props
            try:
                given = await pages.values_of(load, context, module)
            finally:
                context.props = page_props
            if isinstance(given, Response):
                mend = "return a mapping; or raise NotFound, and the fallback stays"
                raise ModuleError("load() of an island gave a Response", mend=mend, location=module.place(load))
            values = given
        return await self.fill(self._rendered(island, values), depth + 1)

    async def fill(self, text: str, depth: int = 0, *, as_json: bool = False) -> str:
        """Puts the pieces that waited for their modules in the places of their marks; a fallback for what isn't there.

        `as_json` where the marks stand in strings of JSON. Raises what their components do, but for NotFound.
        """
        if not self._waiting:
            return text
        parts: list[str] = []
        end = 0
        for mark in _MARK.finditer(text):
            if mark[1] != self._token:
                continue
            island, fallback = self._waiting[int(mark[2])]
            try:
                piece = await self.piece(island, depth)
            except NotFound:
                piece = fallback
            parts += text[end : mark.start()], json.dumps(piece, ensure_ascii=False)[1:-1] if as_json else piece
            end = mark.end()
        return "".join([*parts, text[end:]])


async def filled(context: Context, response: Response) -> Response:
    """Gives an answer with the islands that its templates placed: filled, or remembered where they will be fetched."""
    if not context.touched("_pieces"):
        return response
    await context._pieces.note()
    if not context._pieces.are_waiting or not isinstance(getattr(response, "body", None), bytes):
        return response
    text = bytes(response.body).decode("utf-8", "surrogateescape")
    kind = response.headers.get("content-type", "")
    whole = await context._pieces.fill(text, as_json="json" in kind.partition(";")[0])
    if whole != text:
        response.body = whole.encode("utf-8", "surrogateescape")
        response.headers["content-length"] = str(len(response.body))
    return response


async def respond(context: Context, match: IslandMatch, method: str) -> Response:
    """Answers a request for islands. Raises HTTPException 405, NotFound, and whatever a component does."""
    if method not in ("GET", "HEAD"):
        allow = {"Allow": "GET, HEAD, OPTIONS"}
        if method == "OPTIONS":
            return Response(status_code=204, headers=allow)
        raise HTTPException(405, headers=allow)
    if not match.as_json:
        (island,) = match.islands.values()
        return Response((await context._pieces.piece(island)).encode(), media_type="text/html")
    html: dict[str, str] = {}
    answers = _Headers(context)
    failures: list[Exception] = []
    for digest, island in match.islands.items():
        try:
            html[digest] = await context._pieces.piece(island)
        except (Answer, HTTPException) as error:
            failures.append(error)
        except Exception as error:
            if _has_changes(context):
                raise  # nothing of them may be saved
            failures.append(error)
        answers.take()
    if not html:
        raise failures[0]
    for failure in failures:
        if not isinstance(failure, (Answer, HTTPException)) or isinstance(failure, SessionUnavailable):
            log_failure(context.site, context._request, failure)
    body = json.dumps(html, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    return Response(body, headers=answers.together(), media_type="application/json")


def _has_changes(context: Context) -> bool:
    try:
        return context._session is not None and context._session._changed()
    except SessionUnavailable:  # what could not be loaded could not be changed
        return False


class _Headers:
    """Joins the headers that components ask for: what isn't said by all of them about caches is said by none."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._kept: Outgoing | None = context.__dict__.pop("response", None)
        self._said: list[Mapping[str, str]] = []

    def take(self) -> None:
        """Takes what the last component said."""
        own: Outgoing | None = self._context.__dict__.pop("response", None)
        self._said.append(dict(own.headers) if own else {})

    def together(self) -> dict[str, str]:
        """Gives the headers, and lets the context have again what it had before."""
        if self._kept is not None:
            self._context.__dict__["response"] = self._kept
        joined: dict[str, str] = {}
        for said in self._said:
            for name, value in said.items():
                joined[name] = f"{joined[name]}, {value}" if name == "vary" and name in joined else value
        if len({said.get("cache-control") for said in self._said}) > 1:
            joined.pop("cache-control", None)
        return joined

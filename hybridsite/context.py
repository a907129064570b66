"""The context: all that a page, an endpoint or middleware may ask about the request under way."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property, partial
from gettext import NullTranslations
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from hybridsite import used
from hybridsite.cache.control import CacheControl
from hybridsite.cache.entry import Cached
from hybridsite.cache.watching import WatchedRequest, WatchedUrl
from hybridsite.catalogues import FUNCTIONS
from hybridsite.errors import ContextError, Location
from hybridsite.exchange import (
    Cookies,
    EarlyResponse,
    Lazy,
    LazyResult,
    Locals,
    Outgoing,
    PrerenderRequest,
    Rendered,
    Rewrite,
    redirect_to,
)
from hybridsite.island_tag import PLACE
from hybridsite.languages import PIECE_LOCALE, Alternate
from hybridsite.modules import run_from_thread
from hybridsite.notices import caller
from hybridsite.outcomes import NO_RESULT, ActionResult
from hybridsite.resources import Resource
from hybridsite.routes import Match
from hybridsite.senders import sender
from hybridsite.seo import head_tags
from hybridsite.sessions.manager import SessionManager
from hybridsite.sessions.office import OtherSessions
from hybridsite.sessions.session import Session
from hybridsite.site import Site
from hybridsite.undefined import UndefinedSession
from hybridsite.urls import RequestPath, Url

T = TypeVar("T")

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class Context:
    """One request, as the site's code sees it. `session` is None, and noted as a fault, where there is none.

    `pieces` makes what places islands, when a template first asks for one.
    """

    def __init__(
        self,
        site: Site,
        match: Match,
        resource: Resource,
        request: Request,
        path: RequestPath,
        session: Session | None,
        result: ActionResult | None = None,
        *,
        pieces: Callable[[Context], Any] | None = None,
    ) -> None:
        self.site = site
        self.params: Mapping[str, str] = match.params
        self.props: Mapping[str, object] = match.props
        self.resource = resource
        self._request = request
        self._path = path
        self._session = session
        self._result = result
        self._match = match
        self._make_pieces = pieces
        self._sessions: SessionManager | None = site.sessions
        self._cached: Cached | None = None
        self._is_error_page = match.route.kind == "error"
        # What `paths` in front matter gave the page: its entry, its entries, or some of them.
        self.listed = match.props if resource.front is not None and resource.front.paths is not None else None

    def _onward(self, match: Match, resource: Resource, request: Request, path: RequestPath) -> Context:
        """Gives the context of the same visit for the path that a rewrite led to."""
        onward = Context(
            self.site, match, resource, request, path, self._session, self._result, pieces=self._make_pieces
        )
        onward.__dict__.update(locals=self.locals, cookies=self.cookies)
        if self.touched("csp_nonce"):
            onward.__dict__["csp_nonce"] = self.csp_nonce
        if self.touched("response"):
            onward.response.headers = self.response.headers
        return onward

    # The request.

    @cached_property
    def request(self) -> Request:
        """Starlette's request; on a prerendered page one that knows only `url` and `method`."""
        if self.prerendering:
            return PrerenderRequest(self._request, self.resource.route.source)  # type: ignore[return-value]
        return self._request

    @cached_property
    def url(self) -> Url:
        """The URL that was asked for, its path decoded and normalised once.

        Its origin is `[site] url` where that is set.
        """
        request = self._request.unwatched if isinstance(self._request, WatchedRequest) else self._request
        scheme, _, netloc = (self.site.url or self._origin(request)).partition("://")
        query = "" if self.prerendering else request.scope.get("query_string", b"").decode("latin-1")
        url = Url(scheme, netloc, self.site.policy.path(self._path), query)
        if isinstance(self._request, WatchedRequest):
            return WatchedUrl(url, self._request.reads, own_origin=bool(self.site.url))
        return url

    def _origin(self, request: Request) -> str:
        host = request.headers.get("host", "")
        if self.prerendering or not _HOST.fullmatch(host):
            host = "localhost"
        return f"{request.scope.get('scheme', 'http')}://{host}"

    @property
    def prerendering(self) -> bool:
        """Whether the page is rendered at build, for all visitors."""
        return self.resource.prerender

    @property
    def page(self) -> Mapping[str, object]:
        """The page's own front matter."""
        return self.resource.page

    @property
    def data(self) -> Mapping[str, object]:
        """The files of data/, by stem."""
        return self.site.data

    @property
    def route(self) -> str:
        """The pattern of the route that answers: `/shop/[slug]/`."""
        return self.resource.route.pattern

    @property
    def locale(self) -> str:
        """The language of the page, by its path; [site] language where [i18n] names none.

        An island has that of the page it stands on, and an action that of the page which the form was on.
        """
        path, kind = self._path.segments, self.resource.route.kind
        if kind == "island" and PIECE_LOCALE in self.props:
            return str(self.props[PIECE_LOCALE])
        if kind == "action" and self.site.languages.locales:
            told = sender(self._request, self.site.policy, self.site.url)
            path = told[0].segments if told else path
        return self.site.languages.locale(path)

    @property
    def alternates(self) -> list[Alternate]:
        """The page in all of its languages, its own among them; none where it has one alone."""
        return self.site.alternates(self._own_path)

    @property
    def translations(self) -> NullTranslations:
        """What gettext says in the page's language: `context.translations.gettext("…")`."""
        return self.site.catalogues.of(self.locale)

    @property
    def _own_path(self) -> tuple[str, ...]:
        """The path of the page itself, where it stands in for one of another language."""
        route = self.resource.route
        is_planned = self.prerendering and route.kind == "page" and self.site.languages.locales
        return self.site.router.fill(route, self.params) if is_planned else self._path.segments

    @property
    def client_address(self) -> str | None:
        """The visitor's IP address, as the named proxies tell it; None on a prerendered page."""
        client = None if self.prerendering else self._request.client
        return client.host if client else None

    depends_on = used.depends_on

    def url_for(self, source: str, /, **params: object) -> str:
        """Gives the URL of the route that a file under pages/ makes. Raises RouteError as `Site.url_for` does."""
        return self.site.url_for(source, **params)

    def seo(self, **given: Any) -> Markup:
        """Gives the tags that tell search engines what the page is, as `seo.head_tags` does: `<< seo() >>`."""
        route = self.resource.route
        url = None if route.kind in ("error", "action") else self.site.policy.url(route.kind, self._own_path)
        about = (self.page, self.props.get("entry"), self.locale, [] if url is None else self.alternates)
        return head_tags(self.site, url, *about, **given)

    # The session.

    @property
    def has_session(self) -> bool:
        """Whether there is a session here: asking is no fault."""
        return self._session is not None

    @property
    def session(self) -> Session | None:
        """The visitor's session; None where there is none, which is noted as a fault with the place that asked."""
        if self._session is None:
            self._note(caller(str(self.site.root)) or self.resource.route.location)
        return self._session

    def flashes(self) -> list[Any]:
        """Gives the messages of `session.flash()`, and uses them up: none where there is no session, which is noted.

        The request's later calls give the same ones. An answer that nobody sees uses none up: to HEAD, and to a
        browser that fetches ahead.
        """
        session = self.session
        return [] if session is None else session._show_flashes(use_up=self._is_seen())

    def _is_seen(self) -> bool:
        ahead = self._request.headers.get("sec-purpose", "").startswith("prefetch")
        return self._request.method != "HEAD" and not ahead

    # The action.

    @property
    def action(self) -> str | None:
        """The name of the action under way, or None."""
        route = self.resource.route
        return route.segments[-1][0].text if route.kind == "action" else None

    @cached_property
    def action_result(self) -> ActionResult | None:
        """The outcome of the action that led to this page, once, or None. On a prerendered page a fault is noted.

        An answer that nobody sees uses none up, as with `flashes`.
        """
        if self._result is not None or self.resource.route.kind in ("action", "error"):
            return self._result
        if self._session is None:
            if self.prerendering:
                self._note(caller(str(self.site.root)) or self.resource.route.location)
            return None
        path = self._path
        if self.resource.route.kind == "island":
            told = sender(self._request, self.site.policy, self.site.url)  # the page that it is put into
            if told is None:
                return None
            path = told[0]
        plain = self._session._show_result("/".join(path.segments), use_up=self._is_seen())
        return None if plain is None else ActionResult.from_plain(plain)

    @property
    def sessions(self) -> OtherSessions:
        """Access to other sessions by their handles. Raises ContextError where the site has no sessions here."""
        if self._sessions is None or self.prerendering:
            raise ContextError(
                "context.sessions is asked for where there are no sessions", mend=self.site.mend(self.resource)
            )
        if isinstance(self._request, WatchedRequest):
            self._request.reads.others.add("the sessions of others")
        return OtherSessions(self._sessions, self._session)

    def _note(self, place: Location) -> None:
        if self._is_error_page and self.site.has_session(self.resource):
            return  # the error has kept the session from being there
        self.site.notices.add(place, self.resource.route.source, mend=self.site.mend(self.resource))

    # The answer.

    @cached_property
    def locals(self) -> Locals:
        """A namespace that middleware fills for the page."""
        return Locals()

    @cached_property
    def cookies(self) -> Cookies:
        """The cookies of the request and of the answer. Raises ContextError on a prerendered page."""
        self._refuse("cookies are", "it is rendered at build, where there is no visitor", self.prerendering)
        return Cookies(self._request)

    @cached_property
    def response(self) -> Outgoing:
        """Status and headers of what will be sent."""
        return Outgoing(self.resource.route.status)

    @cached_property
    def _pieces(self) -> Any:
        """What places the islands of the templates."""
        assert self._make_pieces is not None
        return self._make_pieces(self)

    @cached_property
    def cache(self) -> CacheControl:
        """How long the answer is kept for all who ask alike. Raises ContextError on a prerendered page."""
        self._refuse("context.cache is", "it is a file, the same until the next build", self.prerendering)
        return CacheControl(self.site.cache, self.site.policy, self._is_private)

    def _is_private(self) -> bool:
        return self.resource.names_session or (self._session is not None and self._session.touched)

    def _refuse(self, what: str, why: str, is_prerendered: bool) -> None:
        if is_prerendered:
            mend = f"give {self.resource.route.source} prerender: false"
            raise ContextError(f"{what} asked for on a prerendered page", why=why, mend=mend)

    @cached_property
    def csp_nonce(self) -> str | None:
        """What a script or a style that stands in the page says to be run: `nonce="<< csp_nonce >>"`.

        None where the site has no Content-Security-Policy, and on prerendered pages, which go by hashes.
        """
        return secrets.token_urlsafe(16) if self.site.csp and not self.prerendering else None

    def touched(self, name: Literal["response", "cookies", "cache", "csp_nonce", "_pieces"]) -> bool:
        """Tells whether the code asked for `response`, `cookies`, `cache`, `csp_nonce`, or an island."""
        return name in self.__dict__

    def redirect(self, to: str, status: int = 302) -> Response:
        """Gives an answer that leads to `to`, as `redirect_to` does: another host is written with its scheme."""
        return redirect_to(to, status)

    def rewrite(self, path: str) -> Response:
        """Gives an answer by which the request goes on for another path of the site: `return context.rewrite("/x/")`.

        The path is a URL as `url_for` gives it, and may have a query. Session, cookies and locals stay, the middleware
        runs again, and the method is GET. Raises ContextError for what is no path, and on a prerendered page.
        """
        self._refuse("rewrite() is", "a build writes each page at its own address", self.site.mode.prerendering)
        return Rewrite.to(path)

    def render(self, template: str, **values: object) -> Rendered:
        """Renders another template of the site with this context and `values`."""
        loaded = self.site.templates.get(template)
        closure = self.site.templates.closure(template)
        return Rendered(
            self.site.templates.render(loaded, {**self.variables(closure.names, closure.dynamic), **values})
        )

    def run(self, awaitable: Awaitable[T]) -> T:
        """Waits for something awaitable in a function that is not `async`."""
        result: T = run_from_thread(awaitable)
        return result

    def variables(self, names: frozenset[str], dynamic: bool) -> dict[str, object]:
        """Gives a template the names that it asks for, or all of them where it can't be told which."""
        return {name: _VARIABLES[name](self) for name in (_VARIABLES if dynamic else names & _VARIABLES.keys())}

    def _template_session(self) -> Session | UndefinedSession:
        return UndefinedSession(self._note) if self._session is None else self._session

    def _template_flashes(self) -> Callable[[], list[Any]] | UndefinedSession:
        return UndefinedSession(self._note) if self._session is None else self.flashes

    def _template_result(self) -> LazyResult | UndefinedSession:
        if self._session is None and self.prerendering:
            return UndefinedSession(self._note)
        return LazyResult(lambda: self.action_result or NO_RESULT)

    def _template_redirect(self, to: str, status: int = 302) -> None:
        raise EarlyResponse(self.redirect(to, status))

    def _template_rewrite(self, path: str) -> None:
        raise EarlyResponse(self.rewrite(path))


_VARIABLES: Mapping[str, Callable[[Context], object]] = MappingProxyType(
    {
        "request": lambda context: context.request,
        "params": lambda context: context.params,
        "props": lambda context: context.props,
        "url": lambda context: context.url,
        "page": lambda context: context.page,
        "session": lambda context: context._template_session(),
        "flashes": lambda context: context._template_flashes(),
        "action_result": lambda context: context._template_result(),
        "locals": lambda context: context.locals,
        "prerendering": lambda context: context.prerendering,
        "redirect": lambda context: context._template_redirect,
        "rewrite": lambda context: context._template_rewrite,
        "render": lambda context: context.render,
        "cookies": lambda context: Lazy(lambda: context.cookies),
        "response": lambda context: context.response,
        "csp_nonce": lambda context: context.csp_nonce,
        "client_address": lambda context: context.client_address,
        "route": lambda context: context.route,
        "seo": lambda context: context.seo,
        "locale": lambda context: context.locale,
        "alternates": lambda context: context.alternates,
        **{
            name: partial(lambda name, context: context.site.catalogues.function(name, context.locale), name)
            for name in FUNCTIONS
        },
        PLACE: lambda context: context._pieces,
    }
)

"""The application that `hybridsite dev` serves: the site as it is now, its reload channel, and who may ask."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from hybridsite.dev.concerns import concerned
from hybridsite.dev.error_page import error_page
from hybridsite.dev.faults import report, told_in_a_line
from hybridsite.dev.history import History, url_of
from hybridsite.dev.loading import Loaded, Loader
from hybridsite.dev.look.look import Look, Now
from hybridsite.dev.look.origins import NO_FLAGS, Flags
from hybridsite.dev.reload import EVENTS, PLACE, SCRIPT, Channel, Injector, client_script
from hybridsite.dev.telling import Faults, Say, Told, told_when_long
from hybridsite.dev.watch import look, settled
from hybridsite.errors import SiteError
from hybridsite.inheritance import runs_code_again
from hybridsite.modules import forget_modules
from hybridsite.news import News
from hybridsite.places import state_folder
from hybridsite.server.door import host_name, is_refused
from hybridsite.site import Site
from hybridsite.urls import PathRefused

_log = logging.getLogger("hybridsite")

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_BAD_REQUEST = PlainTextResponse("Bad Request\n", 400, {"Connection": "close"})

# So many files that changed last are looked at, and so often a site is read anew that changes while it is read.
_RECENT, _READINGS = 50, 5


class DevApp:
    """Answers from the last good state of a site. Where sources are at fault, the pages that they concern say so.

    `hosts` are the names that requests may be for, beside this machine's own and [server] allowed_hosts; `say` hears
    of each change in a line, and with `tells_requests` of each request; `wrong` of each fault, once.
    """

    def __init__(
        self,
        root: Path,
        environ: Mapping[str, str],
        *,
        hosts: Iterable[str] = (),
        say: Say = print,
        wrong: Say = print,
        tells_requests: bool = False,
        flags: Flags = NO_FLAGS,
    ) -> None:
        self._root = root.resolve()
        self._environ = environ
        self._hosts = LOOPBACK | {name.casefold() for name in hosts}
        self._say = say
        self._tells_requests = tells_requests
        self._faults = Faults(wrong)
        self._loader = Loader(self._root, state_folder(root, environ), environ, self._failed, say)
        self._loaded: Loaded | None = None
        self._fault: Exception | None = None
        self._recent: dict[str, None] = {}
        self.channel = Channel(f"{time.time_ns():x}")
        self._flags = flags
        self._history = History(self._root)
        self._look = Look(self._root, environ, self._history)

    async def reload(self, changed: Iterable[str] = ()) -> None:
        """Loads the site as it is now, and tells open pages of it. One at fault leaves the last good one in place."""
        names = sorted(changed)
        began = time.perf_counter()
        if runs_code_again(names):
            forget_modules(self._root)
        self._faults.next_state()
        try:
            async with told_when_long(self._say, self._progress):
                loaded = await self._read(names)
        except Exception as error:
            self._fault = error
            self._history.read_anew(names)
            self._tell_fault(error)
        else:
            self._history.read_anew(names)
            is_mended, self._loaded, self._fault = self._fault is not None, loaded, None
            self._history.loaded(time.perf_counter() - began)
            loaded.site.notices.listen(self._tell_notice)
            self._tell_change(names, (time.perf_counter() - began) * 1000, is_mended)
        files = [f"/{name.partition('/')[2]}" for name in names if name.startswith("public/")]
        await self.channel.tell(files=files)

    def _progress(self) -> str:
        return f"reading the site: {self._loader.progress:,} parts so far"

    def _tell_change(self, names: list[str], took: float, is_mended: bool) -> None:
        if names:
            more = f" and {len(names) - 1} more" if len(names) > 1 else ""
            mended = " · mended" if is_mended else ""
            text = f"changed {names[0]}{more}{mended} · reloaded in {took:.0f} ms{self._faults.as_before()}"
            kind = "mended" if is_mended else "changed"
            self._say(News(text, kind, files=names, milliseconds=round(took, 1)))

    async def _read(self, names: list[str]) -> Loaded:
        """Loads the site; once more where a file that changes often was written meanwhile."""
        self._recent = {**dict.fromkeys(names), **self._recent}
        self._recent = dict.fromkeys(list(self._recent)[:_RECENT])
        for _ in range(_READINGS):
            before = await settled(self._root, self._recent)
            try:
                loaded = await self._loader.load(names)
            except Exception:
                if look(self._root, self._recent) == before:
                    raise
                continue
            if look(self._root, self._recent) == before:
                return loaded
        return await self._loader.load(names)

    def _tell_fault(self, error: Exception, url: str = "", method: str = "GET") -> None:
        """Says what is wrong, unless that is known."""
        self._history.failed(error, url, method)
        if self._faults.tell(told_in_a_line(error, self._root), error):
            _log.debug("how it came to this", exc_info=error)

    def _tell_notice(self, fault: SiteError) -> None:
        self._history.failed(fault)
        self._faults.tell(str(fault), fault)

    async def close(self) -> None:
        """Ends what is open: the pages' connections, the store of the sessions."""
        await self.channel.close()
        await self._loader.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Speaks ASGI 3."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        if scope["type"] != "http":
            return
        if is_refused(scope):
            await _BAD_REQUEST(scope, receive, send)
        elif (refusal := self._refusal(scope)) is not None:
            await PlainTextResponse(f"{refusal}\n", 403, {"X-Content-Type-Options": "nosniff"})(scope, receive, send)
        elif scope["path"] == PLACE.rstrip("/"):
            await Response(status_code=308, headers={"Location": PLACE})(scope, receive, send)
        elif scope["path"].startswith(PLACE):
            await self._own(scope, receive, send)
        else:
            send = Told(scope, send, self._say) if self._tells_requests else send
            await self._page(scope, receive, Injector(send, self.channel.state, lambda: self._notes(scope)))

    def _refusal(self, scope: Scope) -> str | None:
        """Tells why a request is refused: it is for a name that isn't ours, or another site's page asks for our own."""
        allowed = self._loaded.site.settings.server.allowed_hosts if self._loaded else ()
        hosts = self._hosts | {name.casefold() for name in allowed}
        host = host_name(scope)
        if host not in hosts:
            mend = "dev answers to this machine alone: add the name to [server] allowed_hosts, or give --host"
            return f'403: the request is for the host "{host}"; {mend}'
        headers = dict(scope["headers"])
        own = f"{scope['scheme']}://{headers.get(b'host', b'').decode('latin-1')}".casefold()
        origin = headers.get(b"origin", b"").decode("latin-1").casefold()
        foreign = bool(origin) and origin != own
        if headers.get(b"sec-fetch-site") == b"cross-site" and scope["path"].startswith(PLACE):
            foreign = True
        if not foreign or (origin in self._origins() and not scope["path"].startswith(PLACE)):
            return None
        mend = "name it in [security] origins where it may post to this site"
        return f"403: the request comes from {origin or 'another site'}, and this site is {own}; {mend}"

    def _origins(self) -> Iterable[str]:
        if self._loaded is None:
            return ()
        settings = self._loaded.site.settings
        return {origin.casefold() for origin in settings.security.origins}

    async def _own(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers what is dev's: the channel, the script, and the pages for whoever sits at this machine."""
        if scope["path"] == EVENTS and scope["method"] == "GET":
            await self.channel.respond(scope, receive, send)
        elif scope["path"] == SCRIPT and scope["method"] in ("GET", "HEAD"):
            headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
            await Response(client_script(), headers=headers, media_type="text/javascript")(scope, receive, send)
        elif (refusal := self._stranger(scope)) is not None:
            await PlainTextResponse(f"{refusal}\n", 403, {"X-Content-Type-Options": "nosniff"})(scope, receive, send)
        else:
            now = Now(self._loaded, self._fault, self._flags)
            request = Request(scope, receive)
            try:
                response = await self._look.answer(request, scope["path"].removeprefix(PLACE), now)
            except Exception as error:  # a value of the site's own, say, that can't be shown
                response = self._shown(request, error)
            # What a form brought about would be gone with the next change.
            shown = send if scope["method"] == "POST" else Injector(send, self.channel.state)
            await response(scope, receive, shown)

    @staticmethod
    def _stranger(scope: Scope) -> str | None:
        """Tells why dev's pages are refused: they are for this machine, asked by its own names, with nobody between."""
        if not _is_loopback(scope["client"][0] if scope.get("client") else ""):
            return f"403: the pages below {PLACE} are for the machine alone that dev runs on"
        if host_name(scope) not in LOOPBACK:
            return f"403: the pages below {PLACE} are shown at http://127.0.0.1 and http://localhost alone"
        if any(name == b"forwarded" or name.startswith(b"x-forwarded-") for name, _ in scope["headers"]):
            return f"403: the pages below {PLACE} are not shown through a proxy"
        return None

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        loaded, fault = self._loaded, self._fault
        if fault is not None and (loaded is None or concerned(loaded.site, fault, scope)):
            await self._shown(Request(scope), fault)(scope, receive, send)
        elif loaded is not None:
            await self._history.answer(loaded.app, loaded.site, scope, receive, send)
        else:
            await PlainTextResponse("the site is being loaded\n", 503, {"Retry-After": "1"})(scope, receive, send)

    def _notes(self, scope: Scope) -> list[str]:
        """Gives what is logged of the page that a request is for: a session asked for where there is none."""
        if self._loaded is None:
            return []
        site = self._loaded.site
        try:
            path = site.policy.read(scope.get("raw_path") or scope["path"].encode())
        except PathRefused:
            return []
        sources = [match.route.source for match in site.router.match(path.segments)][:1]
        return [str(fault) for source in sources for fault in site.notices.of(source)]

    def _failed(self, site: Site, request: Request, error: Exception) -> Response:
        """Gives the page that tells what went wrong while a request was answered."""
        self._tell_fault(error, url_of(request.scope), request.method)
        return self._shown(request, error)

    def _shown(self, request: Request, error: Exception) -> Response:
        told = report(error, self._root, with_values=_is_loopback(request.client.host if request.client else ""))
        return error_page(told, self._root, self._environ)


def _is_loopback(address: str) -> bool:
    """Tells whether an address is this machine's own, as no other has it."""
    with contextlib.suppress(ValueError):
        given = ipaddress.ip_address(address)
        return (getattr(given, "ipv4_mapped", None) or given).is_loopback
    return False

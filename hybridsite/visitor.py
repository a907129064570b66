"""A visitor of a site under test: a browser without JavaScript, whose session the test has in hand."""

from __future__ import annotations

import json as json_text
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from functools import partial
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from starlette.types import Scope

from hybridsite.action_table import ACTIONS
from hybridsite.asking import HOST, Answer, asked, scope_of
from hybridsite.errors import SiteError
from hybridsite.island_table import MOST_PIECES
from hybridsite.routes import ISLANDS
from hybridsite.server.deployment import Deployment
from hybridsite.sessions.manager import SessionManager
from hybridsite.sessions.session import Session

Run = Callable[..., Any]
"""Calls an async function with its arguments on the loop of the site, and waits for what it gives."""

Fields = Mapping[str, object]
"""The fields of a form; a list has the values of several of one name."""
Files = Mapping[str, tuple[str, bytes, str]]
"""The files of a form: for each field the file's name, its content and its type."""

MOST_REDIRECTS = 20
_AS_IT_IS = "/:?#[]@!$&'()*+,;=%~-._"
_UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
_ISLAND = re.compile(r'(<slot name="([^"]+)" data-island="[^"]*">)(.*?)(</slot>)', re.DOTALL)


class Client:
    """One visitor: keeps cookies, follows redirects, and says where a form comes from, as a browser does.

    Each has a session of its own. Cookies count by their names alone: their paths and domains are passed over.
    """

    def __init__(self, app: Deployment, run: Run) -> None:
        """Clients are made by `hybridsite.testing.client`."""
        self._app = app
        self._run = run
        hosts = app.current.site.settings.server.allowed_hosts
        self._host = hosts[0] if hosts else HOST
        self.cookies: dict[str, str] = {}
        """The visitor's cookies by name, which a test may change."""

    @property
    def session(self) -> VisitorSession:
        """The visitor's session. Raises SiteError where the site has none."""
        manager = self._app.current.site.sessions
        if manager is None:
            mend = "take `driver = false` out of [session]"
            raise SiteError("the visitor has no session", why="the site has no session driver", mend=mend)
        return VisitorSession(self, manager)

    def get(
        self, path: str, *, headers: Mapping[str, str] | None = None, follow: bool = True, islands: bool = False
    ) -> Answer:
        """Opens a path. With `islands`, the pieces of the page stand in their places, as its script would put them.

        `follow` follows redirects, as long as they lead to the site itself. Raises SiteError where they don't end.
        """
        answer = self.request("GET", path, headers=headers, follow=follow)
        return self._filled(answer) if islands else answer

    def post(
        self,
        path: str,
        data: Fields | None = None,
        *,
        files: Files | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Answer:
        """Sends a form, with `files` where there are some, or `json` in place of one. The rest is as for `get`."""
        return self.request("POST", path, data, files=files, json=json, headers=headers, follow=follow)

    def action(
        self,
        name: str,
        data: Fields | None = None,
        *,
        page: str = "/",
        files: Files | None = None,
        json: object = None,
        follow: bool = True,
    ) -> Answer:
        """Asks for an action by a form that stands on `page`, and gives the page that this leads to.

        With `json` it is asked as a script does, which gives the outcome in JSON.
        """
        headers = {"Referer": self._origin + quote(page, safe=_AS_IT_IS)}
        return self.post(self._url(ACTIONS, name), data, files=files, json=json, headers=headers, follow=follow)

    def request(
        self,
        method: str,
        path: str,
        data: Fields | None = None,
        *,
        files: Files | None = None,
        json: object = None,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        follow: bool = True,
    ) -> Answer:
        """Sends any request: what `get` and `post` are for, and a `body` that is no form."""
        kind, body = _encoded(data, files, json, body)
        sent = {"content-type": kind} if kind else {}
        sent |= {name.lower(): value for name, value in (headers or {}).items()}
        target, history = quote(path, safe=_AS_IT_IS), list[Answer]()
        while True:
            answer = self._sent(method, target.partition("#")[0], sent, body)
            place = self._led_to(answer, target)
            if not follow or place is None:
                return Answer(answer.status, answer.headers, answer.body, answer.url, tuple(history))
            history.append(answer)
            if len(history) > MOST_REDIRECTS:
                raise SiteError(f"the redirects from {history[0].url} don't end", why=f"one leads to {place}")
            if answer.status == 303 or (answer.status in (301, 302) and method == "POST"):  # RFC 9110, 15.4
                method, body = ("HEAD" if method == "HEAD" else "GET"), b""
                sent.pop("content-type", None)
            target = place

    @property
    def _origin(self) -> str:
        return f"http://{self._host}"

    def _url(self, *segments: str) -> str:
        return self._app.current.site.policy.url("file", segments)

    def _sent(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        own = {"origin": self._origin} if method in _UNSAFE else {}
        if cookie := self._cookie():
            own["cookie"] = cookie
        if body:
            own["content-length"] = str(len(body))
        scope: Scope = scope_of(target, method, {**own, **headers}, host=self._host)
        answer: Answer = self._run(asked, self._app, scope, body)
        for name, value in answer.headers:
            if name == "set-cookie":
                self._keep(value)
        return answer

    def _led_to(self, answer: Answer, target: str) -> str | None:
        """Gives the path that an answer redirects to; None for one that does not, or that leads to another site."""
        if answer.status not in (301, 302, 303, 307, 308) or "location" not in answer.header:
            return None
        whole = urljoin(self._origin + target, answer.header["location"])
        parts = urlsplit(whole)
        if f"{parts.scheme}://{parts.netloc}" not in (self._origin, self._app.current.site.settings.site.url):
            return None
        return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")

    def _filled(self, answer: Answer) -> Answer:
        if not answer.header.get("content-type", "").startswith("text/html"):
            return answer
        text = answer.text
        digests = list(dict.fromkeys(found[2] for found in _ISLAND.finditer(text)))
        pieces: dict[str, str] = {}
        for first in range(0, len(digests), MOST_PIECES):
            path = self._url(ISLANDS, ",".join(digests[first : first + MOST_PIECES]) + ".json")
            given = self.request("GET", path, headers={"Referer": self._origin + answer.url})
            pieces |= given.json() if given.status == 200 else {}
        whole = _ISLAND.sub(lambda found: found[1] + pieces.get(found[2], found[3]) + found[4], text)
        return Answer(answer.status, answer.headers, whole.encode(), answer.url, answer.history)

    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def _keep(self, header: str) -> None:
        for name, morsel in SimpleCookie(header).items():
            if morsel["max-age"] and int(morsel["max-age"]) <= 0:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.coded_value  # which the site reads back as what it has set


class VisitorSession(MutableMapping[str, Any]):
    """What the site remembers of a visitor, read anew and saved at once with each call: `visitor.session["user"] = 42`.

    What it gives is a copy: a value that is changed in place is to be set again. `open` gives the session that the
    site's code has.
    """

    def __init__(self, client: Client, manager: SessionManager) -> None:
        self._client = client
        self._manager = manager

    @contextmanager
    def open(self) -> Iterator[Session]:
        """Opens the session, and saves it when the block ends without an exception: `with visitor.session.open() as s`.

        It is there for what a mapping hasn't: `flash`, `regenerate`, `destroy`, a `ttl`. Raises as a request would.
        """
        client = self._client
        identifier = self._manager.identifier([client._cookie().encode("latin-1")])
        session: Session = client._run(self._manager.open, identifier)
        yield session
        outcome = client._run(partial(self._manager.save, https=False), session)
        if outcome.set_cookie is not None:
            client._keep(outcome.set_cookie)

    def __getitem__(self, key: str) -> Any:
        with self.open() as session:
            return session[key]

    def __setitem__(self, key: str, value: object) -> None:
        with self.open() as session:
            session[key] = value

    def __delitem__(self, key: str) -> None:
        with self.open() as session:
            del session[key]

    def __iter__(self) -> Iterator[str]:
        with self.open() as session:
            return iter(list(session))

    def __len__(self) -> int:
        with self.open() as session:
            return len(session)

    def __repr__(self) -> str:
        return f"<session of a visitor: {dict(self)!r}>"


def _encoded(data: Fields | None, files: Files | None, json: object, body: bytes) -> tuple[str, bytes]:
    """Gives type and bytes of a body."""
    if json is not None:
        return "application/json", json_text.dumps(json).encode()
    if files:
        return _multipart(data or {}, files)
    if data is not None:
        return "application/x-www-form-urlencoded", urlencode(data, doseq=True).encode()
    return "", body


def _multipart(data: Fields, files: Files) -> tuple[str, bytes]:
    """Gives a form with files (RFC 7578)."""
    mark = secrets.token_hex(16)
    parts: list[bytes] = []
    for name, value in data.items():
        for item in value if isinstance(value, list | tuple) else [value]:
            parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{item}\r\n'.encode())
    for name, (file, content, kind) in files.items():
        head = f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n'
        parts.append(f"{head}Content-Type: {kind}\r\n\r\n".encode() + content + b"\r\n")
    return f"multipart/form-data; boundary={mark}", b"".join([*parts, f"--{mark}--\r\n".encode()])

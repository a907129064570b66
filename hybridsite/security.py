"""Secrets, and who may ask: the signing keys, the check of a request's origin, and whose forwarded headers count."""

from __future__ import annotations

import hmac
import ipaddress
import os
import secrets
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from hybridsite.errors import SecretError

SECRET_VARIABLE = "HYBRIDSITE_SECRET"
SECRET_FILE = "secret"
MINIMUM_LENGTH = 32
# Values that stand in manuals and examples: everybody knows them.
_WELL_KNOWN = ("changeme", "change-me", "secret", "password", "example", "default", "0123456789", "abcdefgh")

_UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
_FORM_TYPES = ("", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain")

Headers = Iterable[tuple[bytes, bytes]]


def signing_keys(environ: Mapping[str, str], state: Path) -> tuple[str, ...]:
    """Gives the secrets that sign cookies, the newest first: from HYBRIDSITE_SECRET, else from a file made in `state`.

    Raises SecretError for one that is shorter than 32 characters, or that everybody knows.
    """
    value = environ.get(SECRET_VARIABLE)
    if value is None:
        return (_kept_secret(state / SECRET_FILE),)
    keys = tuple(key.strip() for key in value.split(",") if key.strip())
    if not keys:
        raise SecretError(f"{SECRET_VARIABLE} is empty", mend=NEW_SECRET)
    for number, key in enumerate(keys, 1):
        _check_secret(key, f"key {number} of {SECRET_VARIABLE}" if len(keys) > 1 else SECRET_VARIABLE)
    return keys


def derived_key(secret: str, purpose: str) -> bytes:
    """Gives a key of 32 bytes for one purpose alone, from which nobody learns the secret or another key (RFC 5869)."""
    return hmac.digest(secret.encode(), f"hybridsite {purpose}".encode(), "sha256")


NEW_SECRET = 'make one: python3 -c "import secrets; print(secrets.token_urlsafe(32))"'


def _check_secret(key: str, name: str) -> None:
    if len(key) < MINIMUM_LENGTH:
        raise SecretError(
            f"{name} has {len(key)} characters", why=f"it needs {MINIMUM_LENGTH} at least", mend=NEW_SECRET
        )
    folded = key.casefold()
    if len(set(key)) < 8 or any(known in folded for known in _WELL_KNOWN):
        raise SecretError(
            f"{name} can be guessed", why="it repeats itself, or holds a word from a manual", mend=NEW_SECRET
        )


def _kept_secret(path: Path) -> str:
    try:
        return _read_secret(path)
    except FileNotFoundError:
        return _new_secret(path)
    except OSError as error:
        raise _unkept(path, error) from error


def _unkept(path: Path, error: OSError) -> SecretError:
    mend = f"make its folder writable, name another by HYBRIDSITE_STATE, or set {SECRET_VARIABLE}"
    return SecretError(f"the secret can't be kept in {path}", why=(error.strerror or str(error)).lower(), mend=mend)


def _new_secret(path: Path) -> str:
    try:
        return _made_secret(path)
    except OSError as error:
        raise _unkept(path, error) from error


def _made_secret(path: Path) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # of two processes at once the first wins, and both read the same
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return _read_secret(path)


def _read_secret(path: Path) -> str:
    key = path.read_text("ascii", errors="replace").strip()
    if len(key) < MINIMUM_LENGTH:
        raise SecretError(
            f"{path} holds no secret", mend="delete the file: a new one is made, and all visitors are signed out"
        )
    return key


def origin_allowed(method: str, headers: Headers, own: Container[str], cookie: str) -> bool:
    """Tells whether an unsafe request may have been sent by a page of the site itself.

    `own` are the origins that are the site's or listed. Only requests that a form of another site could send are asked:
    those with a form's content type, or none. The rule is OWASP's (Cross-Site Request Forgery Prevention,
    "Verifying Origin With Standard Headers"), with Sec-Fetch-Site where there is no Origin; a client that sends neither
    and no cookie of ours is no browser that could be misused.
    """
    if method not in _UNSAFE:
        return True
    origin = site = None
    forms = []
    with_cookie = False
    for name, value in headers:
        if name == b"origin":
            origin = value.decode("latin-1")
        elif name == b"sec-fetch-site":
            site = value.decode("latin-1")
        elif name == b"content-type":
            forms.append(value.decode("latin-1").partition(";")[0].strip().casefold())
        elif name == b"cookie":
            with_cookie = with_cookie or f"{cookie}=".encode() in value
    if forms and not any(form in _FORM_TYPES or "," in form for form in forms):
        return True
    if origin is not None:
        return origin in own
    return site == "same-origin" if site is not None else not with_cookie


class OriginRefusals:
    """What the log is told of refused forms: each pair of origins once, with the setting that would let it in."""

    MOST = 100  # anybody may send any Origin

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def sentence(self, origin: str | None, asked: str, site_url: str) -> str | None:
        """Says why a form was refused, whose request went to the origin `asked`; None where that has been said."""
        shown = "none" if origin is None else ascii(origin[:200])[1:-1]
        if (shown, asked) in self._told or len(self._told) >= self.MOST:
            return None
        self._told.add((shown, asked))
        own = " or ".join(dict.fromkeys([asked, *([site_url] if site_url else [])]))
        what = f"a form was refused with 403: its Origin is {shown}, and the site's own is {own}"
        if origin is None:
            mend = "what sends the session's cookie has to say its Origin; programs that send none may send no cookie"
        elif origin.partition("://")[2] == asked.partition("://")[2]:
            mend = f'behind a proxy that ends TLS set [site] url = "{shown}", or name the proxy in [server] proxies'
        else:
            mend = "if it is the site's own, set [site] url to it; if it may send forms, add it to [security] origins"
        return f"{what}; {mend}"


class Proxies:
    """The peers whose forwarded headers count: addresses, and networks such as 10.0.0.0/8."""

    def __init__(self, named: Iterable[str]) -> None:
        named = frozenset(named)
        networks = {name for name in named if "/" in name}
        self._addresses = named - networks
        self._networks = [ipaddress.ip_network(name, strict=False) for name in sorted(networks)]

    def __contains__(self, peer: object) -> bool:
        """Tells whether a peer is one of them. What is no address is in no network."""
        if peer in self._addresses or not self._networks:
            return peer in self._addresses
        try:
            address = ipaddress.ip_address(str(peer))
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address  # as a socket for both versions has it
        return any(address in network for network in self._networks)


def forwarded(headers: Headers, peer: str | None, proxies: Container[str]) -> tuple[str | None, str | None]:
    """Gives scheme and client address as a named proxy tells them, each None where it doesn't, or the peer is none.

    Of X-Forwarded-For the last address that is no named proxy counts: what stands before it came from the client.
    """
    if peer is None or peer not in proxies:
        return None, None
    scheme = None
    hops: list[str] = []
    for name, value in headers:
        if name == b"x-forwarded-proto":
            last = value.decode("latin-1").rpartition(",")[2].strip().lower()
            scheme = last if last in ("http", "https") else None
        elif name == b"x-forwarded-for":
            hops += [hop.strip() for hop in value.decode("latin-1").split(",")]
    return scheme, next((hop for hop in reversed(hops) if hop and hop not in proxies), None)

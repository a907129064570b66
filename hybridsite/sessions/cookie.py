"""The session's cookie: what it may be, reading it from a request, and the header that sets it or ends it."""

from __future__ import annotations

import hashlib
import math
import re
import secrets
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from itsdangerous import Signer

from hybridsite.errors import ConfigError

_SALT = b"hybridsite.session"
_REFUSED = "browsers refuse such a cookie"

# What may stand in the header (RFC 6265, 4.1.1): no control character, and no semicolon, which begins an attribute.
_FORMS = {
    "name": re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"),
    "domain": re.compile(r"[A-Za-z0-9._-]+"),
    "path": re.compile(r"/[\x21-\x3a\x3c-\x7e]*"),
}

# 32 bytes in URL-safe base64 are 43 characters: so long are both the identifier and its signature (SHA-256).
_TOKEN = rb"[A-Za-z0-9_-]{43}\.[A-Za-z0-9_-]{43}"
_TOKEN_LENGTH = 87

# How many cookies that we signed a process knows by heart, in less than 1.5 MB: to check a signature takes as
# long as to read a session.
_MOST_KNOWN = 4096


@dataclass(frozen=True, kw_only=True)
class CookieSettings:
    """What browsers are told about the cookie.

    `secure = "auto"` follows the request; `max_age` is in seconds, None for the ttl. Raises ConfigError for what
    browsers would refuse (RFC 6265bis, 4.1.3 and 5.7), and for what is no part of a header.
    """

    name: str
    domain: str | None = None
    path: str = "/"
    same_site: Literal["lax", "strict", "none"] = "lax"
    secure: bool | Literal["auto"] = "auto"
    max_age: int | None = None

    def __post_init__(self) -> None:
        for field, form in _FORMS.items():
            value = getattr(self, field)
            if value is not None and not form.fullmatch(value):
                raise ConfigError(f"the session cookie's {field} {value!r} can't stand in a header")
        if self.same_site not in ("lax", "strict", "none"):
            mend = 'use "lax", "strict" or "none"'
            raise ConfigError(f"the session cookie's same_site is {self.same_site!r}", mend=mend)
        if self.secure is False and self.needs_secure:
            cause = 'same_site is "none"' if self.same_site == "none" else f"its name is {self.name!r}"
            raise ConfigError(f"the session cookie is not secure, but {cause}", why=_REFUSED, mend="set secure = true")
        if self.name.lower().startswith("__host-") and (self.domain is not None or self.path != "/"):
            mend = "drop the domain, set the path to /, or give it another name"
            raise ConfigError(f"the session cookie {self.name!r} has a domain or a path", why=_REFUSED, mend=mend)

    @property
    def needs_secure(self) -> bool:
        """Whether browsers take such a cookie with the attribute Secure only."""
        return self.same_site == "none" or self.name.lower().startswith(("__host-", "__secure-"))


class SessionCookie:
    """Reads and writes signed identifiers. The first key signs; all of them read.

    Which tokens were found to be ours is remembered: keys don't change while a process runs, and a signature has no
    age. What was forged is never remembered, so nobody can push others out without cookies of ours.
    """

    def __init__(self, settings: CookieSettings, keys: Sequence[str], ttl: float) -> None:
        self._settings = settings
        self.max_age = max(1, math.ceil(ttl if settings.max_age is None else settings.max_age))
        self._start = settings.name.encode() + b"="
        self._alone = len(self._start) + _TOKEN_LENGTH
        self._known: OrderedDict[bytes, str] = OrderedDict()
        self._form = re.compile(rb"(?:^|;)[ \t]*" + re.escape(self._start) + rb"(" + _TOKEN + rb")[ \t]*(?=;|$)")
        # The keys are derived once: Signer would do so for each signature.
        derived = [Signer(key, _SALT, key_derivation="hmac", digest_method=hashlib.sha256).derive_key() for key in keys]
        # Signer's own order is oldest first.
        self._signer = Signer(derived[::-1], _SALT, key_derivation="none", digest_method=hashlib.sha256)

    def read(self, headers: Iterable[bytes]) -> str | None:
        """Gives the identifier of the first cookie that we signed, or None. `headers` are values of Cookie headers."""
        for header in headers:
            if self._start not in header:
                continue
            if len(header) == self._alone and (known := self._known.get(header[-_TOKEN_LENGTH:])) is not None:
                return known  # no other cookie is there
            for match in self._form.finditer(header):
                if (identifier := self._verified(match[1])) is not None:
                    return identifier
        return None

    def _verified(self, token: bytes) -> str | None:
        """Gives the identifier of a token that we signed, or None."""
        known = self._known.get(token)
        # Signer compares in constant time.
        if known is None and self._signer.verify_signature(token[:43], token[44:]):
            known = token[:43].decode("ascii")
            if len(self._known) >= _MOST_KNOWN:
                self._known.popitem(last=False)  # the one that was checked longest ago
            self._known[token] = known
        return known

    def issue(self, identifier: str, *, https: bool, most: float = math.inf) -> str:
        """Gives the Set-Cookie header that hands an identifier out, for `most` seconds at most."""
        signed = self._signer.sign(identifier).decode("ascii")
        age = self.max_age if most >= self.max_age else max(1, math.ceil(most))
        return f"{self._settings.name}={signed}; Max-Age={age}{self._attributes(https)}"

    def expire(self, *, https: bool) -> str:
        """Gives the Set-Cookie header that makes a browser forget the cookie: the same name, domain and path."""
        past = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
        return f"{self._settings.name}=; {past}{self._attributes(https)}"

    def _attributes(self, https: bool) -> str:
        settings = self._settings
        secure = settings.secure is True or settings.needs_secure or (settings.secure == "auto" and https)
        return "".join(
            (
                f"; Path={settings.path}",
                f"; Domain={settings.domain}" if settings.domain else "",
                "; Secure" if secure else "",
                "; HttpOnly",
                f"; SameSite={settings.same_site.capitalize()}",
            )
        )


def new_identifier() -> str:
    """Gives an identifier of 256 bits from the system's generator (OWASP asks for 64 at least)."""
    return secrets.token_urlsafe(32)


@lru_cache(maxsize=_MOST_KNOWN)
def handle_of(identifier: str) -> str:
    """Gives the key that a store keeps the session under: a hash, so that a leaked store opens no session."""
    return hashlib.sha256(identifier.encode("ascii")).hexdigest()

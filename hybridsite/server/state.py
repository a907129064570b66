"""What a server keeps of its visitors: the sessions that the settings describe, in their store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hybridsite.config import Settings
from hybridsite.errors import SecretError
from hybridsite.security import NEW_SECRET, SECRET_VARIABLE, signing_keys
from hybridsite.sessions.drivers import create_store
from hybridsite.sessions.manager import CookieSettings, SessionManager


def make_sessions(settings: Settings, state: Path, environ: Mapping[str, str]) -> SessionManager | None:
    """Makes what opens and saves sessions, its store not open yet; None for a site without a driver.

    `state` is the folder of sessions and secret. Raises DriverError and SecretError.
    """
    session = settings.session
    if session.driver is False:
        return None
    store = create_store(session.driver, session.options, state=state, environ=environ)
    if store.reach == "network" and not environ.get(SECRET_VARIABLE):
        raise SecretError(
            f'the session driver "{session.driver}" is shared by several machines, and {SECRET_VARIABLE} is not set',
            why="each machine would sign its cookies with a secret of its own, and refuse the others'",
            mend=f"set the same on all of them; {NEW_SECRET}",
        )
    return SessionManager(
        store,
        keys=signing_keys(environ, state),
        ttl=session.ttl,
        max_age=session.max_age,
        max_size=session.max_size,
        index=session.index,
        cookie=_cookie(settings),
    )


def _cookie(settings: Settings) -> CookieSettings:
    cookie = settings.session.cookie
    return CookieSettings(
        name=cookie.name,
        domain=cookie.domain,
        path=cookie.path or settings.site.base or "/",
        same_site=cookie.same_site,
        secure=cookie.secure,
        max_age=None if cookie.max_age is None else int(cookie.max_age),
    )

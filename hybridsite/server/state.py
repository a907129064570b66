"""What a server keeps: the sessions that the settings describe, in their store, and the cache of its pages."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hybridsite.cache.memory import MemoryStore
from hybridsite.cache.shelf import Shelf
from hybridsite.cache.store import CacheStore
from hybridsite.config import Settings
from hybridsite.errors import ConfigError, Location, SecretError, did_you_mean
from hybridsite.extras import install
from hybridsite.security import NEW_SECRET, SECRET_VARIABLE, signing_keys
from hybridsite.sessions.drivers import create_store
from hybridsite.sessions.manager import CookieSettings, SessionManager


def own_memory(settings: Settings) -> Settings:
    """Gives settings by which sessions and kept answers are in this process's memory, whoever has them otherwise."""
    session, cache = settings.session, settings.cache
    if session.driver is not False:
        session = session.model_copy(update={"driver": "memory", "options": {}})
    if cache.driver is not False:
        cache = cache.model_copy(update={"driver": "memory", "options": {}})
    return settings.model_copy(update={"session": session, "cache": cache})


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


def make_cache(settings: Settings, version: str, environ: Mapping[str, str]) -> Shelf | None:
    """Makes the cache, its store not open yet; None for a site without one. `version` is that of the build.

    Raises ConfigError.
    """
    cache = settings.cache
    if cache.driver is False:
        return None
    if cache.driver == "memory":
        if cache.options:
            mend = 'write driver = "redis", or take them out'
            raise ConfigError('the cache driver "memory" has no options', mend=mend, location=Location("site.toml"))
        return Shelf(MemoryStore(max_size=cache.max_size), version=version, max_entry=cache.max_entry)
    return Shelf(_redis(cache.options, environ), version=version, max_entry=cache.max_entry)


def _redis(options: Mapping[str, Any], environ: Mapping[str, str]) -> CacheStore:
    place = Location("site.toml")
    try:
        from hybridsite.cache.redis import RedisStore
    except ImportError as error:
        mend = install("redis")
        raise ConfigError(
            'the cache driver "redis" can\'t be loaded', why=str(error), mend=mend, location=place
        ) from error
    known = list(inspect.signature(RedisStore).parameters)
    for option in options:
        if option not in known:
            mend = did_you_mean(option, known) or f"it knows {', '.join(known)}"
            raise ConfigError(f'the cache driver "redis" has no option "{option}"', mend=mend, location=place)
    for option, variable in RedisStore.environment.items():
        if option not in options and environ.get(variable):
            options = {**options, option: environ[variable]}
    if "url" not in options:
        mend = 'set REDIS_URL in the environment, or [cache] options = { url = "…" }'
        raise ConfigError('the cache driver "redis" lacks its url', mend=mend, location=place)
    try:
        return RedisStore(**options)
    except (TypeError, ValueError) as error:
        what = 'the cache driver "redis" can\'t be made with its options'
        raise ConfigError(what, why=str(error), location=place) from None


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

"""Runs the server: one process, or uvicorn's own supervisor over several."""

from __future__ import annotations

import logging
import math
import os
import resource
import signal
import socket
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn

from hybridsite import asgi
from hybridsite.config import Settings
from hybridsite.errors import ServeError
from hybridsite.places import STATE_VARIABLE, state_folder
from hybridsite.security import Proxies
from hybridsite.server.deployment import Deployment, create_app
from hybridsite.server.journal import Journal
from hybridsite.server.process import Server, Supervisor
from hybridsite.server.protocol import Protocol
from hybridsite.sessions.drivers import find_store

_log = logging.getLogger("hybridsite")
_CACHES = (
    "each of %d workers has a cache of its own: what one invalidates the others give out until its time; "
    'write [cache] driver = "redis", or serve with one worker'
)
_PIECES = (
    "each worker knows only those islands with computed props that it has rendered itself: on kept pages some "
    'stay fallbacks; write [cache] driver = "redis", or give these islands constant props'
)
# A folder that has to be a volume, as the image of a container says.
VOLUME = "HYBRIDSITE_VOLUME"
_NO_VOLUME = (
    "%s is no volume: the sessions and the secret that signs their cookies end with this container; "
    "start it with --volume state:/state"
)
# Descriptors: as many as the system gives. Each connection may have a file that is streamed; a fifth is for all else.
_MOST_DESCRIPTORS = 65_536
_FOR_CONNECTIONS = 0.4


def run(
    place: Path,
    settings: Settings,
    *,
    environ: MutableMapping[str, str],
    log_config: dict[str, Any],
    listening: Callable[[str], None],
) -> None:
    """Serves a built site until it is told to stop. `listening` gets the address once the port is taken.

    Raises SiteError where the site can't be served, ServeError where the address is taken or `workers` can't share
    a store.
    """
    driver, workers = settings.session.driver, settings.server.workers
    if workers > 1 and driver is not False and find_store(driver).reach == "process":
        raise ServeError(
            f'{workers} workers can\'t share the session driver "{driver}"',
            why="each process would have sessions of its own",
            mend='use [session] driver = "sqlite", or one worker',
        )
    _ask_for_volume(environ)
    with _counting_together(settings, environ):
        _run(place, settings, environ=environ, log_config=log_config, listening=listening)


def _counting_together(settings: Settings, environ: MutableMapping[str, str]) -> AbstractContextManager[None]:
    if settings.server.metrics.port is None or settings.server.workers == 1:
        return nullcontext()
    try:
        from hybridsite.server.metrics import shared_folder
    except ImportError:  # which is told with the site
        return nullcontext()
    return shared_folder(environ)


def _exposing(settings: Settings) -> AbstractContextManager[str | None]:
    metrics, workers = settings.server.metrics, settings.server.workers > 1
    if metrics.port is None:
        return nullcontext()
    from hybridsite.server.metrics import exposed

    return exposed(metrics.host, metrics.port, workers=workers)


def _run(
    place: Path,
    settings: Settings,
    *,
    environ: MutableMapping[str, str],
    log_config: dict[str, Any],
    listening: Callable[[str], None],
) -> None:
    workers = settings.server.workers
    app = create_app(place, environ=environ)  # faults of the site show here, once, before any worker starts
    if workers > 1 and settings.cache.driver == "memory" and app.current.keeps_pages:
        _log.warning(_CACHES, workers)
        if app.current.remembers_islands:
            _log.warning(_PIECES)
    with _bind(settings.server.host, settings.server.port) as listener, _exposing(settings) as metrics:
        if metrics is not None:
            _log.info("metrics are at %s", metrics)
        listening(_address(listener))
        config = _config(app if workers == 1 else f"{asgi.__name__}:app", settings, log_config)
        if workers == 1:
            # uvicorn stops in good order, then raises the signal again: by then there is nothing left to interrupt.
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, lambda *_: None)
            _server(settings, config, app).run(sockets=[listener])
            return
        _tell_workers(place, environ)
        times = {"grace": settings.server.grace, "standstill": settings.limits.time}
        supervisor = Supervisor(config, [listener], partial(_server, settings), **times, ended=_ended(settings))
        supervisor.run()
        if supervisor.has_failed:
            raise ServeError("no worker could start", why="what it said stands above")


def _ended(settings: Settings) -> Callable[[int], None] | None:
    if settings.server.metrics.port is None:
        return None
    from hybridsite.server.metrics import forget_process

    return forget_process


def _config(app: Deployment | str, settings: Settings, log_config: dict[str, Any]) -> _Config:
    config = _Config(
        app,
        workers=settings.server.workers,
        http=Protocol,
        lifespan="on",
        log_config=log_config,
        access_log=False,
        proxy_headers=False,  # our own door asks whose headers count
        server_header=False,
        timeout_keep_alive=math.ceil(settings.server.keep_alive),
        timeout_graceful_shutdown=math.ceil(settings.server.grace),
    )
    config.most_head = settings.limits.headers
    config.most_connections = _raised_descriptors()
    return config


class _Config(uvicorn.Config):
    """uvicorn's settings of one process, with what our protocol takes."""

    most_head: int
    most_connections: int


def _server(settings: Settings, config: uvicorn.Config, app: Deployment | None = None) -> Server:
    """Makes what one process runs; `app` is None in one of several workers, which loads the site itself."""
    journal = None
    if settings.server.access_log:
        journal = Journal(settings.server.log_format, Proxies(settings.server.proxies))
    loaded = asgi.app.loaded if app is None else lambda: app
    return Server(config, settings.limits.time, loaded, journal, is_replaced=app is None)


def _raised_descriptors() -> int:
    """Takes as many descriptors as the system gives, and gives how many connections may be open at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):  # macOS has a limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return int((wanted if soft == resource.RLIM_INFINITY else soft) * _FOR_CONNECTIONS)


def _ask_for_volume(environ: Mapping[str, str]) -> None:
    """Warns where a container has no volume for what it keeps."""
    if (volume := environ.get(VOLUME)) and not os.path.ismount(volume):
        _log.warning(_NO_VOLUME, volume)


def _tell_workers(place: Path, environ: MutableMapping[str, str]) -> None:
    environ[asgi.SITE_VARIABLE] = str(place.resolve())
    environ[STATE_VARIABLE] = str(state_folder(place, environ))
    # A worker begins in the folder that this process was started in: were that a site, Python would take its
    # collections.py for the module of that name.
    environ["PYTHONSAFEPATH"] = "1"


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or str(error)
        mend = "stop what listens there, or choose another: --port 8001"
        raise ServeError(f"{host}:{port} can't be listened on", why=reason, mend=mend) from error
    listener.set_inheritable(True)
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

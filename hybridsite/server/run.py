"""Runs the server: one process, or uvicorn's own supervisor over several."""

from __future__ import annotations

import gc
import logging
import math
import os
import signal
import socket
from collections.abc import Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from hybridsite.asgi import SITE_VARIABLE
from hybridsite.config import Settings
from hybridsite.errors import ServeError
from hybridsite.places import STATE_VARIABLE, state_folder
from hybridsite.server.app import create_app
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
# How many objects more there are before garbage is looked for.
_NEW_OBJECTS = 10_000


def run(
    place: Path,
    settings: Settings,
    *,
    host: str,
    port: int,
    workers: int,
    environ: MutableMapping[str, str],
    log_config: dict[str, Any],
    listening: Callable[[str], None],
) -> None:
    """Serves a built site until it is told to stop. `listening` gets the address once the port is taken.

    Raises SiteError where the site can't be served, ServeError where the address is taken or `workers` can't share
    a store.
    """
    driver = settings.session.driver
    if workers > 1 and driver is not False and find_store(driver).reach == "process":
        raise ServeError(
            f'{workers} workers can\'t share the session driver "{driver}"',
            why="each process would have sessions of its own",
            mend='use [session] driver = "sqlite", or one worker',
        )
    _ask_for_volume(environ)
    app = create_app(place, environ=environ)  # faults of the site show here, once, before any worker starts
    if workers > 1 and settings.cache.driver == "memory" and app.keeps_pages:
        _log.warning(_CACHES, workers)
        if app.remembers_islands:
            _log.warning(_PIECES)
    with _bind(host, port) as listener:
        listening(_address(listener))
        config = _Config(
            app if workers == 1 else "hybridsite.asgi:app",
            workers=workers,
            http=Protocol,
            lifespan="on",
            log_config=log_config,
            access_log=False,
            proxy_headers=False,  # our own door asks whose headers count
            server_header=False,
            timeout_graceful_shutdown=math.ceil(settings.server.grace),
        )
        if workers == 1:
            # uvicorn stops in good order, then raises the signal again: by then there is nothing left to interrupt.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: None)
            uvicorn.Server(config).run(sockets=[listener])
        else:
            _tell_workers(place, environ)
            Multiprocess(config, sockets=[listener]).run()


def _ask_for_volume(environ: Mapping[str, str]) -> None:
    """Warns where a container has no volume for what it keeps."""
    if (volume := environ.get(VOLUME)) and not os.path.ismount(volume):
        _log.warning(_NO_VOLUME, volume)


def _tell_workers(place: Path, environ: MutableMapping[str, str]) -> None:
    environ[SITE_VARIABLE] = str(place.resolve())
    environ[STATE_VARIABLE] = str(state_folder(place, environ))
    # A worker begins in the folder that this process was started in: were that a site, Python would take its
    # collections.py for the module of that name.
    environ["PYTHONSAFEPATH"] = "1"


class _Config(uvicorn.Config):
    """uvicorn's settings of one process, which every worker loads."""

    def load(self) -> None:
        """Loads the application, and leaves it out of the search for garbage: it stays as long as the process.

        Sixty requests that wait at once hold some thousands of objects, none of them garbage. Python would look for
        some at each 700 new ones: a tenth of all the time that a change of a session takes.
        """
        super().load()
        gc.collect()
        gc.freeze()
        gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])


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

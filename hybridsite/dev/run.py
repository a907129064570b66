"""Runs `hybridsite dev`: takes a port, watches the sources, serves until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn

from hybridsite.dev.app import DevApp
from hybridsite.dev.look.origins import Flags
from hybridsite.dev.watch import changes
from hybridsite.errors import ServeError
from hybridsite.news import News
from hybridsite.server.protocol import Protocol

_log = logging.getLogger("hybridsite")
_NEW_OBJECTS = 50_000
_TRIED = 20
"""How many ports after the wanted one are tried."""


@dataclass(frozen=True, slots=True)
class DevOptions:
    """What the command line says. `host` is None where it says nothing: then this machine alone may ask."""

    host: str | None = None
    port: int = 8000
    opened: Callable[[str], object] | None = None
    verbose: bool = False


class _Server(uvicorn.Server):
    """uvicorn's server, which ends the pages' connections before it waits for them."""

    def __init__(self, config: uvicorn.Config, app: DevApp, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._app = app
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listens, and says so: from here on a signal stops it."""
        await super().startup(sockets)
        self._started()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Ends the connections, then does as uvicorn does."""
        await self._app.channel.close()
        await super().shutdown(sockets)


def run(
    root: Path,
    options: DevOptions,
    *,
    environ: Mapping[str, str],
    log_config: dict[str, Any],
    say: Callable[[str], None],
    wrong: Callable[[str], None],
) -> None:
    """Serves a site to its author. `say` hears what happens, `wrong` what is at fault.

    Raises ServeError where no port can be listened on.
    """
    # A load makes some hundred thousand objects, most of which stay: to look for garbage among them costs time.
    gc.set_threshold(_NEW_OBJECTS, *gc.get_threshold()[1:])
    host = options.host or "127.0.0.1"
    with _listener(host, options.port, say) as listener:
        port = listener.getsockname()[1]
        own = _names(host)
        flags = Flags(options.host, options.port, port)
        app = DevApp(root, environ, hosts=own, say=say, wrong=wrong, tells_requests=options.verbose, flags=flags)
        addresses = [f"http://{name}:{port}" for name in own if name not in ("0.0.0.0", "[::]")]
        asyncio.run(_serve(app, root, listener, addresses, options, log_config, say))


async def _serve(
    app: DevApp,
    root: Path,
    listener: socket.socket,
    addresses: list[str],
    options: DevOptions,
    log_config: dict[str, Any],
    say: Callable[[str], None],
) -> None:
    stop = asyncio.Event()
    watching = asyncio.create_task(_watch(app, root, stop))
    await app.reload()
    # What the next loads take over stays for good: it is not looked through again and again.
    gc.freeze()
    config = uvicorn.Config(
        app,
        http=Protocol,
        lifespan="off",
        log_config=log_config,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )

    def started() -> None:
        name = root.resolve().name if root == Path() else root
        say(News(f"{name} is shown at {addresses[0]} (Ctrl-C stops)", "shown", site=str(root), address=addresses[0]))
        for address in addresses[1:]:
            say(News(f"on other devices: {address}", "shown", site=str(root), address=address))
        if options.opened is not None:
            options.opened(addresses[0])

    # uvicorn stops in good order, then raises the signal again: by then there is nothing left to interrupt.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    try:
        await _Server(config, app, started).serve(sockets=[listener])
    finally:
        stop.set()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await app.close()


async def _watch(app: DevApp, root: Path, stop: asyncio.Event) -> None:
    try:
        async for changed in changes(root, stop):
            await app.reload(changed)
    except Exception:
        _log.exception("the sources are watched no more: start dev again")


def _listener(host: str, port: int, say: Callable[[str], None]) -> socket.socket:
    """Takes the port, or the next one that is free. Raises ServeError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    reason = ""
    for tried in range(port, port + (_TRIED if port else 1)):
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, tried))
            listener.listen(128)
        except (OSError, OverflowError) as error:
            listener.close()
            reason = getattr(error, "strerror", None) or str(error)
            continue
        if tried != port:
            say(News(f"the port {port} is taken: {tried} instead", "port", wanted=port, port=tried))
        return listener
    raise ServeError(f"{host}:{port} can't be listened on", why=reason, mend="choose another port: --port 9000")


def _names(host: str) -> list[str]:
    """Gives the names under which a site can be asked for: where it listens on all addresses, those of the machine."""
    if host not in ("0.0.0.0", "::"):
        return [f"[{host}]" if ":" in host else host]
    names = ["127.0.0.1"]
    for target in ("192.0.2.1", "198.51.100.1"):  # RFC 5737: nothing is sent there, but a route has our own address
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((target, 9))
                names.append(probe.getsockname()[0])
            except OSError:
                continue
    return list(dict.fromkeys(names))

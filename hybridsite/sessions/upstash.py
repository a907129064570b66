"""Sessions in Upstash's Redis, over HTTP: for hosts where no connection stays open."""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, ClassVar

import httpx
from upstash_redis.asyncio import Redis
from upstash_redis.errors import UpstashError

from hybridsite.errors import DriverError, SessionDataError
from hybridsite.sessions.redis_scripts import ScriptedStore
from hybridsite.sessions.store import Needs, StoreDown

_PAGE = 250
# What comes back where a proxy or something else answers in the database's place.
_NO_ANSWER = (ValueError, LookupError, TypeError, AttributeError, AssertionError)


class UpstashStore(ScriptedStore):
    """At most `connections` calls at once. Each ends within `timeout` seconds, and none is tried again.

    `url` and `token` are those of the REST interface.
    """

    needs: ClassVar[Needs] = frozenset()  # it speaks HTTP
    environment: ClassVar[Mapping[str, str]] = {"url": "UPSTASH_REDIS_REST_URL", "token": "UPSTASH_REDIS_REST_TOKEN"}

    def __init__(
        self,
        url: str,
        token: str,
        *,
        prefix: str = "hybridsite:",
        connections: int = 20,
        timeout: float = 2.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(prefix, clock)
        try:
            parts = httpx.URL(url)
        except (httpx.InvalidURL, TypeError):
            parts = httpx.URL("")
        if parts.scheme not in ("http", "https") or not parts.host:
            mend = "use the https:// address that Upstash names under REST API"
            raise DriverError("the url of the session driver upstash can't be used", mend=mend)
        self._url = url
        self._rest_token = token
        self._connections = connections
        self._timeout = timeout
        self._client: Redis | None = None

    async def open(self) -> None:
        """Makes the client. It connects when it is first used."""
        # A write that is sent again would meet itself as a conflict.
        self._client = Redis(self._url, self._rest_token, rest_retries=0, allow_telemetry=False)
        self._turns = asyncio.Semaphore(self._connections)

    async def close(self) -> None:
        """Closes every connection."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    # What travels as JSON is text.

    def _packed(self, data: bytes) -> str:
        return base64.b64encode(data).decode()

    def _unpacked(self, data: Any) -> bytes:
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError, TypeError) as error:
            raise _unreadable() from error

    async def _names(self, pattern: str) -> AsyncIterator[str]:
        cursor = "0"
        while True:
            found, names = await self._call("SCAN", cursor, "MATCH", pattern, "COUNT", _PAGE)
            for name in names:
                yield name
            cursor = str(found)
            if cursor == "0":
                return

    async def _run(self, script: str, key: str, *values: bytes | str | int, again: bool = False) -> Any:
        return await self._call("EVAL", script, 1, key, *values)

    async def _call(self, *words: object) -> Any:
        """Makes a call in bounded time. Raises StoreDown."""
        if self._client is None:
            raise RuntimeError("the session store is not open")
        try:
            async with asyncio.timeout(self._timeout), self._turns:
                return await self._client.execute(list(words))
        except TimeoutError as error:
            raise StoreDown(f"Upstash did not answer in {self._timeout} s") from error
        except UpstashError as error:
            if "WRONGTYPE" in str(error):
                raise _unreadable() from error
            raise StoreDown(f"Upstash can't be used: {error}") from error
        except (httpx.HTTPError, OSError, *_NO_ANSWER) as error:
            raise StoreDown(f"Upstash can't be used: {type(error).__name__}: {error}") from error


def _unreadable() -> SessionDataError:
    why = "another program's value has its key; it is left as it is"
    return SessionDataError("a stored session can't be read", why=why)

"""Sessions in a table of Amazon DynamoDB, which the driver makes when it is missing.

An item may have 400 KB, so what is larger lies in parts of its own, written before the item that names them. boto3
knows no asyncio: its calls run in threads, as many as there are connections.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from hybridsite.errors import SessionDataError
from hybridsite.sessions.store import Conflict, Needs, Reach, Record, StoreDown

_FIRST_VERSIONS = 2**52
# What a token's entry and a large record's parts outlive it by, in seconds: the time between the calls, and more.
_MARGIN = 60.0
_PART = 350_000
_PAGE = 100
# The name under which an item is the record itself; a part, and an entry of a token, have names of their own.
_RECORD = "record"
_ALIVE = "version = :version AND ends > :now"
_GONE = "ConditionalCheckFailedException"
_NO_TABLE = "ResourceNotFoundException"


class DynamoStore:
    """At most `connections` calls at once. Each ends within `timeout` seconds, and none is sent again.

    Region and credentials come as boto3 finds them; `region` and `endpoint` go before.
    """

    reach: ClassVar[Reach] = "network"
    needs: ClassVar[Needs] = frozenset()

    def __init__(
        self,
        table: str = "hybridsite-sessions",
        *,
        region: str | None = None,
        endpoint: str | None = None,
        connections: int = 10,
        timeout: float = 2.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._table = table
        self._region = region
        self._endpoint = endpoint
        self._connections = connections
        self._timeout = timeout
        self._clock = clock
        self._client: Any = None
        self._threads: ThreadPoolExecutor | None = None

    async def open(self) -> None:
        """Makes the client. It connects when it is first used."""
        self._threads = ThreadPoolExecutor(self._connections, thread_name_prefix="dynamodb")
        self._turns = asyncio.Semaphore(self._connections)

    async def close(self) -> None:
        """Closes every connection."""
        threads, self._threads = self._threads, None
        client, self._client = self._client, None
        if threads is not None:
            threads.shutdown(wait=False)
        if client is not None:
            client.close()

    async def read(self, key: str) -> Record | None:
        """Gives the record, or None."""
        # A part may vanish between two calls, where another request writes: then what is there now is read.
        for _ in range(3):
            item = await self._item(key)
            if item is None:
                return None
            try:
                version, ends = int(item["version"]["N"]), float(item["ends"]["N"])
                data = item["data"]["B"] if "data" in item else await self._parts(key, item)
            except (KeyError, TypeError, ValueError) as error:
                why = "another program's item has its key; it is left as it is"
                raise SessionDataError("a stored session can't be read", why=why) from error
            if data is not None:
                return Record(data, version, ends)
        raise SessionDataError("a stored session can't be read", why="parts of it are missing; the rest is left")

    async def write(
        self, key: str, data: bytes, *, expected: int | None, ttl: float, tokens: Sequence[str] = ()
    ) -> int:
        """Stores a record at the version it expects. Raises Conflict."""
        version = random.randrange(1, _FIRST_VERSIONS) if expected is None else expected + 1
        now = self._clock()
        ends = now + ttl
        item = {"version": _number(version), "tokens": {"L": [_text(token) for token in set(tokens)]}}
        await self._mark(key, tokens, ends)
        if len(data) > _PART:
            # No two writes have the same parts, and those that nothing names any more end by themselves.
            name = f"{version}-{random.randrange(_FIRST_VERSIONS)}"
            pieces = [data[start : start + _PART] for start in range(0, len(data), _PART)]
            for number, piece in enumerate(pieces):
                await self._put(f"part {key}", f"{name}-{number}", {"data": {"B": piece}}, ends + _MARGIN)
            item |= {"parts": _text(name), "count": _number(len(pieces))}
        else:
            item["data"] = {"B": data}
        condition = "attribute_not_exists(id) OR ends <= :now" if expected is None else _ALIVE
        await self._put(f"session {key}", _RECORD, item, ends, condition, _values(now, expected))
        return version

    async def delete(self, key: str, *, expected: int | None = None) -> None:
        """Removes a record. Raises Conflict."""
        condition: dict[str, Any] = {}
        if expected is not None:
            condition = {"ConditionExpression": _ALIVE, "ExpressionAttributeValues": _values(self._clock(), expected)}
        await self._call("delete_item", Key=_key(f"session {key}", _RECORD), **condition)

    async def touch(self, key: str, *, expected: int, ttl: float) -> bool:
        """Moves the end of a record."""
        item = await self._item(key)
        if item is None or item.get("version") != _number(expected):
            return False
        now = self._clock()
        ends = now + ttl
        await self._mark(key, [token["S"] for token in item["tokens"]["L"]], ends)
        for number in range(int(item.get("count", {"N": "0"})["N"])):
            part = _key(f"part {key}", f"{item['parts']['S']}-{number}")
            await self._prolong(part, ends + _MARGIN, "attribute_exists(id)", {})
        try:
            await self._prolong(_key(f"session {key}", _RECORD), ends, _ALIVE, _values(now, expected))
        except Conflict:
            return False
        return True

    async def find(self, token: str) -> AsyncIterator[str]:
        """Gives the keys of the records with this token."""
        query = {"KeyConditionExpression": "id = :id", "ExpressionAttributeValues": {":id": _text(f"token {token}")}}
        async for entry in self._pages("query", **query, ConsistentRead=True):
            key = entry["part"]["S"]
            item = await self._item(key)
            if item is not None and _text(token) in item.get("tokens", {"L": []})["L"]:
                yield key

    async def scan(self) -> AsyncIterator[tuple[str, Record]]:
        """Gives every record."""
        some = {"FilterExpression": "begins_with(id, :id)", "ExpressionAttributeValues": {":id": _text("session ")}}
        async for item in self._pages("scan", **some, ConsistentRead=True):
            key = item["id"]["S"].removeprefix("session ")
            record = await self.read(key)
            if record is not None:
                yield key, record

    async def sweep(self, most: int = 1000) -> int:
        """Removes items that have expired. DynamoDB does so by itself, too, within some days."""
        removed = 0
        now = self._clock()
        some = {"FilterExpression": "ends <= :now", "ExpressionAttributeValues": {":now": _number(now)}}
        async for item in self._pages("scan", **some):
            if removed >= most:
                break
            key = {name: item[name] for name in ("id", "part")}
            try:
                await self._call(
                    "delete_item",
                    Key=key,
                    ConditionExpression="ends <= :now",
                    ExpressionAttributeValues={":now": _number(now)},
                )
            except Conflict:
                continue  # it was written meanwhile
            removed += item["id"]["S"].startswith("session ")
        return removed

    async def _item(self, key: str) -> Any:
        answer = await self._call("get_item", Key=_key(f"session {key}", _RECORD), ConsistentRead=True)
        item = answer.get("Item")
        if item is not None and ("ends" not in item or float(item["ends"]["N"]) <= self._clock()):
            return None if "ends" in item else {}
        return item

    async def _parts(self, key: str, item: Any) -> bytes | None:
        pieces = []
        for number in range(int(item["count"]["N"])):
            part = _key(f"part {key}", f"{item['parts']['S']}-{number}")
            answer = await self._call("get_item", Key=part, ConsistentRead=True)
            if "Item" not in answer:
                return None
            pieces.append(answer["Item"]["data"]["B"])
        return b"".join(pieces)

    async def _mark(self, key: str, tokens: Sequence[str], ends: float) -> None:
        """Makes the entries of tokens, or prolongs them. What they say is checked with the record."""
        for token in set(tokens):
            await self._prolong(
                _key(f"token {token}", key), ends + _MARGIN, "attribute_not_exists(ends) OR ends < :ends", {}
            )

    async def _prolong(self, key: dict[str, Any], ends: float, condition: str, values: Mapping[str, Any]) -> None:
        try:
            await self._call(
                "update_item",
                Key=key,
                UpdateExpression="SET ends = :ends, expires = :expires",
                ConditionExpression=condition,
                ExpressionAttributeValues={":ends": _number(ends), ":expires": _number(int(ends) + 1), **values},
            )
        except Conflict:
            if values:
                raise

    async def _put(
        self,
        name: str,
        part: str,
        attributes: Mapping[str, Any],
        ends: float,
        condition: str | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> None:
        item = {**_key(name, part), **attributes, "ends": _number(ends), "expires": _number(int(ends) + 1)}
        condition_of_put = {"ConditionExpression": condition, "ExpressionAttributeValues": values} if condition else {}
        await self._call("put_item", Item=item, **condition_of_put)

    async def _pages(self, operation: str, **words: Any) -> AsyncIterator[Any]:
        start: dict[str, Any] = {}
        while True:
            answer = await self._call(operation, Limit=_PAGE, **words, **start)
            for item in answer["Items"]:
                yield item
            if "LastEvaluatedKey" not in answer:
                return
            start = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    async def _call(self, operation: str, **words: Any) -> Any:
        """Makes a call in bounded time. Raises StoreDown, and Conflict for a condition that doesn't hold."""
        if self._threads is None:
            raise RuntimeError("the session store is not open")
        try:
            async with asyncio.timeout(self._timeout), self._turns:
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._do, operation, words)
        except TimeoutError as error:
            raise StoreDown(f"DynamoDB did not answer in {self._timeout} s") from error
        except ClientError as error:
            if error.response["Error"]["Code"] == _GONE:
                raise Conflict from error
            raise StoreDown(f"DynamoDB can't be used: {error}") from error
        except (BotoCoreError, OSError) as error:
            raise StoreDown(f"DynamoDB can't be used: {error}") from error

    def _do(self, operation: str, words: Mapping[str, Any]) -> Any:
        client = self._client or self._connected()
        call = getattr(client, operation)
        try:
            return call(TableName=self._table, **words)
        except ClientError as error:
            if error.response["Error"]["Code"] != _NO_TABLE:
                raise
            _make_table(client, self._table)
            return call(TableName=self._table, **words)

    def _connected(self) -> Any:
        """Makes the client. Two threads that do so at once make two, of which one is used from then on."""
        config = Config(
            connect_timeout=self._timeout,
            read_timeout=self._timeout,
            max_pool_connections=self._connections,
            retries={"total_max_attempts": 1, "mode": "standard"},
        )
        client: Any = boto3.session.Session().client(
            "dynamodb", region_name=self._region, endpoint_url=self._endpoint, config=config
        )
        self._client = client
        return client


def _make_table(client: Any, table: str) -> None:
    names = {"id": "HASH", "part": "RANGE"}
    try:
        client.create_table(
            TableName=table,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in names.items()],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
            BillingMode="PAY_PER_REQUEST",
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceInUseException":  # another process makes it
            raise
    client.get_waiter("table_exists").wait(TableName=table, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    try:
        client.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expires"}
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":  # it is enabled already
            raise


def _key(name: str, part: str) -> dict[str, Any]:
    return {"id": _text(name), "part": _text(part)}


def _values(now: float, expected: int | None) -> dict[str, Any]:
    values = {":now": _number(now)}
    return values if expected is None else values | {":version": _number(expected)}


def _text(value: str) -> dict[str, str]:
    return {"S": value}


def _number(value: float) -> dict[str, str]:
    return {"N": repr(value)}

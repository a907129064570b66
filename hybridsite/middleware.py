"""Middleware: the site's own functions around every page and endpoint that is rendered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.responses import Response

from hybridsite.context import Context
from hybridsite.errors import ModuleError
from hybridsite.exchange import copied
from hybridsite.modules import Handler, function_place


async def run(chain: Sequence[Handler], context: Context, last: Callable[[], Awaitable[Response]]) -> Response:
    """Calls the first function of the chain; its `await call_next(context)` leads on, the last one's to the page."""
    if not chain:
        return await last()

    async def call_next(_: Context | None = None) -> Response:
        return await run(chain[1:], context, last)

    response = await chain[0](context, call_next)
    if not isinstance(response, Response):
        raise ModuleError(
            f"the middleware {getattr(chain[0], '__name__', '')} gave {type(response).__name__}",
            mend="return a Response: `return await call_next(context)`",
            location=function_place(chain[0], "middleware.py"),
        )
    return copied(response)

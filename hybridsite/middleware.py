"""Middleware: the site's own functions around every page and endpoint that is rendered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from starlette.responses import Response

from hybridsite.context import Context
from hybridsite.errors import ModuleError
from hybridsite.exchange import Rewrite, copied
from hybridsite.modules import Handler, function_place


async def run(
    chain: Sequence[Handler],
    context: Context,
    last: Callable[[], Awaitable[Response]],
    onward: Callable[[Rewrite], Awaitable[Response]],
) -> Response:
    """Calls the first function of the chain; its `await call_next(context)` leads on, the last one's to the page.

    A rewrite is followed by `onward` where it is given, so that no function around it meets anything but answers.
    Raises ModuleError for a function that gives no answer, or calls on twice.
    """
    if not chain:
        response = await last()
        return await onward(response) if isinstance(response, Rewrite) else response
    called = False

    async def call_next(given: Context | None = None) -> Response:
        nonlocal called
        if given is not None and given is not context:
            raise _fault(chain[0], "calls on with another context", "write `await call_next(context)`")
        if called:
            why = "the page would be rendered twice, and an action done twice"
            raise _fault(chain[0], "calls call_next twice", "keep what the first call gives", why)
        called = True
        return await run(chain[1:], context, last, onward)

    response = await chain[0](context, call_next)
    if isinstance(response, Rewrite):
        return await onward(response)
    if not isinstance(response, Response):
        mend = "return a Response: `return await call_next(context)`"
        raise _fault(chain[0], f"gave {type(response).__name__}", mend)
    return copied(response)


def _fault(function: Handler, what: str, mend: str, why: str = "") -> ModuleError:
    name = getattr(function, "__name__", "")
    place = function_place(function, "middleware.py")
    return ModuleError(f"the middleware {name} {what}", why=why, mend=mend, location=place)

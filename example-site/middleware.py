"""Who may see what: the account, and all that lies below it, is for whoever is signed in."""

from collections.abc import Awaitable, Callable
from typing import Any


async def on_request(context: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    # At build there is nobody yet: the pages that are built are the same for all, and those with `guard: true` are
    # given out by the server, which asks again then. The session is read where it counts, and nowhere else: a page
    # whose middleware has read it is one visitor's own, and no cache keeps it.
    if not context.url.path.startswith(context.url_for("pages/account.html")) or context.prerendering:
        return await call_next(context)
    context.locals.user = context.session.get("user")
    if context.locals.user is None:
        return context.redirect(context.url_for("pages/login.html"))
    return await call_next(context)

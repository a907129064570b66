"""Signing in, with a name and no proof of it: a demonstration of the session, not of security."""

from datetime import UTC, datetime
from typing import Any

LONGEST_NAME = 40


def load(context: Any) -> Any:
    return context.redirect("/account/") if context.session.get("user") else {}


async def POST(context: Any) -> Any:
    form = await context.request.form()
    name = str(form.get("name", "")).strip()
    if not name or len(name) > LONGEST_NAME:
        context.response.status = 400
        return {"problem": f"Please write a name of up to {LONGEST_NAME} letters.", "name": name[:LONGEST_NAME]}

    # A new identifier: whoever may have seen the one from before the sign-in can do nothing with it.
    context.session.regenerate()
    context.session["user"] = {"name": name, "since": datetime.now(UTC)}
    return context.redirect("/account/", 303)

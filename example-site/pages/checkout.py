"""Turns the cart into an order, which the session remembers."""

from typing import Any

import shopkeeper


def load(context: Any) -> Any:
    lines = shopkeeper.lines(context.session.get("cart", {}), context.data["products"])
    if not lines:
        return context.redirect("/cart/")
    name = context.session.get("user", {}).get("name", "")
    return {"lines": lines, "total": shopkeeper.total(lines), "name": name, "note": ""}


async def POST(context: Any) -> Any:
    lines = shopkeeper.lines(context.session.get("cart", {}), context.data["products"])
    if not lines:
        return context.redirect("/cart/", 303)

    form = await context.request.form()
    name, note = str(form.get("name", "")).strip()[:80], str(form.get("note", "")).strip()[:400]
    if not name:
        context.response.status = 400
        return {"problem": "Please tell us whose name goes on the parcel.", "name": name, "note": note}

    order = shopkeeper.write_order(lines, name, note)
    number = order["number"]
    context.session.update("orders", lambda orders: orders | {number: order}, {})
    context.session.update("cart", lambda cart: shopkeeper.take_out(cart, lines), {})
    return context.redirect(f"/orders/{number}/", 303)

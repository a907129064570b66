"""Turns the cart into an order, which the session remembers."""

from typing import Any

import ledger
import shopkeeper


def load(context: Any) -> Any:
    lines = shopkeeper.lines(context.session.get("cart", {}), context.data["products"])
    if not lines:
        return context.redirect("/cart/")
    return {
        "number": shopkeeper.order_number(),
        "lines": lines,
        "total": shopkeeper.total(lines),
        "name": context.session.get("user", {}).get("name", ""),
        "note": "",
    }


async def POST(context: Any) -> Any:
    form = await context.request.form()
    number = shopkeeper.order_number(str(form.get("number", "")))
    if number in context.session.get("orders", {}):  # the button was pressed twice
        return context.redirect(f"/orders/{number}/", 303)

    lines = shopkeeper.lines(context.session.get("cart", {}), context.data["products"])
    if not lines:
        return context.redirect("/cart/", 303)

    name, note = str(form.get("name", "")).strip()[:80], str(form.get("note", "")).strip()[:400]
    if not name:
        context.response.status = 400
        return {"problem": "Please tell us whose name goes on the parcel.", "name": name, "note": note}

    order = shopkeeper.write_order(number, lines, name, note)
    ledger.enter(context, number, lines)
    await context.cache.invalidate(tags=[ledger.TAG])
    context.session.update("orders", lambda orders: orders | {number: order}, {})
    context.session.update("cart", lambda cart: shopkeeper.take_out(cart, lines), {})
    return context.redirect(f"/orders/{number}/", 303)

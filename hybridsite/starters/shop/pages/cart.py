"""What cart.html shows."""

import cart


def load(context):
    lines = cart.lines(context.session.get("cart", {}), context.data["products"])
    return {"lines": lines, "total": cart.total(lines)}

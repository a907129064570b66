"""What the shop's pages share: the cart, its arithmetic, and orders. Money is Decimal throughout, never float."""

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

MOST_OF_ONE_INK = 12

Cart = dict[str, int]
"""How many bottles of which ink: {"woad": 2}. This is all that the session keeps; names and prices stay in data/."""


@dataclass(frozen=True, slots=True)
class Line:
    """One ink in the cart, with its price of today."""

    slug: str
    name: str
    price: Decimal
    quantity: int

    @property
    def cost(self) -> Decimal:
        """What the bottles of this line cost together."""
        return self.price * self.quantity


def lines(cart: Cart, products: Mapping[str, Any]) -> list[Line]:
    """Gives the cart with names and prices, in the order of the shelf. Inks that are no longer sold are left out."""
    return [
        Line(slug, product["name"], Decimal(product["price"]), cart[slug])
        for slug, product in products.items()
        if slug in cart
    ]


def total(of: Iterable[Line]) -> Decimal:
    """Adds up what the lines cost."""
    return sum((line.cost for line in of), Decimal("0.00"))


def add(cart: Cart, slug: str, quantity: int) -> Cart:
    """Gives the cart with more bottles of an ink, up to the most that we post at once."""
    return cart | {slug: min(cart.get(slug, 0) + quantity, MOST_OF_ONE_INK)}


def change(cart: Cart, slug: str, quantity: int) -> Cart:
    """Gives the cart with so many bottles of an ink."""
    return cart | {slug: quantity}


def remove(cart: Cart, slug: str) -> Cart:
    """Gives the cart without an ink."""
    return {kept: quantity for kept, quantity in cart.items() if kept != slug}


def take_out(cart: Cart, ordered: Iterable[Line]) -> Cart:
    """Gives what is left of the cart after an order, which is what was added while the order was under way."""
    taken = {line.slug: line.quantity for line in ordered}
    return {slug: left for slug, quantity in cart.items() if (left := quantity - taken.get(slug, 0)) > 0}


def read_quantity(text: str) -> int:
    """Reads a number of bottles from a form; 0 unless it is a whole number that we can post."""
    try:
        quantity = int(text)
    except ValueError:
        return 0
    return quantity if 1 <= quantity <= MOST_OF_ONE_INK else 0


def order_number(text: str = "") -> str:
    """Gives the order number that a form carries, or a new one where it carries none."""
    return text if re.fullmatch(r"GW-[0-9A-F]{8}", text) else f"GW-{secrets.token_hex(4).upper()}"


def write_order(number: str, ordered: list[Line], name: str, note: str) -> dict[str, Any]:
    """Writes an order down as a session can keep it: Decimal and datetime come back as what they are."""
    return {
        "number": number,
        "placed": datetime.now(UTC),
        "name": name,
        "note": note,
        "lines": [{"name": line.name, "quantity": line.quantity, "cost": line.cost} for line in ordered],
        "total": total(ordered),
    }

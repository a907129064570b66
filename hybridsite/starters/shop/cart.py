"""The cart and its arithmetic. The session keeps {"harbour": 2} and no more: names and prices stay in data/."""

from decimal import Decimal

MOST = 9  # of one product


def lines(cart, products):
    """Gives what is in the cart, with names and prices of today. What is no longer sold is left out."""
    return [
        {"slug": slug, "quantity": cart[slug], "cost": Decimal(product["price"]) * cart[slug], **product}
        for slug, product in products.items()
        if slug in cart
    ]


def total(of):
    return sum((line["cost"] for line in of), Decimal("0.00"))


def with_quantity(cart, slug, quantity):
    """Gives the cart with so many of a product; none for 0."""
    changed = {**cart, slug: min(quantity, MOST)}
    return {slug: quantity for slug, quantity in changed.items() if quantity > 0}

"""The visitor's last order. Where there is none, there is no such page."""

from hybridsite import NotFound


def load(context):
    if "order" not in context.session:
        raise NotFound
    return {"order": context.session["order"]}

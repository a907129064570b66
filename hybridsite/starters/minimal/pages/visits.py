"""What visits.html needs: `load` gives its variables, `POST` answers its form."""


def load(context):
    # The function says how to get from the old number to the new one, so two visits at once are two.
    return {"visits": context.session.update("visits", lambda visits: visits + 1, 0)}


def POST(context):
    context.session.destroy()
    return context.redirect(context.url_for("pages/index.html"), 303)

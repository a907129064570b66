"""Sessions: what a site remembers of each visitor. This room knows nothing of sites, and could serve any ASGI application."""

"""Sessions: what a site remembers of each visitor. It knows nothing of sites, and could serve any ASGI app."""

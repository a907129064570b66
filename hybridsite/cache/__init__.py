"""The route cache: what may be kept, under which key, where, and for how long. It knows nothing of sites."""

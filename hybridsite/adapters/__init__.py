"""Adapters: what a host needs besides the files that every build writes, and what it can't do."""

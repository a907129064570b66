"""Tests of the author's server."""

"""Tests from outside: the real command, real processes, real HTTP. Nothing here imports the package under test."""

"""The tests of hybridsite/cache/, a file for each module."""

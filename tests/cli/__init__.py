"""The tests of hybridsite/cli/, a file for each module."""

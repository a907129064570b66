"""The tests of hybridsite/server/, a file for each module."""

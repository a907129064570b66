"""The tests of hybridsite/sessions/, a file for each module."""

"""The tests of hybridsite/build/, a file for each module."""

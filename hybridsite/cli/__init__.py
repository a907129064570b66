"""The command line: words, options and exit codes."""

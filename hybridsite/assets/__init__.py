"""Assets: files that are processed and named for what they hold, so that browsers may keep them for ever."""

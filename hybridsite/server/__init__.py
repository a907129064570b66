"""The server: files already built from an index read at start, everything else by render()."""

"""A build: plan the prerendered paths, render each, write them beside the old site, and exchange the two."""

"""The pages below /_dev/: what a site is, what its visitors' sessions hold, what went wrong, for its author alone."""

"""The author's own server: every page rendered when it is asked for, shown again when its sources change."""

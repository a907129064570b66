"""Tests of the features: feeds and the sitemap."""

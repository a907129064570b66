"""`hybridsite check`: what is wrong with a site that builds: links, anchors, markup, and files that nobody needs."""

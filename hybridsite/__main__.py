"""`python -m hybridsite`: the same as the command."""

from hybridsite.cli.main import main

main()

"""`python -m consumer.cli`: the same as `sluice`, for whoever starts it by the interpreter."""

from consumer.cli.main import main

main()

"""`python -m decondense` is the command `decondense`."""

from .cli.app import app

app(prog_name="decondense")

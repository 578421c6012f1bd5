"""`python -m decondense` is the command `decondense`."""

from .cli import app

app(prog_name="decondense")

"""`python -m decondense` is the command `decondense`."""

import sys


def main() -> None:
    """The command line; without its extra one line that says how to install it, and status 2."""
    try:
        from .cli.app import app
    except ImportError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    app(prog_name="decondense")


if __name__ == "__main__":
    main()

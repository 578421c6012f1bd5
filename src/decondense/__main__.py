"""`python -m decondense` is the command `decondense`."""

import json
import sys


def main() -> None:
    """The command line; without its extra one line that says how to install it, and status 2; with --json as JSON."""
    try:
        from .cli.app import app
    except ImportError as error:
        print(f"error: {error}", file=sys.stderr)
        if "--json" in sys.argv:
            print(json.dumps({"error": str(error), "status": 2}, indent=1))
        sys.exit(2)
    app(prog_name="decondense")


if __name__ == "__main__":
    main()

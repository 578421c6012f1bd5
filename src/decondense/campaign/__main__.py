"""`python -m decondense.campaign`."""

import sys

from ..base.settings import flag
from .command import main

if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ValueError, OSError, MemoryError, RuntimeError, ImportError) as error:
        if flag("DECONDENSE_DEBUG") or not str(error):
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)

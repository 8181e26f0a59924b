"""``python -m lstmforecast`` is the command ``lstmforecast``."""

import sys

from lstmforecast.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""``python -m tiercel``."""

from __future__ import annotations

import sys

from tiercel.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

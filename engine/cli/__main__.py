"""`python -m engine.cli`: the command line where the console command is not installed."""

from __future__ import annotations

import sys

from engine.cli.entry import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

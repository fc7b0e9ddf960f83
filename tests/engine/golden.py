"""Where the golden numbers of the published models are, for the tests that compare with them."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["GOLDEN"]

_ROOT = Path(__file__).resolve().parents[2]
# One folder a case; a folder a manifest lies beside it.
GOLDEN = Path(os.environ.get("GENIE_PARITY_DIR") or (_ROOT / "../shared/parity/tiny").resolve())

"""Where the studio keeps what it remembers."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_data_path

__all__ = ["data_folder", "history_path"]


def data_folder() -> Path:
    """The platform's folder for a person's data, or the folder named by GENIE_HOME."""
    home = os.environ.get("GENIE_HOME")
    return Path(home).expanduser() if home else user_data_path("GENIE Studio", appauthor=False)


def history_path() -> Path:
    return data_folder() / "history.sqlite"

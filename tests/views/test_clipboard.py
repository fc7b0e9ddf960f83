"""What lies on the clipboard when the program ends does not bring it down."""

from __future__ import annotations

import subprocess
import sys

import pytest

_SCRIPT = """
import sys
from PySide6.QtCore import QMimeData
from PySide6.QtGui import QGuiApplication
from app.views import clipboard
application = QGuiApplication([])
data = QMimeData()
data.setText("ours")
clipboard.put(data)
if sys.argv[1] == "replaced":
    QGuiApplication.clipboard().setText("theirs")
del data
print(QGuiApplication.clipboard().text())
"""


@pytest.mark.parametrize(("then", "text"), [("kept", "ours"), ("replaced", "theirs")])
def test_the_process_ends_in_good_order(then: str, text: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT, then], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, text), done.stderr

"""What several of these tests begin with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.models.edit.sessions import Sessions
from app.store import Store
from app.store.edits import EditStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path / "history.sqlite")
    yield store
    store.close()


@pytest.fixture
def sessions(qapp: object, store: Store) -> Iterator[Sessions]:
    sessions = Sessions(EditStore(store))
    yield sessions
    sessions.store.files.close()

"""The small pictures of a history's list: read in blocks when they come into sight, and remembered."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Sequence

from app.store.records import StoreError
from app.store.store import Store

__all__ = ["BLOCK", "Thumbnails"]

BLOCK = 64  # how many rows are read with one that is not there
_KEPT = 1024


class Thumbnails:
    """PNG bytes by the id of an image; the last few hundred looked at stay."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._kept: OrderedDict[int, bytes] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, id: int, around: Callable[[], Sequence[int]]) -> bytes:
        """That of image `id`, empty if it can't be read.

        `around` gives the ids that come into sight with it or next: one query reads them all.
        """
        if id not in self._kept:
            with contextlib.suppress(StoreError):  # a grey tile is better than a storm of notices
                self._kept.update(self._store.thumbnails(around()))
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        if id in self._kept:
            self._kept.move_to_end(id)
        return self._kept.get(id, b"")

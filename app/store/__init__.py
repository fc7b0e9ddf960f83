"""The memory of the studio: every result, its steps and the settings, in one SQLite file."""

from app.store.opening import open_store
from app.store.paths import data_folder, history_path
from app.store.records import Details, Facets, Filter, Record, StoreError, Undo
from app.store.store import Store

__all__ = [
    "Details",
    "Facets",
    "Filter",
    "Record",
    "Store",
    "StoreError",
    "Undo",
    "data_folder",
    "history_path",
    "open_store",
]

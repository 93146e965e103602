"""What is kept: one `Database`, one file per noun. Knows no HTTP and no engine.

A write is data (`Statement`s in one unit), a read is a snapshot of its own, and a store needs a
scope to answer. See `database.py` for the rules that the SQL keeps.
"""

from inhouse.stores.database import Database, Statement
from inhouse.stores.errors import DataFolderError, DataInUse, DataTooNew, Duplicate, Stale
from inhouse.stores.objects import Collection
from inhouse.stores.page import Listing, Page

__all__ = [
    "Collection",
    "DataFolderError",
    "DataInUse",
    "DataTooNew",
    "Database",
    "Duplicate",
    "Listing",
    "Page",
    "Stale",
    "Statement",
]

"""The worker's databases: SQLite and PostgreSQL."""

from tests.stores.conftest import database, database_url

__all__ = ["database", "database_url"]

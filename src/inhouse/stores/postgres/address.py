"""Where a database is: `postgresql://user:password@host:port/name?sslmode=require`."""

from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """`url` may hold a password and is never shown; `str` gives what may be."""

    url: str = field(repr=False)

    def __str__(self) -> str:
        """Host, port and name of the database: `db.example:5432/inhouse`."""
        parts = urlsplit(self.url)
        hosts = parts.netloc.rpartition("@")[2] or parse_qs(parts.query).get("host", [""])[0]
        return f"{hosts or 'localhost'}{parts.path}"

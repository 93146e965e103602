"""What a check found."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """`missing`: nothing works without it. `warning`: not all works, or not well."""

    what: str
    state: Literal["ok", "warning", "missing"]
    detail: str


def ok(what: str, detail: str) -> Finding:
    """All is well."""
    return Finding(what, "ok", detail)


def warning(what: str, detail: str) -> Finding:
    """It works, but not all of it, or not well."""
    return Finding(what, "warning", detail)


def missing(what: str, detail: str) -> Finding:
    """It does not work. `detail` says what to do."""
    return Finding(what, "missing", detail)

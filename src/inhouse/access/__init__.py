"""Who may do what, how much of it, and what it came to: keys, principals, limits, usage."""

from inhouse.access.access import Access, NewKey
from inhouse.access.limits import Limits, Reservation

__all__ = ["Access", "Limits", "NewKey", "Reservation"]

"""Everything an operator can set, each setting once: its name, kind, default and help.

Loading, the command line's flags and docs/settings.md are all made from the fields of `Settings`
and `Upstream`.
"""

from inhouse.settings.loading import load
from inhouse.settings.settings import (
    Option,
    Settings,
    SettingsError,
    Upstream,
    is_loopback,
    options,
)

__all__ = ["Option", "Settings", "SettingsError", "Upstream", "is_loopback", "load", "options"]

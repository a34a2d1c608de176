"""Settings: `sluice.toml` and `SLUICE_*` variables as typed values.

`definitions.py` has every setting with its type, default and sentence: start there.
"""

from consumer.settings.definitions import (
    Settings,
    load_settings,
    receivers_markdown,
    settings_example,
    settings_markdown,
    settings_of,
)
from consumer.settings.words import SettingsError

__all__ = [
    "Settings",
    "SettingsError",
    "load_settings",
    "receivers_markdown",
    "settings_example",
    "settings_markdown",
    "settings_of",
]

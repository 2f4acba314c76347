"""Environment variables → typed settings; every fault at once; nothing secret shown."""

from router.settings.faults import Fault, SettingsError
from router.settings.load import load, read_sections
from router.settings.model import Settings
from router.settings.sections import Sections

__all__ = ["Fault", "Sections", "Settings", "SettingsError", "load", "read_sections"]

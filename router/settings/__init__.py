"""Environment variables → typed settings; every fault at once; nothing secret shown."""

from router.settings.faults import Fault, SettingsError
from router.settings.load import load
from router.settings.model import Settings

__all__ = ["Fault", "Settings", "SettingsError", "load"]

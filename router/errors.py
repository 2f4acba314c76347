"""The errors that leave the router's parts, and what the command line makes of them.

    SettingsError            settings can't be used: all faults at once      exit status 2
    click.UsageError         the command was called wrongly                  exit status 2
    click.ClickException     what was asked can't be done now                exit status 1
    OutputError              standard output can't be written                exit status 1
    anything else            a bug: a traceback                              exit status 1

    SinkNotReadyError        raised by a sink's open(): the lane tries again
    UnknownSinkTypeError, BrokenPluginError   from the registry; settings turn them into faults

Errors of foreign libraries stay inside the part that uses the library.
"""

from router.output import OutputError
from router.settings.faults import SettingsError
from sinks.contract import SinkNotReadyError
from sinks.registry import BrokenPluginError, UnknownSinkTypeError

__all__ = ["BrokenPluginError", "OutputError", "SettingsError", "SinkNotReadyError", "UnknownSinkTypeError"]

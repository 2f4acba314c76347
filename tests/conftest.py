import signal

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.broker.plugin"]

# A busy machine is no reason to fail: no example has a deadline, and slow drawing is no flaw of a strategy.
settings.register_profile("patient", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("patient")

# A shell that starts us in the background has Ctrl-C ignored, by us and by every program that we start.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.broker.plugin"]

# A busy machine is no reason to fail: no example has a deadline, and slow drawing is no flaw of a strategy.
settings.register_profile("patient", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("patient")

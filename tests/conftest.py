pytest_plugins = ["tests.broker.plugin"]

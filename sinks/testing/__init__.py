"""The conformance suite of sinks, for authors of plug-ins and for our own; see `docs/sinks/plugin.md`.

This package is also the pytest plug-in: it makes the suite's assertions tell what they saw. A running router never loads it.
"""

import pytest

pytest.register_assert_rewrite("sinks.testing.suite")

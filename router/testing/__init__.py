"""The conformance suite of journals. A running router never loads it."""

import pytest

pytest.register_assert_rewrite("router.testing.journal", "router.testing.operating")

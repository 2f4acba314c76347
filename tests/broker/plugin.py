"""Session fixtures: real brokers, started when the first test asks for them. Each worker of pytest-xdist has its own."""

from collections.abc import Iterator

import pytest

from tests.broker.cluster import BrokerError, Cluster, launch


def _launched(*, nodes: int = 1, secure: bool = False) -> Cluster:
    try:
        return launch(nodes, secure=secure)
    except BrokerError as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def kafka() -> Iterator[Cluster]:
    """One plain node for the whole session. Don't kill it; use topic names of your own."""
    with _launched() as cluster:
        yield cluster


@pytest.fixture(scope="session")
def kafka_secure() -> Iterator[Cluster]:
    """One node with SASL and TLS listeners and an authorizer, for the whole session."""
    with _launched(secure=True) as cluster:
        yield cluster


@pytest.fixture
def kafka_own() -> Iterator[Cluster]:
    """One plain node for one test, to be killed and frozen at will."""
    with _launched() as cluster:
        yield cluster


@pytest.fixture
def kafka_three() -> Iterator[Cluster]:
    """Three nodes for one test: min.insync.replicas is 2."""
    with _launched(nodes=3) as cluster:
        yield cluster


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for a broker is marked so, and can be left out by `-m "not broker"`."""
    for item in items:
        if any(name.startswith("kafka") for name in getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.broker)

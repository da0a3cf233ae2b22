"""Fixtures: one node for all tests that do not hurt it, nodes of their own for those that do."""

import sys

import pytest

sys.dont_write_bytecode = True

from support import Node  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "feature(*rows): rows of the feature list that the test proves")


@pytest.fixture(scope="session")
def _shared_node():
    with Node() as node:
        yield node


@pytest.fixture
def node(_shared_node, request):
    request.node.pulse_nodes = [_shared_node]
    return _shared_node


@pytest.fixture
def shop(node):
    """A tenant of the test's own, without a rate limit."""
    return node.tenant()


@pytest.fixture
def own_node(request):
    """Makes nodes that only this test sees, not started yet; they are ended after it."""
    request.node.pulse_nodes = made = []

    def make(**settings):
        made.append(Node(**settings))
        return made[-1]

    yield make
    for node in made:
        node.destroy()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call" and report.failed:
        for node in getattr(item, "pulse_nodes", []):
            report.sections.append(("end of the node's log", node.tail()))

"""Marks of the tests in tests/python, which the long ones call."""


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: not run again under the sanitizers")

"""A pytest plugin, there wherever klr is installed: options for the run, and the fixture `klr`.

    def test_scale(klr):
        x = np.ones((4, 3), np.float32)
        klr.check(scale, (x, 2.0), x * 2)       # what differs is named: elements, ULPs, the line that wrote them

    pytest --klr-target trn3 --klr-checks none --klr-nki
"""

from __future__ import annotations

import os
from typing import Any, Optional, Sequence

import pytest

TARGETS = ("trn1", "trn2", "trn3", "inf2", "gen2", "gen3", "gen4")
_VARIABLES = {"klr_target": "NEURON_PLATFORM_TARGET_OVERRIDE", "klr_checks": "KLR_CHECKS"}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("klr", "kernels (klr)")
    group.addoption("--klr-target", choices=TARGETS, help="the target of kernels that name none (default: the environment's, else trn2)")
    group.addoption("--klr-checks", choices=("all", "none"), help="none: no check for uninitialised reads and the like")
    group.addoption("--klr-nki", action="store_true", default=False,
                    help="let `import nki` and `neuronxcc.nki` mean KLR's, whatever is installed")


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    if early_config.known_args_namespace.klr_nki or os.environ.get("KLR_NKI"):
        from klr import _alias

        _alias.install()


def pytest_configure(config: pytest.Config) -> None:
    """The environment carries the options, to the processes of pytest-xdist too."""
    before = {}
    for option, variable in _VARIABLES.items():
        if config.getoption(option):
            before[variable] = os.environ.get(variable)
            os.environ[variable] = config.getoption(option)
    if config.getoption("klr_nki"):
        before["KLR_NKI"] = os.environ.get("KLR_NKI")
        os.environ["KLR_NKI"] = "1"

    def restore() -> None:
        for variable, value in before.items():
            if value is None:
                os.environ.pop(variable, None)
            else:
                os.environ[variable] = value

    config.add_cleanup(restore)


def pytest_report_header(config: pytest.Config) -> Optional[str]:
    if not any(config.getoption(name) for name in ("klr_target", "klr_checks", "klr_nki")):
        return None
    from klr import __version__, _library

    return (f"klr: {__version__}, target {_library.target()}, checks {os.environ.get('KLR_CHECKS', 'all')}"
            + (", also as `nki`" if config.getoption("klr_nki") else ""))


class Runner:
    """The fixture `klr`."""

    def run(self, kernel: Any, *arguments: Any, **keywords: Any) -> Any:
        """The result of a kernel, marked with @nki.jit or not."""
        __tracebackhide__ = True
        from klr._jit import Kernel

        return (kernel if isinstance(kernel, Kernel) else Kernel(kernel))(*arguments, **keywords)

    def check(self, kernel: Any, arguments: Sequence[Any], expected: Any, rtol: Optional[float] = None,
              atol: Optional[float] = None, ulps: float = 0, **keywords: Any) -> Any:
        """Run a kernel and compare its result with `expected`: arrays in the form of the result, or a function that gives
        them for the same arguments. The result; AssertionError with a report of the first difference.

        Elements are the same when |got - expected| <= atol + rtol * |expected|, or when they are at most `ulps` steps of
        their dtype apart. Without any: exactly for integers, and for floats within 8 steps of the dtype at the largest value.
        """
        __tracebackhide__ = True
        from klr import _compare

        arguments = arguments if isinstance(arguments, (tuple, list)) else (arguments,)
        before = [_compare.copied(argument) for argument in arguments]  # for kernels that write their arguments
        result = self.run(kernel, *arguments, **keywords)
        wanted = expected(*before, **keywords) if callable(expected) else expected
        report = _compare.report(kernel, before, keywords, result, wanted, rtol, atol, ulps)
        if report is not None:
            raise AssertionError(report)
        return result

    def same(self, kernel: Any, other: Any, arguments: Sequence[Any], rtol: float = 0, atol: float = 0, ulps: float = 0,
             **keywords: Any) -> None:
        """Run two kernels in lock step on the same arguments; AssertionError with the first instruction and element that
        differ."""
        __tracebackhide__ = True
        from klr import _diff

        arguments = arguments if isinstance(arguments, (tuple, list)) else (arguments,)
        found = _diff.diff(kernel, other, *arguments, kwargs=keywords, rtol=rtol, atol=atol, ulps=ulps)
        if found:
            raise AssertionError(str(found))


@pytest.fixture(scope="session")
def klr() -> Runner:
    """Runs kernels and holds them against what is expected: `klr.run`, `klr.check`, `klr.same`."""
    return Runner()

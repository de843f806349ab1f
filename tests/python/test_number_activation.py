"""Activation functions are correctly rounded: compared with MPFR and the C library's long doubles."""

import os

import numpy as np
import pytest

from conftest import ROOT
from number_library import ACTIVATIONS, NumberLibrary, inputs_for_activations

pytestmark = pytest.mark.slow  # calls a library, not the program
BUILDS = [build for build in ("build", "build-clang", "build-baseline")
          if os.path.exists(os.path.join(ROOT, build, "tests", "number", "libnumber_test.so"))]


@pytest.fixture(scope="module")
def number():
    return NumberLibrary()


def check_same(name, inputs, ours, theirs):
    nan = np.isnan(theirs)
    wrong = np.flatnonzero((ours.view(np.uint32) != theirs.view(np.uint32)) & ~nan)
    assert not wrong.size, [f"{name}({float(inputs[i]).hex()}) = {float(ours[i]).hex()}, not {float(theirs[i]).hex()}"
                            for i in wrong[:5]]
    assert (ours.view(np.uint32)[nan] == 0x7FC00000).all()


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_rows_are_correctly_rounded(number, name):
    inputs = inputs_for_activations(1 << 20, seed=4)
    check_same(name, inputs, number.activation(name, inputs), number.activation(name, inputs, "number_oracle"))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_slow_path_and_the_quick_oracle_agree_with_mpfr(number, name):
    inputs = inputs_for_activations(1 << 12, seed=5)
    expected = number.activation(name, inputs, "number_oracle_mpfr")
    check_same(name, inputs, number.activation(name, inputs, "number_activation_exact"), expected)
    quick = number.activation(name, inputs, "number_oracle")
    check_same(name, inputs, np.where(np.isnan(quick), np.float32(np.nan), quick), expected)


@pytest.mark.parametrize("build", BUILDS[1:])
def test_every_build_gives_the_same_bits(number, build):
    other = NumberLibrary(build)
    inputs = inputs_for_activations(1 << 18, seed=6)
    for name in ACTIVATIONS:
        check_same(name, inputs, other.activation(name, inputs), number.activation(name, inputs))


def test_sin_goes_on_as_a_cubic_beyond_pi(number):
    """The documents' example: sin(9.0) prints 27.65 on the device."""
    assert abs(number.activation("sin", [9.0])[0] - 27.65) < 0.005
    assert number.activation("sin", [-9.0])[0] == -number.activation("sin", [9.0])[0]


@pytest.mark.parametrize("count", [0, 1, 63, 64, 65, 200])
def test_rows_of_any_length_in_place(number, count):
    inputs = inputs_for_activations(1 << 10, seed=7)[:count].copy()
    expected = number.activation("gelu", inputs)
    number.activation_in_place("gelu", inputs)
    check_same("gelu", inputs, inputs, expected)

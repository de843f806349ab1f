"""Kernels inside of functions that jax traces (jit, vmap): a callback whose results have the shapes of the traced kernel."""

import numpy as np

from klr import _errors, _jit


def _refuse_writes(traced):
    for i, (name, is_written) in enumerate(zip(traced.names, traced.written)):
        if is_written and i not in traced.aliases:
            raise _errors.KernelTypeError(f"the kernel writes its argument `{name}` and does not return it; jax arrays cannot be "
                                          "written: return it, and the result is a new array")


def _run(traced, options, arrays):
    """On the host: one NumPy array for each output."""
    inputs = [np.array(array) if is_written else np.asarray(array) for array, is_written in zip(arrays, traced.written)]
    flat = _jit.run(traced.with_result(("tuple", range(len(traced.outputs)))), inputs, options)
    return tuple(np.asarray(array) for array in flat)


def call(traced, inputs, options):
    """The results of a traced kernel as arrays of the function that jax traces. vmap runs it once for each element."""
    import jax

    _refuse_writes(traced)
    shapes = tuple(jax.ShapeDtypeStruct(shape, dtype) for _, shape, dtype in traced.outputs)
    results = _callback(jax)(lambda *arrays: _run(traced, options, arrays), shapes, *inputs)
    return _jit.form(traced.result, list(results))


def _callback(jax):
    import functools
    import inspect

    named = inspect.signature(jax.pure_callback).parameters
    return functools.partial(jax.pure_callback, **({"vmap_method": "sequential"} if "vmap_method" in named else {}))

"""Loops and launches.

Loops over ranges are unrolled: their bounds are ints. A loop that runs on the device is `fori_loop` or `while_loop`.
"""

import _klr

# ---- ranges


def _static(name, start, stop, step):
    _klr.deprecated(f"nl.{name}", "`range` is the same")
    for bound in (start, stop, step):
        if _klr.kind(bound) == "register":
            _klr.error("a bound is a register; the loop is unrolled, so its bounds are ints",
                       "`nl.fori_loop(lower, upper, body)` runs on the device")
    return range(start) if stop is None else range(start, stop, step)


def affine_range(start, stop=None, step=1):
    """range(start, stop, step); the loop is unrolled. Deprecated: write `range`."""
    return _static("affine_range", start, stop, step)


def sequential_range(start, stop=None, step=1):
    """range(start, stop, step); the loop is unrolled. Deprecated: write `range`."""
    return _static("sequential_range", start, stop, step)


def static_range(start, stop=None, step=1):
    """range(start, stop, step); the loop is unrolled. Deprecated: write `range`."""
    return _static("static_range", start, stop, step)


def dynamic_range(start, stop=None, step=1):
    """A loop that runs on the device: bounds are ints or registers, the loop variable is a register.

    Deprecated: `nl.fori_loop(start, stop, body)`.
    """
    _klr.deprecated("nl.dynamic_range", "move the body into a function: `nl.fori_loop(start, stop, body)`")
    return _klr.dynamic_range(0, start, step) if stop is None else _klr.dynamic_range(start, stop, step)


# ---- loops on the device


def fori_loop(lower, upper, body_fun, step=1):
    """body_fun(i) for i in range(lower, upper, step), on the device; i is a register that is not written.

    lower and upper are ints or registers, step is a positive int. The body returns nothing; its tensors stay inside.
    """
    if not callable(body_fun):
        _klr.error(f"'body_fun' is {_klr.describe(body_fun)}; expected a function of the loop variable")
    for i in _klr.dynamic_range(lower, upper, step):
        if body_fun(i) is not None:
            _klr.error("the body returns a value; it is called for each i and returns nothing",
                       "keep results in tensors that are made before the loop")


def while_loop(init, body_fun):
    """r = init; while r is not 0: r = body_fun(r), on the device; r is a register.

    The body gives the register that decides about the next iteration; the first test is before the first iteration.
    """
    if _klr.kind(init) != "register":
        _klr.error(f"'init' is {_klr.describe(init)}; expected a register", "`nisa.register_alloc(1)`")
    if not callable(body_fun):
        _klr.error(f"'body_fun' is {_klr.describe(body_fun)}; expected a function of the condition")
    condition = _klr.register_alloc(init)
    while condition:
        following = body_fun(condition)
        if _klr.kind(following) != "register":
            _klr.error(f"the body returns {_klr.describe(following)}; expected the register that decides about the next "
                       "iteration", "`nisa.register_load(r, tile)`, then `return r`")
        _klr.register_move(condition, following)


def no_reorder():
    """A context in which instructions keep their order: `with nl.no_reorder():`. Loops on the device stay outside."""
    return _klr.no_reorder()


# ---- launches


def program_id(axis=0):
    """The index of this logical core in the launch."""
    return _klr.program_id(axis)


def num_programs(axes=0):
    """The number of logical cores along axes of the launch, an int or several: 1 without a grid."""
    if isinstance(axes, (tuple, list)):
        count = 1
        for axis in axes:
            count *= _klr.num_programs(axis)
        return count
    return _klr.num_programs(axes)


def program_ndim():
    """The number of axes of the launch grid, 0 without one."""
    return _klr.program_ndim()

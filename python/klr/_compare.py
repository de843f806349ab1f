"""Results of a kernel held against what was expected, and the difference in words."""

import textwrap

import numpy as np

from klr import _arrays
from klr._errors import Error
from klr._jit import Kernel, Options


def copied(value):
    """An argument as it is now."""
    if isinstance(value, np.ndarray):
        return value.copy()
    return value.clone() if _arrays.framework(value) == "torch" else value


def _wide(array):
    return array.astype(np.float64) if array.dtype.kind not in "iub" else array.astype(np.int64)


def _is_float(dtype):
    return dtype.kind in "fV" and dtype.names is None or dtype.name.startswith(("bfloat", "float"))


def _steps(array):
    """Numbers that neighbours in the order of the dtype's values have one apart."""
    bits = np.ascontiguousarray(array).view(f"u{array.dtype.itemsize}").reshape(array.shape).astype(np.int64)
    sign = np.int64(1) << (8 * array.dtype.itemsize - 1)
    return np.where(bits & sign, -(bits ^ sign), bits)


def ulps_between(a, b):
    """How many steps of the dtype lie between the elements of two arrays of one dtype; huge where one is a NaN."""
    if not _is_float(a.dtype) or a.dtype.itemsize > 4:
        return np.abs(_wide(a) - _wide(b)).astype(np.float64)
    apart = np.abs(_steps(a) - _steps(b)).astype(np.float64)
    nan = np.isnan(_wide(a)) != np.isnan(_wide(b))
    return np.where(nan, np.inf, np.where(np.isnan(_wide(a)), 0, apart))


def _epsilon(dtype):
    import ml_dtypes

    return float(ml_dtypes.finfo(dtype).eps)


def _tolerances(dtype, wanted, rtol, atol, ulps):
    if rtol is not None or atol is not None or ulps or not _is_float(dtype):
        return rtol or 0.0, atol or 0.0
    finite = np.abs(wanted[np.isfinite(wanted)])
    return 0.0, 8 * _epsilon(dtype) * float(finite.max()) if finite.size else 0.0


def _pairs(result, wanted, name="the result"):
    """(name, got, expected) of every array; raises for results of another form."""
    __tracebackhide__ = True
    if isinstance(wanted, (tuple, list)):
        if not isinstance(result, (tuple, list)) or len(result) != len(wanted):
            raise AssertionError(f"{name} has {len(result) if isinstance(result, (tuple, list)) else 1} parts, "
                                 f"{len(wanted)} are expected")
        for i, (r, w) in enumerate(zip(result, wanted)):
            yield from _pairs(r, w, f"result {i}")
        return
    if result is None or isinstance(result, (tuple, list)):
        raise AssertionError(f"{name} is {'None' if result is None else f'{len(result)} parts'}, an array is expected")
    yield name, _arrays.as_numpy(result), np.asarray(_arrays.as_numpy(wanted) if _arrays.framework(wanted) else wanted)


def _place(index):
    return "[" + ", ".join(str(int(i)) for i in index) + "]"


def _leaves(form):
    """The numbers of the outputs in the form of a result, in order."""
    if isinstance(form, int):
        return [form]
    return [leaf for part in form[1] for leaf in _leaves(part)] if form else []


def _origin(kernel, arguments, keywords, number, want, tolerances):
    """The instruction that wrote the first element that differs, and those that led to it, in words; "" when that cannot
    be told."""
    from klr import _diff

    kernel = kernel if isinstance(kernel, Kernel) else Kernel(kernel)
    try:
        traced, _ = kernel._trace(kernel.bind(arguments, keywords), kernel.options or Options())
        output = traced.handle.outputs()[_leaves(traced.result)[number]][0]
        found = _diff.first_difference(kernel, arguments, {output: want}, kwargs=keywords, **tolerances)
    except (Error, TypeError):  # running once more must not hide what differs
        return ""
    return str(found).partition("\nresults\n")[0] if found is not None and found.first else ""


def report(kernel, arguments, keywords, result, wanted, rtol, atol, ulps):
    """What differs, in words; None: nothing does."""
    __tracebackhide__ = True
    name = getattr(kernel, "__name__", "kernel")
    for number, (what, got, want) in enumerate(_pairs(result, wanted)):
        if got.shape != want.shape:
            return f"kernel `{name}`: {what} has shape {got.shape}, expected is {want.shape}"
        found = _array_report(got, want, rtol, atol, ulps)
        if found is not None:
            origin = _origin(kernel, arguments, keywords, number, want, found[1])
            text = f"kernel `{name}`: {what}, {got.dtype}{list(got.shape)}, {found[0]}"
            return text + ("\n" + textwrap.indent(origin, "  ") if origin else "")
    return None


def _array_report(got, want, rtol, atol, ulps):
    """(what differs, the tolerances that were used), or None."""
    if want.dtype != got.dtype and want.dtype.kind in "iub" and _is_float(got.dtype):
        want = want.astype(np.float64)
    a, b = _wide(got), _wide(want)
    rtol, atol = _tolerances(got.dtype, b, rtol, atol, ulps)
    with np.errstate(invalid="ignore", over="ignore"):
        same = (a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= atol + rtol * np.abs(b)) & np.isfinite(b)
        narrow = want.astype(got.dtype)
        apart = ulps_between(got, narrow)
    same |= apart <= ulps if ulps else False
    if same.all():
        return None
    wrong = np.flatnonzero(~same)
    first = int(wrong[0])
    error = np.nan_to_num(np.abs(a - b).reshape(-1)[wrong].astype(np.float64), nan=np.inf)
    worst = int(wrong[int(np.argmax(error))])

    def element(flat):
        index = np.unravel_index(flat, got.shape)
        steps = apart.reshape(-1)[flat]
        far = f"{int(steps)} ULPs apart" if np.isfinite(steps) else "one of them is NaN"
        return f"{_place(index)} is {got[index]}, expected {want[index]} ({far})"

    lines = [f"differs in {wrong.size} of {got.size} elements (rtol={rtol:g}, atol={atol:g}"
             + (f", ulps={ulps:g}" if ulps else "") + ")", f"  first: {element(first)}"]
    if worst != first:
        lines.append(f"  worst: {element(worst)}")
    return "\n".join(lines), {"rtol": rtol, "atol": atol, "ulps": ulps}

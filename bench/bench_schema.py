"""Compiled scalar kernels against the same in Numba and in C, on as many threads.

Kernels of kernels/ and of schema/kernels.py are built and launched by name. C: the loops of schema/peers.c. Numba: the
functions below, with parallel=True, called from compiled code so that its interpreter is not measured. At 1000 elements, where
a call costs more than the work, C is compiled for one thread and ours is the kernel's body alone; Numba is always against
whole launches. All run in turns, and a time is the best of several turns. OpenMP's threads, which Numba has too, wait
as ours do, without work: else they keep the cores from those whose turn it is.

    bench_schema.py build/klr [PART OF A NAME] [--json]
"""

import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time

THREADS = int(os.environ.get("KLR_BENCH_THREADS", os.cpu_count()))
os.environ["OMP_NUM_THREADS"] = os.environ["NUMBA_NUM_THREADS"] = str(THREADS)
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np  # noqa: E402
from numba import njit, prange  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
CATALOGUE = ["vector/vector_add", "reduction/vector_dot", "matrix/gemv_f32", "matrix/gemm_f32", "normalization/layer_norm"]
TURNS, BATCH, BUDGET = 60, 1e-3, 1.2  # turns of each; seconds of calls in a turn at least; seconds of all turns at most, beyond three
BINS = 256


class Argument(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("count", ctypes.c_uint64), ("value", ctypes.c_uint64), ("dtype", ctypes.c_uint8), ("is_array", ctypes.c_uint8),
                ("reserved", ctypes.c_uint8 * 6)]


# ---- what Numba runs

F32 = np.float32


@njit(parallel=True)
def vector_add(a, b, c, n):
    for i in prange(n):
        c[i] = a[i] + b[i]


@njit(parallel=True)
def saxpy(x, y, s, n):
    for i in prange(n):
        y[i] = s * x[i] + y[i]


@njit(parallel=True)
def vector_dot(a, b, result, n):
    total = F32(0)
    for i in prange(n):
        total += a[i] * b[i]
    result[0] += total


@njit(parallel=True)
def softmax_row(x, y):
    rows, columns = x.shape
    for row in prange(rows):
        most = x[row, 0]
        for i in range(1, columns):
            most = max(most, x[row, i])
        total = F32(0)
        for i in range(columns):
            e = np.exp(x[row, i] - most)
            y[row, i] = e
            total += e
        for i in range(columns):
            y[row, i] = y[row, i] / total


@njit(parallel=True)
def gemv_f32(A, x, y):
    for row in prange(A.shape[0]):
        total = F32(0)
        for j in range(A.shape[1]):
            total += A[row, j] * x[j]
        y[row] = total


@njit(parallel=True)
def gemm_f32(A, B, C):
    for row in prange(C.shape[0]):
        out = C[row]
        for j in range(C.shape[1]):
            out[j] = F32(0)
        for p in range(B.shape[0]):
            left, right = A[row, p], B[p]
            for j in range(C.shape[1]):
                out[j] += left * right[j]


@njit(parallel=True)
def layer_norm(x, gamma, beta, y, eps):
    rows, columns = x.shape
    for row in prange(rows):
        total = F32(0)
        for i in range(columns):
            total += x[row, i]
        mean = total / F32(columns)
        squares = F32(0)
        for i in range(columns):
            distance = x[row, i] - mean
            squares += distance * distance
        scale = F32(1) / np.sqrt(squares / F32(columns) + eps)
        for i in range(columns):
            y[row, i] = (x[row, i] - mean) * scale * gamma[i] + beta[i]


@njit(parallel=True)
def histogram(values, counts, n):
    own = np.zeros((THREADS, counts.size), np.uint32)
    for t in prange(THREADS):
        for i in range(n * t // THREADS, n * (t + 1) // THREADS):
            own[t, values[i]] += 1
    for t in range(THREADS):
        for k in range(counts.size):
            counts[k] += own[t, k]


def repeated(function, arity):
    """A compiled loop of calls: times, arguments."""
    names = ", ".join(f"a{i}" for i in range(arity))
    scope = {"njit": njit, "function": function}
    exec(f"@njit\ndef repeat(times, {names}):\n    for _ in range(times):\n        function({names})\n", scope)
    return scope["repeat"]


# ---- problems: the arguments in order, NumPy arrays and numbers

RNG = np.random.default_rng(0)


def normal(count):
    return RNG.standard_normal(count, F32)


def rows_and_columns(n):
    return (10, 100) if n == 1000 else (n // 1000, 1000)


def square(n):
    return round(n**0.5)


def gemm_arguments(n):
    side = square(n)
    k = 32 if n == 1000 else 256 if n < 10**7 else 64
    return [normal(side * k), normal(k * side), normal(side * side), side, side, k, k, side, side]


# What Numba is given where that is not the same: matrices.
SHAPED = {
    "softmax row": lambda x, y, rows, columns: (x.reshape(rows, columns), y.reshape(rows, columns)),
    "gemv": lambda A, x, y, m, n, _: (A.reshape(m, n), x, y),
    "gemm": lambda A, B, C, m, n, k, *_: (A.reshape(m, k), B.reshape(k, n), C.reshape(m, n)),
    "layer norm": lambda x, gamma, beta, y, rows, columns, eps: (x.reshape(rows, columns), gamma, beta, y.reshape(rows, columns), eps),
}
PROBLEMS = {
    "vector add": (vector_add, lambda n: [normal(n), normal(n), normal(n), n]),
    "saxpy": (saxpy, lambda n: [normal(n), normal(n), F32(-1), n]),
    "dot": (vector_dot, lambda n: [normal(n), normal(n), np.zeros(1, F32), n]),
    "softmax row": (softmax_row, lambda n: [normal(n), normal(n), *rows_and_columns(n)]),
    "gemv": (gemv_f32, lambda n: [normal(square(n)**2), normal(square(n)), normal(square(n)), square(n), square(n), square(n)]),
    "gemm": (gemm_f32, gemm_arguments),
    "layer norm": (layer_norm, lambda n: [normal(n), normal(1000), normal(1000), normal(n), *rows_and_columns(n), F32(1e-5)]),
    "histogram": (histogram, lambda n: [RNG.integers(0, BINS, n, np.uint32), np.zeros(BINS, np.uint32), n]),
}
SIZES = {"1e3": 1000, "1e6": 10**6, "3e7": 3 * 10**7}


def as_arguments(values):
    out = (Argument * len(values))()
    for argument, value in zip(out, values):
        if isinstance(value, np.ndarray):
            argument.data, argument.count, argument.is_array = value.ctypes.data, value.size, 1
            argument.dtype = 11 if value.dtype == F32 else 7
        elif isinstance(value, F32):
            argument.value, argument.dtype = int(value.view(np.uint32)), 11
        else:
            argument.value, argument.dtype = value, 7
    return out


# ---- the libraries

def build(klr, folder):
    sources = [os.path.join(ROOT, "kernels", name + ".py") for name in CATALOGUE] + [os.path.join(HERE, "schema", "kernels.py")]
    subprocess.run([klr, "schema", "build", *sources, "-o", folder], check=True, stdout=subprocess.DEVNULL, env=dict(os.environ, KLR_CACHE=""))
    bench = ctypes.CDLL(os.path.join(os.path.dirname(klr), "bench", "libbench_schema.so"))
    bench.bench_load.restype = bench.bench_error.restype = ctypes.c_char_p
    for name in ("launch", "body", "peer"):
        getattr(bench, f"bench_{name}").restype = ctypes.c_double
    problem = bench.bench_load(folder.encode())
    assert not problem, problem
    return bench


def build_peers(folder, *flags):
    path = os.path.join(folder, f"peers{len(flags)}")
    subprocess.run(["gcc", "-O3", "-march=native", "-ffp-contract=off", *flags, "-fPIC", "-shared", "-I", os.path.join(ROOT, "include"),
                    os.path.join(HERE, "schema", "peers.c"), "-o", path, "-lm"], check=True)
    return ctypes.CDLL(path)


class Contest:
    """Ways to compute one thing, timed in turns."""

    def __init__(self):
        self.ways = {}

    def add(self, name, run):
        """`run(times)` returns the seconds of a call."""
        self.ways[name] = run

    def seconds(self):
        first = {name: run(1) for name, run in self.ways.items()}
        first = {name: min(first[name], run(1)) for name, run in self.ways.items()}
        best, start, turn = dict(first), time.perf_counter(), 0
        while turn < 3 or (turn < TURNS and time.perf_counter() - start < BUDGET):
            for name, run in self.ways.items():
                time.sleep(0.002)  # threads of the one before may still wait actively
                best[name] = min(best[name], run(max(1, int(BATCH / max(first[name], 1e-9)))))
            turn += 1
        return best


def same(name, ours, theirs):
    for a, b in zip(ours, theirs):
        if isinstance(a, np.ndarray):
            assert np.allclose(a, b, rtol=2e-5, atol=1 if name == "dot" else 2e-5), name


class Measure:
    def __init__(self, klr, folder):
        self.bench, self.peers, self.peers_alone = build(klr, folder), build_peers(folder, "-fopenmp"), build_peers(folder, "-fopenmp-simd", "-w")

    def launch(self, kernel, arguments, times, threads=THREADS):
        seconds = self.bench.bench_launch(kernel.encode(), arguments, ctypes.c_size_t(len(arguments)), threads, ctypes.c_uint64(times))
        assert seconds >= 0, self.bench.bench_error().decode()
        return seconds

    def problem(self, name, n):
        """Seconds of each way to compute it; also that all compute the same."""
        function, make = PROBLEMS[name]
        kernel, values = function.py_func.__name__, make(n)
        contest, count = Contest(), ctypes.c_size_t(len(values))
        theirs, numbas = ([value.copy() if isinstance(value, np.ndarray) else value for value in values] for _ in range(2))
        row, peer_row = as_arguments(values), as_arguments(theirs)
        shaped = SHAPED.get(name, lambda *given: given)
        given = shaped(*values)
        peer, repeat = getattr(self.peers_alone if n == 1000 else self.peers, kernel), repeated(function, len(given))
        self.launch(kernel, row, 1)
        self.bench.bench_peer(peer, peer_row, count, ctypes.c_uint64(1))
        repeat(1, *shaped(*numbas))
        same(name, values, theirs), same(name, values, numbas)
        del peer_row, theirs, numbas  # from now on all use the same memory

        def numba(times):
            start = time.perf_counter()
            repeat(times, *given)
            return (time.perf_counter() - start) / times

        contest.add("ours", lambda times: self.launch(kernel, row, times))
        if n == 1000:
            contest.add("body", lambda times: self.bench.bench_body(kernel.encode(), row, count, ctypes.c_uint64(times)))
        contest.add("C", lambda times: self.bench.bench_peer(peer, row, count, ctypes.c_uint64(times)))
        contest.add("Numba", numba)
        return contest.seconds()

    def overhead(self):
        row = as_arguments([normal(1), normal(1), normal(1), 1])
        return min(self.launch("vector_add", row, 2000, threads=0) for _ in range(200))


def compile_seconds(klr, folder, *sources, cache="", turns=20):
    """From Python to libraries: seconds of the whole process, and of all processors. `cache`: the folder of kept ones, none at first."""
    best, best_user = 1e9, 1e9
    for _ in range(turns):
        start = time.perf_counter()
        process = subprocess.Popen([klr, "schema", "build", *sources, "-o", os.path.join(folder, "again")], stdout=subprocess.DEVNULL,
                                   env=dict(os.environ, KLR_CACHE=cache))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        best, best_user = min(best, time.perf_counter() - start), min(best_user, usage.ru_utime + usage.ru_stime)
    return best, best_user


def building(klr, folder, wanted):
    """Rows of building."""
    source = [os.path.join(ROOT, "kernels", name + ".py") for name in ("vector/vector_add", "matrix/gemm_f32")]
    if wanted in "vector_add.py to a library":
        wall, processor = compile_seconds(klr, folder, source[0])
        yield "vector_add.py to a library", wall, "goal", 150e-3, "s", 1
        yield "vector_add.py to a library, of the processor", processor, "goal", 150e-3, "s", 1
    if wanted in "gemm_f32.py to a library":
        yield "gemm_f32.py to a library, of the processor", compile_seconds(klr, folder, source[1], turns=10)[1], "goal", 400e-3, "s", 1
    if wanted in "kernels/ to libraries":
        yield "kernels/ to libraries, of the processor", compile_seconds(klr, folder, os.path.join(ROOT, "kernels"), turns=2)[1], "goal", 13, "s", 1
    if wanted in "gemm_f32.py, kept":
        yield "gemm_f32.py, kept", compile_seconds(klr, folder, source[1], cache=os.path.join(folder, "kept"), turns=40)[0], "goal", 5e-3, "s", 1


def from_python(klr):
    """Seconds of a call of a `@kernel` function with two arrays of 16 elements and two numbers; of its first call without a cache; the
    same of all processors."""
    sys.path.insert(0, os.path.join(os.path.dirname(klr), "python"))
    os.environ["KLR_CACHE"] = ""
    from klr.schema import DeviceArray, f32, get_global_id, kernel, u32

    @kernel
    def saxpy(x: DeviceArray[f32], y: DeviceArray[f32], s: f32, n: u32):
        i = get_global_id()
        if i < n:
            y[i] = s * x[i] + y[i]

    x, y, first, processor, best = normal(16), normal(16), 1e9, 1e9, 1e9
    for _ in range(10):
        saxpy._program.forget()
        start, used = time.perf_counter(), sum(os.times()[:4])
        saxpy(x, y, -1.0, 16)
        first, processor = min(first, time.perf_counter() - start), min(processor, sum(os.times()[:4]) - used)
    for _ in range(200):
        start = time.perf_counter()
        for _ in range(1000):
            saxpy(x, y, -1.0, 16)
        best = min(best, (time.perf_counter() - start) / 1000)
    return best, first, processor


def rows(klr, wanted=""):
    with tempfile.TemporaryDirectory() as folder:
        measure = Measure(klr, folder)
        for name in PROBLEMS:
            for size, n in SIZES.items():
                title = f"{name}, {size}"
                if wanted not in title:
                    continue
                seconds = measure.problem(name, n)
                yield title, seconds["ours"], "Numba", seconds["Numba"], "s", 1
                yield title, seconds.get("body", seconds["ours"]), "C", seconds["C"], "s", 0.9
        if wanted in "launch of one element":
            yield "launch of one element", measure.overhead(), "goal", 200e-9, "s", 1
        yield from building(klr, folder, wanted)
        if wanted in "saxpy from Python":
            call, first, processor = from_python(klr)
            yield "saxpy from Python, 16 elements", call, "goal", 3e-6, "s", 1
            yield "saxpy from Python, compiled at the first call", first, "goal", 150e-3, "s", 1
            yield "saxpy from Python, first call, of the processor", processor, "goal", 150e-3, "s", 1


def main():
    words = [word for word in sys.argv[1:] if word != "--json"]
    for row in rows(os.path.abspath(words[0]), *words[1:2]):
        name, ours, peer, theirs, _, goal = row
        print(json.dumps(row) if "--json" in sys.argv else
              f"{name:46} {ours * 1e6:12.3f} us  {peer:6} {theirs * 1e6:12.3f} us  {theirs / ours:6.2f}  {goal:g}{'' if theirs / ours >= goal else '  not met'}",
              flush=True)


if __name__ == "__main__":
    main()

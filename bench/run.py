"""Measures klr side by side with NumPy, OpenBLAS, CPython, Numba and C, and prints one table: on one thread, but for whole
kernels and scalar kernels.

    bench/run.py build/klr [--markdown]

Every peer runs here and now, so ratios hold for this computer whatever its speed. A time is the best of several
repetitions, since what else the computer does can only add to it; `ratio` is ours against the peer's or the goal, above 1
when ours is better.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy loads it
import bench_classes  # noqa: E402
import numpy as np  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
REPETITIONS = 30


class Missing(Exception):
    """What a row needs is not there."""


def seconds_per_call(function):
    """Best mean over runs of calls that take about a millisecond together: short, so that some are not interrupted."""
    function()
    start = time.perf_counter()
    function()
    calls = max(1, int(1e-3 / (time.perf_counter() - start)))
    times = []
    for _ in range(200):
        start = time.perf_counter()
        for _ in range(calls):
            function()
        times.append((time.perf_counter() - start) / calls)
    return min(times)


def run(command, environment=None):
    """Runs a command that must succeed; returns what it wrote on both streams, its seconds and its peak bytes."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env=environment)
    out, err = process.communicate()
    seconds = time.perf_counter() - start
    if process.returncode != 0:
        lines = err.strip().splitlines() or ["failed"]
        raise Missing(lines[-1] if lines[0].startswith("Traceback") else lines[0])  # what Python says of itself ends with the reason
    return out, err, seconds


def rounded(value, unit):
    """A value with its unit, in three digits."""
    if unit == "s":
        for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "us"), (1e9, "ns")):
            if value * factor >= 1:
                return f"{value * factor:.3g} {name}"
        return f"{value * 1e9:.2g} ns"
    for factor, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:.3g} {name}{unit}"
    return f"{value:.4g} {unit}"


class Bench:
    """The rows, measured in order; each method yields (name, ours, peer's name, peer, unit, least ratio wanted)."""

    def __init__(self, klr):
        self.klr = klr
        self.programs = os.path.join(os.path.dirname(klr), "bench")
        self.simulated = None

    def simulator(self, name):
        """Seconds that one instruction adds to a run, by bench_sim."""
        if self.simulated is None:
            program = os.path.join(self.programs, "bench_sim")
            if not os.path.exists(program):
                raise Missing(f"{program} is not built")
            out, _, _ = run([program])
            self.simulated = {line.split()[0]: float(line.split()[1]) * 1e-9 for line in out.splitlines()}
        return self.simulated[name]

    def parser(self):
        path = os.path.join(HERE, "bench_parser.py")
        if not os.path.exists(path):
            raise Missing("bench_parser.py is not there")
        out, _, _ = run([sys.executable, path, self.klr, "--json"])
        result = json.loads(out)
        yield "parser, standard library", result["klr_seconds"], "ast.parse", result["python_seconds"], "s", 5

    def trace(self, depth, size):
        """Traces a blocked size x depth x size product: operators, seconds of tracing, peak bytes of the process."""
        kernel = os.path.join(ROOT, "examples", "matmul.py:matmul_blocked")
        shape = f"bf16[{depth},{size}]"
        process = subprocess.Popen([self.klr, "run", "--trace-only", "--time", kernel, f"lhs_t={shape}", f"rhs={shape}"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        operators, seconds = re.search(r"(\d+) operators", out), re.search(r"trace ([\d.]+) ms", err)
        if process.returncode != 0 or not operators or not seconds:
            raise Missing((err.strip().splitlines() or ["trace failed"])[0])
        return int(operators[1]), float(seconds[1]) * 1e-3, usage.ru_maxrss * 1024

    def tracer(self):
        small = [self.trace(4096, 4096) for _ in range(REPETITIONS)]
        operators, seconds = small[0][0], min(result[1] for result in small)
        yield "tracer, blocked matmul 4096^3", operators / seconds, "goal", 1e6, "operators/s", 1
        # Peaks that are well above that of this process, which a child starts with.
        large = [self.trace(4096, 16384), self.trace(8192, 16384), self.trace(8192, 16384)]
        many, most_seconds = large[1][0], min(large[1][1], large[2][1])
        yield ("bytes per operator, to trace and verify", (large[1][2] - large[0][2]) / (many - large[0][0]), "goal", 450,
               "B", 1)
        yield "seconds per operator, 16384x8192x16384", most_seconds / many, "4096^3", seconds / operators, "s", 0.8

    def process(self):
        kernel = os.path.join(ROOT, "examples", "tensor_add.py")
        with tempfile.TemporaryDirectory() as folder:
            for name in "ab":
                np.save(os.path.join(folder, name), np.random.default_rng(0).standard_normal((128, 512), np.float32))
            command = [self.klr, "run", kernel, f"a=@{folder}/a.npy", f"b=@{folder}/b.npy", "--out", f"{folder}/out"]
            seconds = min(run(command)[2] for _ in range(REPETITIONS))
        yield "klr run, 128x512 add, whole process", seconds, "goal", 10e-3, "s", 1

    def matmul(self):
        rng = np.random.default_rng(0)
        stationary, moving = (rng.standard_normal(shape).astype(np.float32) for shape in ((128, 128), (128, 512)))
        out = np.empty((128, 512), np.float32)
        peer = seconds_per_call(lambda: np.matmul(stationary.T, moving, out=out))
        yield "nc_matmul 128x128x512 f32", self.simulator("nc_matmul_f32"), "OpenBLAS", peer, "s", 0.9
        yield "nc_matmul 128x128x512 bf16", self.simulator("nc_matmul_bf16"), "OpenBLAS f32", peer, "s", 0.9

    def classes(self):
        for name, ours, peer_name, peer in bench_classes.rows(self.klr):
            yield name, ours, peer_name, peer, "s", 1

    def whole(self):
        # In a process of its own, where NumPy has all threads.
        environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
        out, _, _ = run([sys.executable, os.path.join(HERE, "bench_whole.py"), self.klr, "--json"], environment)
        for name, ours, peer_name, peer, outside in map(json.loads, out.splitlines()):
            yield name, ours, peer_name, peer, "s", 1
            yield "its share outside of tile arithmetic", 100 * outside, "goal", 10, "%", 1

    def overhead(self):
        yield "fixed cost of an instruction", self.simulator("one_element"), "goal", 1e-6, "s", 1
        checked, unchecked = self.simulator("tensor_tensor_f32"), self.simulator("tensor_tensor_f32_unchecked")
        yield "all checks, tensor_tensor 128x512", checked, "unchecked", unchecked, "s", 0.5
        checked, unchecked = self.simulator("one_element"), self.simulator("one_element_unchecked")
        yield "all checks, one element", checked, "unchecked", unchecked, "s", 0.5

    def placement(self):
        out, _, _ = run([os.path.join(self.programs, "bench_place")])
        seconds = {line.split()[0]: float(line.split()[1]) * 1e-9 for line in out.splitlines()}
        yield "placing a tile of 100,000, live ranges included", seconds["place"], "goal", 1e-6, "s", 1

    def schema(self):
        # In an environment of its own: nothing else needs Numba.
        python = os.path.join(ROOT, ".venv-bench", "bin", "python")
        if not os.path.exists(python):
            raise Missing("Numba is not installed: tools/setup.sh bench")
        environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
        out, _, _ = run([python, os.path.join(HERE, "bench_schema.py"), self.klr, "--json"], environment)
        yield from map(json.loads, out.splitlines())

    def rows(self):
        for part in (self.parser, self.tracer, self.process, self.matmul, self.classes, self.whole, self.overhead,
                     self.placement, self.schema):
            try:
                yield from part()
            except Missing as reason:
                yield f"{part.__name__}: not measured ({reason})", None, "", None, "", 0


def table(rows, markdown):
    """Lines of the table as rows come in."""
    columns = ("what", "ours", "peer", "", "ratio", "goal", "")
    form = "| {} | {} | {} {} | {} | {} | {} |" if markdown else "{:58} {:>16}  {:13} {:>14}  {:>6}  {:>5}  {}"
    yield form.format(*columns)
    if markdown:
        yield "| --- | ---: | ---: | ---: | ---: | --- |"
    for name, ours, peer_name, peer, unit, least in rows:
        if ours is None:
            yield form.format(name, "", "", "", "", "", "-") if markdown else name
            continue
        ratio = ours / peer if unit.endswith("/s") else peer / ours
        yield form.format(name, rounded(ours, unit), peer_name, rounded(peer, unit), f"{ratio:.2f}", f"{least:g}",
                          "met" if ratio >= least else "not met")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("klr")
    parser.add_argument("--markdown", action="store_true")
    args = parser.parse_args()
    for line in table(Bench(os.path.abspath(args.klr)).rows(), args.markdown):
        print(line, flush=True)


if __name__ == "__main__":
    main()

"""The threads that launch: how work is cut for them, what runs first, forks, signals, launches at the same time."""

import ctypes
import os
import random
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from conftest import ROOT
from schema_library import BLOCK, COMPILERS, Interpreted, Kernels
from test_schema_launch import U32, Launch, Registry, api, array, build, number  # noqa: F401

U64 = 8


class Range(ctypes.Structure):
    _fields_ = [("begin", ctypes.c_uint64), ("end", ctypes.c_uint64), ("thread", ctypes.c_uint64)]


class Noted:
    """The kernels of launch_ranges.c."""

    def __init__(self, registry, path):
        assert registry.load(path), registry.error()
        self.registry, self.library = registry, ctypes.CDLL(str(path))
        self.library.ranges_reset.argtypes = [ctypes.c_long]

    def run(self, name, units, threads, nanoseconds=0, group=1):
        counts, total = np.zeros(units, np.uint32), np.zeros(1, np.uint64)
        self.library.ranges_reset(nanoseconds)
        row = [array(counts, U32), array(total, U64)]
        launched = self.registry.api.klr_launch(self.registry.registry, self.registry.find(name), (type(row[0]) * 2)(*row), 2, Launch((0, 0, 0), (group, 1, 1), threads))
        assert launched, self.registry.error()
        first = ctypes.POINTER(Range)()
        ranges = [(r.begin, r.end, r.thread) for r in first[:self.library.ranges_get(ctypes.byref(first))]] if units else []
        return counts, int(total[0]), ranges


@pytest.fixture(scope="module")
def noted(tmp_path_factory):
    path = tmp_path_factory.mktemp("pool") / "ranges.so"
    subprocess.run([COMPILERS[0], "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", "-Iinclude", "tests/number/launch_ranges.c", "-o", path], cwd=ROOT, check=True)
    return path


@pytest.mark.parametrize("name", ["cheap", "loops", "groups", "sums"])
def test_every_unit_runs_once(api, noted, name):  # noqa: F811
    draw = random.Random(name)
    with Registry(api) as registry:
        kernels = Noted(registry, noted)
        cases = [(units, threads) for units in (0, 1, 2, 3, 63, 64, 65, 1023, BLOCK, BLOCK + 1, 10 * BLOCK + 7) for threads in (1, 2, 3, 7, 64)]
        cases += [(draw.randrange(1 << draw.randrange(1, 19)), draw.randrange(1, 65)) for _ in range(60)] + [(300007, 256)]
        for units, threads in cases:
            counts, total, ranges = kernels.run(name, units, threads)
            assert (counts == 1).all(), (units, threads)
            assert all(begin < end for begin, end, _ in ranges)
            if name == "sums":
                assert total == -(-units // BLOCK) and all(begin % BLOCK == 0 and (end % BLOCK == 0 or end == units) for begin, end, _ in ranges)
                assert units == 0 or len(ranges) <= 8 * threads
            if name == "cheap" and units <= 30000:
                assert len(ranges) <= 1  # nobody is woken


def test_few_units_run_before_the_others_help(api, noted):  # noqa: F811
    with Registry(api) as registry:
        kernels = Noted(registry, noted)
        for name in ("loops", "groups"):
            _, _, ranges = kernels.run(name, 320, 4, nanoseconds=1_000_000)
            assert ranges[0][:2] == (0, 1) and ranges[0][2] in {thread for _, _, thread in ranges[1:]}  # one millisecond is enough to tell
            assert sorted((begin, end) for begin, end, _ in ranges[1:]) == [(begin, min(begin + 11, 320)) for begin in range(1, 320, 11)]
            assert len({thread for _, _, thread in ranges}) > 1
            best = min((kernels.run(name, 4000, 4)[2] for _ in range(20)), key=len)  # what is fast is told after 64, and goes on alone
            assert [(begin, end) for begin, end, _ in best] == [(0, 1), (1, 2), (2, 4), (4, 8), (8, 16), (16, 32), (32, 64), (64, 4000)]


def test_who_comes_late_is_helped_when_the_threads_are_free(api, noted):  # noqa: F811
    """A launch that begins while another has the threads takes them when that one ends."""
    with Registry(api) as registry:
        kernels = Noted(registry, noted)
        kernels.run("groups", 400, 2)
        kernels.library.ranges_reset(1_000_000)
        counts = [np.zeros(units, np.uint32) for units in (200, 1500)]
        totals = np.zeros(2, np.uint64)

        def launch(k):
            assert registry.launch(registry.find("loops"), [array(counts[k], U32), array(totals[k:k + 1], U64)], threads=4)

        workers = [threading.Thread(target=launch, args=(k,)) for k in (0, 1)]
        for worker in workers:
            worker.start()
            time.sleep(0.01)
        for worker in workers:
            worker.join()
        first = ctypes.POINTER(Range)()
        ranges = first[:kernels.library.ranges_get(ctypes.byref(first))]
        assert all((count == 1).all() for count in counts)
        assert len({r.thread for r in ranges if r.end > 200}) == 4


FORKS = """
import os, sys, threading
sys.path.insert(0, {tests!r})
import numpy as np
from test_schema_launch import *
api = (getattr(api, "__wrapped__", None) or api.__pytest_wrapped__.obj)()
N = 200000
def check(registry, kernel, threads):
    x, y = np.arange(N, dtype=np.float32), np.ones(N, np.float32)
    assert registry.launch(kernel, [array(x), array(y), number(2, F32), number(N)], threads), registry.error()
    assert (y == 2 * x + 1).all()
registry = Registry(api)
assert registry.load({path!r}), registry.error()
kernel = registry.find("saxpy")
check(registry, kernel, 3)
stop = []
def launch():
    while not stop:
        check(registry, kernel, 2)
        api.klr_registry_count(registry.registry)
workers = [threading.Thread(target=launch) for _ in range(3)]
[w.start() for w in workers]
for turn in range(40):
    child = os.fork()
    if child == 0:
        try:
            check(registry, kernel, 3)
            if turn % 4 == 0:
                assert registry.unload({path!r}) and registry.load({path!r})
                check(registry, registry.find("saxpy"), 2)
                registry.__exit__()
            os._exit(7)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
stop.append(1)
[w.join() for w in workers]
registry.__exit__()
print("done")
"""


def test_forks_while_threads_launch(tmp_path):
    path = build(tmp_path / "lib")
    script = tmp_path / "forks.py"
    script.write_text(FORKS.format(tests=os.path.join(ROOT, "tests", "python"), path=str(path)))
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    assert done.stdout == "done\n" and not done.returncode, done.stderr


def test_helpers_have_a_name_and_leave_signals_to_the_program(api, noted):  # noqa: F811
    def threads():
        told = {}
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/status", encoding="ascii") as text:
                rows = dict(line.rstrip("\n").split(":\t", 1) for line in text if ":\t" in line)
            told[int(task)] = rows["Name"], int(rows["SigBlk"], 16)
        return told
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("no /proc")
    before = threads()
    with Registry(api) as registry:
        Noted(registry, noted).run("groups", 4000, 5, nanoseconds=100_000)
        now = threads()
        helpers = [state for task, state in now.items() if task not in before]
        assert [name for name, _ in helpers] == ["klr helper"] * 4
        bit = {name: 1 << (number - 1) for name, number in (("INT", 2), ("SEGV", 11), ("TERM", 15), ("ALRM", 14), ("PROF", 27))}
        assert all([bool(blocked & bit[name]) for name in bit] == [True, False, True, True, False] for _, blocked in helpers)
        assert not now[os.getpid()][1] & bit["INT"]
    assert set(threads()) == set(before)  # they end with the last registry


SUMS = """from atlas_kernel import *
def k(x: DeviceArray[f32], r: DeviceArray[f32], most: DeviceArray[f32], odd: DeviceArray[u32], rows: u32, columns: u32):
    row = get_global_id()
    if row < rows:
        total = 0.0
        for j in range(columns):
            total += x[row * columns + j] * x[row * columns + j]
        if total > 1.0:
            atomic_add_f32(r, sqrt(total))
        atomic_max(most, 0, total)
        for j in range(columns):
            if x[row * columns + j] < -2.0:
                return
        atomic_add(odd, 0, row % 2)
"""


def test_rows_that_are_summed_are_shared_among_cores(api, tmp_path):  # noqa: F811
    """Values of threads are folded to the bits of the fixed order, however the rows are cut, also where there are too many to keep."""
    library = build(tmp_path / "lib", SUMS)
    assert Kernels(library).infos["k"].stages[0].fold
    with Registry(api) as registry:
        assert registry.load(library), registry.error()
        for rows, columns in ((0, 3), (1, 3), (15, 4), (16, 1), (17, 2), (BLOCK - 1, 2), (BLOCK, 3), (BLOCK + 1, 5), (3 * BLOCK + 77, 2), (1000, 300), ((1 << 20) // 3 + 5, 1)):
            x = np.random.default_rng(rows).standard_normal(rows * columns + 1).astype(np.float32)
            results = set()
            for threads in (1, 2, 7):
                r, most, odd = np.zeros(1, np.float32), np.full(1, -np.inf, np.float32), np.zeros(1, np.uint32)
                row = [array(x), array(r), array(most), array(odd, U32), number(rows), number(columns)]
                assert registry.api.klr_launch(registry.registry, registry.find("k"), (type(row[0]) * 6)(*row), 6, Launch((0, 0, 0), (0, 0, 0), threads)), registry.error()
                results.add(r.tobytes() + most.tobytes() + odd.tobytes())
            assert len(results) == 1, (rows, columns)
            if rows < 20000:
                want = Interpreted(SUMS).run("k", dict(x=x, r=np.zeros(1, np.float32), most=np.full(1, -np.inf, np.float32), odd=np.zeros(1, np.uint32), rows=rows,
                                                       columns=columns), steps=10**8)
                assert results == {want["r"].tobytes() + want["most"].tobytes() + want["odd"].tobytes()}, (rows, columns)

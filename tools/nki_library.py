"""nki_library.py CHECKOUT [PYTEST ARGUMENT]...: the tests of an aws-neuron/nki-library checkout on the simulator.

The checkout is not changed. What its tests import and do not need on a CPU (clients of machines and services) is replaced
by empty modules; the three mistakes of the published tree that keep whole test modules from loading are mended while they
are read: a doubled docstring in mlp.py, a missing import in test_qkv_tkg.py, the old name of the package of topk_reduce.
Its references of MX quantisation have the scales of the OCP sample, not the documented ones of `quantize_mx`, so the simulator
is told to compute those (KLR_MX_SCALES=ocp); and they expect zeros in memory that nobody wrote (KLR_UNWRITTEN=zero).
Cases of several ranks, which its simulation mode leaves out, run on as many ranks. Large MX inputs are made of 4096 blocks
that its generator has drawn.

With KLR_REPORT=FILE in the environment a line of JSON is added there for each case: its kernel, whether it was traced,
run and matched, seconds (of tracing those of the processor), its largest array, and what went wrong; before them a line
with all that there are, and one as each starts. Cases that FILE has results of are not run again, with KLR_RETRY=1 only
those that matched. KLR_CASE_SECONDS=N ends a case after that time. KLR_LARGEST=N runs of each test only the N largest
shapes that its simulation mode leaves out, of those the -N smallest with a negative number.

With KLR_ORACLE=1 each kernel is also run as plain Python, and what both ways execute and compute must be the same,
instruction by instruction and bit by bit.
"""

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import json
import linecache
import math
import os
import pathlib
import re
import signal
import sys
import time
import types

MISSING = ["boto3", "botocore", "fabric2", "paramiko", "filelock", "aws_embedded_metrics", "plotext", "invoke",
           "test.utils.scripts", "test.utils.perf_analysis_private"]


class _Anything(types.ModuleType):
    """A module in which every name is a class that takes anything."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        made = type(name, (Exception,), {"__init__": lambda self, *a, **k: None})
        setattr(self, name, made)
        return made


class _Stubs(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path, target=None):
        if any(name == m or name.startswith(m + ".") for m in MISSING):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        module = _Anything(spec.name)
        module.__path__ = []
        return module

    def exec_module(self, module):
        pass


def _mend(path, text):
    if path.endswith("core/mlp/mlp.py"):
        # The end of the docstring of `mlp` stands twice.
        tail = re.compile(r'("""\n)(\n        TKG mode supports:.*?\n    """\n)', re.S)
        return tail.sub(lambda m: m.group(1) + "\n" * (m.group(2).count("\n")), text, count=1)
    return text


class _Mending(importlib.machinery.SourceFileLoader):
    def get_data(self, path):
        data = super().get_data(path)
        if not path.endswith(".py"):
            return data
        text = _mend(path, data.decode())
        linecache.cache[path] = (len(text), None, text.splitlines(True), path)  # what kernels are traced from
        return text.encode()

    def path_stats(self, path):
        raise OSError("never from a cache")

    def set_data(self, path, data, *, _mode=0o666):
        pass


class _MendingFinder(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        parent, _, last = name.rpartition(".")
        if last == "subkernels" and parent.endswith(".experimental"):  # its kernel has moved to `collectives`
            spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [os.path.join(folder, "collectives") for folder in path or ()]
            return spec
        if last != "mlp":
            return None
        for folder in path or sys.path:
            file = os.path.join(folder, last + ".py")
            if os.path.exists(file):
                return importlib.util.spec_from_file_location(name, file, loader=_Mending(name, file))
        return None


def _over_ranks(setup):
    """The harness's `run_simulator_inference` for cases whose ranks have inputs of their own; others run as before."""
    import numpy as np

    alone, simulate, expected = setup.run_simulator_inference, setup.simulate_kernel, []

    def simulated(*arguments):
        # A packed type that is expected as another of its size is its bits, as in the files that a device writes.
        results = simulate(*arguments)
        for i, dtype in enumerate(expected[:len(results)]):
            if results[i].dtype.kind == "V" and dtype.kind != "V" and results[i].dtype.itemsize == dtype.itemsize:
                results[i] = results[i].view(dtype)
        return results

    def own_arrays(value):
        if isinstance(value, (list, tuple)):
            return type(value)(own_arrays(item) for item in value)
        return value.copy() if isinstance(value, np.ndarray) else value

    def run(test):
        from klr._jit import Kernel
        from test.utils.common_dataclasses import PerRankLazyInputGenerator, normalize_golden_output

        ranks, given = test.inference_args.collective_ranks, test.kernel_input
        if ranks <= 1 and not isinstance(given, PerRankLazyInputGenerator):
            golden = normalize_golden_output(test.validation_args.golden_output) if test.validation_args else {}
            expected[:] = [np.dtype(getattr(array, "dtype", object)) for array in golden.values()]
            return alone(test)
        os.environ["NKI_NC_VERSION"] = test.compiler_input.platform_target.get_nc_gen()
        inputs = [given.for_rank(rank) if isinstance(given, PerRankLazyInputGenerator) else given or {} for rank in range(ranks)]
        if ranks > 1:  # ranks write their own
            inputs = [{name: own_arrays(value) for name, value in one.items()} for one in inputs]
        inputs = [{name.removesuffix(".must_alias_input"): value for name, value in own.items()} for own in inputs]
        results = Kernel(test.kernel_func)[test.compiler_input.logical_nc_config].ranks(inputs)
        named = {}
        for rank, result in enumerate(results):
            result = list(result) if isinstance(result, (tuple, list)) else [] if result is None else [result]
            golden = normalize_golden_output(test.validation_args.golden_output, rank)
            if len(result) != len(golden):
                raise RuntimeError(f"rank {rank} returned {len(result)} results, {len(golden)} are expected")
            folder = f"output_worker_{rank}/" if ranks > 1 else ""
            for (name, wanted), array in zip(golden.items(), result):
                named[folder + name] = np.asarray(array, dtype=wanted.dtype)
        return named

    setup.run_simulator_inference, setup.simulate_kernel = run, simulated


def _dump_in_folders(orchestrator):
    """The harness writes results below one folder; those of ranks lie in folders of it."""
    inner = orchestrator._dump_output_tensors

    def dump(self, output_tensors):
        for name in output_tensors:
            if "/" in name:
                from test.utils.test_orchestrator import INF_ARTIFACT_DIR_NAME

                folder = os.path.join(self.fs_config.artifacts_output_directory_path, INF_ARTIFACT_DIR_NAME)
                os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
        return inner(self, output_tensors)

    orchestrator._dump_output_tensors = dump


def _with_few_draws(generators, blocks=4096):
    """Its MX inputs are drawn block after block, which takes minutes for production's; large ones are of `blocks` such blocks."""
    import numpy as np

    draw, drawn = generators.generate_stabilized_mx_data, {}

    def generate(mx_dtype, shape, val_range=1.0):
        rows, columns = shape[0] // 8, shape[1] // 4
        if val_range == 0 or rows * columns <= blocks or shape[0] % 8 or shape[1] % 4:
            return draw(mx_dtype, shape, val_range)
        if (mx_dtype, val_range) not in drawn:
            drawn[mx_dtype, val_range] = draw(mx_dtype, (8, 4 * blocks), val_range)
        values, units, scales = drawn[mx_dtype, val_range]
        which = np.random.randint(blocks, size=(rows, columns))
        in_place = lambda chosen: np.moveaxis(chosen, 0, 1).reshape(shape[0], -1)
        return in_place(values.reshape(8, blocks, 4)[:, which]), in_place(units[:, which]), scales[0][which]

    generators.generate_stabilized_mx_data = generate


def _with_plain_names(framework):
    """What describes a test's outputs finds arrays that are written in place by the names of their parameters as well."""
    inner = framework.__init__

    def init(self, *arguments, **keywords):
        inner(self, *arguments, **keywords)
        describe = self.output_tensor_descriptor
        self.output_tensor_descriptor = lambda given: describe(
            {**{name.removesuffix(".must_alias_input"): value for name, value in given.items()}, **given})

    framework.__init__ = init


class _Plugin:
    """Sets what the harness reads in simulation mode and only its compiling modes set."""

    @staticmethod
    def pytest_collection():
        import builtins
        from test.utils.common_dataclasses import Platforms

        builtins.Platforms = Platforms  # test_qkv_tkg uses the name and does not import it
        from test.integration.nkilib.utils import tensor_generators

        _with_few_draws(tensor_generators)

    @staticmethod
    def pytest_collection_modifyitems():
        from test.utils import test_orchestrator

        test_orchestrator.Orchestrator._compiled_kernel = None
        _dump_in_folders(test_orchestrator.Orchestrator)
        from test.utils import simulation_setup, unit_test_framework

        _over_ranks(simulation_setup)
        _with_plain_names(unit_test_framework.UnitTestFramework)

    @staticmethod
    def pytest_sessionstart():
        if os.environ.get("KLR_LARGEST"):
            from test.utils import simulation_setup

            _only_largest(simulation_setup, int(os.environ["KLR_LARGEST"]))


def _only_largest(simulation_setup, per_test):
    """Instead of leaving large shapes out, the harness runs the `per_test` largest of them of each test (the smallest of them with
    a negative number), and nothing else."""
    is_large = simulation_setup.skip_slow_simulation_tests

    def size(item):
        return math.prod(int(n) for n in re.findall(r"\d+", item.name.partition("[")[2]) if int(n)), item.name

    def choose(items, marker):
        is_large(items, "klr_large")
        tests = {}
        for item in items:
            if item.get_closest_marker("klr_large") and item.get_closest_marker(item.config.getoption("--platform-target")):
                tests.setdefault(item.nodeid.partition("[")[0], []).append(item)
        some = slice(-per_test, None) if per_test > 0 else slice(None, -per_test)
        items[:] = [item for large in tests.values() for item in sorted(large, key=size)[some]]

    simulation_setup.skip_slow_simulation_tests = choose


def lines_of(path):
    """The lines of the report at `path`, without what was cut off as somebody ended the process."""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for line in file:
                try:
                    yield json.loads(line)
                except json.JSONDecodeError:
                    continue


def results_of(path):
    """{case: its latest line} of the report at `path`; a case that was started and has no result is there as it started."""
    found = {}
    for line in lines_of(path):
        name = line.get("case") or line.get("start")
        if name:
            found.pop(name, None)  # the latest last
            found[name] = line
    return found


class _Report:
    """Writes KLR_REPORT."""

    def __init__(self, path):
        from klr import _jit

        self.path, self.case = path, {}
        self.seconds = float(os.environ.get("KLR_CASE_SECONDS", 0))
        find, run = _jit.Kernel._find, _jit.run_ranks

        def timed_find(kernel, *arguments):
            self.case["kernel"] = getattr(kernel, "__name__", "?")
            traced, arrays = self._timed("trace_seconds", time.thread_time, "traced", find, kernel, *arguments)
            largest = max(arrays, key=lambda array: math.prod(array.shape), default=None)
            if largest is not None:
                self.case["largest"] = [list(largest.shape), str(largest.dtype).removeprefix("torch.")]
            return traced, arrays

        _jit.Kernel._find = timed_find
        _jit.run_ranks = lambda *arguments: self._timed("run_seconds", time.monotonic, "simulated", run, *arguments)

    def _timed(self, seconds, clock, done, function, *arguments):
        start = clock()
        try:
            result = function(*arguments)
            self.case[done] = True
            return result
        finally:
            self.case[seconds] = self.case.get(seconds, 0) + clock() - start

    def _write(self, **line):
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def pytest_collection_finish(self, session):
        if os.path.exists(self.path):
            with open(self.path, "a", encoding="utf-8") as file:
                file.write("\n")  # after a line that was cut off
        self._write(collected=[item.nodeid for item in session.items])
        known, again = results_of(self.path), os.environ.get("KLR_RETRY") == "1"
        done = {name for name, line in known.items()
                if line.get("matched") or "case" in line and not line.get("skipped") and not again}
        session.items[:] = [item for item in session.items if item.nodeid not in done]

    def pytest_collectreport(self, report):
        if report.failed:
            self._write(broken=report.nodeid, failure=str(report.longrepr).strip().splitlines()[-1])

    def pytest_runtest_logstart(self, nodeid):
        self.case = {"case": nodeid}
        self._write(start=nodeid, at=time.time())

    def _late(self, *_):
        raise TimeoutError(f"not done in {self.seconds:g} s")

    def pytest_runtest_setup(self):
        if self.seconds:
            signal.signal(signal.SIGALRM, self._late)
            signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def pytest_runtest_makereport(self, call):
        case = self.case
        if call.when == "setup" and call.excinfo:
            self._write(**case, skipped=call.excinfo.typename == "Skipped", failure=str(call.excinfo.value)[:300])
        elif call.when == "call":
            signal.setitimer(signal.ITIMER_REAL, 0)
            skipped = bool(call.excinfo) and call.excinfo.typename == "Skipped"
            if not call.excinfo:
                case.update(traced=True, simulated=True)  # or refused, as it should be
            failure = "" if not call.excinfo else next(iter(str(call.excinfo.value).splitlines()), call.excinfo.typename)
            self._write(**case, matched=not call.excinfo, skipped=skipped, seconds=call.duration, failure=failure[:300])


def _first_difference(traced, eager):
    """Where two kernels that should be one differ, as text; None where they do not, or one has loops of the run time."""
    import itertools

    from klr import core

    traced, eager = core.Kernel(traced.session, traced.handle), core.Kernel(eager.session, eager.handle)
    for of_core in range(traced.cores):
        texts = [[op.text for op in kernel.operators(of_core)] for kernel in (traced, eager)]
        if any(re.match(r"(cmp_branch|br|tensor_load|register)", text) for text in texts[0]):
            continue
        for i, (a, b) in enumerate(itertools.zip_longest(*texts)):
            if a != b:
                return f"core {of_core}, instruction {i}: traced `{a}`, as plain Python `{b}`"
    return None


def _check_against_python(jit):
    """Every call of a kernel is done both ways."""
    import copy

    inner = jit.Kernel.__call__

    def call(kernel, *arguments, **keywords):
        from klr import _native

        if _native.in_kernel():
            return inner(kernel, *arguments, **keywords)
        options, other = jit.Options(), kernel.bind(*copy.deepcopy((arguments, keywords)))
        traced, arrays = kernel._find(kernel.bind(arguments, keywords), options)
        result = jit.run(traced, traced.inputs(arrays), options, kernel._home())
        again, eager = kernel._run_eagerly(other, options)
        difference = _first_difference(traced, eager)
        if difference:
            raise AssertionError(difference)
        for a, b in zip(*(list(r) if isinstance(r, (tuple, list)) else [r] for r in (result, again)), strict=True):
            if a is not None and a.tobytes() != b.tobytes():
                raise AssertionError("as plain Python the results have other bits")
        return result

    jit.Kernel.__call__ = call


def main():
    if len(sys.argv) < 2:
        print(__doc__)
        return 2
    checkout = pathlib.Path(sys.argv[1]).resolve()
    gc.set_threshold(50_000, 20, 100)  # torch and thousands of cases are a million objects that stay
    os.environ.setdefault("KLR_MX_SCALES", "ocp")
    os.environ.setdefault("KLR_UNWRITTEN", "zero")
    from klr import _alias

    _alias.install()
    sys.meta_path.append(_Stubs())
    sys.meta_path.insert(0, _MendingFinder())
    sys.path[:0] = [str(checkout), str(checkout / "src"), str(checkout / "src/nkilib_src")]
    os.chdir(checkout)
    import pytest

    if os.environ.get("KLR_ORACLE"):
        from klr import _jit

        _check_against_python(_jit)
    return pytest.main(["-p", "no:cacheprovider", "--test-mode", "simulation", "-q", *sys.argv[2:]],
                       plugins=[_Plugin, *([_Report(os.environ["KLR_REPORT"])] if os.environ.get("KLR_REPORT") else [])])


if __name__ == "__main__":
    sys.exit(main())

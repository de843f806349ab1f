"""Runs published kernels, unmodified, and prints a table: kernel, level, cases, how many were traced, simulated and matched.

    tools/corpus.py DIR [DIR...] [--klr build/klr] [--json]
    tools/corpus.py LIBRARY --python PYTHON [--target trn3] [--all] [--large] [--largest 1] [--jobs 2] [--only cumsum] [--resume DIR]

DIR is a checkout of the official documentation (the folder that holds nki/examples), of nki-samples, or of nki-library. For
the first two shapes are those of the tutorials; references are NumPy in float64, written here; nothing is taken from the
checkouts but their kernels. The cases of nki-library are its own, run through its own harness by tools/nki_library.py: PYTHON
has torch, scipy, pytest and what else that imports; without PYTHONPATH the package klr of the build is found. Levels are those of corpus_levels.py.
"""

import argparse
import concurrent.futures
import itertools
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time

import ml_dtypes
import numpy as np

from corpus_levels import LEVELS
from nki_library import lines_of, results_of

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BF16 = ml_dtypes.bfloat16
RNG = np.random.default_rng(1)


class Expression(str):
    """An argument that is given as it stands, such as nl.float8_e5m2_x4."""


def uniform(shape, dtype=np.float32):
    return RNG.random(shape).astype(dtype)


def matmul(lhsT, rhs):
    return [lhsT.astype(np.float64).T @ rhs.astype(np.float64)]


def small_matmul():
    return {"lhsT": uniform((128, 64), BF16), "rhs": uniform((128, 512), BF16)}, matmul, 1e-2


def large_matmul():
    return {"lhsT": uniform((1024, 4096), BF16), "rhs": uniform((1024, 2048), BF16)}, matmul, 1e-2


def average_pool():
    x = np.arange(2 * 6 * 6, dtype=np.float16).reshape(2, 6, 6)
    reference = lambda in_tensor, pool_size: [in_tensor.astype(np.float64).reshape(2, 3, 2, 3, 2).mean(axis=(2, 4))]
    return {"in_tensor": x, "pool_size": 2}, reference, 1e-3


def max_pool():
    x = np.arange(2 * 6 * 6).astype(BF16).reshape(2, 6, 6)
    reference = lambda in_tensor, sz_pool: [in_tensor.astype(np.float64).reshape(2, 3, 2, 3, 2).max(axis=(2, 4))]
    return {"in_tensor": x, "sz_pool": 2}, reference, 0


def mamba():
    batch, channels, states, time_steps = 1, 256, 16, 2048
    arrays = {"delta": uniform((batch, channels, time_steps)), "u": uniform((batch, channels, time_steps)),
              "A": -uniform((channels, states)), "B": uniform((batch, states, time_steps)),
              "C": uniform((batch, states, time_steps))}

    def reference(delta, u, A, B, C):
        delta, u, A, B, C = (x.astype(np.float64) for x in (delta, u, A, B, C))
        h, y = np.zeros((batch, channels, states)), np.zeros((batch, channels, time_steps))
        for t in range(time_steps):
            d = delta[:, :, t, None]
            h = np.exp(d * A) * h + d * u[:, :, t, None] * B[:, None, :, t]
            y[:, :, t] = (h * C[:, None, :, t]).sum(axis=2)
        return [y]

    return arrays, reference, 1e-4


def addition(shape, a, b, dtype=np.float32):
    return lambda: ({a: uniform(shape, dtype), b: uniform(shape, dtype)}, lambda **k: [k[a].astype(np.float64) + k[b]],
                    1e-3 if dtype == np.float16 else 1e-6)


def transpose2d():
    x = np.arange(2 * 12, dtype=np.int8).reshape(2, 12)
    reference = lambda in_tensor, shape2D: [in_tensor.reshape(2, 3, 4).swapaxes(1, 2).reshape(2, 12)]
    return {"in_tensor": x, "shape2D": (3, 4)}, reference, 0


def split():
    x = np.arange(20).astype(BF16).reshape(4, 5)
    return {"in_tensor": x}, lambda in_tensor: [in_tensor[:, 0::2], in_tensor[:, 1::2]], 0


def exponential():
    return {"in_tensor": uniform((128, 512), BF16)}, lambda in_tensor: [np.exp(in_tensor.astype(np.float64))], 4e-3


# MX formats: a unit holds four elements, a group of 8 partitions x 1 unit has one scale. Quantising follows the device,
# whose exponent is one above that of the OCP specification.
MX_ELEMENT = {"float8_e4m3fn_x4": ml_dtypes.float8_e4m3fn, "float8_e5m2_x4": ml_dtypes.float8_e5m2,
              "float4_e2m1fn_x4": ml_dtypes.float4_e2m1fn}
MX_EMAX = {"float8_e4m3fn_x4": 8, "float8_e5m2_x4": 15}


def mx_data(dtype, partitions, columns):
    """(units as unsigned integers, scales) of random numbers."""
    codes = RNG.uniform(-6, 6, (partitions, columns, 4)).astype(MX_ELEMENT[dtype]).view(np.uint8)
    width = 4 if dtype.startswith("float4") else 8
    units = sum(codes[..., q].astype(np.uint32) << (width * q) for q in range(4))
    scales = RNG.integers(122, 132, (partitions // 8, columns)).astype(np.uint8)
    return units.astype(np.uint16 if width == 4 else np.uint32), scales


def mx_values(units, scales, dtype):
    """(P, C, 4) float64."""
    width = 4 if dtype.startswith("float4") else 8
    codes = np.stack([units >> (width * q) & (2**width - 1) for q in range(4)], axis=-1).astype(np.uint8)
    powers = 2.0**(np.repeat(scales, 8, axis=0).astype(int) - 127)
    return codes.view(MX_ELEMENT[dtype]).astype(np.float64) * powers[..., None]


def mx_rounded(x, dtype):
    """(P, C, 4) float64 of (P, 4C) values: what quantising leaves of them."""
    groups = x.astype(np.float64).reshape(x.shape[0] // 8, 8, -1, 4)
    power = 2.0**(np.floor(np.log2(np.abs(groups).max(axis=(1, 3), keepdims=True))) - (MX_EMAX[dtype] - 1))
    return ((groups / power).astype(MX_ELEMENT[dtype]).astype(np.float64) * power).reshape(x.shape[0], -1, 4)


def mx_product(a, b):
    return [np.einsum("kmq,knq->mn", a, b, optimize=True)]


def mx_offline(dtype):
    def case():
        a, a_scale = mx_data(dtype, 128, 128)
        b, b_scale = mx_data(dtype, 128, 512)
        arguments = {"stationary_mx_data": a, "stationary_mx_scale": a_scale, "moving_mx_data": b,
                     "moving_mx_scale": b_scale, "mx_dtype": Expression(f"nl.{dtype}")}
        return arguments, lambda **_: mx_product(mx_values(a, a_scale, dtype), mx_values(b, b_scale, dtype)), 4e-3
    return case


def mx_on_device(stationary, moving):
    def case():
        a, a_scale = mx_data(stationary, 128, 128)
        b = RNG.normal(size=(128, 2048)).astype(BF16)
        arguments = {"stationary_mx_data": a, "stationary_mx_scale": a_scale, "moving_data_bf16": b,
                     "stationary_mx_dtype": Expression(f"nl.{stationary}"), "moving_mx_dtype": Expression(f"nl.{moving}")}
        return arguments, lambda **_: mx_product(mx_values(a, a_scale, stationary), mx_rounded(b, moving)), 4e-3
    return case


def mx_strided(dtype, use_tensor_copy):
    """Row k of 512 goes to partition k mod 128, lane k div 128."""
    def case():
        a, b = RNG.normal(size=(512, 128)).astype(BF16), RNG.normal(size=(512, 512)).astype(BF16)
        lanes = lambda x: mx_rounded(x.reshape(4, 128, -1).transpose(1, 2, 0).reshape(128, -1), dtype)
        arguments = {"stationary_hbm": a, "moving_hbm": b, "mx_dtype": Expression(f"nl.{dtype}"),
                     "use_tensor_copy": use_tensor_copy}
        return arguments, lambda **_: mx_product(lanes(a), lanes(b)), 4e-3
    return case


MX = [*[("kernel_offline_quantized_mx_matmul", mx_offline(dtype)) for dtype in MX_ELEMENT],
      ("kernel_on_device_quantize_matmul_mx", mx_on_device("float4_e2m1fn_x4", "float8_e4m3fn_x4")),
      ("kernel_on_device_quantize_matmul_mx", mx_on_device("float8_e4m3fn_x4", "float8_e5m2_x4")),
      *[("kernel_copy_strided_quantize_matmul_mx", mx_strided(dtype, copy)) for dtype in MX_EMAX for copy in (True, False)]]
MX_PACKED = [("kernel_copy_strided_quantize_matmul_mx_packed_scale", mx_strided(dtype, True)) for dtype in MX_EMAX]

MATMULS = [("nki_matmul_basic_", small_matmul), ("nki_matmul_tiled_", large_matmul),
           ("nki_matmul_hoist_load_", large_matmul), ("nki_matmul_block_free_dimension_", large_matmul),
           ("nki_matmul_fully_optimized_", large_matmul)]

# file below DIR, kernel, case; a case gives (arguments, reference, tolerance relative to the largest value), or the text
# that the error must have where the kernel is meant to be refused; last the target, where it is not the usual one.
CASES = [
    ("nki/examples/tensor_addition/tensor_addition_nki_kernels.py", "nki_tensor_add",
     addition((512, 2048), "a_input", "b_input")),
    ("nki/examples/transpose2d/transpose2d_nki_kernels.py", "tensor_transpose2D_kernel_", transpose2d),
    *[("nki/examples/matrix_multiplication/matrix_multiplication_nki_kernels.py", *row) for row in MATMULS],
    ("nki/examples/average_pool2d/average_pool2d_nki_kernels.py", "tensor_avgpool_kernel", average_pool),
    *[("nki/examples/fused_mamba/mamba_nki_kernels.py", f"mamba_v{i}", mamba) for i in (1, 2, 3)],
    ("nki/examples/getting_started_baremetal.py", "nki_tensor_add_kernel",
     addition((4, 3), "a_input", "b_input", np.float16)),
    ("nki/examples/getting_started_torch.py", "nki_tensor_add_kernel",
     addition((4, 3), "a_input", "b_input", np.float16)),
    ("nki/examples/getting_started_jax.py", "nki_tensor_add_kernel", addition((4, 3), "a_input", "b_input", np.float16)),
    ("nki/examples/simulate/nki_simulate_example.py", "add_kernel", addition((128, 512), "a_ptr", "b_ptr")),
    ("nki/examples/index-case-1.py", "tensor_split_kernel_", split),
    ("nki/examples/index-case-3.py", "tensor_maxpool_kernel_", max_pool),
    ("nki/examples/layout-pass.py", "tensor_exp_kernel_", exponential),
    ("nki/examples/layout-loop.py", "tensor_exp_kernel_", "i_f"),         # a name that its author left out
    ("nki/examples/layout-violation.py", "tensor_exp_kernel_", "128"),    # 256 partitions, on purpose
    ("nki/examples/layout-dynamic-loop.py", "tensor_exp_kernel_", "["),   # a bracket that is never closed
    *[("src/nki_samples/tutorials/matrix_multiplication/matrix_multiplication_nki_kernels.py", *row) for row in MATMULS],
    *[("nki/deep-dives/src/mxfp-matmul/mx_kernels.py", *row, "trn3") for row in MX + MX_PACKED],
    *[("src/nki_samples/tutorials/mxfp-matmul/mx_kernels.py", *row, "trn3") for row in MX],
]


def run_case(klr, path, kernel, arguments, folder, target=()):
    """(report, outputs) of one run, or (diagnostics, None)."""
    words = []
    for name, value in arguments.items():
        if isinstance(value, np.ndarray):
            wide = value.astype(np.float32) if value.dtype == BF16 else value
            np.save(f"{folder}/{name}.npy", wide)
            words.append(f"{name}=@{folder}/{name}.npy" + (":bf16" if value.dtype == BF16 else ""))
        else:
            words.append(f"{name}={value if isinstance(value, Expression) else repr(value)}")
    command = [klr, "run", f"{path}:{kernel}", *words, "--out", f"{folder}/out", "--json",
               *(["--target", *target] if target else [])]
    result = subprocess.run(command, capture_output=True, text=True)
    try:
        report = json.loads(result.stdout)
    except json.JSONDecodeError:
        return {"diagnostics": [{"code": "crash", "message": result.stderr[-300:]}]}, None
    if result.returncode != 0:
        return report, None
    return report, [np.load(f"{folder}/out/{o['file']}") for o in report["outputs"] if o["role"] == "output"]


def judge(klr, path, kernel, case, *target):
    """What became of one case of the documentation or the samples."""
    made = {"kernel": kernel, "traced": False, "simulated": False, "matched": False, "seconds": 0.0, "failure": ""}
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(case, str):
            report, outputs = run_case(klr, path, kernel, {"in_tensor": uniform((256, 512))}, folder)
            errors = [d for d in report.get("diagnostics") or [] if d.get("code", "").startswith("E")]
            first = (errors or [{}])[0]
            refused = outputs is None and case in json.dumps(report)
            text = f"{first.get('code')}: {first.get('message')}"
            made.update(dict.fromkeys(("traced", "simulated", "matched"), refused),
                        **{"note" if refused else "failure": "refused as it should be: " + text if refused else text})
            return made
        arguments, reference, tolerance = case()
        start = time.monotonic()
        report, outputs = run_case(klr, path, kernel, arguments, folder, target)
        made["seconds"] = time.monotonic() - start
        made["traced"] = bool(report.get("operators"))
        if outputs is None:
            first = next((d for d in report["diagnostics"] if d.get("severity") == "error"), report["diagnostics"][0])
            made["failure"] = f"{first.get('line', '?')}: {first['code']}: {first['message']}"
            return made
        made["simulated"] = True
        wanted = [np.asarray(want, dtype=np.float64) for want in reference(**arguments)]
        if [got.shape for got in outputs] != [want.shape for want in wanted]:
            made["failure"] = f"results of shapes {[got.shape for got in outputs]}, not {[want.shape for want in wanted]}"
            return made
        error = max(np.abs(got.astype(np.float64) - want).max() / max(np.abs(want).max(), 1e-30)
                    for got, want in zip(outputs, wanted))
        made.update( matched=bool(error <= tolerance), operators=report["operators"], error=error)
        made["note" if made["matched"] else "failure"] = f"{report['operators']} operators, error {error:.1e}"
        return made


def listed_cases(folder, options):
    """Results of the documentation's and the samples' kernels in `folder`, as they come."""
    for file, kernel, case, *target in CASES:
        path = os.path.join(folder, file)
        if os.path.exists(path) and re.search(options.only, kernel):
            yield {"file": os.path.basename(file), **judge(options.klr, path, kernel, case, *target)}


# ---- nki-library: its own test cases, through its own harness; a process for each of its modules

def library_modules(folder, options):
    found = []
    for root, _, files in os.walk(os.path.join(folder, "test", "integration")):
        for name in sorted(files):
            if name.startswith("test_") and name.endswith(".py") and re.search(options.only, os.path.join(root, name)):
                with open(os.path.join(root, name), encoding="utf-8") as file:
                    if "def test_" in file.read():
                        found.append(os.path.relpath(os.path.join(root, name), folder))
    return sorted(found)


def limit_memory(gigabytes):
    """Inputs that do not fit fail by themselves, not whatever else runs here."""
    resource.setrlimit(resource.RLIMIT_AS, (int(gigabytes * 2**30),) * 2)


def start_library_module(folder, module, options, report, scratch):
    """The process that runs the cases of one module that `report` has no result of."""
    environment = {**os.environ, "KLR_REPORT": report, "OMP_NUM_THREADS": "1", "NEURON_PYTHONHASHSEED": "0",
                   "KLR_CASE_SECONDS": str(options.case_seconds), "KLR_RETRY": "1" if options.retry else ""}
    environment.setdefault("PYTHONPATH", os.path.join(ROOT, "build", "python"))
    if options.large:
        environment["NKILIB_SIMULATION_RUN_ALL"] = "1"
    if options.largest:
        environment["KLR_LARGEST"] = str(options.largest)
    command = [options.python, os.path.join(ROOT, "tools", "nki_library.py"), folder, module, "--platform-target", options.target,
               "--output-directory", os.path.join(scratch, "out"), "--force-local-cleanup", "-p", "no:randomly", "-W", "ignore",
               "--show-capture=no", "-o", "log_level=ERROR", "--tb=no", *([] if options.all or options.largest else ["-m", "fast"])]
    with open(os.path.join(scratch, "said"), "w", encoding="utf-8") as said:
        return subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=environment,
                                preexec_fn=lambda: limit_memory(options.memory))


def wait_for_case(process, report, case_seconds, until):
    """Waits for the process, and kills it when a case takes much longer than it may, or after `until`: then returns why."""
    while True:
        try:
            return f"the process ended with {process.wait(0.5)}"
        except subprocess.TimeoutExpired:
            pass
        case = next(reversed(list(results_of(report).values())), {})
        late = "start" in case and time.time() > case["at"] + 1.5 * case_seconds + 30
        if late or time.monotonic() > until:
            process.kill()
            process.wait()
            return f"not done in {case_seconds:g} s" if late else ""


def said_at_the_end(scratch):
    with open(os.path.join(scratch, "said"), encoding="utf-8") as file:
        return " ".join(file.read().split())[-200:]


def library_module(folder, module, options):
    """The report of the cases of one module, as lines; a case that ends the process has that as its result, and the others go on."""
    with tempfile.TemporaryDirectory() as scratch:
        report = os.path.join(scratch, "report")
        if options.resume:
            report = os.path.join(options.resume, options.target, module.replace(os.sep, ".") + "l")
            os.makedirs(os.path.dirname(report), exist_ok=True)
        start = time.monotonic()
        end = ""
        while options.seconds:
            end = wait_for_case(start_library_module(folder, module, options, report, scratch), report, options.case_seconds,
                                start + options.seconds)
            unfinished = [case for case, line in results_of(report).items() if "start" in line]
            if not end or not unfinished:
                break
            with open(report, "a", encoding="utf-8") as file:
                file.writelines(json.dumps({"case": case, "failure": end}) + "\n" for case in unfinished)
        end = f"{end}: {said_at_the_end(scratch)}" if end else f"not reached in {options.seconds} s"
        return end, time.monotonic() - start, report_lines(report)


def report_lines(path):
    """(results by case, cases of the last collection, what could not be collected)."""
    lines = list(lines_of(path))
    starts = [i for i, line in enumerate(lines) if "collected" in line]
    collected = lines[starts[-1]]["collected"] if starts else []
    broken = [line for line in lines[starts[-2] + 1 if len(starts) > 1 else 0:] if "broken" in line]
    return results_of(path), collected, broken


def library_cases(folder, options):
    modules = library_modules(folder, options)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for module, (end, seconds, (known, collected, broken)) in zip(
                modules, pool.map(lambda m: library_module(folder, m, options), modules)):
            name = os.path.basename(module)
            for line in broken:
                yield {"file": name, "kernel": "?", "failure": line["failure"]}
            if not known and not collected and not broken:
                yield {"file": name, "kernel": "?", "failure": end, "seconds": seconds}
            for case in {**known, **dict.fromkeys(collected)}:
                line = known.get(case, {})
                yield {"file": name, **line} if "case" in line else {"file": name, "kernel": "?", "failure": end, "missed": True}


# ---- the table

def table(results):
    """A row for each kernel of each file, in the order they came."""
    rows = {}
    for case in results:
        kernel = case.get("kernel", "?")
        row = rows.setdefault((case["file"], kernel), {"file": case["file"], "kernel": kernel, "level": LEVELS.get(kernel), "cases": 0,
                                                       "traced": 0, "simulated": 0, "matched": 0, "skipped": 0, "missed": 0,
                                                       "seconds": 0.0, "longest": 0.0, "first failure": ""})
        row["seconds"] += case.get("seconds", 0)
        if case.get("skipped"):
            row["skipped"] += 1
            continue
        row["longest"] = max(row["longest"], case.get("seconds", 0))
        row["cases"] += 1
        row["missed"] += bool(case.get("missed"))
        for stage in ("traced", "simulated", "matched"):
            row[stage] += bool(case.get(stage))
        if not case.get("matched") and not row["first failure"]:
            row["first failure"] = case.get("failure") or "?"
    return [row for row in rows.values() if row["cases"] or row["skipped"]]


COLUMNS = ("cases", "traced", "simulated", "matched")


def line_of(row):
    numbers = " ".join(f"{row[c]:{max(len(c), 5)}d}" for c in COLUMNS)
    return (f"{row['file'][:44]:44s} {row['kernel'][:51]:51s} {row['level'] or '':5} {numbers} {row['seconds']:8.1f}  "
            f"{row['first failure'] or row.get('note', '')}").rstrip()


HEADER = f"{'file':44s} {'kernel':51s} level " + " ".join(f"{c:>5s}" for c in COLUMNS) + "  seconds  first failure"


def total_of(rows):
    total = {c: sum(row[c] for row in rows) for c in (*COLUMNS, "skipped", "missed", "seconds")}
    return {"kernels": len({row["kernel"] for row in rows} - {"?"}), **total}


def kind_of(folder):
    """"library" for a checkout of nki-library, "list" where kernels of the list here are found, else None."""
    if os.path.isdir(os.path.join(folder, "src", "nkilib_src")) and os.path.isdir(os.path.join(folder, "test", "integration")):
        return "library"
    return "list" if any(os.path.exists(os.path.join(folder, case[0])) for case in CASES) else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", metavar="DIR")
    parser.add_argument("--klr", default=os.path.join(ROOT, "build", "klr"))
    parser.add_argument("--only", default="", help="kernels, or modules of nki-library, whose name has this regular expression")
    parser.add_argument("--target", default="trn2", choices=["trn2", "trn3"], help="of nki-library (trn2)")
    parser.add_argument("--python", default=sys.executable, help="an interpreter that has what nki-library's harness imports")
    parser.add_argument("--all", action="store_true", help="every case of nki-library, not only those it marks as fast")
    parser.add_argument("--large", action="store_true", help="also the shapes that its simulation mode leaves out")
    parser.add_argument("--largest", type=int, default=0, metavar="N",
                        help="only those shapes, of each test the N largest, fast or not; -N: the N smallest of them")
    parser.add_argument("--seconds", type=int, default=600, help="time for a module of nki-library (600); 0: the table of what DIR has")
    parser.add_argument("--case-seconds", type=float, default=300, metavar="N", help="time for a case of nki-library (300)")
    parser.add_argument("--resume", metavar="DIR", help="keep the results of nki-library's cases in DIR; what it has is not run again")
    parser.add_argument("--retry", action="store_true", help="what DIR has as a failure is run again")
    parser.add_argument("--jobs", type=int, default=1, help="modules of nki-library at a time (1)")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30 / 2
    parser.add_argument("--memory", type=float, default=memory, help="gigabytes for a module of nki-library (half of all)")
    parser.add_argument("--json", action="store_true", help="the table as JSON")
    options = parser.parse_args()
    rows = []
    for folder in options.folders:
        kind = kind_of(folder)
        if not kind:
            parser.error(f"{folder} is no checkout of nki-library, nki-samples or the documentation")
        if not options.json:
            print(HEADER)
        cases = library_cases(os.path.abspath(folder), options) if kind == "library" else listed_cases(folder, options)
        for _, of_file in itertools.groupby(cases, key=lambda case: case["file"]):
            made = table(of_file)
            rows += made
            if not options.json:
                print("\n".join(map(line_of, made)), flush=True)
    total = total_of(rows)
    if options.json:
        print(json.dumps({"target": options.target, "rows": rows, "total": total}, indent=1))
    else:
        skipped = f", {total['skipped']} left out by their harness" if total["skipped"] else ""
        print(f"{total['kernels']} kernels, {total['cases']} cases: {total['traced']} traced, {total['simulated']} simulated, "
              f"{total['matched']} matched{skipped}; {total['seconds']:.0f} s")
    return 1 if total["matched"] < total["cases"] or not total["cases"] else 0


if __name__ == "__main__":
    sys.exit(main())

"""Runs the conformance vectors of tests/conformance (docs/conformance.md explains them).

    tools/conformance.py                       all vectors on build/klr, every target, fast and reference path
    tools/conformance.py tensor_tensor         those of one instruction, or one vector by its id
    tools/conformance.py --check               only whether the files follow the format
    tools/conformance.py --emit DIR            one NKI script a vector, with its inputs and what is expected
    tools/conformance.py --compare DIR         the outputs that those scripts wrote, against what is expected

Ends with `N passed, N failed`.
"""

import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile

import ml_dtypes
import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "conformance"))
import vectors as form  # noqa: E402


# ---- comparing


def ordered(words, dtype):
    """Words as integers in the order of the numbers, so that neighbours differ by one; NaNs stand beyond the infinities."""
    bits, *layout = form.DTYPES[dtype]
    values = words.astype(np.int64)
    if layout or dtype.startswith("int"):
        sign = 1 << (bits - 1)
        negative = values >= sign
        values = np.where(negative, sign - values if layout else values - 2 * sign, values)
    return values


def is_nan(words, dtype):
    bits, *layout = form.DTYPES[dtype]
    if not layout:
        return np.zeros(words.shape, bool)
    exponent_bits, fraction_bits, _ = layout
    size = words.astype(np.int64) & ((1 << (bits - 1)) - 1)
    if dtype == "float8_e4m3fn":
        return size == 0x7F
    return size > ((1 << exponent_bits) - 1) << fraction_bits


def difference(tile, found, exact=True, key="expect", rank=0):
    """None if `found` holds the expected words, else (where, expected, found, units in the last place, elements that differ).

    exact=False, for other machines, also accepts another NaN for a NaN and what the tile's "ulps" allow.
    """
    dtype, expected = tile["dtype"], form.expand(tile, key, rank)
    if found.shape != expected.shape:
        return "shape", str(expected.shape), str(found.shape), 0, expected.size
    distance = np.abs(ordered(expected, dtype) - ordered(found, dtype))
    wrong = expected != found
    if not exact:
        wrong &= ~(is_nan(expected, dtype) & is_nan(found, dtype)) & (distance > tile.get("ulps", 0))
    if not wrong.any():
        return None
    where = tuple(int(i) for i in np.argwhere(wrong)[0])
    digits = form.DTYPES[dtype][0] // 4
    return (str(list(where)), f"{int(expected[where]):0{digits}x}", f"{int(found[where]):0{digits}x}",
            int(distance[wrong].max()), int(wrong.sum()))


# ---- klr


def save_words(path, words):
    np.save(path, words, allow_pickle=False)


def load_words(path, word, shape):
    """What a .npy file holds, as words, whatever it calls their type: NumPy does not know all names that others write."""
    with open(path, "rb") as file:
        content = file.read()
    start = 10 + int.from_bytes(content[8:10], "little")
    return np.frombuffer(content, word, offset=start).reshape(shape)


def run_once(program, vector, target, options, folder):
    """(exit status, the program's JSON document, the words of the outputs by tile on each rank)."""
    arguments = [f"{tile}_in=@{folder}/{file_of(tile, vector, '{rank}')}:{vector['tiles'][tile]['dtype']}" for tile in form.inputs(vector)]
    command = [program, "run", f"{folder}/kernel.py", *arguments, "--target", target, "--raw", "--json", "--out", f"{folder}/out",
               *options]
    if "cores" in vector:
        command += ["--lnc", str(vector["cores"])]
    if "ranks" in vector:
        command += ["--ranks", str(vector["ranks"])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    try:
        document = json.loads(done.stdout)
    except ValueError:
        document = {"diagnostics": [{"severity": "error", "code": "E0000", "message": done.stdout + done.stderr}]}
    found = []
    for rank in form.ranks(vector) if done.returncode == 0 else ():
        place = f"{folder}/out/rank{rank}" if "ranks" in vector else f"{folder}/out"
        written = [o for o in document["outputs"] if o["role"] == "output" and o.get("rank", 0) == rank]
        found.append({tile: load_words(f"{place}/{os.path.basename(output['file'])}", form.word_type(vector["tiles"][tile]["dtype"]),
                                       output["shape"])
                      for tile, output in zip(form.outputs(vector), written, strict=True)})
    return done.returncode, document, found


def file_of(tile, vector, rank):
    """The file of a tile: one for all ranks or one for each."""
    return f"{tile}.{rank}.npy" if "ranks" in vector else f"{tile}.npy"


def prepare(vector, folder):
    with open(f"{folder}/kernel.py", "w", encoding="utf-8") as text:
        text.write(form.kernel_source(vector))
    for tile in form.inputs(vector):
        for rank in form.ranks(vector):
            dtype = vector["tiles"][tile]["dtype"]
            save_words(f"{folder}/{file_of(tile, vector, rank)}", as_argument(form.expand(vector["tiles"][tile], "data", rank), dtype))
    save_constants(vector, folder)


def save_constants(vector, folder):
    for name in form.constants(vector):
        tile = vector["tiles"][name]
        form.save_npy(f"{folder}/{name}.npy", form.expand(tile, "data"), tile["dtype"])


def as_argument(words, dtype):
    """Words as klr takes them from a .npy file: integers as they are, other types as their bytes."""
    if dtype.startswith(("int", "uint")) and "_" not in dtype:
        return words.view(np.dtype(dtype))
    if dtype in ("float32", "tfloat32"):
        return words.view(np.float32)
    if dtype == "float16":
        return words.view(np.float16)
    if dtype == "bool_":
        return words.view(np.bool_)
    return words if dtype.endswith("_x4") else words.view(f"V{words.dtype.itemsize}")


def errors_of(document):
    return [(d["code"], d["message"]) for d in document["diagnostics"] if d["severity"] == "error"]


def judge(program, vector, target, options, folder):
    """None if the program does what the vector says, else what it did."""
    status, document, found = run_once(program, vector, target, options, folder)
    errors = errors_of(document)
    if "refused" in vector:
        code = vector["refused"]["klr"]
        if status == 0:
            return f"ran, but must be refused: {vector['refused']['why']}"
        return None if status == 1 and code in [c for c, _ in errors] else f"refused with {errors}, not with {code}"
    if "unspecified" in vector:
        notes = json.dumps(document["diagnostics"])
        if status != 1 or not all(c == "E0540" for c, _ in errors) or vector["unspecified"] not in notes:
            return f"not stopped as unspecified (gap {vector['unspecified']}): {errors or 'ran'}"
        status, document, found = run_once(program, vector, target, [*options, "--lenient"], folder)
        errors = errors_of(document)
    if status:
        return f"ended with status {status}: {errors}"
    for rank in form.ranks(vector):
        for tile in form.outputs(vector):
            bad = difference(vector["tiles"][tile], found[rank][tile], rank=rank)
            if bad:
                return "{}{}{}: expected {}, found {} ({} ulps at most, {} elements)".format(tile, on_rank(vector, rank), *bad)
    return judge_prints(vector, document["prints"]) if "prints" in vector else None


def on_rank(vector, rank):
    return f" on rank {rank}" if "ranks" in vector else ""


def judge_prints(vector, found):
    """None if what was printed is what the vector says, in order on each core; else how it differs."""
    def where(line):
        return line.get("rank", 0), line.get("core", 0)

    expected = sorted(vector["prints"], key=where)
    found = sorted(found, key=where)
    if [(where(line), line["prefix"]) for line in found] != [(where(line), line["prefix"]) for line in expected]:
        return f"printed {[line['prefix'] for line in found]}, expected {[line['prefix'] for line in expected]}"
    for line, printed in zip(expected, found):
        if (printed["dtype"], printed["shape"]) != (line["dtype"], line["shape"]):
            return f"printed `{line['prefix']}` as {printed['dtype']}{printed['shape']}"
        words = words_of_numbers(printed["values"], line["dtype"]).reshape(line["shape"])
        bad = difference(line, words, exact=False, key="words")
        if bad:
            return "printed `{}`{}: expected {}, found {} ({} ulps at most, {} elements)".format(line["prefix"], *bad)
    return None


def words_of_numbers(numbers, dtype):
    """What was printed, as words: every number is one of the dtype."""
    return np.array(numbers).astype(number_type(dtype)).view(form.word_type(dtype))


def number_type(dtype):
    """NumPy's dtype of the numbers of one."""
    known = {"tfloat32": "float32", "bool_": "bool"}.get(dtype, dtype)
    return np.dtype(getattr(ml_dtypes, known, known))


def run_vector(program, vector, paths):
    """[(target, path, what is wrong)] for the targets and paths the vector fails on."""
    failures = []
    with tempfile.TemporaryDirectory(prefix="klr-conformance-") as folder:
        prepare(vector, folder)
        for target in vector["targets"]:
            for path in paths:
                bad = judge(program, vector, target, ["--reference"] if path == "reference" else [], folder)
                if bad:
                    failures.append((target, path, bad))
    return failures


def run_all(program, chosen, paths=("fast", "reference"), threads=2):
    """Yields (vector, failures) in order."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        yield from zip(chosen, pool.map(lambda vector: run_vector(program, vector, paths), chosen))


# ---- elsewhere

SCRIPT = '''

# ---- everything below runs the kernel above: python3 SCRIPT [simulate|device|jax|torch]
# With RANKS every rank has arrays of its own, NAME.RANK.npy. The variable RANK says which one a process is; without it this
# process is all of them, which needs kernels that have .ranks(list of arguments).

INPUTS = {inputs!r}
OUTPUTS = {outputs!r}
CORES = {cores}
RANKS = {ranks}


def main(how):
    import os

    import ml_dtypes
    import numpy as np

    here = os.path.dirname(os.path.abspath(__file__))
    os.chdir(here)  # constants are beside this file
    os.makedirs("out", exist_ok=True)
    launch = kernel[CORES] if CORES > 1 else kernel
    numbers = [None] if not RANKS else [os.environ["RANK"]] if "RANK" in os.environ else list(range(RANKS))
    calls = [load(number, np, ml_dtypes) for number in numbers]
    if len(calls) > 1:
        if not hasattr(launch, "ranks"):
            raise SystemExit("kernels have no .ranks here: start a process for each rank, with RANK and WORLD_SIZE")
        found = launch.ranks([tuple(arrays) for arrays in calls])
    else:
        found = [run(launch, calls[0], how, np, ml_dtypes)]
    for number, results in zip(numbers, found):
        for name, result in zip(OUTPUTS, results if isinstance(results, (tuple, list)) else [results]):
            result = np.ascontiguousarray(np.asarray(result))
            np.save(os.path.join("out", file_of(name, number)), result.view("u%d" % result.dtype.itemsize))


def file_of(name, number):
    return name + ".npy" if number is None else "%s.%s.npy" % (name, number)


def load(number, np, ml_dtypes):
    import os
    names = dict(tfloat32="float32", bool_="bool", float8_e5m2_x4="uint32", float8_e4m3fn_x4="uint32", float4_e2m1fn_x4="uint16")
    arrays = []
    for name, dtype in INPUTS.items():
        words = np.load(os.path.join("in", file_of(name, number)))
        known = names.get(dtype, dtype)
        arrays.append(words.view(getattr(ml_dtypes, known, None) or np.dtype(known)))
    return arrays


def run(launch, arrays, how, np, ml_dtypes):
    if how == "simulate":
        launch = nki.simulate(launch)
    elif how == "jax":
        import jax.numpy
        arrays = [jax.numpy.asarray(a) for a in arrays]
    elif how == "torch":
        import torch
        import torch_xla
        if RANKS:
            import torch.distributed
            import torch_xla.distributed.xla_backend
            torch.distributed.init_process_group("xla")
        arrays = [torch.from_numpy(a.view(np.uint16)).view(torch.bfloat16) if a.dtype == ml_dtypes.bfloat16 else torch.from_numpy(a)
                  for a in arrays]
        arrays = [a.to(device=torch_xla.device()) for a in arrays]
    results = launch(*arrays)
    if how != "torch":
        return results
    results = [r.cpu() for r in (results if isinstance(results, (tuple, list)) else [results])]
    return [r.view(torch.uint16) if r.dtype == torch.bfloat16 else r for r in results]


if __name__ == "__main__":
    import sys
    main(sys.argv[1] if len(sys.argv) > 1 else "simulate")
'''

RUN_ALL = '''"""Runs every vector here: python3 run.py TARGET [simulate|device|jax|torch]; TARGET is trn1, trn2 or trn3.

A vector of several ranks runs in one process with `simulate`, else in a process for each rank, which has the variables that
torchrun sets, and NEURON_RT_VISIBLE_CORES.
"""
import json
import os
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
target, how = sys.argv[1], (sys.argv[2:] or ["simulate"])[0]


def processes(vector):
    # The variables of each process that a vector needs.
    count = vector.get("ranks", 0)
    if not count or how == "simulate":
        return [dict()]
    cores = vector.get("cores", 1)
    return [dict(RANK=str(r), LOCAL_RANK=str(r), WORLD_SIZE=str(count), LOCAL_WORLD_SIZE=str(count), MASTER_ADDR="localhost",
                 MASTER_PORT="29400", NEURON_RT_ROOT_COMM_ID="localhost:29401", NEURON_LOGICAL_NC_CONFIG=str(cores),
                 NEURON_RT_VISIBLE_CORES=str(r)) for r in range(count)]


for name in sorted(os.listdir(here)):
    if not os.path.isdir(os.path.join(here, name)):
        continue
    with open(os.path.join(here, name, "vector.json")) as text:
        vector = json.load(text)
    if target not in vector["targets"]:
        continue
    command = [sys.executable, *os.environ.get("RUN_WITH", "").split(), os.path.join(here, name, "kernel.py"), how]
    every = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env=dict(os.environ, NEURON_PLATFORM_TARGET_OVERRIDE=target, **more)) for more in processes(vector)]
    said = [process.communicate() for process in every]
    status = max(abs(process.returncode) for process in every)
    message = "".join(error for _, error in said)
    with open(os.path.join(here, name, "status.json"), "w") as text:
        json.dump(dict(status=status, message=message[-2000:], printed=[output + error for output, error in said]), text)
    print(name, "ran" if status == 0 else "refused: " + message.strip().splitlines()[-1][:150])
'''


def emit(chosen, folder):
    """DIR/ID/kernel.py, in/NAME.npy and expected/NAME.npy (words as unsigned integers; of ranks NAME.RANK.npy), the constants,
    vector.json; DIR/run.py runs them."""
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "run.py"), "w", encoding="utf-8") as text:
        text.write(RUN_ALL)
    for vector in chosen:
        here = os.path.join(folder, vector["id"])
        for part in ("in", "expected"):
            os.makedirs(os.path.join(here, part), exist_ok=True)
        tiles = vector["tiles"]
        with open(os.path.join(here, "kernel.py"), "w", encoding="utf-8") as text:
            text.write(form.kernel_source(vector) + SCRIPT.format(
                inputs={n: tiles[n]["dtype"] for n in form.inputs(vector)}, outputs=form.outputs(vector),
                cores=vector.get("cores", 1), ranks=vector.get("ranks", 0)))
        save_constants(vector, here)
        with open(os.path.join(here, "vector.json"), "w", encoding="utf-8") as text:
            text.write(form.dump(vector) + "\n")
        for rank in form.ranks(vector):
            for name in form.inputs(vector):
                save_words(os.path.join(here, "in", file_of(name, vector, rank)), form.expand(tiles[name], "data", rank))
            for name in form.outputs(vector):
                save_words(os.path.join(here, "expected", file_of(name, vector, rank)), form.expand(tiles[name], "expect", rank))
    print(f"{len(chosen)} vectors in {folder}: run them with `python3 {folder}/run.py TARGET`, then --compare {folder}")


def compare_one(vector, folder):
    """("passed" | "failed" | "missing", what differs) of the outputs found in `folder`."""
    here = os.path.join(folder, vector["id"])
    status = os.path.join(here, "status.json")
    if "refused" in vector or "prints" in vector:
        if not os.path.exists(status):
            return "missing", "no status.json"
        with open(status, encoding="utf-8") as text:
            said = json.load(text)
        if "refused" in vector:
            return ("failed", "ran, but must be refused") if said["status"] == 0 else ("passed", "")
        bad = "did not run" if said["status"] else missing_print(vector, "".join(said.get("printed", [])))
        if bad:
            return "failed", bad
    for rank in form.ranks(vector):
        for name in form.outputs(vector):
            file = file_of(name, vector, rank)
            path = os.path.join(here, "out", file)
            if not os.path.exists(path):
                return "missing", f"no out/{file}"
            tile = vector["tiles"][name]
            found = np.load(path)
            word = form.word_type(tile["dtype"])
            if found.dtype.itemsize != np.dtype(word).itemsize:
                return "failed", f"{file}: elements of {found.dtype.itemsize} bytes"
            bad = difference(tile, found.view(word), exact=False, rank=rank)
            if bad:
                return "failed", "{}{}{}: expected {}, found {}, {} ulps at most, {} elements".format(name, on_rank(vector, rank), *bad)
    return "passed", ""


def missing_print(vector, text):
    """None if the text has each print of the vector, else the first that it lacks: its prefix, then its numbers with nothing but
    brackets, commas and space between them. How they are laid out, and what stands between prefix and numbers, is not said.
    Prints of one core are in order; of several, some order of them."""
    places = {}
    for line in vector["prints"]:
        numbers = [float(number) for number in numbers_of_words(line)]
        where, found = (line.get("rank", 0), line.get("core", 0)), None
        for start in re.finditer(re.escape(line["prefix"]), text[places.get(where, 0):]):
            rest = text[places.get(where, 0) + start.end():]
            for run in re.finditer(rf"{NUMBER}(?:[][(),\s]+{NUMBER})*", rest):
                said = [float(number) for number in re.findall(NUMBER, run[0])]
                if said[-len(numbers):] == numbers:
                    found = places.get(where, 0) + start.end() + run.end()
                    break
            if found:
                break
        if not found:
            return f"did not print `{line['prefix']}` with {numbers}"
        places[where] = found
    return None


NUMBER = r"(?<![\w.])-?\d+\.?\d*(?:[eE][-+]?\d+)?(?![\w])"


def numbers_of_words(line):
    """The numbers that a line prints, one after the other."""
    return form.expand(line, "words").reshape(-1).view(number_type(line["dtype"]))


def compare(chosen, folder):
    """Prints a line for each vector that fails and a table by provenance; True if nothing failed."""
    counts = {p: dict(passed=0, failed=0, missing=0) for p in form.PROVENANCES}
    for vector in chosen:
        verdict, why = compare_one(vector, folder)
        counts[vector["provenance"]][verdict] += 1
        if verdict == "failed":
            print(f"failed  {vector['id']:<48} {vector['provenance']:<10} {why}")
    print(f"{'provenance':<12} {'passed':>7} {'failed':>7} {'missing':>8}")
    for provenance, row in counts.items():
        print(f"{provenance:<12} {row['passed']:>7} {row['failed']:>7} {row['missing']:>8}")
    failed = sum(row["failed"] for row in counts.values())
    print(f"{sum(row['passed'] for row in counts.values())} passed, {failed} failed")
    return failed == 0


# ---- the command


def check_files():
    """Prints what in the files does not follow the format; True if nothing."""
    schema = form.read_file("schema.json")
    bad, seen, count = [], set(), 0
    for name in form.files():
        document = form.read_file(name)
        wrong = [f"{name}: {what}" for what in form.check_schema(document, schema)]
        for vector in [] if wrong else document["vectors"]:
            mistakes = list(form.check_vector(vector))
            if vector["id"] in seen or not vector["id"].startswith(name[:-5] + "."):
                mistakes.append(f"{name}: the id {vector['id']} is taken, or not {name[:-5]}.*")
            seen.add(vector["id"])
            count += not mistakes
            wrong += mistakes
        bad += wrong
    print("\n".join([*bad, f"{count} passed, {len(bad)} failed"]))
    return not bad


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", metavar="ID", help="vectors whose id is this, or starts with it and a dot")
    parser.add_argument("--klr", default=os.path.join(ROOT, "build", "klr"), help="the program (default: build/klr)")
    parser.add_argument("--path", choices=("fast", "reference"), help="only this way of executing")
    parser.add_argument("--provenance", choices=form.PROVENANCES, help="only vectors of this provenance")
    parser.add_argument("--list", action="store_true", help="say what each vector shows")
    parser.add_argument("--check", action="store_true", help="only check the files")
    parser.add_argument("--emit", metavar="DIR", help="write scripts for other machines")
    parser.add_argument("--compare", metavar="DIR", help="judge what those scripts wrote")
    options = parser.parse_args()
    if options.check:
        return 0 if check_files() else 1
    chosen = [v for v in form.read_all(options.only) if options.provenance in (None, v["provenance"])]
    if not chosen:
        print(f"no vector is called {' or '.join(options.only)}", file=sys.stderr)
        return 2
    if options.list:
        for vector in chosen:
            print(f"{vector['id']:<48} {vector['provenance']:<10} {vector['shows']}")
        return 0
    if options.emit:
        emit(chosen, options.emit)
        return 0
    if options.compare:
        return 0 if compare(chosen, options.compare) else 1
    failed = 0
    for vector, failures in run_all(options.klr, chosen, (options.path,) if options.path else ("fast", "reference")):
        failed += bool(failures)
        for target, path, what in failures:
            print(f"failed  {vector['id']} ({vector['provenance']}) on {target}, {path}: {what}")
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

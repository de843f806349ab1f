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
import subprocess
import sys
import tempfile

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


def difference(tile, found, exact=True):
    """None if `found` holds the expected words, else (where, expected, found, units in the last place, elements that differ).

    exact=False, for other machines, also accepts another NaN for a NaN and what the tile's "ulps" allow.
    """
    dtype, expected = tile["dtype"], form.expand(tile, "expect")
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
    """(exit status, the program's JSON document, the words of the outputs by tile)."""
    arguments = [f"{tile}_in=@{folder}/{tile}.npy:{vector['tiles'][tile]['dtype']}" for tile in form.inputs(vector)]
    command = [program, "run", f"{folder}/kernel.py", *arguments, "--target", target, "--raw", "--json", "--out", f"{folder}/out",
               *options]
    if "cores" in vector:
        command += ["--lnc", str(vector["cores"])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600)
    try:
        document = json.loads(done.stdout)
    except ValueError:
        document = {"diagnostics": [{"severity": "error", "code": "E0000", "message": done.stdout + done.stderr}]}
    found = {}
    if done.returncode == 0:
        written = [o for o in document["outputs"] if o["role"] == "output"]
        for tile, output in zip(form.outputs(vector), written, strict=True):
            found[tile] = load_words(f"{folder}/out/{output['file']}", form.word_type(vector["tiles"][tile]["dtype"]), output["shape"])
    return done.returncode, document, found


def prepare(vector, folder):
    with open(f"{folder}/kernel.py", "w", encoding="utf-8") as text:
        text.write(form.kernel_source(vector))
    for tile in form.inputs(vector):
        dtype = vector["tiles"][tile]["dtype"]
        save_words(f"{folder}/{tile}.npy", as_argument(form.expand(vector["tiles"][tile], "data"), dtype))


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
    for tile in form.outputs(vector):
        bad = difference(vector["tiles"][tile], found[tile])
        if bad:
            return "{}{}: expected {}, found {} ({} ulps at most, {} elements)".format(tile, *bad)
    return None


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

INPUTS = {inputs!r}
OUTPUTS = {outputs!r}
CORES = {cores}


def main(how):
    import os

    import ml_dtypes
    import numpy as np

    here = os.path.dirname(os.path.abspath(__file__))
    names = dict(tfloat32="float32", bool_="bool", float8_e5m2_x4="uint32", float8_e4m3fn_x4="uint32", float4_e2m1fn_x4="uint16")
    arrays = []
    for name, dtype in INPUTS.items():
        words = np.load(os.path.join(here, "in", name + ".npy"))
        known = names.get(dtype, dtype)
        arrays.append(words.view(getattr(ml_dtypes, known, None) or np.dtype(known)))
    launch = kernel[CORES] if CORES > 1 else kernel
    if how == "simulate":
        launch = nki.simulate(launch)
    elif how == "jax":
        import jax.numpy
        arrays = [jax.numpy.asarray(a) for a in arrays]
    elif how == "torch":
        import torch
        import torch_xla
        arrays = [torch.from_numpy(a.view(np.uint16)).view(torch.bfloat16) if a.dtype == ml_dtypes.bfloat16 else torch.from_numpy(a)
                  for a in arrays]
        arrays = [a.to(device=torch_xla.device()) for a in arrays]
    results = launch(*arrays)
    results = results if isinstance(results, (tuple, list)) else [results]
    os.makedirs(os.path.join(here, "out"), exist_ok=True)
    for name, result in zip(OUTPUTS, results):
        if how == "torch":
            result = result.cpu()
            result = result.view(torch.uint16) if result.dtype == torch.bfloat16 else result
        result = np.ascontiguousarray(np.asarray(result))
        np.save(os.path.join(here, "out", name + ".npy"), result.view("u%d" % result.dtype.itemsize))


if __name__ == "__main__":
    import sys
    main(sys.argv[1] if len(sys.argv) > 1 else "simulate")
'''

RUN_ALL = '''"""Runs every vector here: python3 run.py TARGET [simulate|device|jax|torch]; TARGET is trn1, trn2 or trn3."""
import json
import os
import subprocess
import sys

here = os.path.dirname(os.path.abspath(__file__))
target, how = sys.argv[1], (sys.argv[2:] or ["simulate"])[0]
for name in sorted(os.listdir(here)):
    if not os.path.isdir(os.path.join(here, name)):
        continue
    with open(os.path.join(here, name, "vector.json")) as text:
        vector = json.load(text)
    if target not in vector["targets"]:
        continue
    done = subprocess.run([sys.executable, os.path.join(here, name, "kernel.py"), how], capture_output=True, text=True,
                          env=dict(os.environ, NEURON_PLATFORM_TARGET_OVERRIDE=target))
    with open(os.path.join(here, name, "status.json"), "w") as text:
        json.dump({"status": done.returncode, "message": done.stderr[-2000:]}, text)
    print(name, "ran" if done.returncode == 0 else "refused: " + done.stderr.strip().splitlines()[-1][:150])
'''


def emit(chosen, folder):
    """DIR/ID/kernel.py, in/NAME.npy and expected/NAME.npy (words as unsigned integers), vector.json; DIR/run.py runs them."""
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
                cores=vector.get("cores", 1)))
        with open(os.path.join(here, "vector.json"), "w", encoding="utf-8") as text:
            text.write(form.dump(vector) + "\n")
        for name in form.inputs(vector):
            save_words(os.path.join(here, "in", name + ".npy"), form.expand(tiles[name], "data"))
        for name in form.outputs(vector):
            save_words(os.path.join(here, "expected", name + ".npy"), form.expand(tiles[name], "expect"))
    print(f"{len(chosen)} vectors in {folder}: run them with `python3 {folder}/run.py TARGET`, then --compare {folder}")


def compare_one(vector, folder):
    """("passed" | "failed" | "missing", what differs) of the outputs found in `folder`."""
    here = os.path.join(folder, vector["id"])
    status = os.path.join(here, "status.json")
    if "refused" in vector:
        if not os.path.exists(status):
            return "missing", "no status.json"
        with open(status, encoding="utf-8") as text:
            ran = json.load(text)["status"] == 0
        return ("failed", "ran, but must be refused") if ran else ("passed", "")
    for name in form.outputs(vector):
        path = os.path.join(here, "out", name + ".npy")
        if not os.path.exists(path):
            return "missing", f"no out/{name}.npy"
        tile = vector["tiles"][name]
        found = np.load(path)
        word = form.word_type(tile["dtype"])
        if found.dtype.itemsize != np.dtype(word).itemsize:
            return "failed", f"{name}: elements of {found.dtype.itemsize} bytes"
        bad = difference(tile, found.view(word), exact=False)
        if bad:
            return "failed", "{}{}: expected {}, found {}, {} ulps at most, {} elements".format(name, *bad)
    return "passed", ""


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

"""Damaged input for the whole program: whatever it is given, `klr` ends with a status of its own and says why."""

import json
import os
import random
import re
import resource
import subprocess

import numpy as np
from conftest import HANGS_SECONDS, KLR, ROOT
from test_same_bits import KERNELS

WORD = re.compile(r"\s+|[A-Za-z_]\w*|\d[\w.]*|\"\"\"|[-+*/%@&|^~<>=!:,.;(){}\[\]]|.", re.S)
NUMBERS = ["0", "1", "-1", "2", "3", "127", "128", "129", "512", "513", "1 << 31", "1 << 63", "10**30", "1e308", "0.5",
           "float('nan')", "None", "''", "2.0", "True", "()", "(1, 2)", "[]"]
NAMES = ["x", "tile", "out", "nl", "nisa", "range", "nl.float32", "nl.bfloat16", "nl.int8", "nl.sbuf", "nl.psum",
         "nl.shared_hbm", "nl.float8_e4m3", "nl.affine_range", "nl.ds", "nl.exp", "nl.maximum", "print", "len", "self",
         "lambda", "yield", "max", "None", "shape", "dtype", "ap", "reshape", "axis", "ünï"]
OPERATORS = list("+-*/%@&|^~<>=!:,.;(){}[]") + ["//", "**", "->", ":=", "==", "<<", "\n", "\n    ", " if ", " for ", "...", "*"]
TEXTS = ["tensor_tensor", "sbuf", "psum", "128", "0", "-1", "[", "]", "(", ")", ",", "bfloat16", "float32", "%", "\"", "9" * 30]

PLACELESS = ("E0902", "E0206")  # about the command line, and about what a file lacks


def mutated_text(rng, text, words):
    """`text` with one to four words deleted, doubled, exchanged or replaced."""
    parts = WORD.findall(text)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at, other = rng.randrange(len(parts)), rng.randrange(len(parts))
        while parts[at].isspace():
            at = rng.randrange(len(parts))
        change = rng.randrange(6)
        if change == 0:
            parts[at] = ""
        elif change == 1:
            parts[at] *= 2
        elif change == 2:
            parts[at], parts[other] = parts[other], parts[at]
        elif change == 3 or not parts[at][:1].isalnum():
            parts[at] = rng.choice(words)
        else:
            parts[at] = rng.choice(NUMBERS if parts[at][:1].isdigit() else words)
        parts = [part for part in parts if part]
    return "".join(parts)


def mutated_bytes(rng, data):
    """`data` with a few bytes changed, cut out or doubled."""
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        if not data:
            break
        at = rng.randrange(len(data))
        change = rng.randrange(5)
        if change == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif change == 1:
            data[at] = rng.choice((0, 1, 0x7f, 0x80, 0xff, 0x1b, 0x9f, 0xbf))
        elif change == 2:
            del data[at:at + rng.randrange(1, 9)]
        elif change == 3:
            data[at:at] = data[at:at + rng.randrange(1, 40)]
        else:
            data = data[:at + 1]
    return bytes(data)


def limit_processor_time():
    """Ends the program with SIGXCPU when it goes on for ever, however busy the computer is."""
    resource.setrlimit(resource.RLIMIT_CPU, (600, 600))


def run(arguments, folder):
    """Runs the program with --json; fails unless it ended by itself, with a document that gives every error a code."""
    def end_badly(why):
        raise AssertionError(f"{why}\n{arguments}\nin {folder}\n{result.stdout[-500:]}\n{result.stderr[-3000:]}")

    result = subprocess.run([KLR, *arguments, "--json"], capture_output=True, text=True, errors="replace", cwd=folder,
                            timeout=HANGS_SECONDS, stdin=subprocess.DEVNULL, preexec_fn=limit_processor_time)
    if result.returncode not in (0, 1, 2):
        end_badly(f"status {result.returncode}")
    if "runtime error" in result.stderr or "Sanitizer" in result.stderr:
        end_badly("a sanitizer spoke")
    try:
        document = json.loads(result.stdout)
    except ValueError as error:
        end_badly(f"no JSON: {error}")
    if document["ok"] != (result.returncode == 0):
        end_badly("`ok` and the status differ")
    errors = [diag for diag in document["diagnostics"] if diag["severity"] == "error"]
    if result.returncode and not errors:
        end_badly("failed without an error")
    for diag in errors:
        if not re.fullmatch(r"E\d{4}", diag["code"]) or not diag["message"]:
            end_badly("an error without code or text")
    return result.returncode, document


class Mutations:
    """Damages of one seed, in `folder`. Every method returns the status of one run."""

    def __init__(self, folder, seed):
        self.rng, self.folder = random.Random(seed), folder
        self.examples = {}
        for kernel, arguments, options in KERNELS:
            file = kernel.split(":")[0]
            with open(os.path.join(ROOT, "examples", file), encoding="utf-8") as text:
                self.examples.setdefault(file, (text.read(), []))[1].append((kernel, arguments, options))
        self.files = {}

    def choose(self):
        source, uses = self.examples[self.rng.choice(sorted(self.examples))]
        return source, *self.rng.choice(uses)

    def python(self):
        source, kernel, arguments, options = self.choose()
        name = "k.py" + (":" + kernel.split(":")[1] if ":" in kernel else "")
        (self.folder / "k.py").write_text(mutated_text(self.rng, source, NAMES + OPERATORS), encoding="utf-8")
        status, document = run(["run", name, *arguments, *options, "--max-steps=200000"], self.folder)
        for diag in document["diagnostics"]:
            if diag["severity"] == "error" and "line" not in diag and diag["code"] not in PLACELESS:
                raise AssertionError(f"an error without a place: {diag}\n{self.folder}")
        return status

    def traced(self, form):
        """One example as a file of `form` (klr or klrtxt) and what it is run with; traced once."""
        _, kernel, arguments, options = self.choose()
        key = kernel, arguments[0], form
        if key not in self.files:
            path = self.folder / f"whole.{form}"
            form_name = "text" if form == "klrtxt" else "klr"
            result = subprocess.run([KLR, "trace", os.path.join(ROOT, "examples", kernel), *arguments, *options, "-o", path,
                                     "--as", form_name], capture_output=True, text=True, timeout=HANGS_SECONDS)
            assert result.returncode == 0, result.stderr
            self.files[key] = path.read_bytes()
        return self.files[key], [a for a in arguments if "[" in a]

    def file(self):
        data, arguments = self.traced("klr")
        (self.folder / "k.klr").write_bytes(mutated_bytes(self.rng, data))
        return run(["run", "k.klr", *arguments, "--max-steps=200000"], self.folder)[0]

    def text(self):
        data, arguments = self.traced("klrtxt")
        (self.folder / "k.klrtxt").write_text(mutated_text(self.rng, data.decode(), TEXTS), encoding="utf-8")
        return run(["run", "k.klrtxt", *arguments, "--max-steps=200000"], self.folder)[0]

    def npy(self):
        dtype = self.rng.choice(("<f4", "<f8", "<f2", "<i4", "|u1", ">f4", "|b1", "<c8"))
        np.save(self.folder / "x.npy", np.ones((7, 9), dtype=dtype))
        data = (self.folder / "x.npy").read_bytes()
        head = mutated_bytes(self.rng, data[:128]) + data[128:] if self.rng.random() < 0.8 else mutated_bytes(self.rng, data)
        (self.folder / "x.npy").write_bytes(head)
        cast = self.rng.choice(("", ":f32", ":bf16", ":i8"))
        return run(["run", os.path.join(ROOT, "examples/softmax.py"), f"x=@x.npy{cast}"], self.folder)[0]

    def argument(self):
        text = self.rng.choice(("randn:f32[7,9]", "f32[7,9]", "randint(0,10):i32[7,9]", "@x.npy:bf16", "(1, 2)"))
        parts = WORD.findall(text)
        at = self.rng.randrange(len(parts))
        parts[at] = self.rng.choice((parts[at] * 2, "", "0", "-1", "9" * 25, "99999999999", "f99", "ü", "[", ",", "zeros"))
        return run(["run", os.path.join(ROOT, "examples/softmax.py"), "x=" + "".join(parts)], self.folder)[0]


def check_mutations(folder, seed, counts):
    """counts: how many of each kind. Returns how often each status came."""
    mutations = Mutations(folder, seed)
    statuses = {0: 0, 1: 0, 2: 0}
    for kind, count in counts.items():
        for _ in range(count):
            statuses[getattr(mutations, kind)()] += 1
    return statuses

"""Files in every form against an encoder that shares nothing with ours."""

import json
import os
import subprocess

import pytest

import klr_reference
from conftest import HANGS_SECONDS, ROOT

TOOL = os.path.join(ROOT, os.path.dirname(os.environ.get("KLR", "build/klr")), "tests", "serde_tool")


def tool(*arguments):
    return subprocess.run([TOOL, *map(str, arguments)], capture_output=True, timeout=HANGS_SECONDS)


def random_files(folder, seed, ops, mode):
    prefix = folder / f"{mode}-{seed}"
    result = tool("random", seed, ops, mode, prefix)
    assert result.returncode == 0, result.stderr.decode()
    return [folder / f"{mode}-{seed}.{form}" for form in ("klr", "json", "sexp")]


@pytest.mark.parametrize("mode,ops,seeds", [("raw", 76, 12), ("plain", 76, 6), ("raw", 5, 60)])
def test_bytes_are_those_of_the_independent_encoder(tmp_path, mode, ops, seeds):
    for seed in range(seeds):
        klr, text, sexp = random_files(tmp_path, seed, ops, mode)
        with open(text, encoding="utf-8") as file:
            contents = json.load(file)
        assert klr_reference.encode_file(contents) == klr.read_bytes()
        assert tool("klr", text).stdout == klr.read_bytes()
        assert tool("klr", sexp).stdout == klr.read_bytes()
        assert tool("json", klr).stdout == text.read_bytes()
        assert tool("sexp", klr).stdout == sexp.read_bytes()


def test_every_operator_and_constructor_is_met(tmp_path):
    met = set()

    def visit(value):
        if isinstance(value, dict):
            met.update(value)
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                visit(item)
        elif isinstance(value, str):
            met.add(value)

    for seed in range(12):
        visit(json.loads(random_files(tmp_path, seed, 800, "raw")[1].read_text(encoding="utf-8")))
    wanted = {name for _, constructors, _ in klr_reference.TYPES.values() if constructors for name in constructors}
    assert not wanted - met


def test_the_documented_types_are_those_tested(tmp_path):
    with open(os.path.join(ROOT, "docs", "format.md"), encoding="utf-8") as file:
        text = file.read()
    assert klr_reference.TABLE.strip() in text


def test_dump_shows_all_bytes_in_order(tmp_path):
    klr = random_files(tmp_path, 1, 76, "raw")[0]
    shown = bytearray()
    for line in tool("bytes", klr).stdout.decode().splitlines():
        offset, _, rest = line.partition("  ")
        if offset.strip():
            assert int(offset, 16) == len(shown)
        shown += bytes.fromhex(rest[:36].split("  ")[0])
    assert bytes(shown) == klr.read_bytes()


def test_extended_files_round_trip(tmp_path):
    for seed in range(10):
        klr, text, sexp = random_files(tmp_path, seed, 76, "extended")
        assert b"\x67NKI+klr" in klr.read_bytes()[:20]
        assert tool("klr", text).stdout == klr.read_bytes()
        assert tool("klr", sexp).stdout == klr.read_bytes()


@pytest.mark.parametrize("text,place,message", [
    ("((", ":1:3", "a parenthesis is not closed"),
    ("(lnc (kernel\n  5))", ":2:3", "expected a `LncKernel`, which is ((field value) ...), found `5`"),
    ("(lncs (kernel ()))", ":1:1", "`Contents` has no constructor `lncs`"),
    ('(lnc (kernel ((name "a\\q"))))', ":1:25", "unknown escape"),
    ('(lnc (kernel ((name "a") (name "b") (inputs ()) (outputs ()) (bodies ()) (sharedConstants ()) (sharedBuffers ()) '
     '(edges ()))))', ":1:26", "the field `name` stands twice"),
    ('{"lnc": {"kernel": {"name": 3}}}', "", "expected a string, found an integer"),
    ('{"lnc": {"kernel": ', ":1:", "not JSON"),
    ('{"lnx": {"kernel": {}}}', "", "did you mean `lnc`?"),
])
def test_mistakes_in_text_forms_name_the_place(tmp_path, text, place, message):
    path = tmp_path / "bad.txt"
    path.write_text(text, encoding="utf-8")
    result = tool("klr", path)
    said = result.stderr.decode()
    assert result.returncode == 1 and result.stdout == b""
    assert message in said and f"bad.txt{place}" in said and said.count("error[") == 1

"""`klr explain` knows everything that `klr list` names, and docs/isa.md is what it prints."""

import json
import os
import re

import pytest
from conftest import ROOT, run_klr


def ok(*arguments):
    result = run_klr(*arguments)
    assert result.returncode == 0, (arguments, result.stderr)
    return result.stdout


def listed(table):
    return [row["name"] for row in json.loads(ok("list", table, "--json"))]


@pytest.mark.parametrize("table", ["builtins", "operators", "errors", "gaps", "dtypes", "alu", "activations", "targets"])
def test_everything_listed_can_be_explained(table):
    for name in sorted(set(listed(table))):
        assert len(ok("explain", name)) > 20, name


def test_rules_can_be_explained():
    rules = json.loads(ok("list", "rules", "--json"))
    for rule in rules[::11]:
        found = json.loads(ok("explain", rule["name"], "--json"))
        assert found["rule"] == rule["name"] and found["code"] == rule["code"] and found["source"] == rule["source"]
    for family in {rule["name"].rsplit(".", 1)[-1] for rule in rules if rule["function"]}:
        assert ok("explain", family)  # an enumeration of the same name comes first


@pytest.mark.parametrize("name", ["engine", "reduce_cmd", "dge_mode", "oob_mode", "matmul_perf_mode", "dma_engine", "nc_version", "AccumCmd"])
def test_enumerations(name):
    assert json.loads(ok("explain", name, "--json"))["enumeration"] == name


def test_an_instruction_with_all_that_is_known_of_it():
    found = json.loads(ok("explain", "nisa.exponential", "--json"))
    assert found["engines"] == "trn1: none; trn2: none; trn3: vector"
    parameters = {parameter["name"]: parameter for parameter in found["parameters"]}
    assert list(parameters) == ["dst", "src", "max_value", "reduce_res", "reduce_cmd", "reduce_init", "name"]
    assert parameters["src"]["memories"] == "SBUF or PSUM" and "uint32" in parameters["src"]["dtypes"]
    assert "uint32" not in parameters["dst"]["dtypes"] and parameters["reduce_init"]["default"] == "0.0"
    assert "exponential.reduce_init.initial" in found["checks"] and "documented" in found["time"]
    text = ok("explain", "exponential")
    assert all(word in text for word in ("Parameters:", "Rules:", "Time:", "Source:", "In the core language:"))


def test_every_instruction_has_a_section_with_every_parameter():
    with open(os.path.join(ROOT, "docs", "isa.md"), encoding="utf-8") as file:
        page = file.read()
    assert page == ok("explain", "isa"), "run `make docs`"
    for name in listed("builtins"):
        if re.fullmatch(r"nki\.isa\.\w+", name):
            section = page.split(f"\n## {name[8:]}\n", 1)[1].split("\n## ", 1)[0]
            signature = json.loads(ok("explain", name, "--json"))["signature"]
            for parameter in re.findall(r"(?:[(,] ?)(\w+)(?=[=,)])", signature):
                assert f"| `{parameter}` |" in section, (name, parameter)


@pytest.mark.parametrize("name, words", [
    ("nki.isa.engine", ["class engine(Enum)", "vector = 5"]), ("nisa.engine.gpsimd", ["class engine(Enum)", "gpsimd = 3"]),
    ("nl.bfloat16", ["2 bytes"]), ("nki.language.sbuf", ["128 partitions"]), ("nl.bypass", ["ALU operator"]),
    ("nl.tile_size", ["sbuf_fmax_bytes", "trn1 180224, trn2 212984, trn3 245752"]), ("tile_size.pmax", ["trn3 128"]),
    ("nisa.VirtualRegister", ["32-bit", "loop bound"]), ("nki.isa.NkiInstruction", ["depends_on"]),
    ("NkiValidationError", ["constraint"]), ("ncc.ReplicaGroup", ["lists of ranks"]), ("nki.collectives", ["all_to_all_v"]),
    ("nl.add", ["nl.add(x, y", "ALU operator, x + y"]), ("exp", ["nl.exp(x", "activation function"]),
    ("ncc.all_gather_v", ["metadata_tensor.group", "tensor, read", "In the core language"]),
    ("rank_id", ["nccl.rank_id"])])
def test_names_of_the_library(name, words):
    text = ok("explain", name)
    assert all(word in text for word in words), text
    json.loads(ok("explain", name, "--json"))


def test_names_of_another_module_are_not_found():
    for name in ("nl.engine", "engine.nope", "nisa.tile_size", "nl._support", "nisa.all_reduce"):
        assert run_klr("explain", name).returncode == 2, name


def test_every_parameter_is_described():
    for name in listed("builtins"):
        if re.fullmatch(r"nki\.(isa|collectives)\.\w+", name):
            for parameter in json.loads(ok("explain", name, "--json"))["parameters"]:
                assert parameter["kind"], (name, parameter["name"])


def test_rules_of_pieces_of_different_lengths_stand_with_their_function():
    equal, variable = (json.loads(ok("explain", name, "--json"))["checks"] for name in ("all_gather", "all_gather_v"))
    assert not any("metadata" in rule for rule in equal) and any(rule.endswith(".size") for rule in equal)
    assert any("metadata_tensor.shape" in rule for rule in variable) and not any(rule.endswith(".size") for rule in variable)

"""Every function and parameter of nki.isa has rules of its own or a reason for none, and every statement of its reference is
checked by rules that exist: the tables of isa_cover.py against `klr list rules` and the library."""

import ast
import json
import os
import re

import pytest
from conftest import ROOT, run_klr
from isa_cover import ANY, CONSTRAINTS
from isa_rules import BASE


def listed(table):
    return json.loads(run_klr("list", table, "--json").stdout)


RULES = {}
for _rule in listed("rules"):
    RULES.setdefault(_rule["name"], _rule)
GAPS = {gap["name"] for gap in listed("gaps")}
CODES = {error["name"] for error in listed("errors")}


def functions():
    """{function: its parameters} of nki/isa."""
    with open(os.path.join(ROOT, "nki", "isa", "__init__.py"), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    return {function.name: [argument.arg for argument in function.args.args] for function in tree.body
            if isinstance(function, ast.FunctionDef) and not function.name.startswith("_")}


FUNCTIONS = functions()


def test_the_tables_name_every_function():
    assert len(FUNCTIONS) >= 52
    assert set(CONSTRAINTS) == set(FUNCTIONS) == set(BASE)
    assert set(ANY) <= set(FUNCTIONS)


@pytest.mark.parametrize("function", sorted(FUNCTIONS))
def test_every_parameter_has_rules_or_a_reason_for_none(function):
    ruled = {rule["parameter"] for rule in RULES.values() if rule["function"] == function}
    reasons = ANY.get(function, {})
    for parameter in FUNCTIONS[function]:
        if parameter in ("name", "dtype"):  # a label; a parameter of earlier versions, converted like dst
            continue
        assert (parameter in ruled) != (parameter in reasons), (function, parameter)
    assert set(reasons) <= set(FUNCTIONS[function])


@pytest.mark.parametrize("function", sorted(CONSTRAINTS))
def test_every_statement_is_checked_by_rules_that_exist(function):
    for statement, checks in CONSTRAINTS[function].items():
        if " is " in f" {checks} " or checks.endswith(": sim") or ": a compiler" in checks:
            continue  # a reason, not rules
        for check in checks.split():
            if check.startswith("gap:"):
                assert check[4:] in GAPS, (function, statement, check)
            elif check.startswith("run:"):
                assert check[4:] in CODES, (function, statement, check)
            else:
                assert check in RULES or f"{function}.{check}" in RULES, (function, statement, check)


def test_the_base_calls_give_every_parameter():
    for function, (_, arguments) in BASE.items():
        assert set(arguments) == set(FUNCTIONS[function]) - {"name", "dtype"}, function


def test_reasons_name_gaps_that_exist():
    for reasons in ANY.values():
        for reason in reasons.values():
            for gap in re.findall(r"gap:([\w-]+)", reason):
                assert gap in GAPS

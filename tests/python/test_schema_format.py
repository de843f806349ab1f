"""docs/schema.json, judged by the jsonschema package: every document that is written is valid, and what the reader refuses for its structure is
not."""

import copy
import glob
import json
import os
import random

import pytest
from conftest import ROOT, run_klr
from jsonschema import Draft202012Validator

import test_schema_json
from test_schema_json import at, document, places, saxpy, second, write  # noqa: F401 (a fixture)

with open(os.path.join(ROOT, "docs", "schema.json")) as page:
    FORMAT = json.load(page)
VALIDATOR = Draft202012Validator(FORMAT)


def test_it_is_a_schema_and_what_the_program_prints():
    Draft202012Validator.check_schema(FORMAT)
    assert json.loads(run_klr("schema", "format").stdout) == FORMAT


def test_documents_of_the_catalogue(tmp_path):
    result = run_klr("schema", "compile", os.path.join(ROOT, "kernels"), "-o", tmp_path)
    assert result.returncode == 0, result.stderr
    paths = glob.glob(str(tmp_path / "*" / "*.json"))
    assert len(paths) >= 60
    for path in paths:
        with open(path) as file:
            VALIDATOR.validate(json.load(file))


def test_documents_of_the_tests(document):  # noqa: F811
    VALIDATOR.validate(json.loads(document))
    for value in (saxpy(), second(), [saxpy(), second()]):
        VALIDATOR.validate(value)


# refused for what JSON Schema cannot say: text that is no JSON, and integers that JSON texts have too many digits in
BEYOND = ("not JSON", "64 bits")


def test_what_is_refused_is_not_valid():
    judged = 0
    for place, value, parts in test_schema_json.REFUSED:
        if place is None or any(part in BEYOND for part in parts):
            continue
        changed = saxpy()
        holder, key = at(changed, place)
        holder[key] = value
        assert not VALIDATOR.is_valid(changed), (place, value)
        judged += 1
    assert judged >= 19
    for text in ("3", "[]", '{"version": "1.1"}', '{"version": "1.1", "kernels": []}', '{"version": "1.1", "kernels": [], "extra": 3}',
                 '[{"version": "1.1", "kernels": []}]', "null", '"x"'):
        assert not VALIDATOR.is_valid(json.loads(text)), text


def changed_structure(value, rng):
    """A copy in which one field is missing, renamed, of another JSON type, or a word that is none."""
    value = copy.deepcopy(value)
    place = rng.choice([p for p in places(value, [])[1:] if isinstance(p[-1], str)])
    holder, key = at(value, place)
    how = rng.randrange(4)
    if how == 0:
        del holder[key]
    elif how == 1:
        holder[key + "_"] = holder.pop(key)
    elif how == 2:
        holder[key] = rng.choice([3, [], {}, "no such word", None, True, [[]], -1.5])
    else:
        holder["extra"] = 3
    return value, place


def test_both_judge_alike(tmp_path, document):  # noqa: F811
    """The schema refuses exactly what the reader refuses for its structure; what the reader says more is of types and directions."""
    rng, refused, fine = random.Random(3), 0, 0
    whole = json.loads(document)
    whole["kernels"] = whole["kernels"][1:]
    for i in range(120):
        changed, place = changed_structure(whole if i % 3 else saxpy(), rng)
        result = run_klr("schema", "check", write(tmp_path / "k.json", changed))
        structure = [line for line in result.stderr.splitlines() if "error[E1011]" in line and "is said to be" not in line and "no value of type" not in line]
        assert VALIDATOR.is_valid(changed) == (not structure), (place, structure, [e.message for e in VALIDATOR.iter_errors(changed)])
        refused, fine = refused + bool(structure), fine + (not structure)
    assert refused > 60 and fine > 5


@pytest.mark.parametrize("place, part", [
    (("kernels", 0, "body", 0, "value", "args"), "'args' is a required property"), (("kernels", 0, "params", 0, "type", "kind"), "'kind' is a required property"),
])
def test_messages_name_the_field(document, place, part):  # noqa: F811
    """The kind of a node is chosen by its type, so that what is told is about that kind alone."""
    changed = json.loads(document)
    holder, key = at(changed, place)
    del holder[key]
    errors = list(VALIDATOR.iter_errors(changed))
    assert len(errors) == 1 and part in errors[0].message

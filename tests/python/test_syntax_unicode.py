"""Names in normal form, characters by name and their repr(), against the tables of CPython 3.11."""

import subprocess

import pytest
from syntax_compare import PYTHON, compare
from test_syntax_stdlib import needs_library

# Run by CPython 3.11, whose tables ours are: writes one Python file for each way that characters are used.
GENERATE = r'''
import random, sys, unicodedata
folder = sys.argv[1]
rng = random.Random(11)
parts = [chr(c) for c in range(0x80, 0x110000) if ("a" + chr(c)).isidentifier()]
changed = [c for c in parts if unicodedata.normalize("NFKC", c) != c]
marks = [c for c in parts if unicodedata.combining(c)]
letters = [c for c in map(chr, range(0x41, 0x250)) if c.isidentifier()] + ["\u1100", "\u1161", "\u11a8", "\uac00"]

def write(name, lines):
    with open(f"{folder}/{name}.py", "w", encoding="utf-8", newline="") as out:
        out.write("\n".join(lines) + "\n")

write("changed", [f"a{c} = {c if c.isidentifier() else 'b' + c}" for c in changed])
write("sample", [f"a{c}" for c in parts[::17]])
write("marks", ["".join(rng.choice(letters) + "".join(rng.choices(marks, k=rng.randrange(4))) for _ in range(3))
                for _ in range(3000)])
write("mixed", ["a" + "".join(rng.choices(changed + marks, k=5)) for _ in range(3000)])
write("hangul", ["\u1100\u1161\u11a8 + \uac00\u11a8 + \u1100\u1161 + \u1112\u1175\u11c2 + \uac01\u11a8"])
# What may not stand in a name: both sides must refuse.
for i, c in enumerate(rng.sample([chr(c) for c in range(0x80, 0x30000)
                                  if not ("a" + chr(c)).isidentifier() and not 0xD800 <= c < 0xE000], 150)):
    write(f"refused{i:03}", [f"x = a{c}"])
named = [c for c in map(chr, range(0x110000)) if unicodedata.name(c, "")]
write("names", ['"\\N{%s}"' % unicodedata.name(c) for c in named[::23]])
write("lower", ['"\\N{%s}"' % unicodedata.name(c).lower() for c in named[::997]
                if not unicodedata.name(c).startswith("CJK UNI") and "HANGUL SYL" not in unicodedata.name(c)])
write("aliases", ['"\\N{%s}"' % name for name in ("LINE FEED", "NBSP", "ZWJ", "BOM", "NULL", "ESC", "VS17", "LF")])
for i, name in enumerate(("", "LATIN SMALL LETTER", "NOTHING", "HANGUL SYLLABLE GAX", "CJK UNIFIED IDEOGRAPH-0041",
                          "KEYCAP DIGIT ONE", "BULLET ", "HANGUL SYLLABLE ")):
    write(f"unknown{i}", ['"\\N{%s}"' % name])
write("shown", ["'" + "".join(chr(c) for c in range(start, start + 97) if not 0xD800 <= c < 0xE000) + "'"
                for start in list(range(0xA0, 0x3000, 97)) + list(range(0x3000, 0x10FF00, 97 * 29))])
write("surrogates", ['"\\ud800\\udfff\\ud83d\\ude00a"'])
'''


@needs_library
@pytest.mark.slow
def test_characters_are_those_of_cpython(tmp_path):
    subprocess.run([PYTHON, "-c", GENERATE, str(tmp_path)], check=True)
    paths = sorted(str(path) for path in tmp_path.glob("*.py"))
    wrong, accepted = compare(paths, batch=200)
    assert not wrong, "\n".join(wrong[:10])
    assert accepted == 10
    assert len(paths) == 10 + 150 + 8

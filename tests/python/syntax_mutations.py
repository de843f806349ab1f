"""Python texts with a few words changed: both parsers must refuse or take the same ones, with the same tree."""

import ast
import glob
import os
import random
import re
import textwrap
import warnings

from conftest import ROOT
from syntax_compare import LIBRARY, compare

WORD = re.compile(r"\s+|[A-Za-z_]\w*|\d[\w.]*|[-+*/%@&|^~<>=!:,.;(){}\[\]]|\"\"\"|'''|['\"]|\\.|.", re.S)
INSERTED = """
if else for in async await lambda yield from import as with not * ** = := : , ( ) [ ] { } . ... -> @ f" " '
match case _ None 1 x 1j b"" del except try: global !r {x} | is def class type / == + - ~ += ; print return
""".split() + ["\n", "\n  ", "\\\n"]
TESTS = ("grammar", "patma", "fstring", "generators", "named_expressions", "syntax", "positional_only_arg", "unpack_ex",
         "with", "coroutines", "string_literals")


def is_python(text):
    try:
        ast.parse(text)
        return True
    except (SyntaxError, ValueError):
        return False


def seeds(rng):
    """Short texts that parse: the golden cases, and lines of CPython's own tests."""
    with open(os.path.join(ROOT, "tests/golden/syntax/cases.txt"), encoding="utf-8", newline="") as text:
        pool = text.read().split("\n----\n")
    for name in TESTS:
        for path in glob.glob(os.path.join(LIBRARY, "test", f"test_{name}.py")):
            with open(path, encoding="utf-8") as text:
                lines = text.read().split("\n")
            for _ in range(150):
                start = rng.randrange(len(lines))
                pool.append(textwrap.dedent("\n".join(lines[start:start + rng.randrange(1, 5)])))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return [text for text in pool if is_python(text)]


def mutated(rng, pool):
    words = WORD.findall(rng.choice(pool))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if not words:
            break
        at, other = rng.randrange(len(words)), rng.randrange(len(words))
        change = rng.randrange(5)
        if change == 0:
            del words[at]
        elif change == 1:
            words.insert(at, rng.choice(INSERTED))
        elif change == 2:
            words[at] = rng.choice(INSERTED)
        elif change == 3:
            words[at], words[other] = words[other], words[at]
        else:
            words.insert(at, rng.choice(WORD.findall(rng.choice(pool)) or ["x"]))
    return "".join(words)


def check_mutations(folder, seed, count):
    rng = random.Random(seed)
    pool = seeds(rng)
    paths = []
    for i in range(count):
        path = folder / f"{i:06}.py"
        path.write_text(mutated(rng, pool), encoding="utf-8", newline="")
        paths.append(str(path))
    wrong, accepted = compare(paths, batch=500)
    assert not wrong, "\n".join(wrong[:10])
    assert accepted > count // 5 and count - accepted > count // 5

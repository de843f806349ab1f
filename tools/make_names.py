"""Writes the table behind "\\N{...}": one number for each Unicode character that has a name.

The upper 40 bits of a number are those of the name's 64-bit FNV-1a hash, the lower 24 the code point; sorted. The
names themselves are not kept: that one that does not exist is taken for another has a chance of 1 in 30 million.
Names that follow a rule (Hangul syllables, CJK ideographs) are left to src/syntax/names.c. Usage: make_names.py OUTPUT
"""

import os
import re
import sys
import unicodedata

ALIASES = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "src/syntax/unicode_alias.def")


def fnv1a(text):
    value = 0xCBF29CE484222325
    for byte in text.encode("ascii"):
        value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return value


def main():
    named = []
    for code in range(0x110000):
        name = unicodedata.name(chr(code), None)
        if name and not name.startswith(("HANGUL SYLLABLE ", "CJK UNIFIED IDEOGRAPH-")):
            named.append((name, code))
    with open(ALIASES, encoding="ascii") as table:
        aliases = re.findall(r'ALIAS\("([^"]+)", (0x[0-9A-F]+)\)', table.read())
    named += [(name, int(code, 16)) for name, code in aliases]
    rows = sorted(fnv1a(name) >> 24 << 24 | code for name, code in set(named))
    assert len({row >> 24 for row in rows}) == len(rows), "two names with one hash: widen it"
    with open(sys.argv[1], "w", encoding="ascii") as out:
        out.write("// Written by tools/make_names.py.\n")
        for start in range(0, len(rows), 5):
            out.write(" ".join(f"0x{row:016x}," for row in rows[start:start + 5]) + "\n")


if __name__ == "__main__":
    main()

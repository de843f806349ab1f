"""Writes src/syntax/unicode.def from Python's own tables: run it with Python 3.11 to change nothing.

RANGE_START(first, last)      code points that may begin an identifier (XID_Start), above ASCII
RANGE_PART(first, last)       ... that may stand in one but not begin it
RANGE_HIDDEN(first, last)     ... that repr() escapes
"""

import os
import sys
import unicodedata

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def ranges(accept):
    first = None
    for code in range(0x80, 0x110001):
        good = code < 0x110000 and accept(chr(code))
        if good and first is None:
            first = code
        elif not good and first is not None:
            yield first, code - 1
            first = None


def write(out, macro, accept):
    line = ""
    for first, last in ranges(accept):
        item = f"{macro}(0x{first:X}, 0x{last:X})"
        if line and len(line) + 1 + len(item) > 118:
            out.write(line + "\n")
            line = ""
        line += (" " if line else "") + item
    out.write(line + "\n")


def main():
    with open(os.path.join(ROOT, "src/syntax/unicode.def"), "w", encoding="ascii") as out:
        out.write(f"// unicode.def -- ranges of Unicode {unicodedata.unidata_version}; written by tools/make_unicode.py.\n\n")
        for macro in ("RANGE_START", "RANGE_PART", "RANGE_HIDDEN"):
            out.write(f"#ifndef {macro}\n#define {macro}(first, last)\n#endif\n")
        out.write("\n")
        write(out, "RANGE_START", str.isidentifier)
        write(out, "RANGE_PART", lambda c: ("a" + c).isidentifier() and not c.isidentifier())
        write(out, "RANGE_HIDDEN", lambda c: not c.isprintable())
        for macro in ("RANGE_START", "RANGE_PART", "RANGE_HIDDEN"):
            out.write(f"#undef {macro}\n")


if __name__ == "__main__":
    sys.exit(main())

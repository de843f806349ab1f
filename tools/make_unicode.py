"""Writes the tables of src/syntax/unicode.c from Python's own; run it with Python 3.11 to change nothing.

unicode.def
  RANGE_START(first, last)      code points above ASCII that may begin an identifier (XID_Start)
  RANGE_PART(first, last)       ... that may stand in one but not begin it
  RANGE_HIDDEN(first, last)     ... that repr() escapes
unicode_normal.def, of the code points that may stand in an identifier (Hangul syllables follow a rule)
  RUN(first,last,to)            their normal form KD is one code point: to + (c - first)
  ONE(c,to)                     ... for a single one
  TWO(c,a,b), MAP(c,a,b,c,d)    it is two, or up to four; 0: none
  PAIR(first,second,whole)      composition in normal form C
  CLASS(first,last,class)       canonical combining class
unicode_alias.def
  ALIAS(name, code point)       names that unicodedata.name() does not tell: controls, abbreviations, corrections
"""

import ctypes
import os
import unicodedata

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
NOTE = f"Unicode {unicodedata.unidata_version}; written by tools/make_unicode.py"


def ranges(values):
    """(first, last) of the runs of consecutive numbers in the sorted `values`."""
    first = last = None
    for value in values:
        if last is not None and value == last + 1:
            last = value
            continue
        if first is not None:
            yield first, last
        first = last = value
    if first is not None:
        yield first, last


def write_table(name, title, macros, items):
    with open(os.path.join(ROOT, "src/syntax", name), "w", encoding="ascii") as out:
        out.write(f"// {name} -- {title}; {NOTE}.\n\n")
        for macro in macros:
            out.write(f"#ifndef {macro.split('(')[0]}\n#define {macro}\n#endif\n")
        out.write("\n")
        line = ""
        for item in items:
            if line and len(line) + 1 + len(item) > 118:
                out.write(line + "\n")
                line = ""
            line += (" " if line else "") + item
        out.write(line + "\n\n")
        for macro in macros:
            out.write(f"#undef {macro.split('(')[0]}\n")


def in_names():
    return [c for c in range(0x80, 0x110000) if ("a" + chr(c)).isidentifier()]


def range_items():
    start = [c for c in in_names() if chr(c).isidentifier()]
    part = [c for c in in_names() if not chr(c).isidentifier()]
    hidden = [c for c in range(0x80, 0x110000) if not chr(c).isprintable()]
    for macro, values in (("RANGE_START", start), ("RANGE_PART", part), ("RANGE_HIDDEN", hidden)):
        for first, last in ranges(values):
            yield f"{macro}(0x{first:X}, 0x{last:X})"


def normal_items():
    maps = {c: unicodedata.normalize("NFKD", chr(c)) for c in in_names() if not 0xAC00 <= c <= 0xD7A3}
    maps = {c: text for c, text in maps.items() if text != chr(c)}
    singles = {c: ord(text) for c, text in maps.items() if len(text) == 1}
    begin = None
    for c, to in sorted(singles.items()):
        begin = c if begin is None else begin
        if singles.get(c + 1) != to + 1:
            yield f"ONE(0x{c:X},0x{to:X})" if begin == c else f"RUN(0x{begin:X},0x{c:X},0x{singles[begin]:X})"
            begin = None
    for c, text in sorted(maps.items()):
        assert len(text) <= 4
        codes = [f"0x{ord(d):X}" for d in text]
        if len(codes) == 2:
            yield f"TWO(0x{c:X},{codes[0]},{codes[1]})"
        elif len(codes) > 2:
            yield f"MAP(0x{c:X},{','.join((codes + ['0'])[:4])})"
    pairs = []
    for c in range(0x80, 0x110000):
        parts = unicodedata.decomposition(chr(c)).split()
        if len(parts) == 2 and not parts[0].startswith("<") and unicodedata.normalize("NFC", chr(c)) == chr(c):
            pairs.append((int(parts[0], 16), int(parts[1], 16), c))
    for first, second, whole in sorted(pairs):
        yield f"PAIR(0x{first:X},0x{second:X},0x{whole:X})"
    classes = [c for c in range(0x110000) if unicodedata.combining(chr(c))]
    for first, last in ranges(classes):
        begin = first
        for c in range(first, last + 1):
            if c == last or unicodedata.combining(chr(c + 1)) != unicodedata.combining(chr(c)):
                yield f"CLASS(0x{begin:X},0x{c:X},{unicodedata.combining(chr(c))})"
                begin = c + 1


def alias_items():
    """CPython keeps aliases as names of private code points, which its C interface tells."""
    class Interface(ctypes.Structure):
        _fields_ = [("getname", ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_int,
                                                  ctypes.c_int))]

    get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
    get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    interface = Interface.from_address(get_pointer(unicodedata._ucnhash_CAPI, b"unicodedata._ucnhash_CAPI"))
    aliases = []
    for code in range(0xF0000, 0xF1000):
        buffer = ctypes.create_string_buffer(256)
        if interface.getname(code, buffer, 256, 1):
            name = buffer.value.decode("ascii")
            text = unicodedata.lookup(name)
            if len(text) == 1:  # sequences have no place in \N{}
                aliases.append((name, ord(text)))
    return [f'ALIAS("{name}", 0x{code:X})' for name, code in sorted(aliases)]


def main():
    write_table("unicode.def", "which characters stand in names and in repr()",
                ["RANGE_START(first, last)", "RANGE_PART(first, last)", "RANGE_HIDDEN(first, last)"], range_items())
    write_table("unicode_normal.def", "normal form KC of identifiers",
                ["RUN(first, last, to)", "ONE(code, to)", "TWO(code, a, b)", "MAP(code, a, b, c, d)",
                 "PAIR(first, second, whole)", "CLASS(first, last, number)"], normal_items())
    write_table("unicode_alias.def", "further names of characters", ["ALIAS(name, code)"], alias_items())


if __name__ == "__main__":
    main()

"""The conformance vectors as a format: reading and checking the files, making bits from words, rendering NKI kernels.

docs/conformance.md explains the format. Nothing here knows how an instruction works; nothing but NumPy is needed.
"""

import ast
import json
import os
import re

import numpy as np

FOLDER = os.path.dirname(os.path.abspath(__file__))
TARGETS = ("trn1", "trn2", "trn3")
PROVENANCES = ("documented", "measured", "assumed")
SPACES = ("sbuf", "psum", "hbm")
WORD = {8: np.uint8, 16: np.uint16, 32: np.uint32}

# dtype: bits of an element, then of floats: exponent bits, fraction bits, bias
DTYPES = {
    "float32": (32, 8, 23, 127), "tfloat32": (32, 8, 23, 127), "bfloat16": (16, 8, 7, 127), "float16": (16, 5, 10, 15),
    "float8_e5m2": (8, 5, 2, 15), "float8_e4m3": (8, 4, 3, 7), "float8_e4m3fn": (8, 4, 3, 7), "float8_e8m0fnu": (8,),
    "int8": (8,), "int16": (16,), "int32": (32,), "uint8": (8,), "uint16": (16,), "uint32": (32,), "bool_": (8,),
    "float8_e5m2_x4": (32,), "float8_e4m3fn_x4": (32,), "float4_e2m1fn_x4": (16,),
}

# dtypes that a .npy file can name, as numpy.save does: those of ml_dtypes have no name of their own there
NPY_DTYPES = {"float32": "<f4", "float16": "<f2", "bfloat16": "<V2", "float8_e5m2": "<f1", "int32": "<i4", "int16": "<i2", "int8": "|i1",
              "uint32": "<u4", "uint16": "<u2", "uint8": "|u1"}


class Malformed(ValueError):
    """A vector file says something that the format does not have."""


# ---- bits


def word_type(dtype):
    return WORD[DTYPES[dtype][0]]


def words_of_row(text, digits):
    """`0000 3f80*3` as a list of ints: hexadecimal words of that many digits, *N repeats."""
    words = []
    for token in text.split():
        match = re.fullmatch(r"([0-9a-f]+)(?:\*([1-9][0-9]*))?", token)
        if not match or len(match[1]) != digits:
            raise Malformed(f"`{token}` is not a word of {digits} hexadecimal digits")
        words += [int(match[1], 16)] * int(match[2] or 1)
    return words


def row_of_words(words, digits):
    """The inverse of words_of_row: three equal words or more are written once."""
    parts, i = [], 0
    while i < len(words):
        n = 1
        while i + n < len(words) and words[i + n] == words[i]:
            n += 1
        word = f"{words[i]:0{digits}x}"
        parts += [f"{word}*{n}"] if n > 2 else [word] * n
        i += n
    return " ".join(parts)


def random_words(rule, dtype, count):
    """What a `{"lcg": seed, ...}` stands for: `count` words. The generator is s = (1664525 s + 1013904223) mod 2^32."""
    bits, *layout = DTYPES[dtype]
    state, words = rule["lcg"], []

    def draw():
        nonlocal state
        state = (1664525 * state + 1013904223) & 0xFFFFFFFF
        return state

    for _ in range(count):
        if rule["as"] == "bits":
            words.append(draw() >> (32 - bits))
        elif rule["as"] == "integers":
            value = rule["from"] + (draw() >> 8) % (rule["to"] - rule["from"] + 1)
            words.append(float_word(value, rule.get("shift", 0), layout) if layout else value & ((1 << bits) - 1))
        else:
            exponent_bits, fraction_bits, bias = layout
            first, second = draw(), draw()
            low, high = rule["exponents"]
            exponent = low + (first >> 23 & 255) % (high - low + 1) + bias
            words.append(first >> 31 << (bits - 1) | exponent << fraction_bits | second >> (32 - fraction_bits))
    return words


def float_word(integer, shift, layout):
    """integer * 2^shift as a float of (exponent bits, fraction bits, bias), which must hold it exactly as a normal number."""
    exponent_bits, fraction_bits, bias = layout
    if integer == 0:
        return 0
    size = abs(integer)
    exponent = size.bit_length() - 1
    fraction = size << fraction_bits >> exponent
    field = exponent + shift + bias
    if (fraction << exponent) >> fraction_bits != size or (size << fraction_bits) % (1 << exponent):
        raise Malformed(f"{integer} needs more fraction bits")
    if not 0 < field < (1 << exponent_bits) - 1:
        raise Malformed(f"{integer} * 2^{shift} is out of range")
    sign = (integer < 0) << (exponent_bits + fraction_bits)
    return sign | field << fraction_bits | (fraction & ((1 << fraction_bits) - 1))


def expand(tile, key, rank=0):
    """The words of a tile's "data" or "expect" on one rank: an array of unsigned integers in its shape."""
    content, dtype, shape = tile[key], tile["dtype"], tuple(tile["shape"])
    if isinstance(content, dict) and "ranks" in content:
        content = content["ranks"][rank]
    if isinstance(content, dict):
        words = random_words(content, dtype, int(np.prod(shape)))
    else:
        digits = DTYPES[dtype][0] // 4
        rows = [words_of_row(row, digits) for row in content]
        if len(rows) != shape[0] or any(len(row) != int(np.prod(shape[1:])) for row in rows):
            raise Malformed(f"{key} is not {shape[0]} rows of {int(np.prod(shape[1:]))} words")
        words = [word for row in rows for word in row]
    return np.array(words, word_type(dtype)).reshape(shape)


def ranks(vector):
    """The numbers of the workers that run the kernel."""
    return range(vector.get("ranks", 1))


def rows(words, dtype):
    """An array of words as the files write it: one string for each index of its first dimension."""
    return [row_of_words([int(w) for w in row], DTYPES[dtype][0] // 4) for row in words.reshape(words.shape[0], -1)]


# ---- files


def files():
    return sorted(name for name in os.listdir(FOLDER) if name.endswith(".json") and name not in ("schema.json", "cover.json"))


def read_file(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as text:
        return json.load(text)


def read_all(only=()):
    """Every vector, in order of the files; with `only`, those whose id is one of these or starts with one and a dot."""
    for name in files():
        for vector in read_file(name)["vectors"]:
            if not only or any(vector["id"] == o or vector["id"].startswith(o + ".") for o in only):
                yield vector


def dump(value, indent=0, width=120):
    """JSON in one line where it fits, so that files can be read and compared."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= width or not isinstance(value, (dict, list)) or not value:
        return flat
    pad = " " * (indent + 1)
    if isinstance(value, list):
        return "[\n" + ",\n".join(pad + dump(item, indent + 1, width) for item in value) + "]"
    return "{\n" + ",\n".join(f"{pad}{json.dumps(k)}: {dump(v, indent + 1, width)}" for k, v in value.items()) + "}"


# ---- checks


def check_schema(value, schema, root=None, path="$"):
    """Yields what in `value` does not follow the JSON schema; understands the words that schema.json uses."""
    root = root or schema
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].split("/")[-1]]
    if "oneOf" in schema:
        if sum(not list(check_schema(value, option, root, path)) for option in schema["oneOf"]) != 1:
            yield f"{path}: fits none of the forms, or several"
        return
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool}
    if "type" in schema and (not isinstance(value, kinds[schema["type"]]) or
                             (schema["type"] == "integer" and isinstance(value, bool))):
        yield f"{path}: is not of type {schema['type']}"
        return
    if "const" in schema and value != schema["const"]:
        yield f"{path}: is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{path}: `{value}` is none of {', '.join(map(str, schema['enum']))}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{path}: `{value}` does not match {schema['pattern']}"
    if isinstance(value, int) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{path}: {value} is out of range"
    if isinstance(value, (str, list)) and len(value) < schema.get("minLength", schema.get("minItems", 0)):
        yield f"{path}: is too short"
    if isinstance(value, list):
        if len(value) > schema.get("maxItems", len(value)):
            yield f"{path}: is too long"
        for i, item in enumerate(value):
            yield from check_schema(item, schema.get("items", {}), root, f"{path}[{i}]")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        for key in schema.get("required", []):
            if key not in value:
                yield f"{path}: lacks `{key}`"
        for key, item in value.items():
            rule = known.get(key, schema.get("additionalProperties", {}))
            if rule is False:
                yield f"{path}: has `{key}`, which the format does not know"
            else:
                yield from check_schema(item, rule, root, f"{path}.{key}")


def check_vector(vector):
    """Yields what a schema cannot say: ids, words against shapes, the grammar of the steps, names."""
    names = {"nisa", "nl", "range", "float", "len", "list", "tuple", *vector["tiles"], *(["ncc"] if "ranks" in vector else [])}
    for name, tile in vector["tiles"].items():
        yield from (f"{vector['id']}: tile {name}: {what}" for what in check_tile(tile, vector))
    for number, line in enumerate(vector.get("prints", [])):
        yield from (f"{vector['id']}: print {number}: {what}" for what in check_words(line, "words", 1))
        if line.get("rank", 0) not in ranks(vector) or line.get("core", 0) >= vector.get("cores", 1):
            yield f"{vector['id']}: print {number}: on a rank or core that the kernel does not run on"
    expects = "prints" in vector or any("expect" in tile for tile in vector["tiles"].values())
    if ("refused" in vector) == expects:
        yield f"{vector['id']}: either expects something or is refused"
    for step in vector["steps"]:
        yield from (f"{vector['id']}: `{step}`: {what}" for what in check_step(step, names))


def check_tile(tile, vector):
    for key in ("data", "expect"):
        yield from check_words(tile, key, len(ranks(vector))) if key in tile else ()
    if "constant" in tile and (tile["space"] != "hbm" or "data" not in tile or "expect" in tile or "ranks" in tile["data"]):
        yield "a constant is in HBM, has data, the same on every rank, and never changes"
    if "constant" in tile and tile["dtype"] not in NPY_DTYPES:
        yield f"no .npy file says that it holds {tile['dtype']}"


def check_words(tile, key, rank_count):
    """What is wrong about words, or about those of each rank."""
    content = tile[key]
    if isinstance(content, dict) and "ranks" in content and len(content["ranks"]) != rank_count:
        yield f"{key} of {len(content['ranks'])} ranks; the kernel runs on {rank_count}"
        return
    for rank in range(rank_count):
        try:
            expand(tile, key, rank)
        except Malformed as error:
            yield str(error)


def check_step(step, names):
    """A step is a call, or a name given to what a call makes; loops and their bodies are steps of several lines."""
    try:
        body = ast.parse(step).body
    except SyntaxError as error:
        yield str(error)
        return
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.FunctionDef):
                names |= {node.name, *(a.arg for a in node.args.args)}
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and node.id not in names:
                yield f"`{node.id}` is neither a tile nor named by an earlier step"
            if isinstance(node, (ast.Import, ast.ImportFrom, ast.Lambda, ast.Starred, ast.Try)):
                yield "imports, lambdas, stars and try are not used in steps"


# ---- rendering


def inputs(vector):
    """Names of the tiles that are arguments of the kernel, in order."""
    return [name for name, tile in vector["tiles"].items() if "data" in tile and "constant" not in tile]


def constants(vector):
    """Names of the shared constants, each a file NAME.npy beside the kernel."""
    return [name for name, tile in vector["tiles"].items() if "constant" in tile]


def save_npy(path, words, dtype):
    """Words as a .npy file whose dtype is that of the numbers, as NumPy (with ml_dtypes) writes it."""
    with open(path, "wb") as file:
        header = {"descr": NPY_DTYPES[dtype], "fortran_order": False, "shape": words.shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.write(words.tobytes())


def outputs(vector):
    """Names of the tiles the kernel returns, in order."""
    return [name for name, tile in vector["tiles"].items() if "expect" in tile]


def kernel_source(vector):
    """The vector as an NKI kernel: `kernel(NAME_in, ...)` returns the tiles that have an expectation.

    A tile with data is loaded from the argument NAME_in: by a DMA to SBUF, from there by a copy to PSUM. A tile with an
    expectation is stored the opposite way to NAME_out. A tile in HBM is the argument itself or, when the kernel changes it,
    a copy, so that arguments stay as they were. A tile that a step assigns is made there. A constant is in the file NAME.npy.
    """
    lines = ["import nki", *(["import nki.collectives as ncc"] if "ranks" in vector else []), "import nki.isa as nisa",
             "import nki.language as nl", "", "", "@nki.jit",
             f"def kernel({', '.join(name + '_in' for name in inputs(vector))}):", f"    # {vector['id']}: {vector['shows']}"]

    def put(text):
        lines.extend("    " + line for line in text.split("\n"))

    def tensor(name, tile, space):
        shape = "(" + ", ".join(map(str, tile["shape"])) + ("," if len(tile["shape"]) == 1 else "") + ")"
        place = f", address={tuple(tile['address'])}" if "address" in tile and name in vector["tiles"] else ""
        put(f"{name} = nl.ndarray({shape}, dtype=nl.{tile['dtype']}, buffer=nl.{space}{place})")

    for name, tile in vector["tiles"].items():
        space = tile["space"]
        if "constant" in tile:
            put(f'{name} = nl.shared_constant("{name}.npy")')
            continue
        if space == "hbm" and "expect" not in tile and "data" in tile:
            put(f"{name} = {name}_in")
            continue
        if "data" not in tile and any(re.match(rf"{name} = ", step) for step in vector["steps"]):
            continue  # a step makes it
        tensor(name, tile, "shared_hbm" if space == "hbm" else space)
        if "data" in tile and space == "psum":
            tensor(f"{name}_load", tile, "sbuf")
            put(f"nisa.dma_copy(dst={name}_load, src={name}_in)")
            put(f"nisa.tensor_copy(dst={name}, src={name}_load, engine=nisa.engine.vector)")
        elif "data" in tile:
            put(f"nisa.dma_copy(dst={name}, src={name}_in)")
    for step in vector["steps"]:
        put(step)
    for name in outputs(vector):
        tile = vector["tiles"][name]
        if tile["space"] == "hbm":
            continue
        tensor(f"{name}_out", tile, "shared_hbm")
        source = name
        if tile["space"] == "psum":
            source = f"{name}_store"
            tensor(source, tile, "sbuf")
            put(f"nisa.tensor_copy(dst={source}, src={name}, engine=nisa.engine.vector)")
        put(f"nisa.dma_copy(dst={name}_out, src={source})")
    returned = [name if vector["tiles"][name]["space"] == "hbm" else f"{name}_out" for name in outputs(vector)]
    if returned:
        put("return " + ", ".join(returned))
    return "\n".join(lines) + "\n"

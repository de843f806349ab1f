"""Shared constants and device_print."""

import numpy as np
from builder import ALL, SINCE_TRN2, A, Instruction
from oracles.formats import Data

const = Instruction("nl_constants", "nki.language (shared constants)", source="nki.language.shared_constant")
for dtype, shape in (("float32", (4, 3)), ("float16", (128, 2)), ("bfloat16", (3, 5)), ("float8_e5m2", (2, 9)), ("int32", (2, 5)), ("int16", (3, 3)),
                     ("int8", (1, 17)), ("uint32", (5, 2)), ("uint16", (2, 8)), ("uint8", (7, 1))):
    v = const.vector(f"file_{dtype}", f"a .npy file of {dtype}: a tensor in shared HBM with its shape, dtype and bits")
    bits = v.random("seed", dtype, shape, bits=True).words
    del v.tiles["seed"]
    w = v.constant("w", Data(dtype, bits))
    v.step("assert w.buffer == nl.shared_hbm", f"assert w.dtype == nl.{dtype}", "nisa.dma_copy(dst=out, src=w)")
    v.expect("out", w)
v = const.vector("file_3d", "a constant of three dimensions, loaded by slices")
w = v.constant("w", Data("int32", np.arange(24).reshape(2, 3, 4)))
v.step("nisa.dma_copy(dst=out, src=w[1, :, 1:3])")
v.expect("out", Data("int32", w.words[1, :, 1:3]))
for dtype in ("float8_e4m3fn", "float8_e8m0fnu"):
    v = const.vector(f"view_{dtype}", f"bytes of a file read as {dtype}", A, source="docs/numerics.md 11")
    w = v.constant("w", Data("uint8", [[0, 1, 0x38, 0x7E, 0x7F, 0x80, 0xB8, 0xFF]]))
    v.step(f"nisa.dma_copy(dst=out, src=w.view(nl.{dtype}))")
    v.expect("out", Data(dtype, w.words))
v = const.vector("twice", "one file named twice has the same bits both times")
w = v.constant("w", Data.of("float32", [[1.5, -2.0], [0.25, 8.0]]))
v.step('again = nl.shared_constant("w.npy")', "nisa.dma_copy(dst=out, src=w)", "nisa.dma_copy(dst=other, src=again)")
v.expect("out", w)
v.expect("other", w)
v = const.vector("two_cores", "both cores read the same constant", targets=SINCE_TRN2, cores=2)
w = v.constant("w", Data("int32", np.arange(32).reshape(2, 4, 4)))
v.step("core = nl.program_id(0)", "t = nl.ndarray((4, 4), dtype=nl.int32, buffer=nl.sbuf)", "nisa.dma_copy(dst=t, src=w[1 - core, :, :])",
       "nisa.dma_copy(dst=out[core, :, :], src=t)")
v.expect("out", Data("int32", w.words[::-1]), space="hbm")
v = const.vector("lists", "numbers in lists: int32, or float32 with a fraction among them", A, source="docs/numerics.md 11")
v.step("whole = nl.shared_constant([[1, -2], [2147483647, 3]])", "real = nl.shared_constant([[1, 2.5]])", "nisa.dma_copy(dst=out, src=whole)",
       "nisa.dma_copy(dst=other, src=real)")
v.expect("out", Data("int32", np.array([[1, 0xFFFFFFFE], [0x7FFFFFFF, 3]], np.uint32)))
v.expect("other", Data.of("float32", [[1, 2.5]]))
v = const.vector("refused_tensor", "a tensor is no constant: its data is not known when the kernel is compiled")
v.put("x", Data.of("float32", [[1, 2]]))
v.step("c = nl.shared_constant(x)")
v.refused("E0410", "the constant is an array or the path of a .npy file")
v = const.vector("refused_missing", "a file that is not there")
v.step('c = nl.shared_constant("no_such_file.npy")')
v.refused("E0001", "the constant is embedded in the compiled kernel: its file is read before")
for dtype, one in (("uint8", [[1]]), ("float32", [[0x3F800000]]), ("bfloat16", [[0x3F80]])):
    for n in (1, 16, 128) if dtype == "float32" else (5,):
        v = const.vector(f"identity_{dtype}_{n}", f"the identity matrix of {n} rows in {dtype}, in SBUF", source="nki.language.shared_identity_matrix")
        v.step(f"eye = nl.shared_identity_matrix({n}, dtype=nl.{dtype})", "assert eye.buffer == nl.sbuf", "nisa.tensor_copy(dst=out, src=eye)")
        v.expect("out", Data(dtype, np.eye(n, dtype=np.uint32) * one[0][0]))
v = const.vector("identity_default", "its dtype is uint8 unless one is given", source="nki.language.shared_identity_matrix")
v.step("eye = nl.shared_identity_matrix(3)", "nisa.tensor_copy(dst=out, src=eye)")
v.expect("out", Data("uint8", np.eye(3, dtype=np.uint8)))

prints = Instruction("nl_device_print", "nki.language (printing)", source="nki.language.device_print")
v = prints.vector("values", "the prefix and all values of a tile in SBUF")
x = v.put("x", Data.of("float32", [[1, 2.5, -3], [0.125, -1024, 7]]))
v.step('nl.device_print("tile x:", x)')
v.prints("tile x:", x)
v = prints.vector("hbm", "a tensor in HBM")
x = v.put("x", Data("int32", [[5, 0xFFFFFFFF], [7, 0x80000000]]), space="hbm")
v.step('nl.device_print("in HBM", x)')
v.prints("in HBM", x)
v = prints.vector("view", "the elements of a view, in its order")
x = v.put("x", Data.of("float32", np.arange(24).reshape(4, 6)))
v.step('nl.device_print("every other", x[1:3, 0:6:2])')
v.prints("every other", Data("float32", x.words[1:3, 0:6:2]))
for dtype, values in (("bfloat16", [[1.5, -0.0078125, 256]]), ("float16", [[0.5, -65504, 3]]), ("float8_e5m2", [[57344, 0.25, -1.75]]),
                      ("float8_e4m3fn", [[448, -0.5, 1.125]])):
    v = prints.vector(dtype, f"elements of {dtype} as the numbers they are")
    x = v.put("x", Data.of(dtype, values))
    v.step('nl.device_print("x", x)')
    v.prints("x", x)
for dtype, words in (("int8", [[0x80, 0x7F, 0xFF]]), ("uint8", [[0, 255, 7]]), ("int16", [[0x8000, 1]]), ("uint16", [[65535, 1]]), ("uint32", [[0xFFFFFFFF, 1]])):
    v = prints.vector(dtype, f"elements of {dtype} as the integers they are")
    x = v.put("x", Data(dtype, words))
    v.step('nl.device_print("x", x)')
    v.prints("x", x)
v = prints.vector("order", "prints come in program order, each with the values of its moment")
x = v.put("x", Data.of("float32", [[1, 2]]))
v.step('nl.device_print("before", x)', "nisa.tensor_scalar(dst=x, data=x, op0=nl.add, operand0=10.0)", 'nl.device_print("after", x)')
v.prints("before", x)
v.prints("after", Data.of("float32", [[11, 12]]))
v = prints.vector("loop", "a print in a loop of the device prints at each turn")
x = v.put("x", Data("int32", [[1, 2]]))
v.step('for i in nl.sequential_range(3):\n    nl.device_print("turn", x)\n    nisa.tensor_scalar(dst=x, data=x, op0=nl.add, operand0=1)')
for turn in range(3):
    v.prints("turn", Data("int32", x.words + turn))
v = prints.vector("fori_loop", "the same when the loop runs on the device", source="nki.language.fori_loop")
x = v.put("x", Data("int32", [[1, 2]]))
v.step('def body(i):\n    nl.device_print("turn", x)\n    nisa.tensor_scalar(dst=x, data=x, op0=nl.add, operand0=1)', "nl.fori_loop(0, 3, body)")
for turn in range(3):
    v.prints("turn", Data("int32", x.words + turn))
v = prints.vector("prefix", "the prefix is decided when the kernel is traced, and may be empty")
x = v.put("x", Data("int32", [[4]]))
v.step('for i in nl.static_range(2):\n    nl.device_print(f"number {i}", x)', 'nl.device_print("", x)')
for prefix in ("number 0", "number 1", ""):
    v.prints(prefix, x)
v = prints.vector("changes_nothing", "what is printed keeps its bits")
x = v.random("x", "float32", (2, 5), integers=(-9, 9))
v.step('nl.device_print("x", x)', "nisa.tensor_copy(dst=out, src=x)")
v.expect("out", x)
v.prints("x", x)
v = prints.vector("two_cores", "each core prints what it has", targets=SINCE_TRN2, cores=2)
x = v.put("x", Data("int32", [[[1, 2]], [[3, 4]]]), space="hbm")
v.step("core = nl.program_id(0)", "t = nl.ndarray((1, 2), dtype=nl.int32, buffer=nl.sbuf)", "nisa.dma_copy(dst=t, src=x[core, :, :])",
       'nl.device_print("mine", t)')
for core in range(2):
    v.prints("mine", Data("int32", x.words[core]), core=core)
v = prints.vector("ranks", "each rank prints what it has", targets=ALL, ranks=3)
x = v.put_ranks("x", [Data("int32", [[r, 10 * r]]) for r in range(3)])
v.step('nl.device_print("here", x)')
for rank in range(3):
    v.prints("here", x[rank], rank=rank)
v = prints.vector("refused_psum", "a tile in PSUM is not printed")
v.put("x", Data.of("float32", [[1, 2]]), space="psum")
v.step('nl.device_print("x", x)')
v.refused("E0410", "the tensor to print is in SBUF or HBM")
v = prints.vector("refused_prefix", "a prefix is a string")
v.put("x", Data.of("float32", [[1, 2]]))
v.step("nl.device_print(3, x)")
v.refused("E0410", "print_prefix is a constant string")

// text.h -- kernels as text, for people and for golden tests; docs/core.md has the grammar.
//
//   kernel add(x, y) -> (out)
//   tensor x: float32[128, 512] @hbm
//   ...
//   core 0
//   main.1:
//     nc_dma_copy t.1[0:128, 0:512]:float32@sbuf = x[0:128, 0:512]:float32@hbm oob_mode=error
//     tensor_tensor t.3[0:128, 0:512]:float32@sbuf = t.1[0:128, 0:512]:float32@sbuf, t.2[...] op=add
//
// Reading back what was printed with `positions` gives an equal kernel, whatever it holds.

#pragma once
#include "core/core.h"

typedef struct TextOptions {
  bool positions;   // `; 12:4..12:40` after each operator: line and column in the kernel's own file
  Session *source;  // not NULL: a comment after each operator quotes its source line where that is known
} TextOptions;

void core_print_kernel(const Kernel *kernel, StrBuf *out, TextOptions options);

// One operator, without indentation and line end; and one tensor operand. For messages.
void core_print_op(const Op *op, StrBuf *out);
void core_print_ref(const TensorRef *ref, StrBuf *out);

// The kernel in `arena`, or NULL after reporting every error with its place. Nothing is verified yet (see verify.h).
// Instructions without a position of their own point at their line of `source`.
Kernel *core_parse_text(Session *session, Arena *arena, Source *source);

// A type's name in the text form: its name in files, or for types that files lack, NumPy's.
const char *core_dtype_text(DType dtype);

// The reference page of the operators, docs/ops.md.
void core_print_ops_markdown(StrBuf *out);
// The rules that the verifier holds one operator to, as a list in Markdown.
void core_print_op_rules(OpKind kind, StrBuf *out);

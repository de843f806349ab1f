// arg.h -- ARG=VALUE of the command line: arrays from files, made arrays, shapes, and Python literals.

#pragma once
#include "base/session.h"
#include "sim/sim.h"

typedef enum ArgKind {
  ARG_LITERAL,  // any other Python expression, kept as text
  ARG_FILE,     // @in.npy, @in.npy:bf16
  ARG_FILL,     // randn:f32[128,512]
  ARG_SHAPE,    // f32[128,512]: no data
} ArgKind;

typedef enum Fill { FILL_ZEROS, FILL_ONES, FILL_ARANGE, FILL_UNIFORM, FILL_RANDN, FILL_RANDINT } Fill;

typedef struct Arg {
  const char *name;
  const char *text;  // what stands after `=`
  ArgKind kind;
  const char *path;  // FILE
  bool has_dtype;
  DType dtype;
  bool takes_f64;    // of scalar kernels, which have float64 besides the dtypes of tensors
  bool is_f64;       // float64; `dtype` is then UINT64, whose elements hold the bits
  uint32_t rank;
  uint64_t *shape;   // of SHAPE and FILL; of FILE once it is read
  Fill fill;
  int64_t low, high; // RANDINT: low <= value < high
  Str file;          // FILE: its bytes, once read
  uint32_t of_rank;  // FILE: what `{rank}` stands for in the path
} Arg;

typedef Vec(Arg) ArgList_;

// Reads `texts[from..)` as NAME=VALUE. Files are opened (for their shape), other data is not made yet. False after
// reporting every wrong one.
bool args_parse(Session *session, const char *const *texts, size_t count, ArgList_ *out);

// The same for scalar kernels: float64 (`f64`) is an element type too.
bool args_parse_scalar(Session *session, const char *const *texts, size_t count, ArgList_ *out);

// The same argument for another rank: a file whose name has `{rank}` in it is that rank's. False after reporting.
bool arg_for_rank(Session *session, const Arg *arg, uint32_t rank, Arg *out);

// The array's data: read and converted, or made from `seed` and the argument's name. False after reporting.
bool arg_make_array(Session *session, const Arg *arg, uint64_t seed, Array *out);

// "f32", "bf16", "f8e4m3", ... and the names of nki.language.
bool dtype_from_short_name(Str name, DType *out);

// The array as an .npy file. Types NumPy lacks are widened to float32, or kept as raw bytes when `raw`.
void array_to_npy(const Array *array, bool raw, StrBuf *out);

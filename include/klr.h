/* klr.h -- the public interface: read a kernel, trace it, check it, run it, write it, look at its operators.
 *
 *   KlrSession *session = klr_session_new();
 *   KlrArgument arguments[] = {{.name = "x", .dtype = "float32", .rank = 2, .shape = (const uint64_t[]){128, 512}}};
 *   KlrKernel *kernel = klr_trace(session, "softmax.py", NULL, arguments, 1, NULL);
 *   if (!kernel)
 *     fputs(klr_diagnostics(session, false), stderr);
 *   klr_session_free(session);
 *
 * Functions that can fail return NULL or false and leave what went wrong in the session. Everything a function returns
 * belongs to the session and lives as long as it does, unless the function says otherwise. A session is used by one thread
 * at a time; sessions are independent of each other.
 */

#ifndef KLR_H
#define KLR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct KlrSession KlrSession;
typedef struct KlrKernel KlrKernel;
typedef struct KlrOperator KlrOperator;

/* ---- sessions and what they say */

KlrSession *klr_session_new(void);  /* NULL when there is no memory */
void klr_session_free(KlrSession *session);
size_t klr_error_count(const KlrSession *session);
const char *klr_diagnostics(KlrSession *session, bool as_json); /* every error and warning so far, for people or as JSON */
const char *klr_version(void);

/* Calls `poll` about 20 times a second while something of the session is traced or run, in the thread that does it; once it
 * gives true, that fails, having changed nothing. NULL: nobody is asked. */
void klr_set_poll(KlrSession *session, bool (*poll)(void *context), void *context);

/* ---- from Python to a kernel */

/* An argument of the kernel: a tensor (dtype and shape) or, when `literal` is set, a Python expression such as "3". */
typedef struct KlrArgument {
  const char *name;
  const char *literal;
  const char *dtype;     /* "float32", "bfloat16", ... as in nki.language */
  uint32_t rank;
  const uint64_t *shape;
} KlrArgument;

typedef struct KlrTraceOptions {
  const char *target;             /* "trn1", "trn2", "trn3"; NULL: trn2 */
  uint32_t lnc;                   /* logical cores; 0: what the kernel asks for */
  const char *const *include;     /* folders to search for modules, NULL at the end; NULL: none */
  bool strict;                    /* what the vendor's compiler refuses is an error */
  bool lenient;                   /* what the documents leave open is a warning, not an error */
} KlrTraceOptions;

/* The kernel `function` of the Python file `path` (NULL: its only @nki.jit function), specialised to its arguments and
 * verified for the target. `options` may be NULL. NULL after reporting. */
KlrKernel *klr_trace(KlrSession *session, const char *path, const char *function, const KlrArgument *arguments,
                     size_t count, const KlrTraceOptions *options);

/* ---- files and texts */

typedef enum KlrForm { KLR_FORM_FILE, KLR_FORM_TEXT, KLR_FORM_JSON, KLR_FORM_SEXP } KlrForm;

/* A kernel from the bytes of any of its forms, recognised by their content; `path` is for messages. NULL after reporting. */
KlrKernel *klr_kernel_read(KlrSession *session, const void *bytes, size_t len, const char *path);

/* The kernel in one of its forms; *len bytes and a NUL behind them. NULL after reporting. */
const char *klr_kernel_write(KlrSession *session, const KlrKernel *kernel, KlrForm form, size_t *len);

/* The rules of the core language and of a target (NULL: trn2). */
bool klr_verify(KlrSession *session, const KlrKernel *kernel, const char *target);

/* ---- running */

typedef struct KlrArray {
  const char *dtype;
  uint32_t rank;
  const uint64_t *shape;
  void *data;      /* row-major */
  uint64_t bytes;
} KlrArray;

typedef struct KlrRunOptions {
  const char *target;
  bool f32;        /* results are not rounded to narrow float dtypes */
  bool no_checks;
  bool lenient;    /* what the documents leave open goes on with the documented choice and a warning */
  bool poison;     /* what was never written reads as NaN, 4 in integers, with a warning: not an error */
  bool reference;  /* the slow executors that define the meaning */
  bool zeros;      /* it reads as 0 instead, as in memory that nobody used before */
  bool ocp_scales; /* quantize_mx has the scales of the OCP sample, one binade below the documented ones, and saturates */
  unsigned threads;
  uint64_t seed;
  const char **shadow; /* not NULL: a twin in double precision runs along, and this becomes its report, as JSON */
} KlrRunOptions;

/* Runs the kernel. `inputs` stand in the order of klr_input. Those the kernel writes are updated
 * when it ends, and untouched when it fails; others are only read, while it runs. `outputs` (klr_output_count of them) are filled; their data belongs to the session. `options` may be NULL. */
bool klr_run(KlrSession *session, const KlrKernel *kernel, KlrArray *inputs, KlrArray *outputs,
             const KlrRunOptions *options);

/* Runs the kernel on `ranks` workers, 1 or more, with memories of their own, which meet in collectives. `inputs` and `outputs`
 * are those of rank 0, then those of rank 1, and so on; as above otherwise. */
bool klr_run_ranks(KlrSession *session, const KlrKernel *kernel, uint32_t ranks, KlrArray *inputs, KlrArray *outputs,
                   const KlrRunOptions *options);

/* ---- comparing runs: the first instruction and element that differ */

/* A run. Its session is that of the kernel, or one that shares its sources; two sides may have one session or two. */
typedef struct KlrSide {
  KlrSession *session;
  const KlrKernel *kernel;
  const KlrArray *inputs;       /* in the order of klr_input; left as they are */
  const KlrRunOptions *options; /* NULL: the usual */
} KlrSide;

/* Elements are the same when |a - b| <= atol + rtol * |b|, or when they are at most `ulps` steps of their dtype apart; all 0:
 * when their bits are. */
typedef struct KlrTolerance {
  double rtol, atol, ulps;
} KlrTolerance;

/* Elements of a tensor of the kernel, by its name: a result, an input, a tile. */
typedef struct KlrNamedArray {
  const char *name;
  KlrArray array;
} KlrNamedArray;

/* Two runs in lock step, or one against arrays from elsewhere: what `klr diff --json` writes, and the report for people as
 * "text". NULL after reporting an error of either run. */
const char *klr_diff(const KlrSide *a, const KlrSide *b, const KlrTolerance *tolerance);
const char *klr_diff_arrays(const KlrSide *a, const KlrNamedArray *arrays, size_t count, const KlrTolerance *tolerance);

/* ---- looking at a kernel */

typedef struct KlrTensor {
  const char *name, *dtype, *memory;
  uint32_t rank;
  const uint64_t *shape;
} KlrTensor;

const char *klr_kernel_name(const KlrKernel *kernel);
size_t klr_input_count(const KlrKernel *kernel);
size_t klr_output_count(const KlrKernel *kernel);
KlrTensor klr_input(KlrSession *session, const KlrKernel *kernel, size_t index);
KlrTensor klr_output(KlrSession *session, const KlrKernel *kernel, size_t index);

/* Which inputs the kernel writes: `written` has one for each. */
void klr_find_written(const KlrKernel *kernel, bool *written);

/* Files that tensors are filled from when the kernel runs: the path of each, relative to the kernel's own file, and its
 * bytes; NULL when the session does not have them, and a run reads the file. */
size_t klr_constant_count(const KlrKernel *kernel);
const char *klr_constant(KlrSession *session, const KlrKernel *kernel, size_t index, const void **bytes, size_t *len);

size_t klr_core_count(const KlrKernel *kernel);
size_t klr_operator_count(const KlrKernel *kernel, size_t core); /* over all blocks, in order */
const KlrOperator *klr_operator_at(const KlrKernel *kernel, size_t core, size_t index);

const char *klr_operator_kind(const KlrOperator *op);   /* "nc_matmul" */
const char *klr_operator_name(const KlrOperator *op);   /* the instruction's own name, or NULL */
const char *klr_operator_engine(const KlrOperator *op); /* "pe" */
uint32_t klr_operator_line(const KlrOperator *op);      /* of the kernel's source */
const char *klr_operator_text(KlrSession *session, const KlrOperator *op); /* as the text form writes it */

/* Where an instruction was written. Lines and columns from 1, the end exclusive; 0: not known. */
typedef struct KlrPlace {
  const char *file; /* NULL: not known */
  uint32_t line, column, end_line, end_column;
} KlrPlace;

KlrPlace klr_operator_place(KlrSession *session, const KlrOperator *op);

/* The blocks of a core, in order: the first is where it begins. Their operators are those of klr_operator_at, one block's
 * after the other's. */
size_t klr_block_count(const KlrKernel *kernel, size_t core);
const char *klr_block_label(const KlrKernel *kernel, size_t core, size_t block);
size_t klr_block_operator_count(const KlrKernel *kernel, size_t core, size_t block);

typedef struct KlrField {
  const char *name, *kind; /* "moving", "TENSOR_REF" */
  const char *role;        /* "read", "write", "update", "param" */
  const char *json;        /* the value */
} KlrField;

size_t klr_field_count(const KlrOperator *op);
KlrField klr_field(KlrSession *session, const KlrOperator *op, size_t index);

/* The operators there are, and the fields of each. */
typedef struct KlrTableOperator {
  const char *name, *engine, *doc;
  size_t field_count;
} KlrTableOperator;

typedef struct KlrTableField {
  const char *name, *kind, *role, *doc;
  const char *place; /* where the text form has it: "written" before the "=", "read" behind it, "attribute" */
  bool is_optional;  /* the text form may leave it out */
} KlrTableField;

size_t klr_table_count(void);
KlrTableOperator klr_table_operator(size_t index);
KlrTableField klr_table_field(size_t index, size_t field);

#ifdef __cplusplus
}
#endif

#endif

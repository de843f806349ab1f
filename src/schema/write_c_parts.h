// write_c_parts.h -- what the parts of the C writer share; write_c.h is its face, write_c.c says what the C looks like.

#pragma once
#include "schema/apart.h"
#include "schema/groups.h"
#include "schema/reduce.h"
#include "schema/schema.h"
#include "schema/strips.h"
#include "schema/whole.h"

// An array that a kernel only adds to by atomics, at any element: see write_tallies.
typedef Vec(const SchemaVar *) Tallies;

// An operand that has been computed before the others.
typedef struct Held {
  const SchemaNode *node;
  uint32_t number;
} Held;

typedef struct CWriter {
  Arena *arena;
  StrBuf *out;
  const SchemaFile *file;
  const SchemaFunction *function;
  const SchemaNode *guard;  // of the function, when loops over threads take its place; else NULL
  SchemaApart *apart;  // of the function
  const char *stage;   // what functions of a stage are called besides the kernel's name: "", "_1" ...
  SchemaReductions reductions;
  Tallies tallies;
  SchemaStrips *strips;  // NULL: threads are not in rows
  bool in_strip;         // some local names are arrays by lane
  bool has_rest;         // a body leaves what is no whole strip to `klr_rest`, another body
  int indent;
  uint32_t line;       // of the Python source, as #line has said last
  SchemaGroups *groups;  // of a kernel with groups
  bool in_group;       // some local names are arrays by thread
  bool plain_return;   // in a helper
  bool *marked;        // locals by index, for mark_values
  Vec(Held) held;
  uint32_t labels, region;  // `region`: the label at the end of the region being written
  Map inlined;         // of helpers that were written, by name: how many nodes a call brings along, and 1
} CWriter;

// ---- write_c_text.c

void c_put(CWriter *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
void c_put_line(CWriter *w, const char *format, ...) __attribute__((format(printf, 2, 3)));  // indented, whole
void c_start_line(CWriter *w);
void c_put_text(CWriter *w, Str text);  // a C string
void c_put_place(CWriter *w, SchemaPlace place);  // #line, when it is another than before
void c_put_name(CWriter *w, Str name);  // a name of the Python source
const char *c_type(Scalar scalar);

// ---- write_c_thread.c

void c_put_var(CWriter *w, const SchemaVar *var);
const char *c_infix_of(SchemaBinary op, Scalar type);  // the operator between operands; NULL: it is a function
void c_write_expr(CWriter *w, const SchemaNode *node);
uint32_t c_open_for(CWriter *w, const SchemaNode *node);  // the loop's line; returns its counter's number
void c_write_stmt(CWriter *w, const SchemaNode *node);
void c_write_list(CWriter *w, SchemaList list);
void c_declare_local(CWriter *w, const SchemaVar *var);
void c_put_value(CWriter *w, const SchemaNode *let);  // a name as a constant, with the value of its only assignment
void c_declare_locals(CWriter *w, const SchemaFunction *function);
void c_put_combined(CWriter *w, const SchemaReduction *r, const char *left, const char *right);
void c_write_helper(CWriter *w, const SchemaFunction *function);

// ---- write_c_body.c

enum { C_ISA_COUNT = 3 };

// The instruction sets that bodies are compiled for: KLR_ISA_`member`.
typedef struct CIsa {
  const char *name, *member, *target;
} CIsa;

// Where, for the preprocessor, there are bodies for each: functions NAMEkind_ISA of NAME_bodykind.
typedef struct CBodies {
  const char *kind, *guards[C_ISA_COUNT];
} CBodies;

extern const CIsa C_ISAS[C_ISA_COUNT];
extern const CBodies C_BODIES, C_BODIES_BESIDE_APART, C_BODIES_APART, C_BODIES_VALUES;
extern const char *const C_BODY_PARAMS;

void c_put_kernel_name(CWriter *w, const SchemaFunction *function, const char *what);  // kernel_NAMEwhat
void c_put_stage_name(CWriter *w, const SchemaFunction *function, const char *what);
void c_declare_params(CWriter *w, const SchemaFunction *function, bool scalars_only);
void c_put_array_params(CWriter *w, const SchemaFunction *function, const char *qualifier);  // ", float *qualifier const x" ...
void c_put_arrays(CWriter *w, const SchemaFunction *function);                               // ", x" ...
void c_put_own_params(CWriter *w, const SchemaFunction *function);
void c_put_unused(CWriter *w);
void c_put_ids(CWriter *w, uint32_t dims);
bool c_has_return(SchemaList list);
void c_write_thread(CWriter *w, const SchemaFunction *function);
void c_find_tallies(CWriter *w, const SchemaFunction *function);
bool c_is_tally(const CWriter *w, const SchemaVar *array);
void c_write_reducing_thread(CWriter *w, const SchemaFunction *function);
void c_write_body(CWriter *w, const SchemaFunction *function, const CBodies *bodies);
bool c_has_values(const CWriter *w, const SchemaFunction *function);  // its reductions are folded from every thread's values
void c_write_fold(CWriter *w, const SchemaFunction *function);
void c_write_folded(CWriter *w, const SchemaFunction *function);
void c_write_variants(CWriter *w, const SchemaFunction *function, const CBodies *bodies, bool with_arrays);
void c_write_combine(CWriter *w, const SchemaFunction *function);

// ---- write_c_group.c

bool c_is_again(const CWriter *w, const SchemaNode *node);  // a name that each region computes when it needs it
void c_write_group_body(CWriter *w, const SchemaFunction *function);

// ---- write_c_rows.c

void c_write_width(CWriter *w, const SchemaFunction *function);
void c_write_strip(CWriter *w, const SchemaFunction *function);
void c_write_rows(CWriter *w, const SchemaFunction *function);
void c_write_strips(CWriter *w, const SchemaFunction *function);
void c_write_grid_rows(CWriter *w, const SchemaFunction *function);

// ---- write_c_whole.c

void c_write_single(CWriter *w, const SchemaFunction *function);
void c_write_whole_kernel(CWriter *w, const SchemaFunction *function, size_t file_number);

// ---- write_c_table.c

// A stage of a kernel, as KlrKernelStage tells of it.
typedef struct CStage {
  bool in_groups, has_combine, has_needed, has_apart, has_values, is_for_many;
  size_t reductions;
  uint32_t cost;
} CStage;

uint32_t c_cost(const SchemaFunction *function);  // rough nanoseconds of a thread
void c_put_from(CWriter *w, const SchemaFunction *function, uint32_t d);  // klr_fromD, if there is one
void c_write_grid(CWriter *w, const SchemaFunction *function);
void c_write_bound(CWriter *w, const SchemaNode *bound);  // of a grid, as an int64_t
void c_write_info(CWriter *w, const SchemaFunction *function, size_t file_number, const CStage *stages, size_t stage_count);

// ---- write_c_needs.c

bool c_write_needed(CWriter *w, const SchemaFunction *function);  // false: nothing is known, and nothing written

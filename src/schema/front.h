// front.h -- scalar kernels in Python, read without running them.

#pragma once
#include "schema/schema.h"

// The kernels and helpers of a Python source, in its order: a tree that is not checked yet. Whatever the language of docs/schema.md does
// not have is reported at its place, all of it in one run. NULL after reporting.
SchemaFile *schema_read_python(Session *session, Arena *arena, Source *source);

// The number of a CONSTANT_BIG_INT; false when it has more than 64 bits.
bool schema_big_int(Str text, uint64_t *out);

// What a name of Python, Numba, CUDA or Triton is called in a kernel; NULL: none is known. It may have dots.
const char *schema_foreign_help(Str name);

// ---- functions of a running program
//
// There a name means what it means to the program: it is asked for when it is first met outside of the function's own names.

typedef struct SchemaLive {
  void *identity;    // of the function; equal ones are one function
  const char *path;  // of its text
  const char *name;  // in its `def`
  uint32_t line;     // of its `def`, or of its first decorator
  Str text;          // the whole file or notebook cell it stands in
} SchemaLive;

typedef enum SchemaMeaningKind {
  MEANING_UNKNOWN,  // nothing that kernels have: the name stands for itself
  MEANING_WORD,     // a word of the language, under a name of the program's
  MEANING_MODULE,   // what stands after its dot is asked for with it: "math.pi"
  MEANING_NUMBER,   // a constant
  MEANING_HELPER,   // a function that kernels may call
  MEANING_REFUSED   // something else, which kernels cannot use: `word` says what
} SchemaMeaningKind;

typedef struct SchemaMeaning {
  SchemaMeaningKind kind;
  Str word;
  const char *help;  // REFUSED: what to do; NULL: nothing
  SchemaLiteral number;
  SchemaLive helper;
} SchemaMeaning;

typedef struct SchemaProgram {
  void *context;
  // What `name`, which may have dots, means in `function`. Texts that it gives stay until the reading has ended.
  SchemaMeaning (*meaning)(void *context, const SchemaLive *function, const char *name);
} SchemaProgram;

// A kernel of a running program and the helpers that it calls, wherever they stand; decorators are not looked at. NULL after reporting.
SchemaFile *schema_read_live(Session *session, Arena *arena, const SchemaProgram *program, const SchemaLive *kernel);

// write_c.h -- checked kernels as one C file: the source of a library as include/klr_kernel_abi.h describes it.

#pragma once
#include "schema/schema.h"

typedef struct SchemaSource {
  Str text;
  Str hash;           // of everything the text is made from but places: 16 hexadecimal digits
} SchemaSource;

// All kernels of `files`, which are checked. Each kernel's schema is in the text as JSON; `build` is a line about compiler and flags. #line
// leads back to the Python sources. Two kernels of one name are an error; false after reporting. Compiled with -DKLR_CHECKED every access
// is verified. Needs GCC or Clang.
bool schema_write_c(Session *session, Arena *arena, SchemaFile *const *files, size_t file_count, const char *build, SchemaSource *out);

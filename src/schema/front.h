// front.h -- scalar kernels in Python, read without running them.

#pragma once
#include "schema/schema.h"

// The kernels and helpers of a Python source, in its order: a tree that is not checked yet. Whatever the language of docs/schema.md does
// not have is reported at its place, all of it in one run. NULL after reporting.
SchemaFile *schema_read_python(Session *session, Arena *arena, Source *source);

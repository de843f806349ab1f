// read_kernel.h -- what a file holds, and kernels in core form from any of their written forms.

#pragma once
#include "core/core.h"

typedef enum FileKind { FILE_PYTHON, FILE_KLR, FILE_GATHERED, FILE_JSON, FILE_SEXP, FILE_TEXT } FileKind;

// By its content, and where that does not tell by its name.
FileKind file_kind(const char *path, Str bytes);

// A kernel from a .klr file, its JSON, its S-expression or its text; NULL after reporting.
const Kernel *kernel_read(Session *session, Arena *arena, const char *path, Str bytes);

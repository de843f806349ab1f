// library.h -- the functions of the nki library, read from its own source inside the program.

#pragma once
#include "base/session.h"

typedef struct LibraryFunction {
  const char *name;       // "nki.isa.tensor_tensor"
  const char *short_name; // "nisa.tensor_tensor", "nl.exp"; the full name elsewhere
  const char *signature;  // "(dst, data1, data2, op, engine=engine.unknown, name=None)"
  const char *doc;        // the docstring, its indentation removed; "" when there is none
} LibraryFunction;

typedef struct LibraryFunctions {
  LibraryFunction *items;
  size_t count;
} LibraryFunctions;

// Every public function, in order of the modules and of definition.
LibraryFunctions library_functions(Session *session);

// "nki.isa.activation", "nisa.activation" or, when only one function has it, "activation"; NULL: none.
const LibraryFunction *library_find(const LibraryFunctions *functions, const char *name);

// The source of what the library defines beside functions, with the comment above it: a class such as the enumeration
// `engine`, a member of one (`engine.vector`, with its line alone), a name such as `sbuf`. `name` may begin with its
// module, "nki.isa." or "nisa."; NULL: none.
const char *library_definition(Session *session, const char *name);

// `name` without the module that it may begin with: "nl.bfloat16" and "nki.language.bfloat16" are "bfloat16".
const char *library_bare_name(const char *name);

Str first_line(const char *text);

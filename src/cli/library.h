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

// The source of a class of the library that has one base, such as the enumeration `engine`; NULL: none.
const char *library_class(Session *session, const char *name);

Str first_line(const char *text);

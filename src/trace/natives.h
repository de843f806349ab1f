// natives.h -- the modules of Python's standard library that tracing knows, as tables of C functions.

#pragma once
#include "trace/module.h"

extern const NativeModule *const native_modules[];  // ends with NULL

extern const NativeModule native_math, native_numpy, native_functools, native_itertools, native_operator,
  native_collections, native_collections_abc, native_dataclasses, native_enum, native_typing, native_abc, native_copy,
  native_os, native_os_path, native_sys, native_logging, native_warnings, native_contextlib, native_typing_extensions,
  native_numbers, native_types;

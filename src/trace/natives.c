#include "trace/natives.h"

const NativeModule *const native_modules[] = {
  &native_math, &native_numpy, &native_functools, &native_itertools, &native_operator, &native_collections,
  &native_collections_abc, &native_dataclasses, &native_enum, &native_typing, &native_typing_extensions,
  &native_numbers, &native_types, &native_abc, &native_copy, &native_os, &native_os_path, &native_sys,
  &native_logging, &native_warnings, &native_contextlib, NULL,
};

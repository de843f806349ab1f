#include "trace/natives.h"

const NativeModule *const native_modules[] = {
  NULL,
};

#include "base/bug.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void bug(const char *format, ...)
{
  va_list args;
  va_start(args, format);
  fputs("klr: internal error: ", stderr);
  vfprintf(stderr, format, args);
  fputs("\nThis is a bug in klr. Please report it with the command line and the input.\n", stderr);
  va_end(args);
  exit(70);
}

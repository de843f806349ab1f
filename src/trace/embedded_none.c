// embedded_none.c -- the table of embedded modules of a program that has none.

#include "trace/module.h"

const EmbeddedModule embedded_modules[] = {{0}};

// where.h -- where in Python an instruction or a tensor was written.

#pragma once
#include "core/core.h"

typedef struct Where {
  const char *path;       // NULL: not known, and then nothing else is
  uint32_t line, column;  // from 1
  Str text;               // the line, without its indentation; empty when the source is not at hand
} Where;

Where where_of(Session *session, const Pos *pos);

// "softmax.py:17", without folders; "?" when it is not known.
const char *where_text(Arena *arena, const Where *where);

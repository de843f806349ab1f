// source.h -- source texts and places in them.
//
// A Span is three numbers; line, column and the quoted line are found only when somebody asks. Columns are bytes of
// UTF-8 from the start of the line, counted from 0, as in Python's `ast`; people are shown columns from 1.

#pragma once
#include "base/str.h"

typedef struct Source {
  const char *path;  // as the user wrote it, or a description such as "<string>"
  Str text;          // followed by a NUL byte that is not part of it
  uint32_t *lines;   // offset of the start of each line, made on first use
  uint32_t line_count;
  uint32_t first_line;  // number of the first line, 1 for a file; larger for a piece cut out of one
} Source;

// Bytes [start, end) of source number `source`. The zero Span is "no place".
typedef struct Span {
  uint32_t source;  // index into session->sources, from 1; 0: no place
  uint32_t start, end;
} Span;

typedef struct Place {
  uint32_t line;    // from 1
  uint32_t column;  // bytes from 0
} Place;

bool span_is_none(Span span);
Span span_join(Span first, Span last);  // from the start of `first` to the end of `last`

// Lines end at "\n", "\r\n" or "\r"; a form feed does not end one.
Place source_place(Source *source, Arena *arena, uint32_t offset);
Str source_line(Source *source, Arena *arena, uint32_t line);  // without its line end; empty past the end

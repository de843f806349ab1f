// npy.h -- NumPy's .npy files, versions 1.0 to 3.0: C order, little-endian numbers.
//
// A dtype stands here as NumPy writes it ("<f4", "|i1"); what it means is src/number/'s business. Types of ml_dtypes
// (bfloat16, float8) are saved by NumPy as raw bytes: "<V2", "|V1".

#pragma once
#include "base/session.h"

enum { NPY_MOST_DIMS = 32 };

typedef struct Npy {
  char descr[16];
  uint32_t rank;
  uint64_t shape[NPY_MOST_DIMS];
  uint32_t item_bytes;
  const void *data;  // in the file's bytes, not necessarily aligned
  uint64_t bytes;
} Npy;

// Reads the header of `file`, checks its length, and points into it. False after reporting E_NPY_FORMAT.
bool npy_parse(Session *session, const char *path, Str file, Npy *out);

// The whole file for an array of `shape` with `bytes` of data.
void npy_format(StrBuf *out, const char *descr, const uint64_t *shape, uint32_t rank, const void *data, uint64_t bytes);

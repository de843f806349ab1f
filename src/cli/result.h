// result.h -- what a run computed: for people, as JSON, and as files.

#pragma once
#include "cli/cli.h"
#include "sim/sim.h"

typedef struct Result {
  const char *name;
  const char *role;  // "output", or "input" for one that the kernel wrote
  const Array *array;
  const char *file;  // NULL: not written
  bool is_f64;       // float64, of scalar kernels: `array` holds the bits as uint64
} Result;

// One object. `rank` below 0: a run without ranks. With a summary: the least, the largest, the mean, how many are no numbers.
void result_json(const Result *result, int64_t rank, bool with_summary, JsonWriter *json);

// One line; `folder` is where `result->file` lies.
void result_text(Arena *arena, const Result *result, const char *folder, StrBuf *out);

// Each as NAME.npy in `folder`, which exists, and outputs.json last; sets `file`. `target` may be NULL. False after reporting.
bool results_write(Cli *cli, Result *results, size_t count, const char *kernel, const char *target, int64_t rank, const char *folder);

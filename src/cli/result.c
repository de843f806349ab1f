// result.c -- what a run computed: for people, as JSON, and as files.

#include "cli/result.h"
#include "base/npy.h"
#include "cli/arg.h"
#include "cli/running.h"
#include "number/convert.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef struct Summary {
  double min, max, mean;
  uint64_t finite, nan, infinite;
} Summary;

enum { SUMMARY_BLOCK = 1024 };

// Elements [first, first + count) as double; integers of 64 bits are rounded to float32.
static void load_doubles(const Result *result, uint64_t first, size_t count, double *out)
{
  const Array *array = result->array;
  const char *at = (const char *)array->data + first * dtype_bytes(array->dtype);
  if (result->is_f64) {
    memcpy(out, at, count * sizeof *out);
    return;
  }
  float block[SUMMARY_BLOCK];
  convert_row_to_f32(array->dtype, count, block, at, (NumberMode){0});
  for (size_t i = 0; i < count; i++)
    out[i] = (double)block[i];
}

static const char *element_name(const Result *result)
{
  return result->is_f64 ? "float64" : dtype_name(result->array->dtype);
}

static Summary summarise(const Result *result)
{
  const Array *array = result->array;
  Summary s = {.min = INFINITY, .max = -INFINITY};
  if (dtype_is_packed(array->dtype))
    return s;
  double sum = 0;
  double block[SUMMARY_BLOCK];
  uint64_t total = array_elements(array);
  for (uint64_t first = 0; first < total; first += SUMMARY_BLOCK) {
    size_t count = total - first < SUMMARY_BLOCK ? (size_t)(total - first) : SUMMARY_BLOCK;
    load_doubles(result, first, count, block);
    for (size_t i = 0; i < count; i++) {
      const double value = block[i];
      if (isnan(value))
        s.nan++;
      else if (isinf(value))
        s.infinite++;
      else {
        s.finite++;
        s.min = value < s.min ? value : s.min;
        s.max = value > s.max ? value : s.max;
        sum += value;
      }
    }
  }
  s.mean = s.finite ? sum / (double)s.finite : 0;
  return s;
}

void result_json(const Result *result, int64_t rank, bool with_summary, JsonWriter *json)
{
  json_begin_object(json);
  if (rank >= 0) {
    json_key(json, "rank");
    json_uint(json, (uint64_t)rank);
  }
  json_key(json, "name");
  json_text(json, str_from(result->name));
  json_key(json, "dtype");
  json_text(json, str_from(element_name(result)));
  json_key(json, "shape");
  json_begin_array(json);
  for (uint32_t i = 0; i < result->array->rank; i++)
    json_uint(json, result->array->shape[i]);
  json_end_array(json);
  json_key(json, "role");
  json_text(json, str_from(result->role));
  if (result->file) {
    json_key(json, "file");
    json_text(json, str_from(result->file));
  }
  if (with_summary) {
    Summary s = summarise(result);
    if (s.finite) {
      json_key(json, "min");
      json_double(json, s.min);
      json_key(json, "max");
      json_double(json, s.max);
      json_key(json, "mean");
      json_double(json, s.mean);
    }
    json_key(json, "nan");
    json_uint(json, s.nan);
    json_key(json, "infinite");
    json_uint(json, s.infinite);
  }
  json_end_object(json);
}

void result_text(Arena *arena, const Result *result, const char *folder, StrBuf *out)
{
  Summary s = summarise(result);
  strbuf_printf(out, "  %-12s %-24s", result->name, shape_text(arena, element_name(result), result->array->rank, result->array->shape));
  if (s.finite)
    strbuf_printf(out, " min %.6g  max %.6g  mean %.6g", s.min, s.max, s.mean);
  if (s.nan)
    strbuf_printf(out, "  %" PRIu64 " NaN", s.nan);
  if (s.infinite)
    strbuf_printf(out, "  %" PRIu64 " infinite", s.infinite);
  if (strcmp(result->role, "input") == 0)
    strbuf_puts(out, "  (input, modified)");
  if (result->file)
    strbuf_printf(out, "  -> %s/%s", folder, result->file);
  strbuf_putc(out, '\n');
}

bool results_write(Cli *cli, Result *results, size_t count, const char *kernel, const char *target, int64_t rank, const char *folder)
{
  Arena *arena = &cli->session->arena;
  for (size_t i = 0; i < count; i++) {
    StrBuf npy = strbuf_new(arena);
    const Array *array = results[i].array;
    if (results[i].is_f64)
      npy_format(&npy, "<f8", array->shape, array->rank, array->data, array->bytes);
    else
      array_to_npy(array, cli->options.raw, &npy);
    results[i].file = arena_printf(arena, "%s.npy", results[i].name);
    if (!file_write(cli->session, arena_printf(arena, "%s/%s", folder, results[i].file), strbuf_str(&npy)))
      return false;
  }
  StrBuf text = strbuf_new(arena);
  JsonWriter json = json_writer(&text, 1);
  json_begin_object(&json);
  json_key(&json, "kernel");
  json_text(&json, str_from(kernel));
  if (target) {
    json_key(&json, "target");
    json_text(&json, str_from(target));
  }
  json_key(&json, "outputs");
  json_begin_array(&json);
  for (size_t i = 0; i < count; i++)
    result_json(&results[i], rank, false, &json);
  json_end_array(&json);
  json_end_object(&json);
  strbuf_putc(&text, '\n');
  return file_write(cli->session, arena_printf(arena, "%s/outputs.json", folder), strbuf_str(&text));
}

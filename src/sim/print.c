// print.c -- device_print: a prefix and all elements of a tensor, as text on stderr and as JSON where it is collected.

#include "sim/exec.h"

#include <inttypes.h>
#include <stdio.h>

enum { LINE_COLUMNS = 100 };

// One element as text: integers exactly, floats with the digits that tell float32 apart.
static void add_element(Sim *sim, const Tile *tile, uint64_t p, uint64_t i, StrBuf *out)
{
  const uint8_t *unit = tile_element(tile, p, i);
  if (dtype_is_integer(tile->dtype) && tile->item <= 4) {
    uint32_t bits = unit_bits(tile->dtype, unit);
    if (dtype_is_signed_integer(tile->dtype))
      strbuf_printf(out, "%" PRId32, (int32_t)bits);
    else
      strbuf_printf(out, "%" PRIu32, bits);
    return;
  }
  strbuf_printf(out, "%.9g", (double)dtype_to_f32_mode(tile->dtype, unit, sim->number_mode));
}

// Sizes of the view's dimensions; at least one.
static uint32_t dimensions(const Tile *tile, uint64_t *sizes)
{
  const Core_LIST_AP_PAIR *pattern = &tile->view->pattern;
  uint32_t rank = 0;
  for (; rank < pattern->count && rank < SIM_MAX_DIMS; rank++)
    sizes[rank] = pattern->items[rank].num;
  if (!rank)
    sizes[rank++] = 1;
  return rank;
}

// Brackets and commas between element number e of a tensor and the one before it.
static void add_separator(StrBuf *out, const uint64_t *sizes, uint32_t rank, uint64_t e, size_t *line)
{
  uint32_t closed = 0;
  for (uint64_t block = 1; closed < rank && e > 0; closed++) {
    block *= sizes[rank - 1 - closed];
    if (e % block != 0)
      break;
  }
  if (e > 0) {
    for (uint32_t i = 0; i < closed; i++)
      strbuf_putc(out, ']');
    strbuf_puts(out, ",");
    bool breaks = closed > 0 || out->len - *line > LINE_COLUMNS;
    if (breaks)
      *line = out->len;
    strbuf_puts(out, breaks ? "\n " : " ");
    for (uint32_t i = 0; i < rank - closed && breaks; i++)
      strbuf_putc(out, ' ');
  }
  for (uint32_t i = 0; i < (e > 0 ? closed : rank); i++)
    strbuf_putc(out, '[');
}

static void print_text(Sim *sim, const char *prefix, const Tile *tile)
{
  uint64_t sizes[SIM_MAX_DIMS], count = tile->partitions * tile->free_elems;
  uint32_t rank = dimensions(tile, sizes);
  StrBuf text = strbuf_new(&sim->scratch);
  strbuf_printf(&text, "%s", prefix);
  if (sim->rank_count > 1)
    strbuf_printf(&text, " (rank %u)", sim->core->rank->number);
  if (sim->core->rank->kernel->bodies.count > 1)
    strbuf_printf(&text, " (core %u)", sim->core->number);
  strbuf_printf(&text, " %s[", tile->view->tensor->name);
  for (uint32_t i = 0; i < rank; i++)
    strbuf_printf(&text, "%s%" PRIu64, i ? ", " : "", sizes[i]);
  strbuf_printf(&text, "]: %s\n ", dtype_name(tile->dtype));
  size_t line = text.len;
  for (uint64_t e = 0; e < count; e++) {
    add_separator(&text, sizes, rank, e, &line);
    add_element(sim, tile, e / tile->free_elems, e % tile->free_elems, &text);
  }
  for (uint32_t i = 0; i < rank && count; i++)
    strbuf_putc(&text, ']');
  strbuf_putc(&text, '\n');
  fwrite(text.data, 1, text.len, stderr);
}

static void print_json(Sim *sim, const char *prefix, const Tile *tile, JsonWriter *json)
{
  uint64_t sizes[SIM_MAX_DIMS], count = tile->partitions * tile->free_elems;
  uint32_t rank = dimensions(tile, sizes);
  json_begin_object(json);
  json_key(json, "prefix");
  json_text(json, str_from(prefix));
  json_key(json, "rank");
  json_uint(json, sim->core->rank->number);
  json_key(json, "core");
  json_uint(json, sim->core->number);
  json_key(json, "tensor");
  json_text(json, str_from(tile->view->tensor->name));
  json_key(json, "dtype");
  json_text(json, str_from(dtype_name(tile->dtype)));
  json_key(json, "shape");
  json_begin_array(json);
  for (uint32_t i = 0; i < rank; i++)
    json_uint(json, sizes[i]);
  json_end_array(json);
  json_key(json, "values");
  json_begin_array(json);
  for (uint64_t e = 0; e < count; e++) {
    const uint8_t *unit = tile_element(tile, e / tile->free_elems, e % tile->free_elems);
    if (dtype_is_signed_integer(tile->dtype) && tile->item <= 4)
      json_int(json, (int32_t)unit_bits(tile->dtype, unit));
    else if (dtype_is_integer(tile->dtype) && tile->item <= 4)
      json_uint(json, unit_bits(tile->dtype, unit));
    else
      json_double(json, (double)dtype_to_f32_mode(tile->dtype, unit, sim->number_mode));
  }
  json_end_array(json);
  json_end_object(json);
}

void run_device_print(Sim *sim, const Op *op)
{
  const struct Op_device_print *o = &op->device_print;
  Tile src = tile_read(sim, &o->src, "src");
  tile_expect_unpacked(sim, &src);
  const char *prefix = o->print_prefix ? o->print_prefix : "";
  print_text(sim, prefix, &src);
  if (sim->options.prints)
    print_json(sim, prefix, &src, sim->options.prints);
}

// place_text.c -- what is said about a placement: why tiles do not fit, and the map of a memory.

#include "machine/place.h"

#include "core/verify_tile.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TILES_SHOWN = 8 };

typedef struct Speaker {
  Session *session;
  const Machine *machine;
  const Core_LIST_BLOCK *blocks;
  const Placement *placement;
  const MemoryMap *map;
} Speaker;

static const char *memory_name(Memory memory)
{
  return memory == MEMORY_PSUM ? "PSUM" : "SBUF";
}

// ---- places in the source

static const Pos *pos_of_number(const Speaker *s, uint32_t number)
{
  return liveness_instr(&s->placement->liveness, s->blocks, number, NULL)->pos;
}

static const Pos *pos_of_tile(const Speaker *s, const PlacedTile *tile)
{
  return tile->range->tensor->pos ? tile->range->tensor->pos : pos_of_number(s, tile->range->first_use);
}

static const char *file_of_pos(const Speaker *s, const Pos *pos)
{
  Source *source = pos->span.source ? session_source(s->session, pos->span.source) : NULL;
  return source ? source->path : pos->filename;
}

static uint32_t line_of_pos(const Speaker *s, const Pos *pos)
{
  Source *source = pos->span.source ? session_source(s->session, pos->span.source) : NULL;
  return source ? source_place(source, &s->session->arena, pos->span.start).line : pos->line;
}

// "line 12", with the file's name when it is not that of `near`.
static const char *line_text(const Speaker *s, const Pos *pos, const Pos *near)
{
  const char *file = file_of_pos(s, pos), *other = near ? file_of_pos(s, near) : NULL;
  uint32_t line = line_of_pos(s, pos);
  if (!file || (other && strcmp(file, other) == 0))
    return arena_printf(&s->session->arena, "line %u", line);
  const char *name = strrchr(file, '/');
  return arena_printf(&s->session->arena, "%s:%u", name ? name + 1 : file, line);
}

// ---- tiles

static const char *shape_text(const Speaker *s, const Tensor *tensor)
{
  StrBuf text = strbuf_new(&s->session->arena);
  strbuf_printf(&text, "%s[%" PRIu64, core_DTYPE.of->member_name(tensor->dtype), tensor->shape.par_dim);
  for (uint32_t i = 0; i < tensor->shape.free_dims.count; i++)
    strbuf_printf(&text, ", %" PRIu64, tensor->shape.free_dims.items[i]);
  strbuf_putc(&text, ']');
  return strbuf_cstr(&text);
}

// Tiles that were made at one place with one size and live at one moment.
typedef struct Alike {
  const PlacedTile *tile;  // the first
  const Pos *pos;
  uint32_t count;
  uint32_t first_use, last_use;  // of all of them
} Alike;

typedef struct Census {
  Alike *groups;
  uint32_t count, tiles;
} Census;

static int compare_alike(const void *a, const void *b)
{
  const Alike *x = a, *y = b;
  uint64_t x_bytes = x->tile->row_bytes * x->count, y_bytes = y->tile->row_bytes * y->count;
  if (x_bytes != y_bytes)
    return x_bytes > y_bytes ? -1 : 1;
  return x->tile < y->tile ? -1 : x->tile > y->tile;
}

// What is alive at the peak, the largest first.
static Census census(const Speaker *s)
{
  const MemoryMap *map = s->map;
  Census census = {0};
  Map known = map_new(&s->session->arena);
  Vec(Alike) groups = {0};
  for (uint32_t i = 0; i < map->count && map->tiles[i].range->first <= map->peak_number; i++) {
    const PlacedTile *tile = &map->tiles[i];
    if (tile->range->last < map->peak_number)
      continue;
    const Pos *pos = pos_of_tile(s, tile);
    uint64_t place = pos->span.source ? (uint64_t)pos->span.source << 32 | pos->span.start
                                      : str_hash(str_from(tile->range->tensor->name));
    uint64_t key = place * UINT64_C(0x9E3779B97F4A7C15) ^ tile->row_bytes << 8 ^ tile->range->tensor->dtype;
    uintptr_t at = (uintptr_t)map_get_number(&known, key);
    if (!at) {
      vec_push(&s->session->arena, &groups, (Alike){tile, pos, 0, tile->range->first_use, tile->range->last_use});
      at = groups.count;
      map_set_number(&known, key, (void *)at);
    }
    Alike *group = &groups.items[at - 1];
    group->count++;
    group->last_use = group->last_use > tile->range->last_use ? group->last_use : tile->range->last_use;
    census.tiles++;
  }
  if (groups.count)
    qsort(groups.items, groups.count, sizeof *groups.items, compare_alike);
  census.groups = groups.items;
  census.count = (uint32_t)groups.count;
  return census;
}

static void add_group(const Speaker *s, StrBuf *out, const Alike *group)
{
  const LiveRange *range = group->tile->range;
  const Pos *first = pos_of_number(s, group->first_use), *last = pos_of_number(s, group->last_use);
  if (group->count > 1)
    strbuf_printf(out, "%u x ", group->count);
  strbuf_printf(out, "%" PRIu64 " bytes: `%s` %s, %s, used from %s to %s", group->tile->row_bytes, range->tensor->name,
                shape_text(s, range->tensor), line_text(s, group->pos, pos_of_number(s, s->map->peak_number)),
                line_text(s, first, group->pos), line_text(s, last, group->pos));
  if (group->tile->is_given)
    strbuf_printf(out, ", at its address (%u, %" PRIu64 ")", group->tile->first_row, group->tile->first_byte);
}

static void write_tile(const Speaker *s, JsonWriter *json, const PlacedTile *tile)
{
  const Tensor *tensor = tile->range->tensor;
  json_key(json, "name");
  json_text(json, str_from(tensor->name));
  json_key(json, "dtype");
  json_text(json, str_from(core_DTYPE.of->member_name(tensor->dtype)));
  json_key(json, "shape");
  json_begin_array(json);
  json_uint(json, tensor->shape.par_dim);
  for (uint32_t i = 0; i < tensor->shape.free_dims.count; i++)
    json_uint(json, tensor->shape.free_dims.items[i]);
  json_end_array(json);
  json_key(json, "bytes");
  json_uint(json, tile->row_bytes);
  json_key(json, "line");
  json_uint(json, line_of_pos(s, pos_of_tile(s, tile)));
}

static void write_lines(const Speaker *s, JsonWriter *json, uint32_t first, uint32_t last)
{
  json_key(json, "first_line");
  json_uint(json, line_of_pos(s, pos_of_number(s, first)));
  json_key(json, "last_line");
  json_uint(json, line_of_pos(s, pos_of_number(s, last)));
}

static void write_peak(const Speaker *s, JsonWriter *json)
{
  json_key(json, "memory");
  json_text(json, str_from(s->map->memory == MEMORY_PSUM ? "psum" : "sbuf"));
  json_key(json, "limit_bytes");
  json_uint(json, s->map->limit_bytes);
  json_key(json, "peak_bytes");
  json_uint(json, s->map->peak_bytes);
  if (!s->map->count)
    return;
  json_key(json, "peak_instruction");
  json_uint(json, s->map->peak_number);
  json_key(json, "peak_line");
  json_uint(json, line_of_pos(s, pos_of_number(s, s->map->peak_number)));
  Census alive = census(s);
  json_key(json, "alive");
  json_begin_array(json);
  for (uint32_t i = 0; i < alive.count; i++) {
    json_begin_object(json);
    write_tile(s, json, alive.groups[i].tile);
    json_key(json, "count");
    json_uint(json, alive.groups[i].count);
    write_lines(s, json, alive.groups[i].first_use, alive.groups[i].last_use);
    json_end_object(json);
  }
  json_end_array(json);
}

// ---- errors

static void note_peak(const Speaker *s, Diag *diag)
{
  const Pos *peak = pos_of_number(s, s->map->peak_number);
  Census alive = census(s);
  const char *text = arena_printf(&s->session->arena, "most is needed here: %" PRIu64 " bytes of a partition, %u tile%s",
                                  s->map->peak_bytes, alive.tiles, alive.tiles == 1 ? "" : "s");
  if (peak->span.source)
    diag_label(diag, peak->span, "%s", text);
  else
    diag_note(diag, "%s (%s)", text, line_text(s, peak, NULL));
  StrBuf list = strbuf_new(&s->session->arena);
  strbuf_puts(&list, "alive then, bytes of a partition:");
  uint64_t rest_bytes = 0;
  uint32_t rest = 0;
  for (uint32_t i = 0; i < alive.count; i++) {
    if (i < TILES_SHOWN) {
      strbuf_puts(&list, "\n  ");
      add_group(s, &list, &alive.groups[i]);
      continue;
    }
    rest += alive.groups[i].count;
    rest_bytes += alive.groups[i].count * alive.groups[i].tile->row_bytes;
  }
  if (rest)
    strbuf_printf(&list, "\n  and %u more with %" PRIu64 " bytes", rest, rest_bytes);
  diag_note(diag, "%s", strbuf_cstr(&list));
}

static void attach_data(const Speaker *s, Diag *diag, uint32_t core)
{
  StrBuf text = strbuf_new(&s->session->arena);
  JsonWriter json = json_writer(&text, 0);
  json_begin_object(&json);
  json_key(&json, "core");
  json_uint(&json, core);
  write_peak(s, &json);
  json_end_object(&json);
  diag_data(diag, strbuf_cstr(&text));
}

static void help_to_fit(const Speaker *s, Diag *diag)
{
  if (s->map->memory == MEMORY_PSUM) {
    diag_help(diag,
              "copy each finished product to SBUF with `nisa.tensor_copy` before the next begins: PSUM has %u banks of %u "
              "bytes",
              s->machine->psum_banks, s->machine->psum_bank_bytes);
    return;
  }
  Census alive = census(s);
  const Alike *largest = &alive.groups[0];
  if (largest->count > 1)
    diag_help(diag, "use the %u tiles of %s one after the other, or make them smaller along the free dimension",
              largest->count, line_text(s, largest->pos, NULL));
  else
    diag_help(diag, "load and use `%s` in pieces along its free dimension, or make it after other tiles were last used",
              largest->tile->range->tensor->name);
}

static void note_rule(const Speaker *s, Diag *diag, DiagCode rule_code)
{
#define LEGAL(rule, id, its_code, doc, its_source)                                                                     \
  if (its_code == rule_code)                                                                                           \
    diag_note(diag, "expected on %s (%s): %s [%s]", s->machine->name, s->machine->nc_version, doc, its_source);
#include "machine/legal.def"
}

static bool report_memory(Reporter *reporter, const Speaker *s, uint32_t core, uint32_t cores)
{
  const MemoryMap *map = s->map;
  if (map->over == NO_TILE && map->left_out == NO_TILE)
    return true;
  bool is_over = map->over != NO_TILE;
  const PlacedTile *tile = &map->tiles[is_over ? map->over : map->left_out];
  const char *memory = memory_name(map->memory), *name = tile->range->tensor->name;
  Diag *diag;
  if (is_over)
    diag = report_at(reporter, pos_of_tile(s, tile), E_MEMORY_FULL, "memory",
                     "`%s` does not fit into %s: the kernel needs %" PRIu64 " bytes of a partition at once, %s leaves %" PRIu64,
                     name, memory, map->peak_bytes, s->machine->name, map->limit_bytes);
  else
    diag = report_at(reporter, pos_of_tile(s, tile), E_MEMORY_PIECES, "memory-pieces",
                     "no place was found for `%s` in %s, though at most %" PRIu64 " of %" PRIu64
                     " bytes of a partition are needed at once",
                     name, memory, map->peak_bytes, map->limit_bytes);
  if (!diag)
    return false;
  diag_note(diag, "`%s` is %s: %" PRIu64 " bytes of each partition, used from %s to %s", name,
            shape_text(s, tile->range->tensor), tile->row_bytes,
            line_text(s, pos_of_number(s, tile->range->first_use), pos_of_tile(s, tile)),
            line_text(s, pos_of_number(s, tile->range->last_use), pos_of_tile(s, tile)));
  if (cores > 1)
    diag_note(diag, "on logical core %u of %u", core, cores);
  note_peak(s, diag);
  if (is_over)
    help_to_fit(s, diag);
  else
    diag_help(diag, "the free bytes are in pieces between tiles that live longer: make large tiles before small ones that "
                    "outlive them, or place tiles by hand with `address=`");
  note_rule(s, diag, diag->code);
  attach_data(s, diag, core);
  return false;
}

bool machine_check_memory(Session *session, const Machine *machine, const Kernel *kernel)
{
  Reporter reporter = reporter_new(session);
  Arena arena = session_arena(session);
  bool sbuf_fits = true, psum_fits = true;
  for (uint32_t core = 0; core < kernel->bodies.count && sbuf_fits && psum_fits; core++) {
    const Core_LIST_BLOCK *blocks = &kernel->bodies.items[core];
    Placement placement = place_core(&arena, &reporter.scratch, machine, blocks);
    Speaker speaker = {session, machine, blocks, &placement, &placement.sbuf};
    sbuf_fits = report_memory(&reporter, &speaker, core, kernel->bodies.count);
    speaker.map = &placement.psum;
    psum_fits = report_memory(&reporter, &speaker, core, kernel->bodies.count);
  }
  arena_free(&arena);
  reporter_free(&reporter);
  return sbuf_fits && psum_fits;
}

// ---- maps

static void print_memory(const Speaker *s, StrBuf *out)
{
  const MemoryMap *map = s->map;
  strbuf_printf(out, "  %s  peak %" PRIu64 " of %" PRIu64 " bytes of a partition", memory_name(map->memory),
                map->peak_bytes, map->limit_bytes);
  if (!map->count) {
    strbuf_putc(out, '\n');
    return;
  }
  strbuf_printf(out, " at %s, %u tile%s in all", line_text(s, pos_of_number(s, map->peak_number), NULL), map->count,
                map->count == 1 ? "" : "s");
  if (map->over == NO_TILE && map->left_out == NO_TILE)
    strbuf_printf(out, ", placed in %" PRIu64 " bytes", map->end_bytes);
  else
    strbuf_puts(out, map->over != NO_TILE ? ": does not fit" : ": no place was found for all");
  strbuf_putc(out, '\n');
  Census alive = census(s);
  for (uint32_t i = 0; i < alive.count; i++) {
    strbuf_puts(out, "        ");
    add_group(s, out, &alive.groups[i]);
    strbuf_putc(out, '\n');
  }
}

void place_print(Session *session, StrBuf *out, const Machine *machine, const Core_LIST_BLOCK *blocks,
                 const Placement *placement)
{
  Speaker speaker = {session, machine, blocks, placement, &placement->sbuf};
  print_memory(&speaker, out);
  speaker.map = &placement->psum;
  print_memory(&speaker, out);
}

static void write_memory(const Speaker *s, JsonWriter *json)
{
  const MemoryMap *map = s->map;
  json_begin_object(json);
  write_peak(s, json);
  json_key(json, "fits");
  json_bool(json, map->over == NO_TILE && map->left_out == NO_TILE);
  json_key(json, "tiles");
  json_begin_array(json);
  for (uint32_t i = 0; i < map->count; i++) {
    const PlacedTile *tile = &map->tiles[i];
    json_begin_object(json);
    write_tile(s, json, tile);
    write_lines(s, json, tile->range->first_use, tile->range->last_use);
    json_key(json, "live");
    json_begin_array(json);
    json_uint(json, tile->range->first);
    json_uint(json, tile->range->last);
    json_end_array(json);
    json_key(json, "address");
    if (tile->is_placed) {
      json_begin_array(json);
      json_uint(json, tile->first_row);
      json_uint(json, tile->first_byte);
      json_end_array(json);
    } else {
      json_nothing(json);
    }
    json_key(json, "is_given");
    json_bool(json, tile->is_given);
    json_end_object(json);
  }
  json_end_array(json);
  json_end_object(json);
}

void place_write_json(Session *session, JsonWriter *json, const Machine *machine, const Core_LIST_BLOCK *blocks,
                      const Placement *placement)
{
  Speaker speaker = {session, machine, blocks, placement, &placement->sbuf};
  json_begin_object(json);
  json_key(json, "sbuf");
  write_memory(&speaker, json);
  json_key(json, "psum");
  speaker.map = &placement->psum;
  write_memory(&speaker, json);
  json_end_object(json);
}

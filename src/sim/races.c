// races.c -- vector clocks over the bytes of shared HBM.
//
// Each core counts the barriers it passed on a buffer: its clock. `seen[y][x]` is the clock of core x that core y knows
// to be over. An access by x at clock k comes before what y does when k <= seen[y][x]. Bytes are kept in cells, pages
// first and finer where accesses ask for it; a cell knows for every core its last write and its last read. Writes of
// several cores stand in one cell only while they wrote the same bytes.

#include "sim/races.h"

#include <inttypes.h>
#include <string.h>

enum { PAGE_SHIFT = 12, PAGE_BYTES = 1 << PAGE_SHIFT };

typedef struct RaceAccess {
  const Instr *instr;
  uint32_t core, clock;
} RaceAccess;

typedef struct RacePage {
  uint32_t *cells;  // of each: writes by core, then reads by core, as numbers of accesses; 0: none
  uint8_t *bytes;   // what was written last
  unsigned shift;   // log2 of the bytes of a cell
} RacePage;

struct Watch {
  Sim *sim;
  const Tensor *tensor;
  uint32_t cores;
  uint32_t *clocks;  // of each core
  uint32_t *seen;    // [y * cores + x]
  RacePage *pages;
  Vec(RaceAccess) accesses;  // 0 is none
};

void races_watch(Sim *sim, Buffer *buffer, const Tensor *tensor)
{
  uint32_t cores = sim->core->rank->core_count;
  Watch *watch = arena_new(&sim->arena, Watch);
  *watch = (Watch){.sim = sim, .tensor = tensor, .cores = cores};
  watch->clocks = arena_array(&sim->arena, uint32_t, cores);
  watch->seen = arena_array(&sim->arena, uint32_t, (size_t)cores * cores);
  watch->pages = arena_array(&sim->arena, RacePage, buffer->bytes / PAGE_BYTES + 1);
  for (uint32_t c = 0; c < cores; c++)
    watch->clocks[c] = 1;
  vec_push(&sim->arena, &watch->accesses, ((RaceAccess){0}));
  buffer->watch = watch;
}

void races_order(Buffer *buffer, Core *const *cores, uint32_t count)
{
  Watch *watch = buffer->watch;
  for (uint32_t x = 0; x < watch->cores; x++) {
    uint32_t latest = 0;
    for (uint32_t i = 0; i < count; i++) {
      uint32_t y = cores[i]->number, known = x == y ? watch->clocks[y] : watch->seen[y * watch->cores + x];
      latest = known > latest ? known : latest;
    }
    for (uint32_t i = 0; i < count; i++)
      watch->seen[cores[i]->number * watch->cores + x] = latest;
  }
  for (uint32_t i = 0; i < count; i++)
    watch->clocks[cores[i]->number]++;
}

// ---- messages
static const char *element_text(const Watch *watch, uint64_t byte)
{
  const Tensor *tensor = watch->tensor;
  uint64_t elem = byte / dtype_bytes(state_stored_dtype(watch->sim, tensor->dtype)), row = 1;
  StrBuf text = strbuf_new(&watch->sim->session->arena);
  for (uint32_t i = 0; i < tensor->shape.free_dims.count; i++)
    row *= tensor->shape.free_dims.items[i];
  strbuf_printf(&text, "[%" PRIu64, row ? elem / row : 0);
  for (uint32_t i = 0; i < tensor->shape.free_dims.count && row; i++) {
    elem %= row;
    row /= tensor->shape.free_dims.items[i];
    strbuf_printf(&text, ", %" PRIu64, row ? elem / row : 0);
  }
  strbuf_printf(&text, "]");
  return strbuf_cstr(&text);
}

static uint64_t place_of(const Instr *instr)
{
  const Pos *pos = instr->pos;
  if (!pos)
    return (uintptr_t)instr;
  return span_is_none(pos->span) ? pos->line : (uint64_t)pos->span.source << 32 ^ pos->span.start;
}

// Whether nothing was said of these two lines yet.
static bool is_news(Sim *sim, const Instr *earlier, const Instr *later)
{
  uint64_t pair[] = {place_of(earlier), place_of(later)};
  uint64_t key = str_hash((Str){(const char *)pair, sizeof pair}) | 1;
  if (map_get_number(&sim->told, key))
    return false;
  map_set_number(&sim->told, key, sim);
  return true;
}

static void report(const Watch *watch, const RaceAccess *earlier, bool wrote, bool writes, uint64_t byte)
{
  Sim *sim = watch->sim;
  if (!is_news(sim, earlier->instr, sim->instr))
    return;
  const char *other = state_core_name(sim, &sim->core->rank->cores[earlier->core]);
  Diag *diag = sim_warning_here(sim, W_SIM_RACE, "%s %s element %s of `%s`, which %s %s with no barrier between them",
                                state_core_name(sim, sim->core), writes ? "writes" : "reads", element_text(watch, byte),
                                watch->tensor->name, other, wrote ? "wrote" : "read");
  const Pos *pos = earlier->instr->pos;
  if (pos && !span_is_none(pos->span))
    diag_label(diag, pos->span, "%s %s it here", other, wrote ? "wrote" : "read");
  else if (pos && pos->filename)
    diag_note(diag, "%s %s it at %s:%" PRIu32, other, wrote ? "wrote" : "read", pos->filename, pos->line);
  diag_help(diag, "put `nisa.core_barrier(data=%.*s, cores=(0, 1))` between the two, on both cores",
            (int)strcspn(watch->tensor->name, "."), watch->tensor->name);
  if (sim->session->strict)
    sim_stop(sim);
}

// ---- cells
static unsigned trailing_zeros(uint64_t value)
{
  return (unsigned)__builtin_ctzll(value);
}

// A page divided so that cells begin and end at the bounds of an access: into pages, cache lines, words or bytes.
static unsigned shift_for(uint64_t start, uint64_t end)
{
  unsigned zeros = trailing_zeros(start | end | PAGE_BYTES);
  return zeros >= PAGE_SHIFT ? PAGE_SHIFT : zeros >= 6 ? 6 : zeros >= 2 ? 2 : 0;
}

static void divide(Watch *watch, RacePage *page, unsigned shift)
{
  uint32_t words = 2 * watch->cores, count = PAGE_BYTES >> shift;
  uint32_t *cells = arena_array(&watch->sim->arena, uint32_t, (size_t)count * words);
  for (uint32_t i = 0; i < count && page->cells; i++)
    memcpy(cells + i * words, page->cells + ((i << shift) >> page->shift) * words, words * sizeof *cells);
  page->cells = cells;
  page->shift = shift;
}

// A number for the access of the running instruction.
static uint32_t access_number(Watch *watch)
{
  const Sim *sim = watch->sim;
  uint32_t core = sim->core->number, clock = watch->clocks[core];
  const RaceAccess *last = &watch->accesses.items[watch->accesses.count - 1];
  if (last->instr != sim->instr || last->core != core || last->clock != clock)
    vec_push(&watch->sim->arena, &watch->accesses, ((RaceAccess){sim->instr, core, clock}));
  return (uint32_t)watch->accesses.count - 1;
}

// Whether access `number`, not 0, comes before what the running core does.
static bool is_over(const Watch *watch, uint32_t number)
{
  const RaceAccess *access = &watch->accesses.items[number];
  return access->clock <= watch->seen[watch->sim->core->number * watch->cores + access->core];
}

static void read_cell(Watch *watch, uint32_t *cell, uint32_t number, uint64_t byte)
{
  uint32_t me = watch->sim->core->number;
  for (uint32_t x = 0; x < watch->cores; x++)
    if (x != me && cell[x] && !cell[me] && !is_over(watch, cell[x]))
      report(watch, &watch->accesses.items[cell[x]], true, false, byte);
  cell[watch->cores + me] = number;
}

static void write_cell(Watch *watch, uint32_t *cell, uint32_t number, uint64_t byte, bool is_same)
{
  uint32_t me = watch->sim->core->number, cores = watch->cores;
  for (uint32_t x = 0; x < cores; x++) {
    if (x == me)
      continue;
    bool written_over = !cell[x] || is_over(watch, cell[x]);
    if (!written_over && !is_same)
      report(watch, &watch->accesses.items[cell[x]], true, true, byte);
    if (cell[cores + x] && !is_same && !is_over(watch, cell[cores + x]))
      report(watch, &watch->accesses.items[cell[cores + x]], false, true, byte);
    if (written_over || !is_same)
      cell[x] = 0;
  }
  cell[me] = number;
}

static bool was_written(const Watch *watch, const uint32_t *cell)
{
  for (uint32_t x = 0; x < watch->cores; x++)
    if (cell[x])
      return true;
  return false;
}

static void access_page(Watch *watch, const Buffer *buffer, uint64_t at, uint64_t start, uint64_t end, uint32_t number,
                        bool writes)
{
  RacePage *page = &watch->pages[at];
  unsigned shift = shift_for(start, end);
  if (!page->cells || shift < page->shift)
    divide(watch, page, shift);
  if (writes && !page->bytes)
    page->bytes = arena_alloc(&watch->sim->arena, PAGE_BYTES);
  uint64_t cell_bytes = UINT64_C(1) << page->shift;
  uint64_t last = end + at * PAGE_BYTES > buffer->bytes ? buffer->bytes - at * PAGE_BYTES : end;
  for (uint64_t i = start >> page->shift; i < (last + cell_bytes - 1) >> page->shift; i++) {
    uint32_t *cell = page->cells + i * 2 * watch->cores;
    uint64_t first = i << page->shift, byte = at * PAGE_BYTES + first;
    if (!writes) {
      read_cell(watch, cell, number, byte);
      continue;
    }
    uint64_t bytes = byte + cell_bytes > buffer->bytes ? buffer->bytes - byte : cell_bytes;
    bool is_same = was_written(watch, cell) && memcmp(page->bytes + first, buffer->data + byte, bytes) == 0;
    write_cell(watch, cell, number, byte, is_same);
    memcpy(page->bytes + first, buffer->data + byte, bytes);
  }
}

static void access_bytes(Buffer *buffer, uint64_t start, uint64_t bytes, bool writes)
{
  Watch *watch = buffer->watch;
  uint32_t number = access_number(watch);
  uint64_t end = start + bytes;
  while (start < end) {
    uint64_t at = start / PAGE_BYTES, page_start = at * PAGE_BYTES;
    uint64_t stop = end < page_start + PAGE_BYTES ? end : page_start + PAGE_BYTES;
    // The last page of a buffer is as good as whole when its last byte is reached.
    uint64_t reach = stop == buffer->bytes ? PAGE_BYTES : stop - page_start;
    access_page(watch, buffer, at, start - page_start, reach, number, writes);
    start = stop;
  }
}

void races_read(Buffer *buffer, uint64_t start, uint64_t bytes)
{
  access_bytes(buffer, start, bytes, false);
}

void races_write(Buffer *buffer, uint64_t start, uint64_t bytes)
{
  access_bytes(buffer, start, bytes, true);
}

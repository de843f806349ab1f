#include "sim/psum.h"

#include "sim/bitmap.h"

#include <inttypes.h>
#include <stdlib.h>

enum { GROUPS_MOST = 32, BANKS_MOST = 8 };

// A matmul accumulation group: bytes of some rows that products are added into.
typedef struct Group {
  uint64_t low, high;  // of the row
  uint64_t first_row, end_row;
  uint64_t started, last;  // moments
  const Tensor *tensor;
} Group;

struct PsumGroups {
  struct {
    Group groups[GROUPS_MOST];
    uint32_t count;
  } banks[BANKS_MOST];
  uint64_t moment;
};

// ---- who wrote a cell last

static void set_run(void *context, uint64_t start, uint64_t bytes)
{
  bitmap_set(((Buffer *)context)->plain, start, bytes);
}

static void clear_run(void *context, uint64_t start, uint64_t bytes)
{
  bitmap_clear(((Buffer *)context)->plain, start, bytes);
}

void psum_note_other(const Tile *tile)
{
  Buffer *buffer = tile->buffer;
  if (!buffer->plain)
    buffer->plain = calloc(buffer->bytes / 64 + 1, sizeof *buffer->plain);
  if (buffer->plain)
    tile_each_row_run(tile, set_run, buffer);
}

void psum_note_product(const Tile *tile)
{
  if (tile->buffer->plain)
    tile_each_row_run(tile, clear_run, tile->buffer);
}

typedef struct Search {
  const Buffer *buffer;
  bool must_be_set;  // zeros do not count
  uint64_t found;
} Search;

static void find_run(void *context, uint64_t start, uint64_t bytes)
{
  Search *search = context;
  for (uint64_t at = start; at < start + bytes && search->found == UINT64_MAX; at++) {
    at = bitmap_find(search->buffer->plain, at, start + bytes - at);
    if (at == UINT64_MAX)
      return;
    if (!search->must_be_set || search->buffer->data[at])
      search->found = at;
  }
}

// A product is added to a cell that another engine wrote. Where nothing says that it adds, zeros are the documented way to
// begin a sum, and the first product may as well overwrite them.
static void check_writers(Sim *sim, const Tile *dst, bool is_inferred)
{
  Search search = {dst->buffer, is_inferred, UINT64_MAX};
  for (uint64_t p = 0; p < dst->partitions && search.found == UINT64_MAX; p++) {
    tile_each_run(dst, p, dst->free_elems, find_run, &search);
    if (search.found != UINT64_MAX)
      sim_unspecified(sim, GAP_MATMUL_ONTO_VALUES,
                      "`%s` adds to partition %" PRIu64 " of `%s`, where another engine than the tensor engine wrote last",
                      sim_op_name(sim), p, dst->view->tensor->name);
  }
}

// ---- sums that take turns

static bool rows_meet(const Group *a, const Group *b)
{
  return a->first_row < b->end_row && b->first_row < a->end_row;
}

static bool is_within(const Group *inner, const Group *outer)
{
  return inner->low >= outer->low && inner->high <= outer->high && inner->first_row >= outer->first_row &&
         inner->end_row <= outer->end_row;
}

static Group group_of(const Tile *dst)
{
  uint64_t start = (uint64_t)(dst->base - dst->buffer->data), stride = dst->buffer->row_stride;
  int64_t low = (int64_t)(start % stride), high = low + dst->item;
  for (uint32_t i = 0; i < dst->rank; i++) {
    int64_t reach = dst->dims[i].step * ((int64_t)dst->dims[i].count - 1);
    *(reach < 0 ? &low : &high) += reach;
  }
  uint64_t row = start / stride;
  return (Group){.low = (uint64_t)low, .high = (uint64_t)high, .first_row = row, .end_row = row + dst->partitions,
                 .tensor = dst->view->tensor};
}

static void warn_turns(Sim *sim, const Tile *dst, const Group *group, const Group *other)
{
  const Pos *pos = sim->instr->pos;
  uint64_t key = (pos->span.source ? (uint64_t)pos->span.source << 32 | pos->span.start : (uint64_t)(uintptr_t)sim->instr) *
                     UINT64_C(0xC2B2AE3D27D4EB4F) | UINT64_C(1) << 63;
  if (map_get_number(&sim->told, key))
    return;
  map_set_number(&sim->told, key, sim);
  Diag *diag = sim_warning(sim, W_PSUM_TURNS, "`%s` adds to a sum in `%s` after another sum was started in the same PSUM bank",
                           sim_op_name(sim), dst->view->tensor->name);
  if (!diag)
    return;
  tile_label_tensor(diag, dst->view);
  diag_note(diag,
            "this sum has bytes %" PRIu64 " to %" PRIu64 " of its partitions, the other, of `%s`, %" PRIu64 " to %" PRIu64
            ", and it was started after the last addition to this one",
            group->low, group->high - 1, other->tensor->name, other->low, other->high - 1);
  diag_note(diag, "sums that take turns in one bank were measured to lose contributions on trn2: an error of 14.5 %% "
                  "in a published kernel; the documents do not mention it, and the result here has all of them");
  diag_help(diag, "finish one sum before the next is started, or give each a tile of its own bank");
}

static void start_group(PsumGroups *all, uint64_t bank, Group group)
{
  uint32_t kept = 0, *count = &all->banks[bank].count;
  Group *groups = all->banks[bank].groups;
  for (uint32_t i = 0; i < *count; i++)
    if (!is_within(&groups[i], &group))
      groups[kept++] = groups[i];
  if (kept == GROUPS_MOST)
    memmove(groups, groups + 1, --kept * sizeof *groups);
  group.started = group.last = ++all->moment;
  groups[kept++] = group;
  *count = kept;
}

static void add_to_group(Sim *sim, const Tile *dst, PsumGroups *all, uint64_t bank, const Group *part)
{
  Group *groups = all->banks[bank].groups, *own = NULL;
  uint32_t count = all->banks[bank].count;
  for (uint32_t i = 0; i < count && !own; i++)
    if (is_within(part, &groups[i]))
      own = &groups[i];
  for (uint32_t i = 0; own && i < count; i++)
    if (&groups[i] != own && groups[i].started > own->last && rows_meet(&groups[i], part) && !is_within(part, &groups[i])) {
      warn_turns(sim, dst, part, &groups[i]);
      break;
    }
  if (own)
    own->last = ++all->moment;
}

static void check_turns(Sim *sim, const Tile *dst, bool adds)
{
  Buffer *buffer = dst->buffer;
  Group group = group_of(dst);
  uint64_t bank = group.low / sim->machine->psum_bank_bytes;
  bool is_alone = group.low == 0 && group.high == buffer->row_bytes;
  if ((is_alone && !buffer->groups) || bank >= BANKS_MOST)
    return;
  if (!buffer->groups)
    buffer->groups = calloc(1, sizeof *buffer->groups);
  if (!buffer->groups)
    return;
  if (adds)
    add_to_group(sim, dst, buffer->groups, bank, &group);
  else
    start_group(buffer->groups, bank, group);
}

// ---- all of it

void psum_check_product(Sim *sim, const Tile *dst, bool adds, bool is_inferred)
{
  if (dst->buffer->memory != MEMORY_PSUM || !sim->options.checks)
    return;
  if (sim->machine->gemm_groups_lose)
    check_turns(sim, dst, adds);
  if (dst->buffer->plain && (adds || is_inferred) && !sim->machine->gemm_adds_to_any)
    check_writers(sim, dst, is_inferred);
}

void psum_renew(Buffer *buffer)
{
  psum_free(buffer);
  buffer->plain = NULL;
  buffer->groups = NULL;
}

void psum_free(Buffer *buffer)
{
  free(buffer->plain);
  free(buffer->groups);
}

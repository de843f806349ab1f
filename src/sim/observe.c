#include "sim/observe.h"

#include "sim/exec.h"

#include <inttypes.h>

typedef struct Observing {
  Sim *sim;
  const Op *op;
  bool written;
  Observed *out;
  uint32_t count;
} Observing;

static bool skips_rows(const Op *op)
{
  switch (op->kind) {
  case OP_nc_dma_copy: return dma_skips(&op->nc_dma_copy.oob_mode);
  case OP_dma_transpose: return dma_skips(&op->dma_transpose.oob_mode);
  case OP_dma_compute: return op->dma_compute.skips_oob;
  default: return true;
  }
}

static bool observe_one(void *context, const FieldInfo *field, Role role, const TensorRef *ref)
{
  Observing *o = context;
  bool fits = o->written ? role == ROLE_WRITE || role == ROLE_UPDATE : role == ROLE_READ || role == ROLE_UPDATE;
  if (!fits || o->count == OBSERVE_MOST || !ref_view(&o->sim->scratch, ref))
    return true;
  Observed *observed = &o->out[o->count];
  *observed = (Observed){.field = field, .role = role};
  bool is_dma = op_engine(o->op) == ENGINE_DMA || o->op->kind == OP_nc_dma_copy || o->op->kind == OP_dma_transpose ||
                o->op->kind == OP_dma_compute;
  if (!is_dma)
    observed->tile = o->written ? tile_of(o->sim, ref, field->name) : tile_operand(o->sim, ref, field->name);
  else if (!dma_tile(o->sim, ref, field->name, skips_rows(o->op), &observed->tile))
    return true;
  o->count++;
  return true;
}

uint32_t observe_tiles(Sim *sim, const Instr *instr, bool written, Observed *out)
{
  Observing observing = {sim, instr->op, written, out, 0};
  sim->instr = instr;
  op_visit_tensors(instr->op, observe_one, &observing);
  sim->indirect_results = NULL;  // nothing is written through them
  return observing.count;
}

bool observe_is_written(const Tile *tile, uint64_t partition, uint64_t elem)
{
  if (!tile_row(tile, partition))
    return false;
  uint64_t start = (uint64_t)(tile_element(tile, partition, elem) - tile->buffer->data);
  return buffer_find_unwritten(tile->buffer, start, tile->item) == UINT64_MAX;
}

const char *observe_place(Sim *sim, const Tile *tile, uint64_t partition, uint64_t elem)
{
  const Tensor *tensor = tile->view->tensor;
  Arena *arena = &sim->session->arena;
  const TensorPlace *place = state_place(sim, tensor);
  if (place->buffer != tile->buffer || !tile_row(tile, partition))
    return arena_printf(arena, "%s%s", tensor->name, tile_index_text(sim, tile, partition, elem));
  uint64_t offset = (uint64_t)(tile_element(tile, partition, elem) - tile->buffer->data) - place->start;
  bool on_chip = tile_memory(tile) == MEMORY_SBUF || tile_memory(tile) == MEMORY_PSUM;
  uint64_t row_elems = 1, item = dtype_bytes(place->dtype);
  for (uint32_t i = 0; i < tensor->shape.free_dims.count; i++)
    row_elems *= tensor->shape.free_dims.items[i];
  uint64_t row_bytes = on_chip ? tile->buffer->row_stride : row_elems * item;
  uint64_t rest = offset % row_bytes / item;
  StrBuf text = strbuf_new(arena);
  strbuf_printf(&text, "%s[%" PRIu64, tensor->name, offset / row_bytes);
  for (uint32_t i = 0; i < tensor->shape.free_dims.count; i++) {
    row_elems /= tensor->shape.free_dims.items[i];
    strbuf_printf(&text, ", %" PRIu64, rest / row_elems);
    rest %= row_elems;
  }
  strbuf_putc(&text, ']');
  return strbuf_cstr(&text);
}

Tile observe_tensor(Sim *sim, const Tensor *tensor)
{
  View *view = arena_new(&sim->scratch, View);
  uint32_t rank = tensor->shape.free_dims.count, step = 1;
  view->tensor = tensor;
  view->pattern.count = rank + 1;
  view->pattern.items = arena_array(&sim->scratch, ApPair, rank + 1);
  for (uint32_t i = rank; i > 0; i--) {
    view->pattern.items[i] = (ApPair){.step = (int32_t)step, .num = (uint32_t)tensor->shape.free_dims.items[i - 1]};
    step *= (uint32_t)tensor->shape.free_dims.items[i - 1];
  }
  view->pattern.items[0] = (ApPair){.step = (int32_t)step, .num = (uint32_t)tensor->shape.par_dim};
  return tile_of_view(sim, view, "tensor", 0);
}

// steps.c -- runs whose instructions are given one by one, and looking at the machine between them.

#include "sim/constants.h"
#include "sim/cores.h"
#include "sim/meet.h"
#include "sim/tile.h"

#include "number/convert.h"

#include <string.h>

static Core *core_of(Sim *sim, uint32_t core)
{
  return &sim->ranks[0].cores[core];
}

// ---- instructions
typedef struct Step {
  uint32_t core;
  const Instr *instr;
  const SharedConstant *constant;
  const Tensor *tensor;
} Step;

static void do_step(Sim *sim, void *context)
{
  const Step *step = context;
  sim->core = core_of(sim, step->core);
  cores_run_instruction(sim, step->instr);
}

bool sim_give(Sim *sim, uint32_t core, const Instr *instr)
{
  return sim_guard(sim, do_step, &(Step){.core = core, .instr = instr});
}

static void do_bind(Sim *sim, void *context)
{
  const Step *step = context;
  sim->core = core_of(sim, 0);
  constants_bind_one(sim, step->constant, step->tensor);
}

bool sim_give_constant(Sim *sim, const SharedConstant *constant, const Tensor *tensor)
{
  return sim_guard(sim, do_bind, &(Step){.constant = constant, .tensor = tensor});
}

bool sim_waits(const Sim *sim, uint32_t core)
{
  return sim->ranks[0].cores[core].state == CORE_WAITS;
}

void sim_end_core(Sim *sim, uint32_t core)
{
  sim->core = core_of(sim, core);
  sim->instr = NULL;
  sim->core->state = CORE_ENDED;
  state_end_core(sim, sim->core);
}

static void do_report(Sim *sim, void *context)
{
  (void)context;
  meet_report_deadlock(sim);
}

void sim_report_deadlock(Sim *sim)
{
  (void)sim_guard(sim, do_report, NULL);
}

// ---- looking
void sim_release(Sim *sim, uint32_t core, const char *address)
{
  sim->core = core_of(sim, core);
  state_release(sim, address);
}

bool sim_register(Sim *sim, uint32_t core, const char *name, double *out)
{
  const Register *reg = map_get(&core_of(sim, core)->registers, str_from(name));
  if (!reg || !reg->is_set)
    return false;
  *out = reg->is_float ? (double)f32_from_bits(reg->bits) : (double)(int32_t)reg->bits;
  return true;
}

typedef struct Look {
  uint32_t core;
  const View *view;
  Array *out;
  bool zeros;  // is how it reads
  uint64_t unwritten;
} Look;

static DType viewed_dtype(const Sim *sim, const View *view)
{
  DType dtype = view->dtype_override.some ? view->dtype_override.value : view->tensor->dtype;
  return state_stored_dtype(sim, dtype);
}

// Everything was never written.
static void look_at_nothing(Look *look)
{
  DType dtype = look->out->dtype;
  uint32_t item = dtype_bytes(dtype);
  uint8_t unit[8] = {0};
  look->unwritten = array_elements(look->out);
  if (!dtype_is_packed(dtype) && !look->zeros)
    dtype_from_f32(dtype, dtype_is_float(dtype) ? f32_from_bits(F32_NAN_BITS) : 4, unit);
  for (uint64_t i = 0; i < look->unwritten; i++)
    memcpy((char *)look->out->data + i * item, unit, item);
}

static void look_at_tile(Look *look, const Tile *tile)
{
  DType dtype = look->out->dtype;
  uint8_t unit[8] = {0}, *out = look->out->data;
  bool complete = tile_is_written(tile);
  if (!complete && !dtype_is_packed(dtype) && !look->zeros)
    dtype_from_f32(dtype, dtype_is_float(dtype) ? f32_from_bits(F32_NAN_BITS) : 4, unit);
  for (uint64_t p = 0; p < tile->partitions; p++, out += tile->free_elems * tile->item) {
    tile_gather(tile, p, 0, tile->free_elems, out);
    for (uint64_t i = 0; i < tile->free_elems && !complete; i++) {
      uint64_t at = (uint64_t)(tile_element(tile, p, i) - tile->buffer->data);
      if (buffer_find_unwritten(tile->buffer, at, tile->item) == UINT64_MAX)
        continue;
      memcpy(out + i * tile->item, unit, tile->item);
      look->unwritten++;
    }
  }
}

static void do_look(Sim *sim, void *context)
{
  Look *look = context;
  const View *view = look->view;
  sim->core = core_of(sim, look->core);
  sim->instr = NULL;
  uint64_t sizes[SIM_MAX_DIMS + 1];
  uint32_t rank = view->pattern.count;
  for (uint32_t i = 0; i < rank && i <= SIM_MAX_DIMS; i++)
    sizes[i] = view->pattern.items[i].num;
  *look->out = array_new(viewed_dtype(sim, view), rank, sizes);
  if (!look->out->data) {
    sim_error(sim, E_SIM_MEMORY, "no memory to show `%s`", view->tensor->name);
    sim_stop(sim);
  }
  // To look at a tensor must not be its first use.
  bool in_hbm = view->tensor->address->memory == MEMORY_SHARED_HBM || view->tensor->address->memory == MEMORY_HBM;
  if (!state_is_placed(sim->core, view->tensor) && !(in_hbm && state_shared_buffer(sim, view->tensor))) {
    look_at_nothing(look);
    return;
  }
  ArenaMark mark = arena_mark(&sim->scratch);
  TensorRef ref = ref_of_view(view);
  Tile tile = tile_of(sim, &ref, "view");
  look_at_tile(look, &tile);
  arena_rewind(&sim->scratch, mark);
}

bool sim_read(Sim *sim, uint32_t core, const View *view, Array *out, uint64_t *unwritten)
{
  Look look = {core, view, out, sim->options.zeros, 0};
  *out = (Array){0};
  bool failed = sim->failed;  // one looks all the more at a run that has failed
  sim->failed = false;
  bool ok = sim_guard(sim, do_look, &look);
  sim->failed = failed;
  *unwritten = look.unwritten;
  if (!ok)
    array_free(out);
  return ok;
}

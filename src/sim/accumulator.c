// accumulator.c -- the registers, one a lane, that the scalar and the vector engine carry reductions in.
//
// Row p of an instruction's data belongs to lane p. What an instruction leaves in a lane is known, or was disturbed by one
// that ran with `idle`; continuing on a lane that is not known, or that belongs to rows at other partitions, is a use that
// the documents leave open.

#include "sim/exec.h"

#include "base/bug.h"

#include <inttypes.h>
#include <string.h>

// How a lane stands: what was in it is not known, or it was set for data whose first row lies in partition 0, 1, ...
enum { LANE_UNSET = 0, LANE_DISTURBED = 1, LANE_SET = 2 };

// The partition that an operand starts at: of its view in the tensor, and of the tensor when it was placed.
static uint8_t first_partition(const Tile *tile)
{
  const Tensor *tensor = tile->view->tensor;
  uint64_t row = tensor_elements(tensor) / (tensor->shape.par_dim ? tensor->shape.par_dim : 1);
  row = row * dtype_bytes(tensor->dtype) / dtype_bytes(view_dtype(tile->view));
  const Core_OPT_NAT *placed = &tensor->address->par_offset;
  uint64_t start = (row ? (uint64_t)tile->view->offset / row : 0) + (placed->some ? placed->value : 0);
  return (uint8_t)(start % SIM_MAX_PARTITIONS);
}

static void expect_known(Sim *sim, const Accumulator *accumulator, const Tile *data)
{
  uint8_t wanted = (uint8_t)(LANE_SET + first_partition(data));
  for (uint64_t p = 0; p < data->partitions; p++) {
    uint8_t found = accumulator->state[p];
    if (found == wanted)
      continue;
    const char *engine = accumulator == &sim->core->act ? "scalar" : "vector";
    if (found == LANE_UNSET)
      sim_unspecified(sim, GAP_ACCUMULATOR_UNSET,
                      "`%s` goes on with the accumulator of lane %" PRIu64 " of the %s engine, which nothing has set",
                      sim_op_name(sim), p, engine);
    else if (found == LANE_DISTURBED)
      sim_unspecified(sim, GAP_ACCUMULATOR_IDLE,
                      "`%s` reads the accumulator of lane %" PRIu64 " of the %s engine after an instruction with `idle`",
                      sim_op_name(sim), p, engine);
    else
      sim_unspecified(sim, GAP_ACCUMULATOR_LANE,
                      "`%s` goes on at partition %d with the accumulators that were set for rows at partition %d",
                      sim_op_name(sim), wanted - LANE_SET, found - LANE_SET);
    return;
  }
}

void accum_begin(Sim *sim, Accumulator *accumulator, AccumCmd cmd, const Tile *data, bool is_read)
{
  switch (cmd) {
  case ACCUM_CMD_IDLE:
    if (accumulator == &sim->core->dve)
      memset(accumulator->state, LANE_DISTURBED, data->partitions);
    if (is_read)
      expect_known(sim, accumulator, data);
    return;
  case ACCUM_CMD_ACCUMULATE: expect_known(sim, accumulator, data); break;
  case ACCUM_CMD_ZERO:
  case ACCUM_CMD_ZERO_ACCUMULATE:
  case ACCUM_CMD_LOAD_ACCUMULATE: break;
  case ACCUM_CMD_COUNT: bug("accumulator command %d", (int)cmd);
  }
  memset(accumulator->state, LANE_SET + first_partition(data), data->partitions);
}

bool folds_values(AccumCmd cmd)
{
  return cmd != ACCUM_CMD_IDLE && cmd != ACCUM_CMD_ZERO;
}

void initial_lanes(Sim *sim, const struct Op_tensor_scalar_reduce *op, uint64_t partitions, float *lanes)
{
  if (op->reduce_init_tile)
    lanes_of(sim, op->reduce_init_tile, "reduce_init", partitions, lanes);
  else
    for (uint64_t p = 0; p < partitions && op->reduce_init; p++)
      lanes[p] = immediate_f32(sim, op->reduce_init);
}

bool accum_starts(AccumCmd cmd, float *lane, AluOp op, float loaded)
{
  switch (cmd) {
  case ACCUM_CMD_IDLE: return false;
  case ACCUM_CMD_ZERO: *lane = alu_f32_identity(op); return false;
  case ACCUM_CMD_ACCUMULATE: return true;
  case ACCUM_CMD_ZERO_ACCUMULATE: *lane = alu_f32_identity(op); return true;
  case ACCUM_CMD_LOAD_ACCUMULATE: *lane = loaded; return true;
  case ACCUM_CMD_COUNT: break;
  }
  bug("accumulator command %d", (int)cmd);
}

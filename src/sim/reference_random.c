// reference_random.c -- the meaning of the operators that draw random numbers, and of their generators' state.
//
// Row p of an operand belongs to lane p. The vector engine has four generators a lane, which an instruction's elements
// take in turn, beginning with the first; GpSimd has one. See docs/numerics.md, section 10, for what is our choice.

#include "machine/rule_list.h"
#include "sim/exec.h"

#include <inttypes.h>
#include <string.h>

enum { WORDS = 6 };

void random_seed_vector(Random *random, uint32_t seed)
{
  for (uint32_t lane = 0; lane < SIM_MAX_PARTITIONS; lane++)
    for (uint32_t i = 0; i < RANDOM_VECTOR_STATES; i++)
      random->vector[lane][i] = xorwow_seeded(seed, lane * RANDOM_VECTOR_STATES + i);
}

void random_start(Random *random, uint32_t seed)
{
  random_seed_vector(random, seed);
  for (uint32_t lane = 0; lane < SIM_MAX_PARTITIONS; lane++)
    random->gpsimd[lane] = xorwow_seeded(seed, SIM_MAX_PARTITIONS * RANDOM_VECTOR_STATES + lane);
}

// The generator that element `i` of a row of an instruction on `engine` draws from.
static Xorwow *generator(Sim *sim, Engine engine, uint64_t lane, uint64_t i)
{
  if (engine == ENGINE_POOL)
    return &sim->core->random.gpsimd[lane];
  return &sim->core->random.vector[lane][i % RANDOM_VECTOR_STATES];
}

// The low bits of 32 random ones.
void run_rng(Sim *sim, const Op *op)
{
  Tile dst = tile_of(sim, &op->rng.dst, "dst");
  tile_expect_bits(sim, &dst);
  tile_expect_lanes(sim, &dst);
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i++) {
      uint32_t bits = xorwow_next(generator(sim, op->rng.engine, p, i));
      memcpy(tile_element(&dst, p, i), &bits, dst.item);  // little-endian: the low bytes
    }
  tile_mark(&dst);
}

// One number of [0, 1), and where it lies between two bounds.
static float draw(Sim *sim, uint64_t lane, uint64_t i, float low, float high)
{
  float value;
  xorwow_uniform_row(generator(sim, ENGINE_DVE, lane, i), 1, &value, low, high);
  return value;
}

// dst[p,i] = min + u * (max - min) in float32.
void run_rand2(Sim *sim, const Op *op)
{
  const struct Op_rand2 *o = &op->rand2;
  Tile dst = tile_of(sim, &o->dst, "dst");
  tile_expect_unpacked(sim, &dst);
  tile_expect_lanes(sim, &dst);
  Values low, high;
  operand_values(sim, &o->min, "min", &dst, false, &low);
  operand_values(sim, &o->max, "max", &dst, false, &high);
  for (uint64_t p = 0; p < dst.partitions; p++) {
    if (!(low.lanes[p] < high.lanes[p])) {
      Diag *diag =
          sim_error(sim, E_SIM_VALUE, "`%s` needs min < max, but on partition %" PRIu64 " they are %.9g and %.9g",
                    sim_op_name(sim), p, (double)low.lanes[p], (double)high.lanes[p]);
      rule_cite(diag, &sim->session->arena, sim->machine, "rand2.min.order");
      sim_stop(sim);
    }
    for (uint64_t i = 0; i < dst.free_elems; i++)
      dtype_from_f32_mode(dst.dtype, draw(sim, p, i, low.lanes[p], high.lanes[p]), tile_element(&dst, p, i),
                          sim->number_mode);
  }
  tile_mark(&dst);
}

static void dropout_row(Sim *sim, const Tile *dst, const Tile *src, uint64_t p, float threshold, bool keeps_below)
{
  bool copies_bits = dtype_same_format(dst->dtype, src->dtype);
  for (uint64_t i = 0; i < dst->free_elems; i++) {
    bool is_below = draw(sim, p, i, 0, 1) < threshold;
    uint8_t *to = tile_element(dst, p, i);
    const uint8_t *from = tile_element(src, p, i);
    if (is_below != keeps_below)
      memset(to, 0, dst->item);
    else if (copies_bits)
      memmove(to, from, dst->item);  // in place, or apart
    else
      dtype_from_f32_mode(dst->dtype, dtype_to_f32_mode(src->dtype, from, sim->number_mode), to, sim->number_mode);
  }
}

// dst[p,i] = u < threshold[p] ? 0 : src[p,i], kept elements not scaled; with a rate of keeping the other way round. One
// number is drawn for each element, whatever the threshold.
void run_dropout(Sim *sim, const Op *op)
{
  const struct Op_dropout *o = &op->dropout;
  Tile dst = tile_of(sim, &o->dst, "dst"), src = tile_read(sim, &o->src, "data");
  tile_expect_unpacked(sim, &dst);
  tile_expect_unpacked(sim, &src);
  tile_expect_same_shape(sim, &dst, &src);
  tile_expect_lanes(sim, &dst);
  expect_clear(sim, &dst, &src);
  Values threshold;
  operand_values(sim, &o->threshold, "prob", &dst, false, &threshold);
  for (uint64_t p = 0; p < dst.partitions; p++) {
    float value = threshold.lanes[p];
    if (!(value >= 0 && value <= 1)) {
      Diag *diag = sim_error(sim, E_SIM_VALUE, "`%s` needs a probability from 0 to 1; on partition %" PRIu64 " it is %.9g",
                             sim_op_name(sim), p, (double)value);
      rule_cite(diag, &sim->session->arena, sim->machine, "dropout.prob.probability");
      sim_stop(sim);
    }
  }
  for (uint64_t p = 0; p < dst.partitions; p++)
    dropout_row(sim, &dst, &src, p, threshold.lanes[p], o->threshold_type == DROPOUT_THRESHOLD_KEEP_RATE);
  tile_mark(&dst);
}

// ---- state

// All generators of the vector engine start again from one 32-bit number.
void run_set_rng_seed(Sim *sim, const Op *op)
{
  Tile src = tile_read(sim, &op->set_rng_seed.src, "src_seeds");
  tile_expect_shape(sim, &src, 1, 1);
  if (src.item != sizeof(uint32_t)) {
    sim_error(sim, E_SIM_DTYPE, "`%s` takes a 32-bit seed, not %s", sim_op_name(sim), dtype_name(src.dtype));
    sim_stop(sim);
  }
  uint32_t seed;
  memcpy(&seed, src.base, sizeof seed);
  random_seed_vector(&sim->core->random, seed);
}

// The word of lane p's state that stands in column i: the generators of a lane one after the other.
static uint32_t *state_word(Sim *sim, Engine engine, uint64_t p, uint64_t i)
{
  Xorwow *state = engine == ENGINE_POOL ? &sim->core->random.gpsimd[p] : &sim->core->random.vector[p][i / WORDS];
  return &state->word[i % WORDS];
}

// Words of a lane on an engine: 6 or 24. An engine that is left open is the one whose state has the tile's width.
static Engine state_engine(Sim *sim, Engine engine, const Tile *tile)
{
  if (engine == ENGINE_UNASSIGNED)
    engine = tile->free_elems == WORDS ? ENGINE_POOL : ENGINE_DVE;
  tile_expect_lanes(sim, tile);
  tile_expect_shape(sim, tile, tile->partitions, engine == ENGINE_POOL ? WORDS : WORDS * RANDOM_VECTOR_STATES);
  if (tile->item != sizeof(uint32_t)) {
    sim_error(sim, E_SIM_DTYPE, "operand `%s` of `%s` holds 32-bit words, but is %s", tile->role, sim_op_name(sim),
              dtype_name(tile->dtype));
    sim_stop(sim);
  }
  return engine;
}

void run_rand_get_state(Sim *sim, const Op *op)
{
  Tile dst = tile_of(sim, &op->rand_get_state.dst, "dst");
  Engine engine = state_engine(sim, op->rand_get_state.engine, &dst);
  for (uint64_t p = 0; p < dst.partitions; p++)
    for (uint64_t i = 0; i < dst.free_elems; i++)
      memcpy(tile_element(&dst, p, i), state_word(sim, engine, p, i), sizeof(uint32_t));
  tile_mark(&dst);
}

void run_rand_set_state(Sim *sim, const Op *op)
{
  Tile src = tile_read(sim, &op->rand_set_state.src, "src_seeds");
  Engine engine = state_engine(sim, op->rand_set_state.engine, &src);
  for (uint64_t p = 0; p < src.partitions; p++)
    for (uint64_t i = 0; i < src.free_elems; i++)
      memcpy(state_word(sim, engine, p, i), tile_element(&src, p, i), sizeof(uint32_t));
}

// exec.h -- what executors share: the two tables of them, and operands that are not tiles.

#pragma once
#include "sim/tile.h"

// Runs one operator, or stops. The operator is of the executor's kind.
typedef void ExecFn(Sim *sim, const Op *op);

// The meaning of each operator: reads all operands, then writes all results. NULL: cannot be run yet.
ExecFn *reference_executor(OpKind kind);

// The same results, fast. False when this form of the operator is left to the reference; nothing was written then.
typedef bool FastFn(Sim *sim, const Op *op);
FastFn *fast_executor(OpKind kind);

// Executors of the reference that stand in files of their own.
ExecFn run_quantize_mx, run_nc_matmul_mx;                                                          // reference_mx.c
ExecFn run_dropout, run_rng, run_rand2, run_set_rng_seed, run_rand_get_state, run_rand_set_state;  // reference_random.c
ExecFn run_topk;                                                                                   // reference_topk.c
ExecFn run_device_print;                                                                           // print.c

ExecFn run_core_barrier, run_send_recv, run_send_recv_compute;                                     // meet.c

// Whether a copy rounds to a dtype that is not dst's on the way.
bool copy_rounds_between(Sim *sim, const struct Op_nc_copy *op, const Tile *dst);
ExecFn run_collective, run_rank_id, run_current_processing_rank_id;                                // collective.c

// ---- matrix products
// Whether dst[m,n], at `element`, is added to: as said, or, when nothing is said, where its 4-byte cell was written.
bool matmul_adds_to(Core_OPT_BOOL accumulate, const Tile *dst, const uint8_t *element);
// Whether the products of these operands are rounded before they are added.
bool matmul_rounds_products(const Sim *sim, const Tile *stationary, const Tile *moving);
// Warns of an addition to what was never written.
void matmul_warn_accumulate(Sim *sim, const Tile *dst);
// Tells of operands that are not what is_stationary_onezero and is_moving_onezero say.
void matmul_check_hints(Sim *sim, const struct Op_nc_matmul *op, const Tile *stationary, const Tile *moving);
// Whether a transpose is a product with an identity: floats on the tensor engine before NeuronCore-v3.
bool transpose_multiplies(const Sim *sim, Engine engine, const Tile *src);
// Tells of 8-bit results of the tensor engine that lie side by side.
void transpose_check_bytes(Sim *sim, Engine engine, const Tile *dst, const Tile *src);

// ---- constants and one value per partition
float immediate_f32(Sim *sim, const Immediate *imm);
int32_t immediate_int(Sim *sim, const Immediate *imm);
// Writes a constant as one element: integers into integer types without a detour through float32, saturated.
void immediate_unit(Sim *sim, const Immediate *imm, DType dtype, void *unit);

// The same for a constant as the user wrote it: 32-bit integers keep their bits, whatever their sign. `memset` tells of
// values that the dtype cannot hold.
void constant_unit(Sim *sim, const Immediate *imm, DType dtype, void *unit);
void constant_check_range(Sim *sim, const Immediate *imm, DType dtype);

// Tells of patterns whose values leave 32 bits.
void pattern_check_range(Sim *sim, const DataPattern *pattern, uint64_t partitions);

// An operand that is a constant, one value per partition, or one value per element.
typedef struct Values {
  bool is_full;  // `tile` has one value per element
  Tile tile;
  float lanes[SIM_MAX_PARTITIONS];  // otherwise: a value per partition
} Values;

// Fills `values` for `like`'s partitions and elements; one value per element is taken only when `may_be_full`.
void operand_values(Sim *sim, const Operand *operand, const char *role, const Tile *like, bool may_be_full,
                    Values *values);
// One value per partition from a tile of `partitions` x 1.
void lanes_of(Sim *sim, const TensorRef *ref, const char *role, uint64_t partitions, float *lanes);
// The same as bits of integers, for bit operators; constants must be integers.
void operand_bits(Sim *sim, const Operand *operand, const char *role, uint64_t partitions, uint32_t *lanes);

// Uses of operators that the documents leave open: a shift by all bits or more, which is said here; a negative number to a
// power that is no integer.
bool alu_is_shift(AluOp op), alu_is_logical(AluOp op);
void shift_is_open(Sim *sim, AluOp op, unsigned width, uint32_t count);
bool power_is_open(float x, float y);

// An operator met a NaN there, and what becomes of it is left open.
void nan_is_open(Sim *sim, Gap gap, const Tile *tile, uint64_t partition, uint64_t elem);
// The first NaN of a tile is such.
void tile_expect_no_nan(Sim *sim, Gap gap, const Tile *tile);

// Sign-extends an integer element to 32 bits. Stops for other dtypes and for 64-bit ones.
void tile_expect_bits(Sim *sim, const Tile *tile);
uint32_t unit_bits(DType dtype, const void *unit);
// Width in bits that a bit operator works at: of its widest tile.
unsigned bits_width(const Tile *a, const Tile *b, const Tile *c);

// ---- overlap
// Stops when `dst` overlaps `src` other than exactly in place and checks are on; true when the order of reading and
// writing cannot matter.
bool expect_clear(Sim *sim, const Tile *dst, const Tile *src);

// ---- DMA
// A copy of a view to itself changes nothing, written before or not: kernels use it to order other transfers.
bool dma_is_fence(const struct Op_nc_dma_copy *op);

// Resolves a side of a DMA: gathers and scatters get `rows`. Where a run-time index is out of bounds, `skips` leaves the row
// out. False when the whole side is left out.
bool dma_tile(Sim *sim, const TensorRef *ref, const char *role, bool skips, Tile *tile);
bool dma_skips(const DmaBounds *bounds);
// Whether rows of a scatter share memory.
bool dma_repeats_rows(Sim *sim, const Tile *dst);
// Elements of the last dimension of a dma_transpose's source; stops when dst is not of the turned shape.
uint64_t dma_transpose_last(Sim *sim, const Tile *dst, const Tile *src);

// ---- gathers
enum { LOCAL_GROUP = 16 };  // partitions that share the indices of a local_gather
typedef struct LocalGather {
  uint64_t per, count;  // elements an index selects; indices
} LocalGather;
// Stops when the operands do not fit, and tells of elements of dst beyond the valid indices.
LocalGather local_gather_sizes(Sim *sim, const struct Op_nc_local_gather *op, const Tile *dst, const Tile *src,
                               const Tile *indices);

// ---- reductions that live in accumulators
// Before an instruction applies `cmd` for rows of `data`, and, if `is_read`, writes the lanes out: whether they are known.
void accum_begin(Sim *sim, Accumulator *accumulator, AccumCmd cmd, const Tile *data, bool is_read);
bool folds_values(AccumCmd cmd);
// What a tensor_scalar_reduce loads its lanes with, where it says so.
void initial_lanes(Sim *sim, const struct Op_tensor_scalar_reduce *op, uint64_t partitions, float *lanes);
// The commands of AccumCmd on one partition's register, folded with `n` values by `op`, left to right.
bool accum_starts(AccumCmd cmd, float *lane, AluOp op, float loaded);  // applies reset or load; true when it then folds

// What range_select writes where the position is outside.
void expect_fill(Sim *sim, const Tile *dst, float fill);

// A value that nc_match_replace8 does not find though its place is asked for.
void match_is_open(Sim *sim, uint64_t partition, uint64_t slot);

// ---- activation functions
// Whether some inputs of the function are outside of its documented range, and what is said about one of them: all but sin
// stop, or go on with a warning in a lenient session.
bool activation_is_limited(ActivationFunc func);
void warn_range(Sim *sim, ActivationFunc func, const Tile *data, uint64_t partition, uint64_t elem, float input);

void sim_count_dma(Sim *sim, const Tile *tile);

// Whether the integers of a tensor_tensor are computed exactly (docs/numerics.md).
bool is_exact_integer(const Tile *dst, const Tile *a, const Tile *b, Engine engine);

// Whether an operator's operands change sides when asked to; those of one operand have no sides.
bool swaps(AluOp op, bool reverse);
bool reverses_first(ReverseOps reverse, AluOp op0);
bool reverses_second(ReverseOps reverse, AluOp op1);

// Elements per result of a tensor_reduce: the innermost `op_dim` free dimensions of the view.
uint64_t reduced_elems(const View *view, SubDim op_dim);

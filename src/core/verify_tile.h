// verify_tile.h -- what the rules look at: the operands of an operator as tiles, and where to report.

#pragma once
#include "base/map.h"
#include "core/core.h"

// One tensor operand. Partitions are the first pair of its view, for HBM too; the rest of the view is free.
typedef struct Tile {
  bool is_known;     // false: absent, a constant, or a legacy reference whose tensor is not in the file
  bool is_indirect;  // part of its address is known at run time only
  const TensorRef *ref;
  const View *view;
  const Tensor *tensor;
  Memory memory;
  DType dtype;  // after the override
  uint64_t partitions, free_elements;
  uint64_t row_elements;      // of the tensor: elements of `dtype` in one partition
  uint64_t start_partition;   // on chip: of the view in its tensor
  int64_t partition_step;     // on chip: partitions between rows
  uint64_t row_start;         // on chip: first element within the partition
  int64_t row_low, row_high;  // on chip: lowest and highest element reached within the partition
} Tile;

static inline bool memory_is_on_chip(Memory memory)
{
  return memory == MEMORY_SBUF || memory == MEMORY_PSUM;
}

// Moves the end of a range that the pair reaches: `*high` for steps up, `*low` for steps down. Stops at the ends of
// int64.
static inline void reach_pair(const ApPair *pair, int64_t *low, int64_t *high)
{
  int64_t reach = pair->num ? (int64_t)pair->step * ((int64_t)pair->num - 1) : 0, *end = reach < 0 ? low : high;
  if (__builtin_add_overflow(*end, reach, end))
    *end = reach < 0 ? INT64_MIN : INT64_MAX;
}

// The tile of `ref`; views of other forms of access are made in `scratch`. False when it is not known.
bool tile_of_ref(Arena *scratch, const TensorRef *ref, Tile *out);

// Whether `tile`, of an earlier operator, is still that of `ref`: consecutive operators often share an operand. Then only
// its `ref` is brought up to date.
static inline bool tile_is_of(Tile *tile, const TensorRef *ref)
{
  if (!tile->is_known || tile->is_indirect || ref->ctor != TensorRef_abstract || ref->abstract.ctor != Access_view ||
      ref->abstract.view != tile->view)
    return false;
  tile->ref = ref;
  return true;
}

const char *tile_shape_text(Arena *arena, const Tile *tile);  // "128x512"
const char *tile_text(Arena *arena, const Tile *tile);        // "t.1[0:128, 0:512]:float32@sbuf"

// ---- the operands of an operator, by field
enum { TILES_MAX = 8, LISTED_TILES_MAX = 64 };

typedef struct TileSlot {
  const FieldInfo *field;
  const TypeInfo *type;  // core_TENSOR_REF, core_OPT_TENSOR_REF, core_OPERAND, core_OPT_OPERAND, core_LIST_TENSOR_REF
} TileSlot;

// Which fields of an operator are tensors: computed once for each kind.
typedef struct OpShape {
  bool is_ready, has_lists, has_registers;
  uint32_t count;
  TileSlot slots[TILES_MAX];
  uint32_t offsets[TILES_MAX];  // in Op, of the slots' fields
} OpShape;

void op_shape_init(OpShape *shape, OpKind kind);

// The slot of the field at `offset` in Op; -1: none.
static inline int op_shape_slot(const OpShape *shape, uint32_t offset)
{
  for (uint32_t i = 0; i < shape->count; i++)
    if (shape->offsets[i] == offset)
      return (int)i;
  return -1;
}

// The operand in `slot`, NULL when it is absent, a constant or a list.
const TensorRef *op_slot_ref(const Op *op, const TileSlot *slot);

// ---- reports
typedef struct Reporter {
  Session *session;
  Arena scratch;
  Map said;      // (rule, place) -> said already
  Map per_line;  // place -> how many errors
  bool failed;
} Reporter;

Reporter reporter_new(Session *session);
void reporter_free(Reporter *reporter);

// What kernels of the vendor do that breaks `rule`, which is a warning then (core/tolerated.def); NULL: an error.
const char *rule_tolerated(const char *rule);

// Starts an error of `rule` at an instruction, with its place, call chain and the rule's name; NULL when the same was
// said of this place or enough was. The caller adds labels and help. A warning for a tolerated rule, unless the
// session is strict.
Diag *report_at(Reporter *reporter, const Pos *pos, DiagCode code, const char *rule, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
// The same as a warning: the reporter has not failed by it.
Diag *report_warning_at(Reporter *reporter, const Pos *pos, DiagCode code, const char *rule, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

// Says what an operand is: a label where its tensor was allocated, or a note when that is not in a text at hand.
// `field` is its name in ops.def.
void report_operand(Reporter *reporter, Diag *diag, const Instr *instr, const char *field, const Tile *tile);

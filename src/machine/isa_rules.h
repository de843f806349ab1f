// isa_rules.h -- the rows of isa.def: what each instruction of nki.isa documents about its operands and parameters.

#pragma once
#include "core/verify_tile.h"
#include "machine/machine.h"

// What a rule of isa.def looks at.
typedef struct IsaCheck {
  Reporter *reporter;
  const Machine *machine;
  const Instr *instr;
  const OpShape *shape;
  const Tile *tiles;  // in the order of shape->slots
  uint32_t core_count;  // logical cores of the kernel
  const char *found;  // a predicate that fails says here what it found: "op0 is add and op1 is bitwise_and"
} IsaCheck;

typedef bool IsaPredicate(IsaCheck *check);

typedef enum IsaRowKind {
  ISA_DTYPES,      // of a tile: member of `set`
  ISA_OPERATORS,   // an ALU operator: member of `set`
  ISA_COMMANDS,    // an accumulator command: member of `set`
  ISA_MEMORIES,    // of a tile: member of `set`
  ISA_RANGE,       // each number of a field: `least` to `most`
  ISA_PARTITIONS,  // of a tile: `least` to `most`, a multiple of `multiple`
  ISA_COLUMNS,     // elements of a tile in one partition: the same
  ISA_RANK,        // dimensions of a tile, partitions included: at most `most`
  ISA_SPECIAL,     // what `holds` says
} IsaRowKind;

enum { ISA_GEN2 = 1 << 2, ISA_GEN3 = 1 << 3, ISA_GEN4 = 1 << 4, ISA_ALL = ISA_GEN2 | ISA_GEN3 | ISA_GEN4 };

typedef struct IsaRow {
  OpKind op;
  IsaRowKind kind;
  uint32_t offset;      // of the field in Op
  uint8_t generations;  // set of ISA_GEN*
  uint8_t engines;      // set of 1 << ENGINE_*: only when one of these was asked for; 0: whatever the engine
  uint64_t set;
  int64_t least, most;
  uint32_t multiple;
  IsaPredicate *holds;
  DiagCode code;
  const char *id, *asks;  // the last part of the rule's name; what it asks, for ISA_SPECIAL
  const char *source;     // NULL: the reference page of the instruction
} IsaRow;

const IsaRow *isa_rows(size_t *count);

// One row made ready for an operator kind: where its operand is.
typedef struct IsaUse {
  const IsaRow *row;
  const FieldInfo *field;
  int slot;  // of a tile; -1: no operand
} IsaUse;

// The rows of `kind` that hold on generation `generation`, in `arena`.
const IsaUse *isa_uses(Arena *arena, const OpShape *shape, OpKind kind, int generation, uint32_t *count);

// Applies `uses`; what is broken is reported once for each place.
void isa_apply(IsaCheck *check, const IsaUse *uses, uint32_t count);

// What a row asks, without the operand's name: "one of float32, bfloat16".
const char *isa_row_asks(Arena *arena, const IsaRow *row, bool in_nki_names);
const char *isa_row_source(Arena *arena, const IsaRow *row);  // "nki.isa tensor_scalar"
const FieldInfo *isa_row_field(const IsaRow *row);

// ---- for predicates (isa_special.c)
// The tile of the operand at `offset` in Op; NULL: absent, a constant, or unknown.
static inline const Tile *isa_tile(const IsaCheck *check, uint32_t offset)
{
  int slot = op_shape_slot(check->shape, offset);
  return slot >= 0 && check->tiles[slot].is_known ? &check->tiles[slot] : NULL;
}
bool isa_fail(IsaCheck *check, const char *format, ...) __attribute__((format(printf, 2, 3)));  // false; sets check->found

// text_syntax.h -- what the printer and the parser of the text form share.

#pragma once
#include "core/core.h"

// Where an operator's field stands on its line: `op LEFT, LEFT = RIGHT, RIGHT key=value ...`.
typedef enum TextSide { TEXT_LEFT, TEXT_RIGHT, TEXT_ATTRIBUTE } TextSide;
TextSide text_side(const FieldInfo *field);

const TypeInfo *text_resolve(const TypeInfo *type);  // what a kind held by value stands for

// An attribute that is not written when its value is false, absent, an empty list, the first member of an enumeration
// that calls it none, or 0 in a count.
bool text_is_omitted(const TypeInfo *type, const void *value);

// Whether `type` has such a value, so that the parser takes a missing attribute for it.
bool text_is_omissible(const TypeInfo *type);

// Whether `text` can stand without quotes where a name is expected.
bool text_is_plain_name(const char *text);

const CtorInfo *text_ctor(const TypeInfo *sum, uint32_t number);

// The word for a sum's constructor: its name, but `tile_reg` for a register in place of a tile.
const char *text_ctor_word(const TypeInfo *sum, const CtorInfo *ctor);

// "<" for LT_IMM and LT_REG; NULL for ALWAYS.
const char *text_comparison(BrCmpOp op, bool *with_register);
bool text_find_comparison(Str sign, bool with_register, BrCmpOp *out);

// The row-major steps of the tensor's dimensions, in elements; false when it has more than TEXT_MAX_RANK dimensions or
// so many elements that they do not fit.
enum {
  TEXT_MAX_RANK = 32,
  TEXT_MAX_DEPTH = 100,  // of accesses within accesses
};
bool text_steps(const Tensor *tensor, uint64_t *sizes, uint64_t *steps, uint32_t *rank);

typedef struct AnyList {
  void *items;
  uint32_t count;
} AnyList;  // the layout of every list kind

// verify_help.h -- the next step: what to write instead of an operand that a rule refused.
//
// For instructions traced from Python the help is code to paste, made of the arguments as their author wrote them.

#pragma once
#include "core/verify_tile.h"

typedef enum CheckKind {
#define CHECK(name, id, code, doc) CHECK_##name,
#include "core/rules.def"
} CheckKind;

// The step after CHECK `check` of rules.def failed for `a` and, unless NULL, `b`; `number` is the rule's.
void help_rule(Reporter *reporter, Diag *diag, const Instr *instr, CheckKind check, const char *a_field, const Tile *a,
               const char *b_field, const Tile *b, uint64_t number);

// How `tile`, which `field` cannot take where it is, gets into or out of one of the memories in `set`.
void help_space(Reporter *reporter, Diag *diag, const Instr *instr, const char *field, const Tile *tile, uint32_t set,
                bool written);

// How `tile` becomes one of `dtype` in SBUF before the instruction reads it.
void help_convert(Reporter *reporter, Diag *diag, const Instr *instr, const char *field, const Tile *tile, DType dtype);

// How the free dimension of `tile` is worked on in pieces of at most `most` elements.
void help_pieces(Reporter *reporter, Diag *diag, const Instr *instr, const char *field, const Tile *tile,
                 uint64_t most);

// The operand as its author wrote it, or the name of its tensor.
const char *help_argument(Reporter *reporter, const Instr *instr, const char *field, const Tile *tile);

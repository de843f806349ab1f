// isa_special.h -- the predicates that rows of isa.def name: true when the rule holds, else isa_fail said what was found.

#pragma once
#include "machine/isa_rules.h"

#define SPECIAL(op, field, gens, predicate, code, id, asks, source) IsaPredicate isa_##predicate;
#include "machine/isa.def"

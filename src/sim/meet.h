// meet.h -- instructions at which cores wait for each other.
//
// A core arrives at such an instruction and waits; the last of those that meet there does what the instruction says for
// all of them, and all go on. Every core waits at one instruction at a time, so two that wait for each other at
// instructions that do not fit together never go on: that is an error of its own, found at once.

#pragma once
#include "sim/tile.h"

typedef struct Party {
  Core **cores;
  uint32_t count;
} Party;

// What one kind of instruction means for those who wait at it. Functions may stop; results live in sim->scratch.
typedef struct Meeting {
  Party (*party)(Sim *sim, Core *core);                               // whom `core`, which waits, waits for
  const char *(*misfit)(Sim *sim, Core *core, Core *other);  // why two that wait for each other cannot meet; NULL: they can
  void (*complete)(Sim *sim, Party party);                            // all have arrived, in the order of their numbers
  bool same_party;  // those who fit together wait for the same ones, and those at the same instruction fit
} Meeting;

const Meeting *meeting_of(OpKind kind);  // NULL: nobody waits at such an instruction
const Meeting *meeting_of_collective(OpKind kind);  // collective.c

// The running core has arrived at its instruction. Completes it when it was the last.
void meet(Sim *sim);

// No core can go on and some wait: the error that says where each of them is. Stops.
_Noreturn void meet_report_deadlock(Sim *sim);

// Makes `core`, which waits, the running one.
void meet_enter(Sim *sim, Core *core);

// Copies of tiles' bytes, in sim->scratch, and back; the tiles have equal counts and sizes of elements.
uint8_t *meet_bytes(Sim *sim, const Tile *tile);
void meet_write(const Tile *tile, const uint8_t *bytes);

// out[e] = sources[0][e] op sources[1][e] op ..., left to right: floats in float32, rounded once to `dtype`; integers
// exactly, the low bits kept. Stops for operators and dtypes that cannot be combined.
void fold_bytes(Sim *sim, AluOp op, DType dtype, uint64_t count, const uint8_t *const *sources, uint32_t source_count,
                uint8_t *out);

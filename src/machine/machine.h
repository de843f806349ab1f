// machine.h -- what each NeuronCore generation is: memories, engines, clocks, DMA, limits.
//
// The device rules (legal.h), the simulator and the cost model read these; a literal 128 stands in the table of machine.c
// only. Where a figure comes from is written beside it there. Sizes are of one NeuronCore unless they say otherwise.

#pragma once
#include "core/core.h"

// Sets of memories, for what an engine can reach.
enum {
  SPACE_HBM = 1u << MEMORY_HBM | 1u << MEMORY_SHARED_HBM | 1u << MEMORY_PRIVATE_HBM,
  SPACE_SBUF = 1u << MEMORY_SBUF,
  SPACE_PSUM = 1u << MEMORY_PSUM,
  SPACE_REG = 1u << MEMORY_REG,
};

typedef struct MachineEngine {
  const char *nki_name;   // as in nki.isa.engine: "vector"; NULL: no engine
  const char *full_name;  // as the manuals write it: "VectorE"
  double clock_ghz;       // 0: not documented
  uint32_t elements_per_cycle;  // of 32-bit data, over all partitions; 0: not documented
  uint32_t fixed_cycles;        // added to an instruction whatever its size
  uint8_t reads, writes;        // SPACE_* sets of the memories it can reach
} MachineEngine;

typedef struct MachineDma {
  uint32_t engines;             // that one core can use
  uint32_t queues_per_engine;
  double peak_gbps;             // 10^9 bytes per second of one engine
  double sustained_gbps;        // of one engine, large transfers
  uint32_t start_ns;            // from trigger to first byte
  uint32_t hardware_dge;        // descriptor generation blocks in hardware
  uint32_t efficient_bytes;     // shortest contiguous run worth a descriptor
  bool has_priority;            // traffic classes 0 to 3
} MachineDma;

typedef struct Machine {
  const char *name;            // "trn2"
  const char *const *aliases;  // other accepted names, NULL at the end
  int generation;              // of the NeuronCore: 2, 3 or 4
  const char *nc_version;      // as messages name it: "NeuronCore-v3"

  uint32_t partitions;            // rows of SBUF and PSUM
  uint32_t partition_quadrant;    // partitions that start addresses count in
  uint64_t sbuf_partition_bytes;  // physical
  uint64_t sbuf_usable_bytes;     // of a partition, what a compiler leaves to kernels
  uint32_t psum_banks;
  uint32_t psum_bank_bytes;  // per partition
  uint32_t psum_cell_bytes;  // unit of accumulation and of placement

  uint32_t gemm_stationary_fmax;   // columns of a stationary matrix
  uint32_t gemm_moving_fmax;       // columns that fit one bank as float32: nl.tile_size.gemm_moving_fmax
  uint32_t gemm_moving_limit;      // columns one instruction can take with a float32 destination
  uint32_t gemm_moving_limit_16;   // the same with a 16-bit destination; 0: no such destination
  uint32_t gemm_tile_min;          // smallest row or column tile of the array
  bool gemm_spans_banks;           // the destination of one matmul may cross a bank
  bool gemm_has_double_row;        // two fp8 rows in one pass
  bool gemm_adds_to_any;           // products may be added to what another engine wrote in PSUM
  bool gemm_groups_lose;           // sums that take turns in one PSUM bank were seen to lose contributions
  bool transpose_is_exact;         // transpose mode copies bits

  uint32_t bn_stats_fmax;          // elements of a row
  uint32_t max8_fmin, max8_fmax;   // elements of a row for max8 and its kin
  uint32_t vector_transpose_block; // rows and columns of one transpose by the vector engine
  uint32_t registers;              // 32-bit registers of a sequencer
  uint32_t free_dims;              // free dimensions of one operand
  uint32_t logical_cores;          // the most cores one kernel can be launched on

  uint32_t device_cores;           // NeuronCores of one chip
  uint64_t device_hbm_bytes;
  double device_hbm_gbps;

  MachineEngine engines[ENGINE_COUNT];
  MachineDma dma;
} Machine;

// The generation called `name`, in any case: "trn1", "trn1n", "inf2", "gen2", "trn2", "gen3", "trn3", "gen4"; or NULL.
const Machine *machine_find(const char *name);
const Machine *machine_default(void);                 // trn2
const Machine *machine_of_generation(int generation); // 2, 3 or 4; else NULL

// All machines, oldest first.
const Machine *const *machine_all(size_t *count);

// Every name and alias that machine_find takes, for messages and completion.
const char *const *machine_names(size_t *count);

// A constant of nl.tile_size; `index` counts from 0, false past the last.
typedef struct TileSize {
  const char *name;
  uint64_t value;
} TileSize;
bool machine_tile_size(const Machine *machine, size_t index, TileSize *out);

// Whether `engine` exists, and which memories an instruction on it may read or write (0 for none).
const MachineEngine *machine_engine(const Machine *machine, Engine engine);

// machine.c -- the figures of each NeuronCore generation.
//
// Sources, as short names in the comments: [arch N] the architecture guide of generation N (guides/architecture/
// trainium_inferentia2_arch, trainium2_arch, trainium3_arch), [tile] nki.language.tile_size and the tiling overview,
// [isa] the reference pages of nki.isa, [dma] the DMA overview and the DMA bandwidth guide, [klr] the constants of the
// public KLR tracer where the documents give none, [seen] read from published profiles.

#include "machine/machine.h"

#include <strings.h>

enum { KIB = 1024, ALL_ON_CHIP = SPACE_SBUF | SPACE_PSUM };

#define GIB (1024ull * 1024 * 1024)

// What does not change from one generation to the next.
#define COMMON_LIMITS                                                                                                  \
  .partitions = 128,         /* [tile] pmax */                                                                         \
  .partition_quadrant = 32,  /* [arch 2] start partitions 0, 32, 64, 96 */                                             \
  .psum_banks = 8,           /* [arch 2] 16 KiB per partition */                                                       \
  .psum_bank_bytes = 2048,   /* [arch 2], [tile] 512 float32 */                                                        \
  .psum_cell_bytes = 4,      /* [arch 2] 4-byte accumulators; [klr] alignment 4 */                                     \
  .gemm_stationary_fmax = 128, .gemm_moving_fmax = 512, /* [tile] */                                                   \
  .bn_stats_fmax = 512,                                 /* [tile] */                                                   \
  .max8_fmin = 8, .max8_fmax = 16384,                   /* [isa] max8, nc_find_index8 */                               \
  .vector_transpose_block = 32,                         /* [isa] nc_transpose */                                       \
  .registers = 64,                                      /* [isa] register_alloc */                                     \
  .free_dims = 4                                        /* [arch 2] "up to 4-D" */

// Engines: what they reach is [isa] and [arch 2]; GpSimd and DMA do not reach PSUM; the tensor engine reads SBUF and
// writes PSUM. Registers are the sequencers' own.
#define TENSOR_ENGINE(ghz)                                                                                             \
  [ENGINE_PE] = {"tensor", "TensorE", ghz, 128, 64, SPACE_SBUF, SPACE_PSUM}
#define VECTOR_ENGINE(ghz, rate) [ENGINE_DVE] = {"vector", "VectorE", ghz, rate, 60, ALL_ON_CHIP, ALL_ON_CHIP}
#define SCALAR_ENGINE(ghz) [ENGINE_ACT] = {"scalar", "ScalarE", ghz, 128, 60, ALL_ON_CHIP, ALL_ON_CHIP}
#define GPSIMD_ENGINE(ghz) [ENGINE_POOL] = {"gpsimd", "GpSimdE", ghz, 128, 60, SPACE_SBUF, SPACE_SBUF}
#define SYNC_ENGINE [ENGINE_SP] = {"sync", "SyncE", 0, 0, 0, 0, 0}
#define DMA_ENGINE [ENGINE_DMA] = {"dma", "DMA", 0, 0, 0, SPACE_HBM | SPACE_SBUF, SPACE_HBM | SPACE_SBUF}

static const char *const trn1_aliases[] = {"trn1n", "inf2", "gen2", NULL};
static const char *const trn2_aliases[] = {"gen3", NULL};
static const char *const trn3_aliases[] = {"gen4", NULL};

static const Machine trn1 = {
  .name = "trn1",
  .aliases = trn1_aliases,
  .generation = 2,
  .nc_version = "NeuronCore-v2",
  COMMON_LIMITS,
  .sbuf_partition_bytes = 192 * KIB,  // [arch 2] 24 MiB
  .sbuf_usable_bytes = 180224,        // [klr]
  .gemm_moving_limit = 512,           // [isa] nc_matmul
  .gemm_tile_min = 64,                // [isa] nc_matmul tile_size
  .logical_cores = 1,
  .device_cores = 2,            // [arch 2]
  .device_hbm_bytes = 32 * GIB, // [arch 2]
  .device_hbm_gbps = 820,       // [arch 2]
  .engines =
    {
      TENSOR_ENGINE(2.8),        // [arch 2]
      VECTOR_ENGINE(1.12, 128),  // [arch 2]
      SCALAR_ENGINE(1.4),        // [arch 2]
      GPSIMD_ENGINE(1.4),        // [arch 2]
      SYNC_ENGINE,
      DMA_ENGINE,
    },
  .dma = {.engines = 16,            // [dma]
          .queues_per_engine = 16,  // [dma]
          .peak_gbps = 27.2,        // [dma]
          .sustained_gbps = 17,     // [dma]
          .start_ns = 1300,         // [dma]
          .hardware_dge = 0,        // [arch 3] begins with NeuronCore-v3
          .efficient_bytes = 2048}, // [dma]
};

static const Machine trn2 = {
  .name = "trn2",
  .aliases = trn2_aliases,
  .generation = 3,
  .nc_version = "NeuronCore-v3",
  COMMON_LIMITS,
  .sbuf_partition_bytes = 224 * KIB,  // [arch 3] 28 MiB
  .sbuf_usable_bytes = 212984,        // [klr]
  .gemm_moving_limit = 512,           // [isa] nc_matmul
  .gemm_tile_min = 32,                // [isa] nc_matmul tile_size
  .gemm_has_double_row = true,        // [arch 3]
  .gemm_groups_lose = true,           // measured by users (docs/numerics.md)
  .transpose_is_exact = true,         // [arch 3]
  .logical_cores = 2,                 // [isa] LNC=2
  .device_cores = 8,                  // [arch 3]
  .device_hbm_bytes = 96 * GIB,       // [arch 3]
  .device_hbm_gbps = 3000,            // [arch 3]
  .engines =
    {
      TENSOR_ENGINE(2.4),        // [arch 3]
      VECTOR_ENGINE(0.96, 128),  // [arch 3]; 16-bit data up to four times as fast
      SCALAR_ENGINE(1.2),        // [arch 3]
      GPSIMD_ENGINE(1.2),        // [arch 3]
      SYNC_ENGINE,
      DMA_ENGINE,
    },
  .dma = {.engines = 16,            // [dma]
          .queues_per_engine = 16,  // [dma]
          .peak_gbps = 27.2,        // [dma]
          .sustained_gbps = 23,     // [dma]
          .start_ns = 1300,         // [dma]
          .hardware_dge = 2,        // [arch 3]
          .efficient_bytes = 2048}, // [dma]
};

static const Machine trn3 = {
  .name = "trn3",
  .aliases = trn3_aliases,
  .generation = 4,
  .nc_version = "NeuronCore-v4",
  COMMON_LIMITS,
  .sbuf_partition_bytes = 256 * KIB,  // [arch 4] 32 MiB over 128 partitions
  .sbuf_usable_bytes = 245752,        // [klr]
  .gemm_moving_limit = 4096,          // [arch 4] float32 destination
  .gemm_moving_limit_16 = 8192,       // [arch 4] bfloat16 destination
  .gemm_tile_min = 32,                // [isa] nc_matmul tile_size
  .gemm_spans_banks = true,           // [arch 4] moving free size up to a whole PSUM partition
  .gemm_has_double_row = true,        // [isa] nc_matmul
  .gemm_adds_to_any = true,           // [isa] nc_matmul: undefined on NeuronCore-v2 and v3 only
  .transpose_is_exact = true,         // [arch 3]
  .logical_cores = 2,                 // [isa] LNC=2
  .device_cores = 8,                  // [arch 4]
  .device_hbm_bytes = 144 * GIB,      // [arch 4]
  .device_hbm_gbps = 4700,            // [arch 4]
  .engines =
    {
      TENSOR_ENGINE(2.4),       // [arch 4]
      VECTOR_ENGINE(1.2, 128),  // [arch 4]; 8- and 16-bit data up to four times as fast
      SCALAR_ENGINE(1.2),       // [arch 4]; 8- and 16-bit data twice as fast
      GPSIMD_ENGINE(1.2),       // [arch 4]
      SYNC_ENGINE,
      DMA_ENGINE,
    },
  .dma = {.engines = 16,            // [dma]
          .queues_per_engine = 16,  // [dma]
          .peak_gbps = 38.4,        // [dma]
          .sustained_gbps = 33,     // [dma]
          .start_ns = 1300,         // [dma]
          .hardware_dge = 2,        // [arch 3]
          .efficient_bytes = 2048,  // [dma]
          .has_priority = true},    // [arch 4]
};

static const Machine *const machines[] = {&trn1, &trn2, &trn3};
static const char *const names[] = {"trn1", "trn1n", "inf2", "gen2", "trn2", "gen3", "trn3", "gen4"};

static bool answers_to(const Machine *machine, const char *name)
{
  if (strcasecmp(machine->name, name) == 0)
    return true;
  for (const char *const *alias = machine->aliases; *alias; alias++)
    if (strcasecmp(*alias, name) == 0)
      return true;
  return false;
}

const Machine *machine_find(const char *name)
{
  for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
    if (answers_to(machines[i], name))
      return machines[i];
  return NULL;
}

const Machine *machine_default(void)
{
  return &trn2;
}

const Machine *machine_of_generation(int generation)
{
  for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
    if (machines[i]->generation == generation)
      return machines[i];
  return NULL;
}

const Machine *const *machine_all(size_t *count)
{
  *count = sizeof machines / sizeof *machines;
  return machines;
}

const char *const *machine_names(size_t *count)
{
  *count = sizeof names / sizeof *names;
  return names;
}

const MachineEngine *machine_engine(const Machine *machine, Engine engine)
{
  return &machine->engines[engine];
}

bool machine_tile_size(const Machine *m, size_t index, TileSize *out)
{
  const TileSize sizes[] = {
      {"pmax", m->partitions},
      {"psum_fmax", m->psum_bank_bytes / 4},
      {"psum_bank_fmax", m->psum_bank_bytes / 4},
      {"psum_bank_fmax_bytes", m->psum_bank_bytes},
      {"psum_num_banks", m->psum_banks},
      {"psum_min_align", m->psum_cell_bytes},
      {"gemm_stationary_fmax", m->gemm_stationary_fmax},
      {"gemm_moving_fmax", m->gemm_moving_fmax},
      {"bn_stats_fmax", m->bn_stats_fmax},
      {"sbuf_size_bytes", m->sbuf_partition_bytes * m->partitions},
      {"sbuf_fmax_bytes", m->sbuf_usable_bytes},
      {"sbuf_fmax", m->sbuf_usable_bytes / 4},
      {"sbuf_min_align", 1},
      {"total_available_sbuf_size", m->sbuf_usable_bytes},
  };
  if (index >= sizeof sizes / sizeof *sizes)
    return false;
  *out = sizes[index];
  return true;
}

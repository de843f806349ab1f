/* klr_kernel_abi.h -- what a library of compiled scalar kernels exports. Generated C carries this text; klr_schema.h loads it.
 *
 * A library exports one symbol, `klr_kernel_library`, a KlrKernelLibrary. Libraries of a single kernel also export the three
 * functions at the end, which older launchers look for. Structures only grow at their end; `bytes` says how large the
 * library believes one to be, and readers look at nothing beyond. Numbers are of the machine the library is for.
 */

#ifndef KLR_KERNEL_ABI_H
#define KLR_KERNEL_ABI_H

#include <stddef.h>
#include <stdint.h>

#define KLR_KERNEL_MAGIC 0x4b524c4bu /* "KLRK" */
#define KLR_KERNEL_ABI 1u

typedef enum KlrScalarType {
  KLR_BOOL, KLR_I8, KLR_I16, KLR_I32, KLR_I64, KLR_U8, KLR_U16, KLR_U32, KLR_U64, KLR_F16, KLR_BF16, KLR_F32, KLR_F64
} KlrScalarType;

typedef enum KlrDirection { KLR_UNUSED, KLR_IN, KLR_OUT, KLR_INOUT } KlrDirection; /* of an array's elements; scalars are IN */

typedef enum KlrIsa { KLR_ISA_BASE, KLR_ISA_AVX2, KLR_ISA_AVX512, KLR_ISA_COUNT } KlrIsa;

/* A scalar's value lies in the member of its type, f16 and bf16 as bits in `u16`; bool is 0 or 1 in `u8`. */
typedef union KlrScalarValue {
  int8_t i8; int16_t i16; int32_t i32; int64_t i64;
  uint8_t u8; uint16_t u16; uint32_t u32; uint64_t u64;
  float f32; double f64;
} KlrScalarValue;

/* One argument, in the order of the parameters: of an array its elements and how many, of a scalar its value. */
typedef struct KlrKernelArgument {
  void *data;
  uint64_t count;
  KlrScalarValue value;
} KlrKernelArgument;

typedef struct KlrKernelParam {
  const char *name;
  uint8_t dtype;     /* KlrScalarType */
  uint8_t is_array;
  uint8_t direction; /* KlrDirection */
  uint8_t reserved[5];
} KlrKernelParam;

/* Of checked builds: the first access that went wrong, by thread number. `kind` 0: none. */
typedef struct KlrKernelFault {
  uint32_t kind;     /* 1: an index outside of its array */
  uint32_t line;     /* of the Python source */
  uint32_t param;    /* which array; 0xffffffff: a shared one */
  uint32_t reserved;
  int64_t index;
  uint64_t count;    /* elements the array has */
  uint64_t thread;   /* linear number, dimension 0 fastest */
} KlrKernelFault;

typedef struct KlrKernelGrid {
  uint64_t size[3];  /* threads; 1 in dimensions that are not used */
  uint64_t local[3]; /* of a group */
} KlrKernelGrid;

/* Work for units [begin, end) of a stage: threads, or groups when the stage says so, in linear order. `partials` has
 * `reduction_count` slots of 8 bytes for each block of KLR_BLOCK threads from `begin` on, a multiple of KLR_BLOCK; the body
 * sets them. `fault` is NULL but in checked builds. */
#define KLR_BLOCK 4096u
typedef void KlrKernelBody(const KlrKernelArgument *arguments, const KlrKernelGrid *grid, uint64_t begin, uint64_t end,
                           uint64_t *partials, KlrKernelFault *fault);

/* Kernels run stage after stage; most have one. */
typedef struct KlrKernelStage {
  uint32_t bytes;
  uint32_t unit_is_group;
  uint32_t reduction_count; /* fixed-order reductions: `combine` adds the partials of all blocks to their elements */
  uint32_t cost;            /* rough nanoseconds of one unit on one core: small launches stay on the caller's thread; from 50 on it has
                             * loops, and the first units are timed */
  KlrKernelBody *bodies[KLR_ISA_COUNT]; /* NULL: not compiled for it; [KLR_ISA_BASE] is always there */
  void (*combine)(const KlrKernelArgument *arguments, const KlrKernelGrid *grid, const uint64_t *partials, uint64_t blocks);
  /* The grid from the arguments; 0: the kernel does not tell, the launch must; 2: it tells, whatever the launch says. Without ids it is 1. */
  uint32_t (*grid)(const KlrKernelArgument *arguments, uint64_t size[3]);
  /* How many elements each array needs for that grid, as far as the guard tells: needed[parameter]. NULL: nothing known. */
  void (*needed)(const KlrKernelArgument *arguments, const KlrKernelGrid *grid, uint64_t *needed);
  /* As `bodies`, and faster, for launches that write to no array which is given twice. NULL: there is none. */
  KlrKernelBody *apart[KLR_ISA_COUNT];
  /* 1: it prepares the next stage for many cores. Who has one only may leave this stage out, and give the next one unit, which does all. */
  uint32_t is_for_many;
  uint32_t reserved;
  /* Of reductions whose threads have loops, so that a few of them can be shared among cores: as `bodies`, for any [begin, end), but `partials` has
   * `reduction_count` slots for each thread. `fold` makes partials of blocks of all threads' slots. NULL: there are none. */
  KlrKernelBody *values[KLR_ISA_COUNT];
  void (*fold)(const uint64_t *values, uint64_t threads, uint64_t *partials);
} KlrKernelStage;

/* What every stage has, and whether it has a member that came later. */
#define KLR_STAGE_BYTES offsetof(KlrKernelStage, apart)
#define KLR_STAGE_HAS(stage, member) ((stage)->bytes >= offsetof(KlrKernelStage, member) + sizeof (stage)->member)

typedef struct KlrKernelInfo {
  uint32_t bytes;
  uint32_t param_count, stage_count;
  uint32_t dims;        /* of its ids; 0: it asks for none */
  uint32_t is_checked;  /* every access is verified */
  uint32_t line;        /* of its `def` */
  const char *name, *doc, *path; /* path: of the Python source, as it was given */
  const KlrKernelParam *params;
  const KlrKernelStage *stages;
  const char *schema;      /* the JSON it was made from, whole */
  const char *schema_hash; /* 16 hexadecimal digits */
} KlrKernelInfo;

typedef struct KlrKernelLibrary {
  uint32_t magic, abi, bytes, kernel_count;
  const KlrKernelInfo *const *kernels;
  const char *generator; /* "klr 0.1.0" */
  const char *build;     /* compiler and flags, as one line */
} KlrKernelLibrary;

/* Of libraries of one kernel: uint32_t atlas_kernel_abi_version(void), 1; const char *atlas_kernel_name(void);
 * uint32_t atlas_kernel_execute(const uint32_t config[6], const uint8_t *params, size_t len, char **error): config is NULL or
 * the numbers of groups x, y, z and the threads of a group x, y, z; params holds the arguments in order, little-endian, each at a multiple of its
 * own size, arrays as 8-byte addresses; 0: done, 1: wrong parameters, 2: failed; *error, when `error` is not NULL, says why
 * and is freed by the caller. Array lengths are not known there, so only null and
 * misplaced addresses are refused. */

#endif

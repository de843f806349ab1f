/* klr_schema.h -- compiled scalar kernels by name: load libraries, look at kernels, launch them. Needs neither Python nor a compiler.
 *
 *   KlrRegistry *registry = klr_registry_new();
 *   klr_registry_scan(registry, "kernels/", NULL, NULL, NULL);  // bad files are told, good ones load
 *   KlrKernelHandle add = klr_registry_find(registry, "vector_add");
 *   KlrLaunchArgument arguments[] = {klr_array(a, n, KLR_F32), klr_array(b, n, KLR_F32), klr_array(c, n, KLR_F32), klr_u32(n)};
 *   if (!klr_launch(registry, add, arguments, 4, NULL))
 *     fputs(klr_registry_error(registry), stderr);
 *   klr_registry_free(registry);
 *
 * Link with libklr_schema: cc main.c $(pkg-config --cflags --libs klr_schema). examples/schema/main.c is a whole program.
 *
 * Any number of threads may launch at the same time; a launch that is under way keeps its library loaded. Functions that fail return
 * false, 0 or NULL and leave a text for the calling thread in klr_registry_error.
 */

#ifndef KLR_SCHEMA_H
#define KLR_SCHEMA_H

#include "klr_kernel_abi.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined __GNUC__
#pragma GCC visibility push(default) /* what follows is seen outside of libklr_schema */
#endif

typedef struct KlrRegistry KlrRegistry;
typedef uint64_t KlrKernelHandle; /* 0: none. Of an unloaded kernel: refused, never another kernel. */

KlrRegistry *klr_registry_new(void);
void klr_registry_free(KlrRegistry *registry); /* waits for launches */
const char *klr_registry_error(const KlrRegistry *registry); /* what failed last in this thread; "" for nothing */
/* The access that was it, when an access failed; else NULL. Until the thread's next call. */
const KlrKernelFault *klr_registry_fault(const KlrRegistry *registry);

/* ---- loading */

typedef struct KlrLoadResult {
  const char *path;
  uint32_t kernels;  /* how many it has brought */
  const char *error; /* NULL: loaded */
} KlrLoadResult;

typedef struct KlrLoadOptions {
  bool replace;          /* a kernel of a name that is taken replaces it; else that is an error of the file */
  bool allow_writable;   /* also files and folders that everyone may write to */
} KlrLoadOptions;

/* Every library of a folder, by name in ascending order; `*results`, when asked for, has `*count` rows that belong to the registry
 * until its next scan. False only when the folder cannot be read. A file is looked at before it is loaded: its format,
 * machine and symbols. */
bool klr_registry_scan(KlrRegistry *registry, const char *folder, const KlrLoadOptions *options,
                       const KlrLoadResult **results, size_t *count);
bool klr_registry_load(KlrRegistry *registry, const char *path, const KlrLoadOptions *options);
bool klr_registry_unload(KlrRegistry *registry, const char *path); /* its handles end; waits for its launches, so never from one */

/* ---- looking */

KlrKernelHandle klr_registry_find(const KlrRegistry *registry, const char *name);
size_t klr_registry_count(const KlrRegistry *registry);
KlrKernelHandle klr_registry_at(const KlrRegistry *registry, size_t index); /* by name, ascending */
/* NULL: a stale handle. What they give belongs to the library and ends with it. */
const KlrKernelInfo *klr_kernel_info(const KlrRegistry *registry, KlrKernelHandle kernel);
const char *klr_kernel_path(const KlrRegistry *registry, KlrKernelHandle kernel);

/* ---- launching */

typedef struct KlrLaunchArgument {
  void *data;           /* arrays */
  uint64_t count;       /* arrays: elements */
  KlrScalarValue value; /* scalars */
  uint8_t dtype;        /* KlrScalarType; must be the parameter's */
  uint8_t is_array, is_read_only, reserved[5];
} KlrLaunchArgument;

static inline KlrLaunchArgument klr_array(void *data, uint64_t count, KlrScalarType dtype)
{
  KlrLaunchArgument argument = {NULL, 0, {0}, 0, 0, 0, {0}};
  argument.data = data, argument.count = count, argument.dtype = (uint8_t)dtype, argument.is_array = 1;
  return argument;
}
#define KLR_SCALAR_ARGUMENT(name, member, type, tag)                                                                   \
  static inline KlrLaunchArgument name(type value)                                                                     \
  {                                                                                                                    \
    KlrLaunchArgument argument = {NULL, 0, {0}, 0, 0, 0, {0}};                                                      \
    argument.value.member = value, argument.dtype = tag;                                                               \
    return argument;                                                                                                   \
  }
KLR_SCALAR_ARGUMENT(klr_bool, u8, bool, KLR_BOOL)
KLR_SCALAR_ARGUMENT(klr_i8, i8, int8_t, KLR_I8)
KLR_SCALAR_ARGUMENT(klr_i16, i16, int16_t, KLR_I16)
KLR_SCALAR_ARGUMENT(klr_u8, u8, uint8_t, KLR_U8)
KLR_SCALAR_ARGUMENT(klr_u16, u16, uint16_t, KLR_U16)
KLR_SCALAR_ARGUMENT(klr_i32, i32, int32_t, KLR_I32)
KLR_SCALAR_ARGUMENT(klr_i64, i64, int64_t, KLR_I64)
KLR_SCALAR_ARGUMENT(klr_u32, u32, uint32_t, KLR_U32)
KLR_SCALAR_ARGUMENT(klr_u64, u64, uint64_t, KLR_U64)
KLR_SCALAR_ARGUMENT(klr_f32, f32, float, KLR_F32)
KLR_SCALAR_ARGUMENT(klr_f64, f64, double, KLR_F64)
#undef KLR_SCALAR_ARGUMENT

typedef struct KlrLaunch {
  uint64_t grid[3];  /* threads; all 0: from the kernel's guard */
  uint64_t local[3]; /* threads of a group; all 0: 256, 1, 1 */
  uint32_t threads;  /* of the computer; 0: KLR_THREADS of the environment, else as many as it has */
} KlrLaunch;

/* Runs the kernel and returns when it has ended. Number, types, lengths and overlaps of the arguments are checked first (arrays that are
 * written may overlap others only when they are the same array); in checked libraries an access outside of an array is a failure too.
 * `launch` may be NULL. */
bool klr_launch(KlrRegistry *registry, KlrKernelHandle kernel, const KlrLaunchArgument *arguments, size_t count,
                const KlrLaunch *launch);

#if defined __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif

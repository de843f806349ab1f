/* Written by klr 0.1.0 from kernels/reduction/vector_dot.py: change that, not this. */

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
} KlrKernelStage;

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
 * and is freed by the caller. Array lengths are not known there, so nothing is checked. */

#endif
/* klr_libc.h -- what generated C takes from the C library. Its own headers take longer to read than a kernel takes to compile. */

#define NAN __builtin_nanf("")
#define INFINITY __builtin_inff()
void *malloc(size_t);
void *calloc(size_t, size_t);
void free(void *);
void *memcpy(void *, const void *, size_t);
size_t strlen(const char *);
float sqrtf(float), floorf(float), ceilf(float), truncf(float), rintf(float), fmodf(float, float), fmaf(float, float, float);
double sqrt(double), floor(double), ceil(double), trunc(double), rint(double), fmod(double, double), fma(double, double, double);
double exp(double), exp2(double), expm1(double), log(double), log2(double), log10(double), log1p(double), erf(double), pow(double, double);
double sin(double), cos(double), tan(double), asin(double), acos(double), atan(double), atan2(double, double), sinh(double), cosh(double), tanh(double);

/* ---- of klr_scalar.h: operators and functions */
#define KLR_FN static inline __attribute__((always_inline, unused))

/* ---- bits */

KLR_FN uint64_t klr_bits_f64(double x) { uint64_t bits; memcpy(&bits, &x, 8); return bits; }
KLR_FN double klr_from_bits_f64(uint64_t bits) { double x; memcpy(&x, &bits, 8); return x; }
KLR_FN uint32_t klr_bits_f32(float x) { uint32_t bits; memcpy(&bits, &x, 4); return bits; }
KLR_FN float klr_from_bits_f32(uint32_t bits) { float x; memcpy(&x, &bits, 4); return x; }

/* ---- integers: everything wraps, nothing traps */


#define KLR_SIGNED(tag, type, bits_type, bits)                                                                         \
KLR_FN type klr_add_##tag(type a, type b) { return (type)((bits_type)a + (bits_type)b); }                              \
KLR_FN type klr_sub_##tag(type a, type b) { return (type)((bits_type)a - (bits_type)b); }                              \
KLR_FN type klr_mul_##tag(type a, type b) { return (type)((bits_type)a * (bits_type)b); }                              \
KLR_FN type klr_neg_##tag(type a) { return (type)(0u - (bits_type)a); }                                                \
KLR_FN type klr_abs_##tag(type a) { return a < 0 ? klr_neg_##tag(a) : a; }                                             \
KLR_FN type klr_shl_##tag(type a, int64_t by) { return by < 0 || by > bits - 1 ? 0 : (type)((bits_type)a << by); }     \
KLR_FN type klr_shr_##tag(type a, int64_t by) { return a >> (by < 0 || by > bits - 1 ? bits - 1 : by); }               \
KLR_FN type klr_floor_div_##tag(type a, type b)                                                                        \
{                                                                                                                      \
  if (b == 0)                                                                                                          \
    return 0;                                                                                                          \
  if (b == -1)                                                                                                         \
    return klr_neg_##tag(a);                                                                                           \
  type quotient = a / b;                                                                                               \
  return quotient - (a % b != 0 && (a < 0) != (b < 0));                                                                \
}                                                                                                                      \
KLR_FN type klr_mod_##tag(type a, type b)                                                                              \
{                                                                                                                      \
  if (b == 0 || b == -1)                                                                                               \
    return 0;                                                                                                          \
  type rest = a % b;                                                                                                   \
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;                                                         \
}                                                                                                                      \
KLR_FN type klr_pow_##tag(type a, type n)                                                                              \
{                                                                                                                      \
  if (n < 0)                                                                                                           \
    return a == 1 ? 1 : a == -1 ? (n & 1 ? -1 : 1) : 0;                                                                \
  bits_type result = 1, base = (bits_type)a;                                                                           \
  for (bits_type rest = (bits_type)n; rest; rest >>= 1) {                                                              \
    result = rest & 1 ? result * base : result;                                                                        \
    base *= base;                                                                                                      \
  }                                                                                                                    \
  return (type)result;                                                                                                 \
}

#define KLR_UNSIGNED(tag, type, bits)                                                                                  \
KLR_FN type klr_add_##tag(type a, type b) { return a + b; }                                                            \
KLR_FN type klr_sub_##tag(type a, type b) { return a - b; }                                                            \
KLR_FN type klr_mul_##tag(type a, type b) { return a * b; }                                                            \
KLR_FN type klr_neg_##tag(type a) { return (type)(0u - a); }                                                           \
KLR_FN type klr_abs_##tag(type a) { return a; }                                                                        \
KLR_FN type klr_shl_##tag(type a, int64_t by) { return by < 0 || by > bits - 1 ? 0 : a << by; }                        \
KLR_FN type klr_shr_##tag(type a, int64_t by) { return by < 0 || by > bits - 1 ? 0 : a >> by; }                        \
KLR_FN type klr_floor_div_##tag(type a, type b) { return b ? a / b : 0; }                                              \
KLR_FN type klr_mod_##tag(type a, type b) { return b ? a % b : 0; }                                                    \
KLR_FN type klr_pow_##tag(type a, type n)                                                                              \
{                                                                                                                      \
  type result = 1;                                                                                                     \
  for (; n; n >>= 1, a *= a)                                                                                           \
    result = n & 1 ? result * a : result;                                                                              \
  return result;                                                                                                       \
}

#define KLR_LEAST_AND_MOST(tag, type)                                                                                  \
KLR_FN type klr_min_##tag(type a, type b) { return b < a ? b : a; }                                                    \
KLR_FN type klr_max_##tag(type a, type b) { return b > a ? b : a; }

KLR_SIGNED(i32, int32_t, uint32_t, 32)
KLR_SIGNED(i64, int64_t, uint64_t, 64)
KLR_UNSIGNED(u32, uint32_t, 32)
KLR_UNSIGNED(u64, uint64_t, 64)
KLR_LEAST_AND_MOST(i32, int32_t)
KLR_LEAST_AND_MOST(i64, int64_t)
KLR_LEAST_AND_MOST(u32, uint32_t)
KLR_LEAST_AND_MOST(u64, uint64_t)

/* ---- floats */

/* Remainders have the divisor's sign, as in Python, and quotients go with them. */
#define KLR_FLOAT(tag, type, suffix, sign_bit, top)                                                                    \
KLR_FN type klr_add_##tag(type a, type b) { return a + b; }                                                            \
KLR_FN type klr_sub_##tag(type a, type b) { return a - b; }                                                            \
KLR_FN type klr_neg_##tag(type x) { return klr_from_bits_##tag(klr_bits_##tag(x) ^ sign_bit); }                        \
KLR_FN type klr_abs_##tag(type x) { return klr_from_bits_##tag(klr_bits_##tag(x) & ~sign_bit); }                       \
KLR_FN type klr_copysign_##tag(type x, type of) { return klr_from_bits_##tag((klr_bits_##tag(x) & ~sign_bit) | (klr_bits_##tag(of) & sign_bit)); } \
KLR_FN type klr_sqrt_##tag(type x) { return sqrt##suffix(x); }                                                         \
KLR_FN type klr_rsqrt_##tag(type x) { return (type)1.0 / sqrt##suffix(x); }                                            \
KLR_FN type klr_reciprocal_##tag(type x) { return (type)1.0 / x; }                                                     \
KLR_FN type klr_floor_##tag(type x) { return floor##suffix(x); }                                                       \
KLR_FN type klr_ceil_##tag(type x) { return ceil##suffix(x); }                                                         \
KLR_FN type klr_trunc_##tag(type x) { return trunc##suffix(x); }                                                       \
KLR_FN type klr_round_##tag(type x) { return rint##suffix(x); }                                                        \
KLR_FN type klr_relu_##tag(type x) { return x != x || x > (type)0.0 ? x : (type)0.0; }                                 \
KLR_FN uint8_t klr_isnan_##tag(type x) { return x != x; }                                                              \
KLR_FN uint8_t klr_isinf_##tag(type x) { return klr_abs_##tag(x) == INFINITY; }                                        \
KLR_FN type klr_min_##tag(type a, type b)                                                                              \
{                                                                                                                      \
  type least = b < a || (a == b && klr_bits_##tag(b) >> top) ? b : a;                                                  \
  return a != a ? a : b != b ? b : least;                                                                              \
}                                                                                                                      \
KLR_FN type klr_max_##tag(type a, type b)                                                                              \
{                                                                                                                      \
  type most = b > a || (a == b && klr_bits_##tag(a) >> top) ? b : a;                                                   \
  return a != a ? a : b != b ? b : most;                                                                               \
}                                                                                                                      \
KLR_FN type klr_mod_##tag(type a, type b)                                                                              \
{                                                                                                                      \
  type rest = fmod##suffix(a, b);                                                                                      \
  return rest != (type)0.0 ? ((rest < (type)0.0) != (b < (type)0.0) ? rest + b : rest) : klr_copysign_##tag(rest, b);  \
}                                                                                                                      \
KLR_FN type klr_floor_div_##tag(type a, type b)                                                                        \
{                                                                                                                      \
  if (b == (type)0.0)                                                                                                  \
    return a / b;                                                                                                      \
  type rest = fmod##suffix(a, b), quotient = (a - rest) / b;                                                           \
  quotient -= rest != (type)0.0 && (rest < (type)0.0) != (b < (type)0.0) ? (type)1.0 : (type)0.0;                      \
  type whole = floor##suffix(quotient);                                                                                \
  whole += quotient - whole > (type)0.5 ? (type)1.0 : (type)0.0;                                                       \
  return quotient != (type)0.0 ? whole : klr_copysign_##tag((type)0.0, a / b);                                         \
}                                                                                                                      \
KLR_FN type klr_fma_##tag(type a, type b, type c) { return fma##suffix(a, b, c); }

KLR_FLOAT(f32, float, f, 0x80000000u, 31)
KLR_FLOAT(f64, double, , UINT64_C(0x8000000000000000), 63)

/* klr_body.h -- what the bodies of compiled kernels are made of. */

#define KLR_BODY static inline __attribute__((always_inline))
#define KLR_SPARE __attribute__((unused))
#define KLR_LANES 64 /* threads of a strip */
#if defined __x86_64__ && defined __GNUC__ && !defined KLR_ONE_CPU
#define KLR_X86 1
#else
#define KLR_X86 0
#endif
#define KLR_THREAD_PARAMS const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t klr_thread, int64_t klr_id0, int64_t klr_id1, int64_t klr_id2, KlrKernelFault *klr_fault
#define KLR_THREAD klr_arguments, klr_grid, klr_thread, klr_id0, klr_id1, klr_id2, klr_fault
#define KLR_UNUSED_THREAD (void)klr_arguments, (void)klr_grid, (void)klr_thread, (void)klr_id0, (void)klr_id1, (void)klr_id2, (void)klr_fault;

#ifdef KLR_CHECKED
#define KLR_IS_CHECKED 1
/* The element, or one that nobody looks at after the first access outside was noted: that of the first thread. */
static inline void *klr_element(const void *array, size_t bytes, int64_t index, uint64_t count, uint32_t param, uint32_t line, uint64_t thread, KlrKernelFault *fault)
{
  static _Thread_local uint64_t nowhere;
  if (index >= 0 && (uint64_t)index < count)
    return (char *)array + (size_t)index * bytes;
  if (fault && (!fault->kind || thread < fault->thread))
    *fault = (KlrKernelFault){.kind = 1, .line = line, .param = param, .index = index, .count = count, .thread = thread};
  nowhere = 0;
  return &nowhere;
}
#define KLR_ELEMENT(type, array, index, count, param, line) (*(type *)klr_element(array, sizeof(type), index, count, param, line, klr_thread, klr_fault))
#define KLR_TOUCH(element) ((void)(element))
#else
#define KLR_IS_CHECKED 0
#define KLR_ELEMENT(type, array, index, count, param, line) (array)[index]
#define KLR_TOUCH(element) ((void)0)
#endif

/* Where a body may add to an array without atomics: the array itself when it runs all threads; zeros that are added to the array in the
 * end, when that pays and the order does not matter; else NULL. */
static inline KLR_SPARE void *klr_own(const KlrKernelArgument *array, size_t bytes, const KlrKernelGrid *grid, uint64_t begin, uint64_t end, int any_order)
{
  if (KLR_IS_CHECKED)
    return NULL;
  if (begin == 0 && end == grid->size[0] * grid->size[1] * grid->size[2])
    return array->data;
  return any_order && array->count <= 65536 && end - begin >= 4 * array->count ? calloc(array->count + 1, bytes) : NULL;
}

static const char klr_schema_0[] =
  "{\n"
  "  \"version\": \"1.1\",\n"
  "  \"source\": {\n"
  "    \"path\": \"kernels/reduction/vector_dot.py\",\n"
  "    \"hash\": \"4a1c494e9bc01693\"\n"
  "  },\n"
  "  \"functions\": [],\n"
  "  \"kernels\": [\n"
  "    {\n"
  "      \"name\": \"vector_dot\",\n"
  "      \"doc\": \"Adds the dot product of a and b to result[0], in a fixed order.\",\n"
  "      \"params\": [\n"
  "        {\n"
  "          \"name\": \"a\",\n"
  "          \"type\": {\n"
  "            \"kind\": \"device_array\",\n"
  "            \"element_type\": {\n"
  "              \"kind\": \"scalar\",\n"
  "              \"type\": \"f32\"\n"
  "            }\n"
  "          },\n"
  "          \"direction\": \"in\"\n"
  "        },\n"
  "        {\n"
  "          \"name\": \"b\",\n"
  "          \"type\": {\n"
  "            \"kind\": \"device_array\",\n"
  "            \"element_type\": {\n"
  "              \"kind\": \"scalar\",\n"
  "              \"type\": \"f32\"\n"
  "            }\n"
  "          },\n"
  "          \"direction\": \"in\"\n"
  "        },\n"
  "        {\n"
  "          \"name\": \"result\",\n"
  "          \"type\": {\n"
  "            \"kind\": \"device_array\",\n"
  "            \"element_type\": {\n"
  "              \"kind\": \"scalar\",\n"
  "              \"type\": \"f32\"\n"
  "            }\n"
  "          },\n"
  "          \"direction\": \"inout\"\n"
  "        },\n"
  "        {\n"
  "          \"name\": \"n\",\n"
  "          \"type\": {\n"
  "            \"kind\": \"scalar\",\n"
  "            \"type\": \"u32\"\n"
  "          }\n"
  "        }\n"
  "      ],\n"
  "      \"body\": [\n"
  "        {\n"
  "          \"type\": \"let\",\n"
  "          \"name\": \"i\",\n"
  "          \"dtype\": \"i64\",\n"
  "          \"value\": {\n"
  "            \"type\": \"call\",\n"
  "            \"function\": \"get_global_id\",\n"
  "            \"args\": [],\n"
  "            \"dtype\": \"i64\",\n"
  "            \"at\": [6, 8, 6, 23]\n"
  "          },\n"
  "          \"at\": [6, 4, 6, 23]\n"
  "        },\n"
  "        {\n"
  "          \"type\": \"if\",\n"
  "          \"condition\": {\n"
  "            \"type\": \"binary_op\",\n"
  "            \"op\": \"lt\",\n"
  "            \"left\": {\n"
  "              \"type\": \"var\",\n"
  "              \"name\": \"i\",\n"
  "              \"dtype\": \"i64\",\n"
  "              \"at\": [7, 7, 7, 8]\n"
  "            },\n"
  "            \"right\": {\n"
  "              \"type\": \"cast\",\n"
  "              \"to\": \"i64\",\n"
  "              \"value\": {\n"
  "                \"type\": \"var\",\n"
  "                \"name\": \"n\",\n"
  "                \"dtype\": \"u32\",\n"
  "                \"at\": [7, 11, 7, 12]\n"
  "              },\n"
  "              \"dtype\": \"i64\",\n"
  "              \"at\": [7, 11, 7, 12]\n"
  "            },\n"
  "            \"dtype\": \"bool\",\n"
  "            \"at\": [7, 7, 7, 12]\n"
  "          },\n"
  "          \"then_body\": [\n"
  "            {\n"
  "              \"type\": \"call\",\n"
  "              \"function\": \"atomic_add\",\n"
  "              \"args\": [\n"
  "                {\n"
  "                  \"type\": \"var\",\n"
  "                  \"name\": \"result\",\n"
  "                  \"at\": [8, 23, 8, 29]\n"
  "                },\n"
  "                {\n"
  "                  \"type\": \"literal\",\n"
  "                  \"value\": 0,\n"
  "                  \"dtype\": \"i64\",\n"
  "                  \"at\": [8, 8, 8, 43]\n"
  "                },\n"
  "                {\n"
  "                  \"type\": \"binary_op\",\n"
  "                  \"op\": \"mul\",\n"
  "                  \"left\": {\n"
  "                    \"type\": \"index\",\n"
  "                    \"array\": {\n"
  "                      \"type\": \"var\",\n"
  "                      \"name\": \"a\",\n"
  "                      \"at\": [8, 31, 8, 32]\n"
  "                    },\n"
  "                    \"index\": {\n"
  "                      \"type\": \"var\",\n"
  "                      \"name\": \"i\",\n"
  "                      \"dtype\": \"i64\",\n"
  "                      \"at\": [8, 33, 8, 34]\n"
  "                    },\n"
  "                    \"dtype\": \"f32\",\n"
  "                    \"at\": [8, 31, 8, 35]\n"
  "                  },\n"
  "                  \"right\": {\n"
  "                    \"type\": \"index\",\n"
  "                    \"array\": {\n"
  "                      \"type\": \"var\",\n"
  "                      \"name\": \"b\",\n"
  "                      \"at\": [8, 38, 8, 39]\n"
  "                    },\n"
  "                    \"index\": {\n"
  "                      \"type\": \"var\",\n"
  "                      \"name\": \"i\",\n"
  "                      \"dtype\": \"i64\",\n"
  "                      \"at\": [8, 40, 8, 41]\n"
  "                    },\n"
  "                    \"dtype\": \"f32\",\n"
  "                    \"at\": [8, 38, 8, 42]\n"
  "                  },\n"
  "                  \"dtype\": \"f32\",\n"
  "                  \"at\": [8, 31, 8, 42]\n"
  "                }\n"
  "              ],\n"
  "              \"at\": [8, 8, 8, 43]\n"
  "            }\n"
  "          ],\n"
  "          \"else_body\": null,\n"
  "          \"at\": [7, 4, 8, 43]\n"
  "        }\n"
  "      ],\n"
  "      \"at\": [4, 0, 4, 91]\n"
  "    }\n"
  "  ]\n"
  "}\n";

/* ---- vector_dot */

KLR_BODY void kernel_vector_dot_thread(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t klr_thread, KlrKernelFault *klr_fault, float *klr_lane0)
{
  (void)klr_grid, (void)klr_fault;
  KLR_SPARE const float *const a = klr_arguments[0].data;
  KLR_SPARE const float *const b = klr_arguments[1].data;
  KLR_SPARE float *const result = klr_arguments[2].data;
  KLR_SPARE const uint32_t n = klr_arguments[3].value.u32;
  KLR_SPARE const int64_t klr_id0 = (int64_t)klr_thread, klr_id1 = 0, klr_id2 = 0;
  KLR_SPARE int64_t i = 0;
#line 6 "kernels/reduction/vector_dot.py"
  i = klr_id0;
#line 8 "kernels/reduction/vector_dot.py"
  { KLR_TOUCH(KLR_ELEMENT(float, result, 0, klr_arguments[2].count, 2, 8)); float klr_value = (KLR_ELEMENT(float, a, i, klr_arguments[0].count, 0, 8) * KLR_ELEMENT(float, b, i, klr_arguments[1].count, 1, 8)); *klr_lane0 = *klr_lane0 + klr_value; }
}

KLR_BODY void kernel_vector_dot_body(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t klr_begin, uint64_t klr_end, uint64_t *klr_partials, KlrKernelFault *klr_fault)
{
  (void)klr_arguments, (void)klr_grid, (void)klr_partials, (void)klr_fault;
  KLR_SPARE const uint32_t n = klr_arguments[3].value.u32;
  const uint64_t klr_last = klr_end;
  const int64_t klr_bound = ((int64_t)(n));
  if (klr_bound < (int64_t)klr_end)
    klr_end = klr_bound > (int64_t)klr_begin ? (uint64_t)klr_bound : klr_begin;
  for (uint64_t klr_at = klr_begin, klr_block = 0; klr_at < klr_last; klr_at += KLR_BLOCK, klr_block++) {
    uint64_t klr_stop = klr_last - klr_at < KLR_BLOCK ? klr_last : klr_at + KLR_BLOCK;
    klr_stop = klr_stop < klr_end ? klr_stop : klr_end > klr_at ? klr_end : klr_at;
    float klr_lanes0[16];
    for (int klr_l = 0; klr_l < 16; klr_l++) klr_lanes0[klr_l] = 0;
    for (uint64_t klr_sixteen = klr_at; klr_sixteen + 16 <= klr_stop; klr_sixteen += 16)
      for (uint64_t klr_lane = 0; klr_lane < 16; klr_lane++) {
      const uint64_t klr_thread = klr_sixteen + klr_lane;
      kernel_vector_dot_thread(klr_arguments, klr_grid, klr_thread, klr_fault, &klr_lanes0[klr_lane]);
    }
    for (uint64_t klr_thread = klr_at + ((klr_stop - klr_at) & ~UINT64_C(15)); klr_thread < klr_stop; klr_thread++) {
      const uint64_t klr_lane = klr_thread % 16;
      kernel_vector_dot_thread(klr_arguments, klr_grid, klr_thread, klr_fault, &klr_lanes0[klr_lane]);
    }
    for (int klr_d = 8; klr_d; klr_d /= 2)
      for (int klr_l = 0; klr_l < klr_d; klr_l++) klr_lanes0[klr_l] = klr_lanes0[klr_l] + klr_lanes0[klr_l + klr_d];
    memcpy(&klr_partials[klr_block * 1 + 0], klr_lanes0, sizeof klr_lanes0[0]);
  }
}

#line 1 "generated"
static void kernel_vector_dot_base(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t klr_begin, uint64_t klr_end, uint64_t *klr_partials, KlrKernelFault *klr_fault)
{
  kernel_vector_dot_body(klr_arguments, klr_grid, klr_begin, klr_end, klr_partials, klr_fault);
}
#if KLR_X86
__attribute__((target("avx2,fma"))) static void kernel_vector_dot_avx2(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t klr_begin, uint64_t klr_end, uint64_t *klr_partials, KlrKernelFault *klr_fault)
{
  kernel_vector_dot_body(klr_arguments, klr_grid, klr_begin, klr_end, klr_partials, klr_fault);
}
#endif
#if KLR_X86
__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))) static void kernel_vector_dot_avx512(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t klr_begin, uint64_t klr_end, uint64_t *klr_partials, KlrKernelFault *klr_fault)
{
  kernel_vector_dot_body(klr_arguments, klr_grid, klr_begin, klr_end, klr_partials, klr_fault);
}
#endif

static void kernel_vector_dot_combine(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, const uint64_t *klr_partials, uint64_t klr_blocks)
{
  (void)klr_grid;
  KLR_SPARE const uint32_t n = klr_arguments[3].value.u32;
  const int64_t klr_index0 = 0;
  for (uint64_t klr_block = 0; klr_block < klr_blocks; klr_block++) {
    if (klr_index0 >= 0 && (uint64_t)klr_index0 < klr_arguments[2].count) {
      float *const klr_at = (float *)klr_arguments[2].data + klr_index0, klr_part;
      memcpy(&klr_part, &klr_partials[klr_block * 1 + 0], sizeof klr_part);
      *klr_at = *klr_at + klr_part;
    }
  }
}

static uint32_t kernel_vector_dot_grid(const KlrKernelArgument *klr_arguments, uint64_t klr_size[3])
{
  (void)klr_arguments;
  KLR_SPARE const uint32_t n = klr_arguments[3].value.u32;
  const int64_t klr_size0 = ((int64_t)(n));
  klr_size[0] = klr_size0 > 0 ? (uint64_t)klr_size0 : 0;
  klr_size[1] = 1;
  klr_size[2] = 1;
  return 1;
}

static void kernel_vector_dot_needed(const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t *klr_needed)
{
  (void)klr_grid;
  KLR_SPARE const uint32_t n = klr_arguments[3].value.u32;
  const int64_t klr_bound = ((int64_t)(n));
  const uint64_t klr_reached = klr_bound <= 0 ? 0 : (uint64_t)klr_bound < klr_grid->size[0] ? (uint64_t)klr_bound : klr_grid->size[0];
  klr_needed[0] = klr_reached;
  klr_needed[1] = klr_reached;
  klr_needed[2] = 0;
  klr_needed[3] = 0;
  (void)klr_reached;
}

static const KlrKernelParam kernel_vector_dot_params[] = {
  {"a", 11, 1, 1, {0}},
  {"b", 11, 1, 1, {0}},
  {"result", 11, 1, 3, {0}},
  {"n", 7, 0, 1, {0}},
  {0}};
static const KlrKernelStage kernel_vector_dot_stages[] = {
  {.bytes = sizeof(KlrKernelStage), .unit_is_group = 0, .reduction_count = 1, .cost = 6,
   .bodies = {kernel_vector_dot_base, 
#if KLR_X86
    kernel_vector_dot_avx2, kernel_vector_dot_avx512
#endif
   }, .grid = kernel_vector_dot_grid, .combine = kernel_vector_dot_combine, .needed = kernel_vector_dot_needed},
};
static const KlrKernelInfo kernel_vector_dot_info = {
  .bytes = sizeof(KlrKernelInfo), .param_count = 4, .stage_count = 1, .dims = 1, .is_checked = KLR_IS_CHECKED, .line = 4,
  .name = "vector_dot",
  .doc = "Adds the dot product of a and b to result[0], in a fixed order.",
  .path = "kernels/reduction/vector_dot.py",
  .params = kernel_vector_dot_params, .stages = kernel_vector_dot_stages,
  .schema = klr_schema_0, .schema_hash = "70d153af9a0a0e7f"};

#line 1 "generated"
static const KlrKernelInfo *const klr_kernels[] = {
  &kernel_vector_dot_info,
  NULL};
__attribute__((visibility("default"))) const KlrKernelLibrary klr_kernel_library = {
  KLR_KERNEL_MAGIC, KLR_KERNEL_ABI, sizeof(KlrKernelLibrary), 1, klr_kernels, "klr 0.1.0", ""};
/* klr_older.h -- how older programs launch the kernel of a library that has one: see klr_kernel_abi.h. */

#define KLR_EXPORT __attribute__((visibility("default")))
/* Not worth the time of optimizing it. */
#if defined __clang__
#define KLR_PLAIN __attribute__((noinline, optnone))
#else
#define KLR_PLAIN __attribute__((noinline, optimize("O0")))
#endif

KLR_EXPORT uint32_t atlas_kernel_abi_version(void);
KLR_EXPORT const char *atlas_kernel_name(void);
KLR_EXPORT uint32_t atlas_kernel_execute(const uint32_t config[6], const uint8_t *params, size_t len, char **error);

uint32_t atlas_kernel_abi_version(void)
{
  return 1;
}

const char *atlas_kernel_name(void)
{
  return klr_kernels[0]->name;
}

KLR_PLAIN static uint32_t klr_refuse(char **error, const char *text, uint32_t code)
{
  if (error && (*error = malloc(strlen(text) + 1)))
    memcpy(*error, text, strlen(text) + 1);
  return code;
}

KLR_PLAIN static uint32_t klr_run_stage(const KlrKernelStage *stage, const KlrKernelArgument *arguments, const uint32_t config[6], char **error)
{
  KlrKernelGrid grid = {{1, 1, 1}, {256, 1, 1}};
  uint32_t knows = stage->grid(arguments, grid.size);
  if (!config && !knows)
    return klr_refuse(error, "nothing says how many threads there are", 1);
  for (int d = 0; config && d < 3; d++) {
    grid.local[d] = config[3 + d] ? config[3 + d] : 1;
    if (!knows)
      grid.size[d] = (uint64_t)(config[d] ? config[d] : 1) * grid.local[d];
  }
  uint64_t units = grid.size[0] * grid.size[1] * grid.size[2], blocks = (units + KLR_BLOCK - 1) / KLR_BLOCK;
  if (stage->unit_is_group)
    units = 1;
  for (int d = 0; stage->unit_is_group && d < 3; d++)
    units *= (grid.size[d] + grid.local[d] - 1) / grid.local[d];
  uint64_t *partials = stage->reduction_count ? malloc((blocks + 1) * stage->reduction_count * 8) : NULL;
  if (stage->reduction_count && !partials)
    return klr_refuse(error, "out of memory", 2);
  stage->bodies[KLR_ISA_BASE](arguments, &grid, 0, units, partials, NULL);
  if (stage->combine)
    stage->combine(arguments, &grid, partials, blocks);
  free(partials);
  return 0;
}

KLR_PLAIN uint32_t atlas_kernel_execute(const uint32_t config[6], const uint8_t *params, size_t len, char **error)
{
  static const uint8_t SIZES[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8};
  const KlrKernelInfo *info = klr_kernels[0];
  KlrKernelArgument arguments[256] = {{0}};
  size_t at = 0;
  if (error)
    *error = NULL;
  if (!params || info->param_count > 256)
    return klr_refuse(error, "no parameters", 1);
  for (uint32_t i = 0; i < info->param_count; i++) {
    size_t size = info->params[i].is_array ? 8 : SIZES[info->params[i].dtype];
    at = (at + size - 1) / size * size;
    if (at + size > len)
      return klr_refuse(error, "the parameter buffer is too short", 1);
    if (info->params[i].is_array) {
      memcpy(&arguments[i].data, params + at, 8);
      arguments[i].count = UINT64_MAX;
    } else {
      memcpy(&arguments[i].value, params + at, size);
    }
    at += size;
  }
  uint32_t code = 0;
  for (uint32_t i = 0; i < info->stage_count && !code; i++)
    code = klr_run_stage(&info->stages[i], arguments, config, error);
  return code;
}

#include "cli/arg.h"

#include "base/bug.h"

#include "base/npy.h"
#include "number/activation.h"
#include "number/convert.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 1024 };  // elements made or converted at a time

typedef struct ShortName {
  const char *name;
  DType dtype;
} ShortName;

static const ShortName short_names[] = {
    {"f32", DTYPE_FLOAT32},       {"f16", DTYPE_FLOAT16},        {"bf16", DTYPE_BFLOAT16},
    {"tf32", DTYPE_FLOAT32R},     {"i8", DTYPE_INT8},            {"i16", DTYPE_INT16},
    {"i32", DTYPE_INT32},         {"i64", DTYPE_INT64},          {"u8", DTYPE_UINT8},
    {"u16", DTYPE_UINT16},        {"u32", DTYPE_UINT32},         {"u64", DTYPE_UINT64},
    {"bool", DTYPE_BOOL},         {"f8e5m2", DTYPE_FLOAT8E5},    {"f8e4m3", DTYPE_FLOAT8E4},
    {"f8e4m3fn", DTYPE_FLOAT8_E4M3FN},
};
enum { SHORT_NAME_COUNT = sizeof short_names / sizeof *short_names };

bool dtype_from_short_name(Str name, DType *out)
{
  for (int i = 0; i < SHORT_NAME_COUNT; i++)
    if (str_is(name, short_names[i].name)) {
      *out = short_names[i].dtype;
      return true;
    }
  return dtype_from_nki_name(name, out);
}

// ---- reading NAME=VALUE

typedef struct FillName {
  const char *name;
  Fill fill;
} FillName;

static const FillName fill_names[] = {
    {"zeros", FILL_ZEROS},     {"ones", FILL_ONES},   {"arange", FILL_ARANGE},
    {"uniform", FILL_UNIFORM}, {"randn", FILL_RANDN}, {"randint", FILL_RANDINT},
};
enum { FILL_COUNT = sizeof fill_names / sizeof *fill_names };

static bool wrong(Session *session, const Arg *arg, const char *what)
{
  Diag *diag = diag_error(session, E_ARGUMENT, "argument `%s=%s`: %s", arg->name, arg->text, what);
  diag_help(diag, "forms: %s=@in.npy  %s=@in.npy:bf16  %s=randn:f32[128,512]  %s=f32[128,512]  %s=3", arg->name,
            arg->name, arg->name, arg->name, arg->name);
  return false;
}

// The element type `name`, which may be float64 where the argument takes that.
static bool read_dtype(Arg *arg, Str name)
{
  arg->is_f64 = arg->takes_f64 && (str_is(name, "f64") || str_is(name, "float64"));
  if (arg->is_f64)
    arg->dtype = DTYPE_UINT64;
  return arg->is_f64 || dtype_from_short_name(name, &arg->dtype);
}

static bool dtype_unknown(Session *session, const Arg *arg, Str name)
{
  wrong(session, arg, arena_printf(&session->arena, "`%.*s` is no dtype", STR_ARG(name)));
  const char *names[SHORT_NAME_COUNT + 1] = {"f64"};
  for (int i = 0; i < SHORT_NAME_COUNT; i++)
    names[i + 1] = short_names[i].name;
  const int hidden = arg->takes_f64 ? 0 : 1;
  diag_suggest(session->diags.items[session->diags.count - 1], name, names + hidden, (size_t)(SHORT_NAME_COUNT + 1 - hidden));
  return false;
}

// "[128,512]" up to the end of the text.
static bool read_shape(Session *session, Arg *arg, const char *at)
{
  arg->shape = arena_array(&session->arena, uint64_t, NPY_MOST_DIMS);
  at++;
  while (*at != ']') {
    char *end;
    unsigned long long size = strtoull(at, &end, 10);
    if (end == at || *at == '-' || arg->rank == NPY_MOST_DIMS)
      return wrong(session, arg, "the shape is written as whole numbers in brackets: [128,512]");
    arg->shape[arg->rank++] = size;
    at = end;
    if (*at == ',')
      at++;
    else if (*at != ']')
      return wrong(session, arg, "the shape is written as whole numbers in brackets: [128,512]");
  }
  return at[1] == '\0' || wrong(session, arg, "nothing may follow the shape");
}

// dtype "[" shape "]"
static bool read_dtype_and_shape(Session *session, Arg *arg, const char *at)
{
  const char *bracket = strchr(at, '[');
  Str name = {at, bracket ? (size_t)(bracket - at) : strlen(at)};
  if (!read_dtype(arg, name))
    return dtype_unknown(session, arg, name);
  arg->has_dtype = true;
  return bracket ? read_shape(session, arg, bracket) : wrong(session, arg, "a shape must follow the dtype: f32[128,512]");
}

// "(lo,hi)" of randint; `*at` moves behind it.
static bool read_bounds(Session *session, Arg *arg, const char **at)
{
  char *end;
  if (**at == '(') {
    arg->low = strtoll(*at + 1, &end, 10);
    if (*end == ',') {
      arg->high = strtoll(end + 1, &end, 10);
      if (*end == ')' && arg->low < arg->high) {
        *at = end + 1;
        return true;
      }
    }
  }
  return wrong(session, arg, "randint needs its bounds, low < high: randint(0,10):i32[4]");
}

static bool is_shape_form(const Arg *arg)
{
  Arg found = *arg;
  const char *bracket = strchr(arg->text, '[');
  return bracket && read_dtype(&found, (Str){arg->text, (size_t)(bracket - arg->text)});
}

static const FillName *fill_form(const char *text)
{
  for (int i = 0; i < FILL_COUNT; i++) {
    size_t len = strlen(fill_names[i].name);
    if (strncmp(text, fill_names[i].name, len) == 0 && (text[len] == ':' || text[len] == '('))
      return &fill_names[i];
  }
  return NULL;
}

static const char rank_mark[] = "{rank}";

// The path with the rank's number for every `{rank}`.
static const char *path_of_rank(Session *session, const char *path, uint32_t rank)
{
  StrBuf out = strbuf_new(&session->arena);
  for (const char *mark; (mark = strstr(path, rank_mark)); path = mark + sizeof rank_mark - 1)
    strbuf_printf(&out, "%.*s%" PRIu32, (int)(mark - path), path, rank);
  strbuf_puts(&out, path);
  return strbuf_cstr(&out);
}

static bool load_file(Session *session, Arg *arg)
{
  const char *colon = strrchr(arg->text, ':');
  arg->path = arg->text + 1;
  if (colon && colon > arg->text + 1 && !strchr(colon, '/')) {
    Str name = str_from(colon + 1);
    if (!read_dtype(arg, name))
      return dtype_unknown(session, arg, name);
    arg->has_dtype = true;
    arg->path = arena_strndup(&session->arena, arg->text + 1, (size_t)(colon - arg->text - 1));
  }
  arg->path = path_of_rank(session, arg->path, arg->of_rank);
  if (!file_read(session, &session->arena, arg->path, &arg->file))
    return false;
  Npy npy;
  if (!npy_parse(session, arg->path, arg->file, &npy))
    return false;
  arg->rank = npy.rank;
  arg->shape = arena_array(&session->arena, uint64_t, npy.rank);
  memcpy(arg->shape, npy.shape, npy.rank * sizeof *npy.shape);
  DType found;
  bool has_type = dtype_from_npy_descr(str_from(npy.descr), &found);
  if (!arg->has_dtype && arg->takes_f64 && strcmp(npy.descr, "<f8") == 0) {
    read_dtype(arg, str_from("f64"));
    return true;
  }
  if (!arg->has_dtype && !has_type)
    return wrong(session, arg, arena_printf(&session->arena, "the file's dtype `%s` does not exist on the device; say "
                                            "which one to convert to: %s=@%s:f32", npy.descr, arg->name, arg->path));
  if (!arg->has_dtype)
    arg->dtype = found;
  if (dtype_is_packed(arg->dtype) && npy.item_bytes != dtype_bytes(arg->dtype))
    return wrong(session, arg, arena_printf(&session->arena, "%s is loaded as bits, four elements a unit: the file's "
                                            "dtype must have %u bytes, like %s", dtype_name(arg->dtype),
                                            dtype_bytes(arg->dtype), dtype_numpy_name(arg->dtype)));
  if (arg->has_dtype && !has_type && strcmp(npy.descr, "<f8") != 0 &&
      !(npy.descr[1] == 'V' && npy.item_bytes == dtype_bytes(arg->dtype)))
    return wrong(session, arg, arena_printf(&session->arena, "the file's dtype `%s` cannot be converted", npy.descr));
  return true;
}

static bool parse_one(Session *session, const char *text, bool takes_f64, Arg *arg)
{
  const char *equals = strchr(text, '=');
  if (!equals || equals == text) {
    Diag *diag = diag_error(session, E_ARGUMENT, "`%s` is not of the form NAME=VALUE", text);
    diag_help(diag, "for example x=randn:f32[128,512]");
    return false;
  }
  *arg = (Arg){.name = arena_strndup(&session->arena, text, (size_t)(equals - text)), .text = equals + 1,
               .takes_f64 = takes_f64};
  const FillName *fill = fill_form(arg->text);
  if (arg->text[0] == '@') {
    arg->kind = ARG_FILE;
    return load_file(session, arg);
  }
  if (fill) {
    arg->kind = ARG_FILL;
    arg->fill = fill->fill;
    const char *at = arg->text + strlen(fill->name);
    if (fill->fill == FILL_RANDINT && !read_bounds(session, arg, &at))
      return false;
    if (*at != ':')
      return wrong(session, arg, "a dtype and a shape must follow: randn:f32[128,512]");
    return read_dtype_and_shape(session, arg, at + 1);
  }
  if (is_shape_form(arg)) {
    arg->kind = ARG_SHAPE;
    return read_dtype_and_shape(session, arg, arg->text);
  }
  arg->kind = ARG_LITERAL;
  return true;
}

static bool parse_all(Session *session, const char *const *texts, size_t count, bool takes_f64, ArgList_ *out)
{
  bool ok = true;
  for (size_t i = 0; i < count; i++) {
    Arg arg;
    if (!parse_one(session, texts[i], takes_f64, &arg)) {
      ok = false;
      continue;
    }
    for (size_t j = 0; j < out->count; j++)
      if (strcmp(out->items[j].name, arg.name) == 0)
        ok = wrong(session, &arg, "this name was given before");
    vec_push(&session->arena, out, arg);
  }
  return ok;
}

bool args_parse(Session *session, const char *const *texts, size_t count, ArgList_ *out)
{
  return parse_all(session, texts, count, false, out);
}

bool args_parse_scalar(Session *session, const char *const *texts, size_t count, ArgList_ *out)
{
  return parse_all(session, texts, count, true, out);
}

bool arg_for_rank(Session *session, const Arg *arg, uint32_t rank, Arg *out)
{
  *out = *arg;
  if (arg->kind != ARG_FILE || !strstr(arg->text, rank_mark) || rank == arg->of_rank)
    return true;
  *out = (Arg){.name = arg->name, .text = arg->text, .kind = ARG_FILE, .of_rank = rank};
  return load_file(session, out);
}

// ---- data

// SplitMix64 of a counter: element i of an argument does not depend on the others.
static uint64_t random_bits(uint64_t seed, uint64_t index)
{
  uint64_t z = seed + (index + 1) * UINT64_C(0x9E3779B97F4A7C15);
  z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
  return z ^ z >> 31;
}

static float uniform(uint64_t bits)  // [0, 1), 24 bits
{
  return (float)(bits >> 40) * 0x1p-24f;
}

// Box and Muller's transform of elements [first, first + count), with correctly rounded functions, so that it is the same
// everywhere.
static void normal_block(uint64_t seed, uint64_t first, size_t count, float *out)
{
  float radius[BLOCK], angle[BLOCK];
  for (size_t i = 0; i < count; i++) {
    uint64_t bits = random_bits(seed, first + i);
    radius[i] = ((float)(bits >> 40) + 1.0f) * 0x1p-24f;
    angle[i] = ((float)(bits & 0xFFFFFF) * 0x1p-24f - 0.5f) * 6.2831853f;
  }
  activation_row(ACTIVATION_FUNC_LOG, count, radius, radius);
  for (size_t i = 0; i < count; i++)
    radius[i] *= -2.0f;
  activation_row(ACTIVATION_FUNC_SQRT, count, radius, radius);
  activation_row(ACTIVATION_FUNC_SIN, count, angle, angle);
  for (size_t i = 0; i < count; i++)
    out[i] = radius[i] * angle[i];
}

// The number that element `index` is to be; of `randn` and `uniform` it is none.
static int64_t fill_integer(const Arg *arg, uint64_t seed, uint64_t index)
{
  switch (arg->fill) {
  case FILL_ZEROS: return 0;
  case FILL_ONES: return 1;
  case FILL_ARANGE: return (int64_t)index;
  case FILL_RANDINT: {
    uint64_t width = (uint64_t)arg->high - (uint64_t)arg->low;
    return (int64_t)((uint64_t)arg->low + random_bits(seed, index) % width);
  }
  case FILL_UNIFORM:
  case FILL_RANDN: break;
  }
  bug("fill %d is no integer", (int)arg->fill);
}

// Elements [first, first + count) as float32, which are then converted to the dtype a row at a time.
static void fill_block(const Arg *arg, uint64_t seed, uint64_t first, size_t count, float *out)
{
  if (arg->fill == FILL_RANDN) {
    normal_block(seed, first, count, out);
    return;
  }
  for (size_t i = 0; i < count; i++)
    out[i] = arg->fill == FILL_UNIFORM ? uniform(random_bits(seed, first + i))
                                       : (float)fill_integer(arg, seed, first + i);
}

static void fill_floats(const Arg *arg, uint64_t seed, Array *out)
{
  float block[BLOCK];
  uint64_t total = array_elements(out);
  unsigned bytes = dtype_bytes(arg->dtype);
  for (uint64_t first = 0; first < total; first += BLOCK) {
    size_t count = total - first < BLOCK ? (size_t)(total - first) : BLOCK;
    fill_block(arg, seed, first, count, block);
    convert_row_from_f32(arg->dtype, count, (char *)out->data + first * bytes, block, (NumberMode){0});
  }
}

static void fill_integers(const Arg *arg, uint64_t seed, Array *out)
{
  unsigned bytes = dtype_bytes(arg->dtype);
  for (uint64_t i = 0, count = array_elements(out); i < count; i++) {
    int64_t value = fill_integer(arg, seed, i);
    memcpy((char *)out->data + i * bytes, &value, bytes);  // little-endian: the low bytes
  }
}

// Normal numbers of all 53 bits: those of float32, and below their last bit others.
static void normal_doubles(uint64_t seed, uint64_t first, size_t count, double *out)
{
  float coarse[BLOCK], fine[BLOCK];
  normal_block(seed, first, count, coarse);
  normal_block(~seed, first, count, fine);
  for (size_t i = 0; i < count; i++)
    out[i] = (double)coarse[i] + (double)fine[i] * 0x1p-26;
}

static void fill_doubles(const Arg *arg, uint64_t seed, Array *out)
{
  double block[BLOCK];
  uint64_t total = array_elements(out);
  for (uint64_t first = 0; first < total; first += BLOCK) {
    size_t count = total - first < BLOCK ? (size_t)(total - first) : BLOCK;
    if (arg->fill == FILL_RANDN)
      normal_doubles(seed, first, count, block);
    else
      for (size_t i = 0; i < count; i++)
        block[i] = arg->fill == FILL_UNIFORM ? (double)(random_bits(seed, first + i) >> 11) * 0x1p-53
                                             : (double)fill_integer(arg, seed, first + i);
    memcpy((char *)out->data + first * sizeof *block, block, count * sizeof *block);
  }
}

static bool new_array(Session *session, const Arg *arg, Array *out)
{
  *out = array_new(arg->dtype, arg->rank, arg->shape);
  return out->data || wrong(session, arg, "there is not enough memory for it");
}

static bool fill_array(Session *session, const Arg *arg, uint64_t seed, Array *out)
{
  if (dtype_is_packed(arg->dtype) && arg->fill != FILL_ZEROS)
    return wrong(session, arg, "packed dtypes can only be filled with zeros; load a file for other values");
  if (!new_array(session, arg, out))
    return false;
  if (arg->fill == FILL_ZEROS && dtype_info(arg->dtype)->kind != DTYPE_KIND_SCALE)
    return true;
  uint64_t own_seed = seed ^ str_hash(str_from(arg->name));
  if (arg->is_f64) {
    fill_doubles(arg, own_seed, out);
    return true;
  }
  DTypeKind kind = dtype_info(arg->dtype)->kind;
  bool is_integer = kind == DTYPE_KIND_SIGNED || kind == DTYPE_KIND_UNSIGNED;
  if (is_integer && arg->fill != FILL_RANDN && arg->fill != FILL_UNIFORM)
    fill_integers(arg, own_seed, out);
  else
    fill_floats(arg, own_seed, out);
  return true;
}

// double to float32 to the dtype: two roundings, as `array.astype(float32)` on the way in would have.
static void convert_f64(const Npy *npy, Array *out)
{
  float block[BLOCK];
  uint64_t total = array_elements(out);
  for (uint64_t first = 0; first < total; first += BLOCK) {
    size_t count = total - first < BLOCK ? (size_t)(total - first) : BLOCK;
    for (size_t i = 0; i < count; i++) {
      double value;
      memcpy(&value, (const char *)npy->data + (first + i) * sizeof value, sizeof value);
      block[i] = (float)value;
    }
    convert_row_from_f32(out->dtype, count, (char *)out->data + first * dtype_bytes(out->dtype), block, (NumberMode){0});
  }
}

// Any number type to double, exactly but for integers beyond 2^53.
static void convert_to_f64(const Npy *npy, DType from, Array *out)
{
  const DTypeKind kind = dtype_info(from)->kind;
  const bool is_wide = npy->item_bytes == 8 && (kind == DTYPE_KIND_SIGNED || kind == DTYPE_KIND_UNSIGNED);
  for (uint64_t i = 0, count = array_elements(out); i < count; i++) {
    const char *item = (const char *)npy->data + i * npy->item_bytes;
    float narrow;
    double value;
    int64_t integer;
    if (is_wide) {
      memcpy(&integer, item, sizeof integer);
      value = kind == DTYPE_KIND_UNSIGNED ? (double)(uint64_t)integer : (double)integer;
    } else {
      convert_row_to_f32(from, 1, &narrow, item, (NumberMode){0});
      value = (double)narrow;
    }
    memcpy((char *)out->data + i * sizeof value, &value, sizeof value);
  }
}

static bool file_array(Session *session, const Arg *arg, Array *out)
{
  Npy npy;
  if (!npy_parse(session, arg->path, arg->file, &npy) || !new_array(session, arg, out))
    return false;
  DType from;
  bool has_type = dtype_from_npy_descr(str_from(npy.descr), &from);
  if (arg->is_f64 && has_type) {
    convert_to_f64(&npy, from, out);
    return true;
  }
  if ((has_type && from == arg->dtype) || npy.descr[1] == 'V' || arg->is_f64) {
    memcpy(out->data, npy.data, npy.bytes);
    return true;
  }
  if (dtype_is_packed(arg->dtype)) {
    memcpy(out->data, npy.data, npy.bytes);
    return true;
  }
  if (!has_type) {
    convert_f64(&npy, out);
    return true;
  }
  uint64_t count = array_elements(out);
  for (uint64_t first = 0; first < count; first += BLOCK) {
    float block[BLOCK];
    size_t n = count - first < BLOCK ? (size_t)(count - first) : BLOCK;
    convert_row_to_f32(from, n, block, (const char *)npy.data + first * npy.item_bytes, (NumberMode){0});
    convert_row_from_f32(arg->dtype, n, (char *)out->data + first * dtype_bytes(arg->dtype), block, (NumberMode){0});
  }
  return true;
}

bool arg_make_array(Session *session, const Arg *arg, uint64_t seed, Array *out)
{
  switch (arg->kind) {
  case ARG_FILE: return file_array(session, arg, out);
  case ARG_FILL: return fill_array(session, arg, seed, out);
  case ARG_SHAPE:
    return wrong(session, arg, "a run needs data, not only a shape and a dtype; for example randn:f32[128,512]");
  case ARG_LITERAL: break;
  }
  return wrong(session, arg, "a tensor is needed here");
}

void array_to_npy(const Array *array, bool raw, StrBuf *out)
{
  const DTypeInfo *info = dtype_info(array->dtype);
  bool numpy_has = info->npy_descr[1] != 'V' && strcmp(info->npy_descr, "<f1") != 0 && array->dtype != DTYPE_FLOAT32R;
  if (raw || numpy_has || dtype_is_packed(array->dtype)) {
    npy_format(out, info->npy_descr, array->shape, array->rank, array->data, array->bytes);
    return;
  }
  uint64_t count = array_elements(array);
  float *wide = arena_array(out->arena, float, count);
  convert_row_to_f32(array->dtype, count, wide, array->data, (NumberMode){0});
  npy_format(out, "<f4", array->shape, array->rank, wide, count * sizeof *wide);
}

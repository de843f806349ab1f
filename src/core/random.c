#include "core/random.h"

#include "base/bug.h"

#include <string.h>

enum { POOL_TENSORS = 8, DEEPEST = 12, LONG_TEXT = 300 };

typedef struct Random {
  Arena *arena;
  uint64_t state;
  RandomOptions options;
  uint32_t depth;   // of nested references
  uint32_t next_op; // operators take turns
  uint32_t block_count;
  const Tensor *tensors[POOL_TENSORS];
} Random;

typedef struct AnyList {
  char *items;
  uint32_t count;
} AnyList;

// ---- numbers and texts
static uint64_t next_bits(Random *random)
{
  uint64_t x = random->state += UINT64_C(0x9E3779B97F4A7C15);
  x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
  return x ^ x >> 31;
}

static uint32_t below(Random *random, uint32_t count)
{
  return (uint32_t)((next_bits(random) >> 32) * count >> 32);
}

static bool one_in(Random *random, uint32_t count)
{
  return below(random, count) == 0;
}

// Any width is as likely as any other, and the edges of encodings come often.
static uint64_t some_natural(Random *random, bool wide)
{
  static const uint64_t edges[] = {0, 1, 23, 24, 255, 256, 65535, 65536, UINT32_MAX};
  if (one_in(random, 3))
    return edges[below(random, sizeof edges / sizeof *edges)];
  uint32_t bits = 1 + below(random, wide && random->options.wide_numbers ? 64 : 32);
  return next_bits(random) >> (64 - bits);
}

static int64_t some_integer(Random *random, bool wide)
{
  static const int64_t edges[] = {0, -1, -24, -25, -256, -257, 23, 24, INT32_MAX, INT32_MIN};
  if (one_in(random, 3))
    return edges[below(random, sizeof edges / sizeof *edges)];
  int64_t value = (int64_t)(some_natural(random, wide) >> 1);
  return one_in(random, 2) ? value : -1 - value;
}

static float some_real(Random *random)
{
  static const uint32_t edges[] = {0,          0x80000000, 0x3F800000, 0x3FC00000, 0x7F800000, 0xFF800000,
                                   0x7FC00000, 0x7F800001, 0xFFFFFFFF, 1,          0x7F7FFFFF, 0x3DCCCCCD};
  uint32_t bits = (uint32_t)next_bits(random);
  if (one_in(random, 2))
    bits = edges[below(random, sizeof edges / sizeof *edges)];
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

static const char *some_text(Random *random)
{
  static const char *const parts[] = {
      "x", "tile", ".", "_",    "0",    "9",   " ", "\"", "\\", "\n", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
      "(", ")",    ";", "\x01", "\x7F", "main"};
  uint32_t count = random->options.raw && one_in(random, 50) ? below(random, LONG_TEXT) : below(random, 8);
  StrBuf text = strbuf_new(random->arena);
  strbuf_puts(&text, "");
  for (uint32_t i = 0; i < count; i++)
    strbuf_puts(&text, parts[below(random, sizeof parts / sizeof *parts)]);
  return strbuf_cstr(&text);
}

static const char *some_register(Random *random)
{
  return arena_printf(random->arena, "reg.%u", below(random, 6));
}

static const char *some_label(Random *random)
{
  uint32_t block = below(random, random->block_count);
  return block ? arena_printf(random->arena, "label.%u", block + 1) : "main.1";
}

// ---- tensors and views that make sense
static const Tensor *new_tensor(Random *random, uint32_t number)
{
  Tensor *tensor = arena_new(random->arena, Tensor);
  Address *address = arena_new(random->arena, Address);
  uint32_t rank = 1 + below(random, 3);
  tensor->name = arena_printf(random->arena, "t%u", number);
  tensor->dtype = (DType)below(random, DTYPE_WIRE_COUNT);
  tensor->shape.par_dim = 1 + below(random, 128);
  tensor->shape.free_dims = (Core_LIST_NAT){arena_array(random->arena, uint64_t, rank), rank};
  tensor->free_elements = 1;
  for (uint32_t i = 0; i < rank; i++)
    tensor->free_elements *= tensor->shape.free_dims.items[i] = 1 + below(random, 40);
  tensor->address_rotation = one_in(random, 2);
  tensor->id = number;
  address->name = tensor->name;
  address->memory = (Memory)below(random, MEMORY_PSUM + 1);
  address->par_size = tensor->shape.par_dim;
  address->free_size = tensor->free_elements * dtype_bytes(tensor->dtype);
  tensor->address = address;
  return tensor;
}

// A slice of every dimension, with a step, perhaps downwards.
static const View *new_view(Random *random, const Tensor *tensor)
{
  View *view = arena_new(random->arena, View);
  uint32_t rank = 1 + tensor->shape.free_dims.count;
  view->tensor = tensor;
  view->pattern.items = arena_array(random->arena, ApPair, rank);
  view->pattern.count = rank;
  uint64_t row = 1;
  for (uint32_t i = rank; i-- > 0;) {
    uint32_t size = (uint32_t)(i ? tensor->shape.free_dims.items[i - 1] : tensor->shape.par_dim);
    uint32_t first = below(random, size), stride = 1 + below(random, 3),
             num = 1 + below(random, 1 + (size - 1 - first) / stride);
    bool down = i > 0 && one_in(random, 8);
    view->offset += row * (down ? first + (uint64_t)(num - 1) * stride : first);
    view->pattern.items[i] = (ApPair){(down ? -1 : 1) * (int32_t)(row * stride), num, 0};
    row *= size;
  }
  if (one_in(random, 8) && random->depth < DEEPEST) {
    ScalarOffset *offset = arena_new(random->arena, ScalarOffset);
    offset->ctor = ScalarOffset_reg;
    offset->reg = some_register(random);
    view->scalar_offset = offset;
  }
  return view;
}

static const Tensor *pool_tensor(Random *random)
{
  return random->tensors[below(random, POOL_TENSORS)];
}

// ---- values
static void fill(Random *random, const TypeInfo *type, char *out);

static void fill_fields(Random *random, const FieldInfo *fields, uint32_t count, char *out)
{
  for (uint32_t i = 0; i < count; i++)
    if (!fields[i].is_extension || random->options.extensions)
      fill(random, fields[i].type, out + fields[i].offset);
}

static void fill_list(Random *random, const TypeInfo *type, AnyList *out)
{
  out->count = random->options.raw && one_in(random, 40) ? 20 + below(random, 10) : below(random, 5);
  out->items = arena_alloc_array(random->arena, out->count, type->of->bytes);
  for (uint32_t i = 0; i < out->count; i++)
    fill(random, type->of, out->items + (size_t)i * type->of->bytes);
}

// Deep inside, constructor 0: it never nests for ever.
static void fill_sum(Random *random, const TypeInfo *type, char *out)
{
  if (type == &core_type_TensorRef && !random->options.raw) {
    *(TensorRef *)out = ref_of_view(new_view(random, pool_tensor(random)));
    return;
  }
  uint32_t choice = random->depth < DEEPEST ? below(random, type->member_count) : 0;
  const CtorInfo *ctor = &type->ctors[choice];
  *(uint32_t *)out = ctor->number;
  if (ctor->type)
    fill(random, ctor->type, out + type->value_offset);
}

static const void *new_ref(Random *random, const TypeInfo *type)
{
  if (type == &core_type_Tensor && (!random->options.raw || !one_in(random, 4) || random->depth >= DEEPEST))
    return pool_tensor(random);
  if (type == &core_type_View && (!random->options.raw || one_in(random, 2)))
    return new_view(random, pool_tensor(random));
  char *value = arena_alloc(random->arena, type->bytes);
  fill(random, type, value);
  return value;
}

// Operators that random kernels are made of.
static uint32_t op_kinds(const Random *random)
{
  return random->options.extensions ? OP_COUNT : OP_FORMAT_COUNT;
}

static Op *new_op(Random *random)
{
  OpKind kind = (OpKind)(random->next_op++ % op_kinds(random));
  Op *op = op_new(random->arena, kind);
  uint32_t count;
  const FieldInfo *fields = op_info(kind)->fields(&count);
  fill_fields(random, fields, count, (char *)op);
  return op;
}

static void fill_option(Random *random, const TypeInfo *type, char *out)
{
  if (random->depth >= DEEPEST || one_in(random, 2))
    return;
  if (type->form == FORM_OPT_STRING) {
    *(const char **)out = some_text(random);
  } else if (type->form == FORM_BOXED) {
    *(void **)out = arena_alloc(random->arena, type->of->bytes);
    fill(random, type->of, *(char **)out);
  } else {
    *(bool *)out = true;
    fill(random, type->of, out + type->value_offset);
  }
}

static void fill_struct(Random *random, const TypeInfo *type, char *out)
{
  uint32_t count;
  const FieldInfo *fields = type->fields(&count);
  fill_fields(random, fields, count, out);
}

static void fill(Random *random, const TypeInfo *type, char *out)
{
  random->depth++;
  switch (type->form) {
  case FORM_BOOL: *(bool *)out = one_in(random, 2); break;
  case FORM_NAT: *(uint64_t *)out = some_natural(random, true); break;
  case FORM_NAT32: *(uint32_t *)out = (uint32_t)some_natural(random, false); break;
  case FORM_INT: *(int64_t *)out = some_integer(random, true); break;
  case FORM_INT32: *(int32_t *)out = (int32_t)some_integer(random, false); break;
  case FORM_F32: *(float *)out = some_real(random); break;
  case FORM_STRING:
    *(const char **)out = type == &core_REGISTER ? some_register(random)
                          : type == &core_LABEL  ? some_label(random)
                                                 : some_text(random);
    break;
  case FORM_SAME:
    random->depth--;
    fill(random, type->of, out);
    random->depth++;
    break;
  case FORM_REF: *(const void **)out = new_ref(random, type->of); break;
  case FORM_OPT_STRING:
  case FORM_BOXED:
  case FORM_OPTION: fill_option(random, type, out); break;
  case FORM_LIST: fill_list(random, type, (AnyList *)out); break;
  case FORM_ENUM:
    *(uint32_t *)out = below(random, random->options.extensions ? type->member_count : type->wire_count);
    break;
  case FORM_STRUCT: fill_struct(random, type, out); break;
  case FORM_SUM: fill_sum(random, type, out); break;
  case FORM_OPERATOR: *(Op **)out = new_op(random); break;
  }
  random->depth--;
}

static Random new_random(Arena *arena, uint64_t seed, RandomOptions options)
{
  Random random = {.arena = arena, .state = seed * UINT64_C(0xD1342543DE82EF95) + 1, .options = options};
  random.block_count = options.block_count ? options.block_count : 1;
  for (uint32_t i = 0; i < POOL_TENSORS; i++)
    random.tensors[i] = new_tensor(&random, i);
  return random;
}

void random_value(Arena *arena, uint64_t seed, RandomOptions options, const TypeInfo *type, void *out)
{
  Random random = new_random(arena, seed, options);
  random.next_op = below(&random, op_kinds(&random));
  memset(out, 0, type->bytes);
  fill(&random, type, out);
}

// ---- kernels
static const Instr *new_instr(Random *random, const char *const *files)
{
  Instr *instr = arena_new(random->arena, Instr);
  Pos *pos = arena_new(random->arena, Pos);
  random->depth = 0;
  instr->op = new_op(random);
  if (!one_in(random, 4))
    instr->name = arena_printf(random->arena, "inst.%u", random->next_op);
  *pos = (Pos){.line = 1 + below(random, 2000), .column = below(random, 120)};
  if (!one_in(random, 4)) {
    pos->line_end = (Core_OPT_NAT){true, pos->line + below(random, 2)};
    pos->column_end = (Core_OPT_NAT){true, below(random, 120)};
    pos->filename = files[below(random, 2)];
  }
  instr->pos = pos;
  return instr;
}

static const Block *new_block(Random *random, uint32_t number, uint32_t op_count)
{
  static const char *const files[] = {"kernel.py", "library/layers.py"};
  Block *block = arena_new(random->arena, Block);
  block->label = number ? arena_printf(random->arena, "label.%u", number + 1) : "main.1";
  block->no_reorder = one_in(random, 4);
  block->body = (Core_LIST_STMT){arena_array(random->arena, const Instr *, op_count), op_count};
  for (uint32_t i = 0; i < op_count; i++)
    block->body.items[i] = new_instr(random, files);
  return block;
}

static Core_LIST_BLOCK new_body(Random *random, uint32_t op_count)
{
  uint32_t count = random->block_count;
  Core_LIST_BLOCK body = {arena_array(random->arena, const Block *, count), count};
  for (uint32_t i = 0; i < count; i++)
    body.items[i] = new_block(random, i, op_count / count + (i < op_count % count));
  return body;
}

static Core_LIST_TENSOR some_tensors(Random *random)
{
  uint32_t count = 1 + below(random, POOL_TENSORS - 1);
  Core_LIST_TENSOR list = {arena_array(random->arena, const Tensor *, count), count};
  for (uint32_t i = 0; i < count; i++)
    list.items[i] = random->tensors[i];
  return list;
}

Kernel *random_kernel(Arena *arena, uint64_t seed, RandomOptions options)
{
  Random random = new_random(arena, seed, options);
  uint32_t cores = options.core_count ? options.core_count : 1,
           op_count = options.op_count ? options.op_count : op_kinds(&random);
  Kernel *kernel = arena_new(arena, Kernel);
  if (options.op_count)
    random.next_op = below(&random, op_kinds(&random));
  kernel->name = options.raw ? some_text(&random) : "random.kernel";
  kernel->inputs = some_tensors(&random);
  kernel->outputs = some_tensors(&random);
  kernel->bodies = (Core_LIST_LIST_BLOCK){arena_array(arena, Core_LIST_BLOCK, cores), cores};
  for (uint32_t i = 0; i < cores; i++)
    kernel->bodies.items[i] = new_body(&random, op_count);
  if (options.raw) {
    random.depth = 0;
    fill(&random, &core_LIST_SHARED_CONSTANT, (char *)&kernel->shared_constants);
    fill(&random, &core_LIST_EDGES, (char *)&kernel->edges);
    kernel->shared_buffers = some_tensors(&random);
  }
  return kernel;
}

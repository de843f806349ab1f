// kernel.c -- the entry: arguments to inputs, one trace for each logical core, results to outputs.

#include "core/verify.h"
#include "trace/builder.h"

#include <string.h>

// ---- arguments

typedef struct Naming {
  Builder *b;
  uint32_t depth;
  const Pos *pos;  // of the parameter
} Naming;

static bool name_inputs(Naming *naming, Value value, const char *name);

static bool name_each(Naming *naming, const Value *items, size_t count, const char *name)
{
  for (size_t i = 0; i < count; i++)
    if (!name_inputs(naming, items[i], arena_printf(naming->b->arena, "%s.%zu", name, i)))
      return false;
  return true;
}

static bool name_attrs(Naming *naming, const AttrTable *attrs, const char *name)
{
  for (uint32_t i = 0; i < attrs->count; i++) {
    const char *field = attrs->items[i].name->str.data;
    if (value_is_set(attrs->items[i].value) &&
        !name_inputs(naming, attrs->items[i].value, arena_printf(naming->b->arena, "%s.%s", name, field)))
      return false;
  }
  return true;
}

static bool name_dict(Naming *naming, const Dict *dict, const char *name)
{
  for (uint32_t i = 0; i < dict->used; i++) {
    const DictEntry *entry = &dict->entries[i];
    StrBuf key = strbuf_new(naming->b->arena);
    if (!value_is_set(entry->key))
      continue;
    if (!op_str(naming->b->t, entry->key, (Span){0}, &key))
      return false;
    if (!name_inputs(naming, entry->value, arena_printf(naming->b->arena, "%s.%s", name, strbuf_cstr(&key))))
      return false;
  }
  return true;
}

static void name_tensor(Builder *b, TensorObject *object, const char *name, const Pos *pos)
{
  Tensor *tensor = object->argument;
  if (!tensor || tensor->name)
    return;
  Address *address = arena_new(b->arena, Address);
  *address = *tensor->address;
  address->name = tensor->name = builder_keep(b, name);
  tensor->id = b->tensor_count++;
  tensor->pos = pos;
  tensor->address = address;
  object->view = views_whole(&b->views, tensor);
  vec_push(&b->t->arena, &b->inputs, (const Tensor *)tensor);
  map_set(&b->all_tensors, str_from(tensor->name), tensor);
}

static bool name_inputs(Naming *naming, Value value, const char *name)
{
  const Value *items;
  size_t count;
  if (naming->depth >= 32)
    return true;
  naming->depth++;
  bool done = true;
  if (value.tag == VALUE_TENSOR)
    name_tensor(naming->b, (TensorObject *)value.object, name, naming->pos);
  else if (value_sequence(value, &items, &count))
    done = name_each(naming, items, count, name);
  else if (value.tag == VALUE_DICT)
    done = name_dict(naming, value.dict, name);
  else if (value.tag == VALUE_INSTANCE)
    done = name_attrs(naming, &value.instance->attrs, name);
  naming->depth--;
  return done;
}

// What is wrong with a shape, or NULL.
static const char *shape_fault(DType dtype, const uint64_t *sizes, uint32_t rank)
{
  uint64_t bytes = dtype_bytes(dtype);
  if (rank == 0)
    return "has no dimensions; a scalar in memory has the shape [1]";
  if (rank > VIEW_RANK_MAX)
    return "has more dimensions than a tensor can have";
  for (uint32_t i = 0; i < rank; i++) {
    if (sizes[i] == 0)
      return "has a dimension of size 0; every tensor has elements";
    if (sizes[i] > UINT32_MAX || __builtin_mul_overflow(bytes, sizes[i], &bytes) || bytes > UINT64_C(1) << 40)
      return "is larger than the memory of any device (2^40 bytes)";
  }
  uint64_t step = 1;
  for (uint32_t i = 1; i < rank; i++)
    step *= sizes[i];
  if (rank > 1 && step > INT32_MAX)
    return "has 2^31 or more elements behind its first dimension; the steps of an access pattern have 32 bits";
  return NULL;
}

bool tensor_argument(Tracer *t, const char *name, DType dtype, const uint64_t *sizes, uint32_t rank, Value *out)
{
  const char *fault = shape_fault(dtype, sizes, rank);
  if (fault) {
    diag_error(t->session, E_ARGUMENT, "the shape of argument `%s` %s", name, fault);
    return false;
  }
  TensorSpec spec = {.dtype = dtype, .memory = MEMORY_HBM, .sizes = sizes, .rank = rank};
  Tensor *tensor = tensor_new(&t->session->arena, &spec);
  Views views = views_new(&t->session->arena, &t->arena, NULL, NULL);
  Value value = value_tensor(t, views_whole(&views, tensor));
  ((TensorObject *)value.object)->argument = tensor;
  *out = value;
  return true;
}

const Tensor *tensor_argument_input(Value argument)
{
  const Tensor *tensor = argument.tag == VALUE_TENSOR ? ((TensorObject *)argument.object)->argument : NULL;
  return tensor && tensor->name ? tensor : NULL;
}

// ---- results

typedef Vec(const Tensor *) TensorVec;

// The tensor that `view` is all of, perhaps under another shape.
static const Tensor *whole_tensor(Builder *b, const View *view, Span span)
{
  const Tensor *tensor = view->tensor;
  if (view == views_whole(&b->views, tensor))
    return tensor;
  bool dense = !view_is_indirect(view) && view_is_contiguous(view) && view->offset == 0 &&
               view_elements(view) * dtype_bytes(view_dtype(view)) == tensor_bytes(tensor);
  if (!dense) {
    Diag *diag = raise_error(b->t, E_KERNEL_RESULT, span, "the kernel returns a part of tensor '%s'", tensor->name);
    diag_help(diag, "return the whole tensor, or copy the part into a tensor of its own with `nisa.dma_copy`");
    return NULL;
  }
  Shape shape = {.par_dim = view->pattern.items[0].num, .free_dims.count = view_rank(view) - 1};
  shape.free_dims.items = arena_array(b->arena, uint64_t, view_rank(view));
  for (uint32_t i = 1; i < view_rank(view); i++)
    shape.free_dims.items[i - 1] = view->pattern.items[i].num;
  return b->views.alias(b->views.alias_context, tensor, view_dtype(view), &shape);
}

static bool add_result(Builder *b, Value value, TensorVec *out, Span span, bool nested)
{
  const Value *items;
  size_t count;
  const View *view = value_view(value);
  if (value.tag == VALUE_NONE)
    return true;
  if (!nested && value_sequence(value, &items, &count)) {
    for (size_t i = 0; i < count; i++)
      if (!add_result(b, items[i], out, span, true))
        return false;
    return true;
  }
  if (!view) {
    Diag *diag = raise_error(b->t, E_KERNEL_RESULT, span, "the kernel returns %s", describe(b->t, value));
    diag_help(diag, "a kernel returns a tensor in `nl.shared_hbm`, or a tuple or list of them, or nothing");
    return false;
  }
  if (view_is_on_chip(view) || view->tensor->address->memory == MEMORY_PRIVATE_HBM) {
    const char *where = view->tensor->address->memory == MEMORY_PSUM   ? "PSUM"
                        : view->tensor->address->memory == MEMORY_SBUF ? "SBUF"
                                                                       : "private HBM";
    Diag *diag = raise_error(b->t, E_KERNEL_RESULT, span, "the kernel returns tensor '%s', which is in %s",
                             view->tensor->name, where);
    if (view->tensor->pos)
      diag_label(diag, view->tensor->pos->span, "allocated here");
    diag_help(diag, "allocate the result with `buffer=nl.shared_hbm` and copy it there with `nisa.dma_copy`");
    return false;
  }
  const Tensor *tensor = whole_tensor(b, view, span);
  if (tensor)
    vec_push(&b->t->arena, out, tensor);
  return tensor != NULL;
}

// ---- one core

static const Tensor *alias_tensor(void *context, const Tensor *base, DType dtype, const Shape *shape)
{
  Builder *b = context;
  Tensor *tensor = arena_new(b->arena, Tensor);
  *tensor = *base;
  do
    tensor->name = builder_number(b, base->name);
  while (map_get(&b->tensors, str_from(tensor->name)));
  map_set(&b->tensors, str_from(tensor->name), tensor);
  tensor->id = b->tensor_count++;
  tensor->dtype = dtype;
  tensor->shape = *shape;
  tensor->free_elements = 1;
  for (uint32_t i = 0; i < shape->free_dims.count; i++)
    tensor->free_elements *= shape->free_dims.items[i];
  Address *address = arena_new(b->arena, Address);
  *address = *base->address;
  if (!memory_is_on_chip(address->memory)) {
    address->par_size = shape->par_dim;
    address->free_size = tensor->free_elements * dtype_bytes(dtype);
  }
  tensor->address = address;
  return tensor;
}

static void begin_core(Builder *b, uint32_t core)
{
  b->core = core;
  b->blocks.items = NULL;
  b->blocks.count = b->blocks.capacity = 0;
  b->body.items = NULL;
  b->body.count = b->body.capacity = 0;
  b->tensors = map_new(&b->t->arena);
  b->counters = map_new(&b->t->arena);
  b->values = map_new(&b->t->arena);
  for (size_t i = 0; i < b->inputs.count; i++)
    map_set(&b->tensors, str_from(b->inputs.items[i]->name), (void *)(uintptr_t)b->inputs.items[i]);
  b->instruction_count = b->no_reorder_depth = b->device_depth = b->given_block = b->given = 0;
  b->no_reorder = false;
  b->loop = NULL;
  b->last_pos = NULL;
  builder_open(b, builder_number(b, "main"));
}

static Core_LIST_BLOCK take_blocks(Builder *b)
{
  Core_LIST_BLOCK list = {0};
  builder_close(b);
  list.count = (uint32_t)b->blocks.count;
  list.items = arena_array(b->arena, Core_BLOCK, b->blocks.count);
  for (size_t i = 0; i < b->blocks.count; i++)
    list.items[i] = b->blocks.items[i];
  return list;
}

// Where the cores' block structures part; reports and gives false.
static bool same_structure(Builder *b, const Core_LIST_BLOCK *first, const Core_LIST_BLOCK *other, uint32_t core)
{
  uint32_t count = first->count < other->count ? first->count : other->count, i = 0;
  while (i < count && strcmp(first->items[i]->label, other->items[i]->label) == 0)
    i++;
  if (i == first->count && i == other->count)
    return true;
  Diag *diag = diag_error(b->t->session, E_KERNEL_CORES,
                          "logical cores 0 and %u have different control flow on the device", core);
  const Block *at = i < other->count ? other->items[i] : i < first->count ? first->items[i] : NULL;
  if (at && at->body.count)
    diag_primary(diag, at->body.items[0]->pos->span, "core %u has block `%s` where core %u has `%s`",
                 i < other->count ? core : 0, at->label, i < other->count ? 0 : core,
                 i < other->count ? (i < first->count ? first->items[i]->label : "nothing") : "nothing");
  diag_help(diag, "run-time loops and branches must be the same on every core; choose by `nl.program_id(0)` with data, "
                  "not with control flow");
  return false;
}

static bool same_outputs(Builder *b, const TensorVec *first, const TensorVec *other, uint32_t core)
{
  bool same = first->count == other->count;
  for (size_t i = 0; same && i < first->count; i++)
    same = strcmp(first->items[i]->name, other->items[i]->name) == 0;
  if (!same)
    diag_help(diag_error(b->t->session, E_KERNEL_CORES, "logical cores 0 and %u return different tensors", core),
              "return the same tensors on every core");
  return same;
}

// ---- the entry

static Value kernel_function(Value kernel, int64_t *lnc, const Schedule **schedule)
{
  while (kernel.tag == VALUE_OBJECT && kernel.object->type == &kernel_type) {
    const KernelObject *object = (const KernelObject *)kernel.object;
    *schedule = object->schedule ? object->schedule : *schedule;
    *lnc = object->lnc ? object->lnc : *lnc;
    kernel = object->function;
  }
  return kernel;
}

static Span function_span(Value function)
{
  return function.tag == VALUE_FUNCTION ? function.function->span : (Span){0};
}

static const char *function_name(Value function)
{
  return function.tag == VALUE_FUNCTION ? function.function->name->str.data : "kernel";
}

static void list_inputs(Builder *b)
{
  Kernel *kernel = b->kernel;
  kernel->inputs.count = (uint32_t)b->inputs.count;
  kernel->inputs.items = arena_array(b->arena, Core_TENSOR, b->inputs.count);
  for (size_t i = 0; i < b->inputs.count; i++)
    kernel->inputs.items[i] = b->inputs.items[i];
}

static void finish_kernel(Builder *b, const TensorVec *outputs)
{
  Kernel *kernel = b->kernel;
  kernel->outputs.count = (uint32_t)outputs->count;
  kernel->outputs.items = arena_array(b->arena, Core_TENSOR, outputs->count);
  for (size_t i = 0; i < outputs->count; i++)
    kernel->outputs.items[i] = outputs->items[i];
  kernel->shared_constants.count = (uint32_t)b->shared_constants.count;
  kernel->shared_constants.items = arena_array(b->arena, SharedConstant, b->shared_constants.count);
  for (size_t i = 0; i < b->shared_constants.count; i++)
    kernel->shared_constants.items[i] = b->shared_constants.items[i];
  kernel->edges.count = (uint32_t)b->edges.count;
  kernel->edges.items = arena_array(b->arena, Edges, b->edges.count);
  for (size_t i = 0; i < b->edges.count; i++)
    kernel->edges.items[i] = b->edges.items[i];
  kernel->shared_buffers.items = arena_array(b->arena, Core_TENSOR, b->shared_buffers.count);
  for (size_t i = 0; i < b->shared_buffers.count; i++) {
    bool is_output = false;
    for (size_t k = 0; k < outputs->count; k++)
      is_output |= outputs->items[k]->address == b->shared_buffers.items[i]->address;
    if (!is_output)
      kernel->shared_buffers.items[kernel->shared_buffers.count++] = b->shared_buffers.items[i];
  }
}

// Where the parameter is written; NULL for what a `**` parameter takes.
static const Pos *parameter_pos(Builder *b, const Parameters *parameters, const Name *name)
{
  for (size_t i = 0; i < parameters->count; i++)
    if (parameters->items[i].name == name)
      return builder_pos(b, parameters->items[i].span);
  return NULL;
}

// ---- a kernel that is open, step by step

struct OpenKernel {
  Builder *b;
  const Schedule *schedule;
  Span place;          // of the function
  TensorVec outputs;   // of the first core that ended
  bool has_outputs;
  uint32_t first_core;  // that ended
  uint32_t given_constants;  // by kernel_next_constant
  char *aside[2];       // what a core that is not on turn has of the builder
  size_t errors;        // of the session before
  void *outer;          // t->kernel before
  bool was_in_kernel;
};

static Builder *builder_new(Tracer *t, const char *name, int64_t lnc)
{
  Builder *b = arena_new(&t->arena, Builder);
  b->t = t;
  b->arena = &t->session->arena;
  b->has_grid = lnc > 0;
  b->cores = lnc > 0 ? (uint32_t)lnc : 1;
  b->views = views_new(b->arena, &t->arena, alias_tensor, b);
  b->positions = map_new(&t->arena);
  b->plans = map_new(&t->arena);
  b->functions = map_new(&t->arena);
  b->bases = map_new(&t->arena);
  b->deprecated = map_new(&t->arena);
  b->outside = map_new(&t->arena);
  b->strings = map_new(&t->arena);
  b->all_tensors = map_new(&t->arena);
  b->kernel = arena_new(b->arena, Kernel);
  b->kernel->name = arena_strdup(b->arena, name);
  b->kernel->bodies.count = b->cores;
  b->kernel->bodies.items = arena_array(b->arena, Core_LIST_BLOCK, b->cores);
  return b;
}

OpenKernel *kernel_open(Tracer *t, Value kernel, const Name *const *names, const Value *values, size_t count, int64_t lnc)
{
  int64_t launched = 0;
  const Schedule *schedule = NULL;
  Value function = kernel_function(kernel, &launched, &schedule);
  lnc = lnc ? lnc : launched;
  if (lnc < 0 || lnc > 2) {
    diag_primary(diag_error(t->session, E_KERNEL_CORES, "a launch on %lld logical cores", (long long)lnc),
                 function_span(function),
                 "a kernel runs on 1 or 2 logical cores; more are an error on every architecture so far [nki about/lnc]");
    return NULL;
  }
  OpenKernel *open = arena_new(&t->arena, OpenKernel);
  Builder *b = builder_new(t, function_name(function), lnc);
  *open = (OpenKernel){b, schedule, function_span(function), .errors = t->session->error_count, .outer = t->kernel, .was_in_kernel = t->in_kernel};
  t->kernel = b;
  t->in_kernel = true;
  Naming naming = {b, 0, NULL};
  Parameters parameters = trace_parameters(t, function);
  for (size_t i = 0; i < count; i++) {
    naming.pos = parameter_pos(b, &parameters, names[i]);
    if (!name_inputs(&naming, values[i], names[i]->str.data))
      return kernel_abandon(open), NULL;
  }
  list_inputs(b);
  return open;
}


// What builder.h says each core has of the builder.
enum { CORE_START = offsetof(Builder, blocks), CORE_BYTES = offsetof(Builder, device_depth) + sizeof(uint32_t) - CORE_START };

static void put_aside(OpenKernel *open)
{
  Builder *b = open->b;
  if (!open->aside[b->core])
    open->aside[b->core] = arena_alloc(&b->t->arena, CORE_BYTES);
  memcpy(open->aside[b->core], (const char *)b + CORE_START, CORE_BYTES);
}

void kernel_begin_core(OpenKernel *open, uint32_t core)
{
  Builder *b = open->b;
  put_aside(open);
  b->label = NULL;
  begin_core(b, core);
}

void kernel_switch_core(OpenKernel *open, uint32_t core)
{
  Builder *b = open->b;
  if (core == b->core)
    return;
  put_aside(open);
  memcpy((char *)b + CORE_START, open->aside[core], CORE_BYTES);
  b->core = core;
  b->last_pos = NULL;
}

const Kernel *kernel_so_far(const OpenKernel *open)
{
  return open->b->kernel;
}

const Instr *kernel_next(OpenKernel *open)
{
  Builder *b = open->b;
  for (; b->given_block < b->blocks.count; b->given_block++, b->given = 0) {
    const Block *block = b->blocks.items[b->given_block];
    if (b->given < block->body.count)
      return block->body.items[b->given++];
  }
  return b->label && b->given < b->body.count ? b->body.items[b->given++] : NULL;
}

const SharedConstant *kernel_next_constant(OpenKernel *open, const Tensor **tensor)
{
  Builder *b = open->b;
  if (open->given_constants == b->shared_constants.count)
    return NULL;
  *tensor = b->constants.items[open->given_constants];
  return &b->shared_constants.items[open->given_constants++];
}

size_t kernel_made_count(const OpenKernel *open)
{
  return open->b->tensors.count;
}

const Tensor *kernel_made(const OpenKernel *open, size_t index)
{
  return open->b->tensors.entries[index].value;
}

Span kernel_place(const OpenKernel *open)
{
  return open->place;
}

size_t kernel_kept(const OpenKernel *open)
{
  return open->b->values.count;
}

bool kernel_end_core(OpenKernel *open, Value result, Span span)
{
  Builder *b = open->b;
  TensorVec outputs = {0};
  if (!add_result(b, result, &outputs, span, false))
    return false;
  Core_LIST_BLOCK *bodies = b->kernel->bodies.items;
  bodies[b->core] = take_blocks(b);
  if (!open->has_outputs) {
    open->has_outputs = true;
    open->outputs = outputs;
    open->first_core = b->core;
    return true;
  }
  return same_structure(b, &bodies[open->first_core], &bodies[b->core], b->core) &&
         same_outputs(b, &open->outputs, &outputs, b->core);
}

Kernel *kernel_close(OpenKernel *open)
{
  Builder *b = open->b;
  bool done = schedule_apply(b, open->schedule);
  if (done)
    finish_kernel(b, &open->outputs);
  kernel_abandon(open);
  return done && b->t->session->error_count == open->errors ? b->kernel : NULL;
}

void kernel_abandon(OpenKernel *open)
{
  open->b->t->kernel = open->outer;
  open->b->t->in_kernel = open->was_in_kernel;
}

Kernel *trace_kernel(Tracer *t, Value kernel, const Name *const *names, const Value *values, size_t count,
                     const TraceOptions *options)
{
  OpenKernel *open = kernel_open(t, kernel, names, values, count, options->lnc);
  if (!open)
    return NULL;
  int64_t lnc = 0;
  const Schedule *schedule = NULL;
  Value function = kernel_function(kernel, &lnc, &schedule), result;
  for (uint32_t core = 0; core < open->b->cores; core++) {
    kernel_begin_core(open, core);
    if (!trace_call(t, function, names, values, options->positional, count, &result) ||
        !kernel_end_core(open, result, function_span(function)))
      return kernel_abandon(open), NULL;
    if (core == 0 && options->result)
      *options->result = result;
  }
  Kernel *made = kernel_close(open);
  return made && (options->no_verify || core_verify(t->session, made)) ? made : NULL;
}

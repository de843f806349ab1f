// sim_build.h -- small kernels by hand, for the simulator's tests.

#pragma once
#include "sim/sim.h"

#include <stdlib.h>
#include <string.h>

typedef struct Build {
  Session *session;
  Arena *arena;
  Vec(const Tensor *) inputs, outputs;
  Vec(const Instr *) body;
  Vec(const Block *) blocks;
  const char *label;
} Build;

static inline Build build_new(void)
{
  Build b = {.session = session_new(), .label = "entry"};
  b.arena = &b.session->arena;
  return b;
}

static inline void build_free(Build *b)
{
  session_free(b->session);
}

// par x free... ; `rank` counts the free dimensions.
static inline Tensor *build_tensor(Build *b, const char *name, Memory memory, DType dtype, uint64_t par, uint32_t rank,
                                   const uint64_t *free_dims)
{
  Tensor *tensor = arena_new(b->arena, Tensor);
  Address *address = arena_new(b->arena, Address);
  tensor->name = name;
  tensor->dtype = dtype;
  tensor->shape.par_dim = par;
  tensor->shape.free_dims.items = arena_array(b->arena, uint64_t, rank + 1);
  tensor->shape.free_dims.count = rank;
  tensor->free_elements = 1;
  for (uint32_t i = 0; i < rank; i++) {
    tensor->shape.free_dims.items[i] = free_dims[i];
    tensor->free_elements *= free_dims[i];
  }
  address->name = name;
  address->memory = memory;
  address->par_size = par;
  address->free_size = tensor->free_elements * dtype_bytes(dtype);
  tensor->address = address;
  return tensor;
}

static inline Tensor *build_2d(Build *b, const char *name, Memory memory, DType dtype, uint64_t par,
                               uint64_t free_elems)
{
  return build_tensor(b, name, memory, dtype, par, 1, &free_elems);
}

static inline const Tensor *build_input(Build *b, const char *name, DType dtype, uint64_t par, uint64_t free_elems)
{
  const Tensor *tensor = build_2d(b, name, MEMORY_SHARED_HBM, dtype, par, free_elems);
  vec_push(b->arena, &b->inputs, tensor);
  return tensor;
}

static inline const Tensor *build_output(Build *b, const char *name, DType dtype, uint64_t par, uint64_t free_elems)
{
  const Tensor *tensor = build_2d(b, name, MEMORY_SHARED_HBM, dtype, par, free_elems);
  vec_push(b->arena, &b->outputs, tensor);
  return tensor;
}

static inline const View *build_view(Build *b, const Tensor *tensor, uint64_t offset, uint32_t rank,
                                     const ApPair *pairs)
{
  View *view = arena_new(b->arena, View);
  view->tensor = tensor;
  view->offset = offset;
  view->pattern.items = arena_array(b->arena, ApPair, rank + 1);
  view->pattern.count = rank;
  for (uint32_t i = 0; i < rank; i++)
    view->pattern.items[i] = pairs[i];
  return view;
}

static inline TensorRef build_whole(const Tensor *tensor)
{
  return (TensorRef){.ctor = TensorRef_abstract, .abstract = {.ctor = Access_simple, .simple = tensor}};
}

// Rows [p0, p0 + p) and columns f0, f0 + step, ... of a tensor with one free dimension.
static inline TensorRef build_part(Build *b, const Tensor *tensor, uint64_t p0, uint64_t p, uint64_t f0, uint64_t f,
                                   int32_t step)
{
  ApPair pairs[] = {{(int32_t)tensor->free_elements, (uint32_t)p, 0}, {step, (uint32_t)f, 0}};
  return ref_of_view(build_view(b, tensor, p0 * tensor->free_elements + f0, 2, pairs));
}

static inline Op *build_op(Build *b, OpKind kind)
{
  Op *op = op_new(b->arena, kind);
  Instr *instr = arena_new(b->arena, Instr);
  Pos *pos = arena_new(b->arena, Pos);
  *pos = (Pos){.line = (uint32_t)b->body.count + 1, .filename = "kernel.py"};
  instr->op = op;
  instr->pos = pos;
  vec_push(b->arena, &b->body, instr);
  return op;
}

static inline void build_copy(Build *b, TensorRef dst, TensorRef src)
{
  Op *op = build_op(b, OP_nc_copy);
  op->nc_copy.dst = dst;
  op->nc_copy.src = src;
}

static inline void build_dma(Build *b, TensorRef dst, TensorRef src)
{
  Op *op = build_op(b, OP_nc_dma_copy);
  op->nc_dma_copy.dst = dst;
  op->nc_dma_copy.src = src;
  op->nc_dma_copy.oob_mode.ctor = DmaBounds_error;
}

static inline Operand build_real(float value)
{
  return (Operand){.ctor = Operand_imm, .imm = {.ctor = Immediate_real, .real = value}};
}

static inline Operand build_tile(TensorRef ref)
{
  return (Operand){.ctor = Operand_tile, .tile = ref};
}

// Ends the block that instructions go to and names the next.
static inline void build_block(Build *b, const char *next_label)
{
  Block *block = arena_new(b->arena, Block);
  block->label = b->label;
  block->body.items = b->body.items;
  block->body.count = (uint32_t)b->body.count;
  vec_push(b->arena, &b->blocks, block);
  memset(&b->body, 0, sizeof b->body);
  b->label = next_label;
}

static inline const Kernel *build_kernel(Build *b)
{
  build_block(b, "");
  Kernel *kernel = arena_new(b->arena, Kernel);
  kernel->name = "kernel";
  kernel->inputs.items = b->inputs.items;
  kernel->inputs.count = (uint32_t)b->inputs.count;
  kernel->outputs.items = b->outputs.items;
  kernel->outputs.count = (uint32_t)b->outputs.count;
  kernel->bodies.items = arena_new(b->arena, Core_LIST_BLOCK);
  kernel->bodies.count = 1;
  kernel->bodies.items[0].items = b->blocks.items;
  kernel->bodies.items[0].count = (uint32_t)b->blocks.count;
  return kernel;
}

// An array shaped like the tensor, its float32 elements copied from `values` when there are any.
static inline Array build_array(const Tensor *tensor, const void *values)
{
  uint64_t shape[8] = {tensor->shape.par_dim};
  for (uint32_t i = 0; i < tensor->shape.free_dims.count; i++)
    shape[i + 1] = tensor->shape.free_dims.items[i];
  Array array = array_new(tensor->dtype, 1 + tensor->shape.free_dims.count, shape);
  if (values)
    memcpy(array.data, values, array.bytes);
  return array;
}

// Code of the newest diagnostic, or "".
static inline const char *build_code(const Build *b)
{
  size_t count = b->session->diags.count;
  return count ? diag_info(b->session->diags.items[count - 1]->code)->code : "";
}

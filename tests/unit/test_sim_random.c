// Kernels that nobody verified: they run, or stop with an error, and nothing else.

#include "core/random.h"
#include "sim_build.h"
#include "test.h"

enum { MOST_BYTES = 1 << 20 };

static bool is_small(const Tensor *tensor)
{
  uint64_t bytes = 8;
  if (__builtin_mul_overflow(bytes, tensor->shape.par_dim, &bytes))
    return false;
  for (uint32_t i = 0; i < tensor->shape.free_dims.count; i++)
    if (__builtin_mul_overflow(bytes, tensor->shape.free_dims.items[i], &bytes))
      return false;
  const Address *address = tensor->address;
  uint64_t own;
  return bytes <= MOST_BYTES && !__builtin_mul_overflow(address->par_size, address->free_size, &own) && own <= MOST_BYTES;
}

static bool visit(void *context, const FieldInfo *field, Role role, const TensorRef *ref)
{
  (void)field;
  (void)role;
  Arena *arena = context;
  const View *view = ref_view(arena, ref);
  return !view || is_small(view->tensor);
}

// Nor prints it anything.
static bool all_small(Arena *arena, const Kernel *kernel)
{
  for (uint32_t i = 0; i < kernel->inputs.count; i++)
    if (!is_small(kernel->inputs.items[i]))
      return false;
  for (uint32_t i = 0; i < kernel->outputs.count; i++)
    if (!is_small(kernel->outputs.items[i]))
      return false;
  for (uint32_t i = 0; i < kernel->shared_buffers.count; i++)
    if (!is_small(kernel->shared_buffers.items[i]))
      return false;
  for (uint32_t c = 0; c < kernel->bodies.count; c++)
    for (uint32_t b = 0; b < kernel->bodies.items[c].count; b++)
      for (uint32_t i = 0; i < kernel->bodies.items[c].items[b]->body.count; i++) {
        const Op *op = kernel->bodies.items[c].items[b]->body.items[i]->op;
        if (op->kind == OP_device_print || !op_visit_tensors(op, visit, arena))
          return false;
      }
  return true;
}

// True when it ran to its end; what it printed does not count.
static bool run_random(uint64_t seed, RandomOptions shape, SimOptions options, bool lenient)
{
  Session *session = session_new();
  session->lenient = lenient;
  Kernel *kernel = random_kernel(&session->arena, seed, shape);
  bool ok = false;
  if (all_small(&session->arena, kernel)) {
    Array *inputs = calloc(kernel->inputs.count + 1, sizeof *inputs);
    Array *outputs = calloc(kernel->outputs.count + 1, sizeof *outputs);
    for (uint32_t i = 0; i < kernel->inputs.count; i++)
      inputs[i] = build_array(kernel->inputs.items[i], NULL);
    size_t before = session->error_count;
    ok = sim_run(session, kernel, &options, inputs, outputs, NULL);
    if (ok != (session->error_count == before))
      test_fail(__FILE__, __LINE__, "seed %" PRIu64 ": %zu errors", seed, session->error_count - before);
    for (uint32_t i = 0; i < kernel->inputs.count; i++)
      array_free(&inputs[i]);
    for (uint32_t i = 0; i < kernel->outputs.count; i++)
      array_free(&outputs[i]);
    free(inputs);
    free(outputs);
  }
  session_free(session);
  return ok;
}

static uint64_t run_many(uint64_t count, bool raw, bool lenient)
{
  uint64_t ran = 0;
  for (uint64_t seed = 1; seed <= count; seed++) {
    RandomOptions shape = {.op_count = 1 + seed % 3, .block_count = 1 + seed % 2, .raw = raw, .extensions = true};
    SimOptions options = sim_default_options();
    options.exact_fp = seed % 5 != 0;
    options.reference = seed % 7 == 0;
    options.step_limit = 100;
    ran += run_random(seed, shape, options, lenient);
  }
  return ran;
}

TEST(sim_survives_random_kernels)
{
  EXPECT_INT(run_many(3000, false, true), >, 0);
  run_many(1000, false, false);
}

TEST(sim_survives_anything_the_tables_allow)
{
  run_many(3000, true, true);
}

// running.c -- a kernel's arrays and how it is run, as the command line says.

#include "cli/running.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

static const Arg *find_arg(const Program *program, const char *name)
{
  for (size_t i = 0; i < program->args.count; i++)
    if (strcmp(program->args.items[i].name, name) == 0)
      return &program->args.items[i];
  return NULL;
}

const char *shape_text(Arena *arena, const char *dtype, uint32_t rank, const uint64_t *shape)
{
  StrBuf out = strbuf_new(arena);
  strbuf_printf(&out, "%s[", dtype);
  for (uint32_t i = 0; i < rank; i++)
    strbuf_printf(&out, i ? ",%" PRIu64 : "%" PRIu64, shape[i]);
  strbuf_putc(&out, ']');
  return strbuf_cstr(&out);
}

static void tensor_shape(const Tensor *tensor, uint64_t *shape, uint32_t *rank)
{
  *rank = 1 + tensor->shape.free_dims.count;
  shape[0] = tensor->shape.par_dim;
  for (uint32_t i = 1; i < *rank; i++)
    shape[i] = tensor->shape.free_dims.items[i - 1];
}

// A tensor of the kernel and the array given for it hold as many elements of one dtype; (n,) and (n, 1) are the same.
static bool fits(Cli *cli, const Tensor *tensor, const Array *array)
{
  if (array->dtype == tensor->dtype && array_elements(array) == tensor_elements(tensor))
    return true;
  Session *session = cli->session;
  uint64_t *shape = arena_array(&session->arena, uint64_t, 1 + tensor->shape.free_dims.count);
  uint32_t rank;
  tensor_shape(tensor, shape, &rank);
  const char *wanted = shape_text(&session->arena, dtype_name(tensor->dtype), rank, shape);
  Diag *diag = diag_error(session, E_ARGUMENT, "input `%s` is %s, the kernel was made for %s", tensor->name,
                          shape_text(&session->arena, dtype_name(array->dtype), array->rank, array->shape), wanted);
  diag_help(diag, "give an array of that shape and dtype, or trace the kernel again for this one");
  return false;
}

static bool tell_missing(Cli *cli, const Program *program, const Tensor *tensor)
{
  Session *session = cli->session;
  Diag *diag = diag_error(session, E_ARGUMENT, "input `%s` of kernel `%s` is missing", tensor->name,
                          program->kernel->name);
  uint64_t *shape = arena_array(&session->arena, uint64_t, 1 + tensor->shape.free_dims.count);
  uint32_t rank;
  tensor_shape(tensor, shape, &rank);
  diag_help(diag, "add %s=randn:%s or %s=@file.npy", tensor->name,
            shape_text(&session->arena, dtype_name(tensor->dtype), rank, shape), tensor->name);
  return false;
}

bool program_make_inputs(Cli *cli, const Program *program, uint32_t rank, Array *inputs)
{
  const Kernel *kernel = program->kernel;
  uint64_t seed = (uint64_t)cli->options.seed + rank;
  bool ok = true;
  for (uint32_t i = 0; i < kernel->inputs.count; i++) {
    const Tensor *tensor = kernel->inputs.items[i];
    const Arg *arg = find_arg(program, tensor->name);
    Arg own;
    if (!arg)
      ok = rank == 0 ? tell_missing(cli, program, tensor) : false;
    else
      ok = arg_for_rank(cli->session, arg, rank, &own) && arg_make_array(cli->session, &own, seed, &inputs[i]) &&
           fits(cli, tensor, &inputs[i]) && ok;
  }
  return ok;
}

bool program_knows_inputs(Cli *cli, const Program *program)
{
  const Kernel *kernel = program->kernel;
  bool ok = true;
  for (size_t i = 0; !program->tracer && i < program->args.count; i++) {
    bool known = false;
    for (uint32_t j = 0; j < kernel->inputs.count && !known; j++)
      known = strcmp(kernel->inputs.items[j]->name, program->args.items[i].name) == 0;
    if (!known) {
      diag_error(cli->session, E_ARGUMENT, "kernel `%s` has no input `%s`", kernel->name, program->args.items[i].name);
      ok = false;
    }
  }
  return ok;
}

bool program_sim_options(Cli *cli, const Program *program, SimOptions *out)
{
  const Options *options = &cli->options;
  *out = sim_default_options();
  out->machine = program->machine;
  out->seed = (uint64_t)options->seed;
  out->reference = options->reference;
  out->step_limit = (uint64_t)options->max_steps;
  const char *slash = strrchr(program->path, '/');
  out->folder = slash ? arena_strndup(&cli->session->arena, program->path, (size_t)(slash - program->path)) : NULL;
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  out->threads = options->threads ? (unsigned)options->threads : cores > 0 ? (unsigned)cores : 1;
  const char *fp = options->fp ? options->fp : "exact", *checks = options->checks ? options->checks : "all";
  out->bf16_products = strcmp(fp, "bf16-products") == 0;
  out->ocp_scales = strcmp(fp, "ocp-scales") == 0;
  out->exact_fp = strcmp(fp, "exact") == 0 || out->bf16_products || out->ocp_scales;
  out->checks = strcmp(checks, "all") == 0;
  bool ok = true;
  if (!out->exact_fp && strcmp(fp, "f32") != 0) {
    cli_usage(cli, "--fp is exact, f32, bf16-products or ocp-scales, found `%s`", fp);
    ok = false;
  }
  if (!out->checks && strcmp(checks, "none") != 0) {
    cli_usage(cli, "--checks is all or none, found `%s`", checks);
    ok = false;
  }
  return ok;
}

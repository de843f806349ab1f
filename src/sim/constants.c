// constants.c -- tensors that are filled from .npy files before a kernel starts.

#include "sim/constants.h"

#include "base/npy.h"

#include <stdlib.h>
#include <string.h>

typedef struct Search {
  const char *name;
  const Tensor *found;
} Search;

static bool find_tensor(void *context, const FieldInfo *field, Role role, const TensorRef *ref)
{
  Search *search = context;
  (void)field, (void)role;
  if (ref->ctor != TensorRef_abstract || ref->abstract.ctor != Access_view)
    return true;
  const Tensor *tensor = ref->abstract.view->tensor;
  if (strcmp(tensor->address->name, search->name) == 0)
    search->found = tensor;
  return !search->found;
}

// The tensor of that name as an instruction uses it; NULL: nothing does.
static const Tensor *tensor_named(const Kernel *kernel, const char *name)
{
  Search search = {name, NULL};
  for (uint32_t core = 0; core < kernel->bodies.count; core++)
    for (uint32_t i = 0; i < kernel->bodies.items[core].count; i++) {
      const Block *block = kernel->bodies.items[core].items[i];
      for (uint32_t j = 0; j < block->body.count; j++)
        if (!op_visit_tensors(block->body.items[j]->op, find_tensor, &search))
          return search.found;
    }
  return NULL;
}

static void fault(Sim *sim, const SharedConstant *constant, const char *path, const char *why, const char *help)
{
  Diag *diag = diag_error(sim->session, E_SIM_CONSTANT, "constant `%s` is in `%s`, %s", constant->name, path, why);
  diag_help(diag, "%s", help);
  sim_stop(sim);
}

// The bytes of the file: kept while the kernel was traced, else beside the file that the kernel was read from.
static Str constant_bytes(Sim *sim, const SharedConstant *constant, const char **path)
{
  const Str *kept = session_kept_file(sim->session, constant->file_name);
  Str bytes;
  *path = constant->file_name;
  if (kept)
    return *kept;
  if (sim->options.folder && constant->file_name[0] != '/')
    *path = arena_printf(&sim->arena, "%s/%s", sim->options.folder, constant->file_name);
  size_t errors = sim->session->error_count;
  if (file_read(sim->session, &sim->arena, *path, &bytes))
    return bytes;
  if (sim->session->error_count > errors)
    diag_note(sim->session->diags.items[sim->session->diags.count - 1],
              "it holds the constant `%s` of kernel `%s`, and belongs beside the file of the kernel", constant->name,
              sim->core->rank->kernel->name);
  sim_stop(sim);
}

static void bind_constant(Sim *sim, const SharedConstant *constant, const Tensor *tensor, Array *array)
{
  const char *path;
  Npy npy;
  if (!tensor)
    return;
  Str bytes = constant_bytes(sim, constant, &path);
  if (!npy_parse(sim->session, path, bytes, &npy))
    sim_stop(sim);
  uint64_t shape = tensor_elements(tensor), unit = dtype_bytes(tensor->dtype);
  if (npy.bytes != shape * unit || npy.item_bytes != unit)
    fault(sim, constant, path,
          arena_printf(&sim->arena, "which holds %llu elements of %u bytes; the kernel was made for %llu of %u",
                       (unsigned long long)(npy.bytes / (npy.item_bytes ? npy.item_bytes : 1)), npy.item_bytes,
                       (unsigned long long)shape, (unsigned)unit),
          "trace the kernel again, or bring back the file that it was traced with");
  *array = array_new(tensor->dtype, 1, &shape);
  if (!array->data)
    fault(sim, constant, path, "for which there is no memory", "run on a computer with more memory");
  memcpy(array->data, npy.data, npy.bytes);
  state_bind_array(sim, tensor, array);
}

static Array *new_arrays(Sim *sim, uint32_t count)
{
  Array *arrays = calloc(count + 1, sizeof *arrays);
  if (!arrays) {
    diag_error(sim->session, E_SIM_MEMORY, "no memory for the constants of `%s`", sim->core->rank->kernel->name);
    sim_stop(sim);
  }
  Constants *constants = arena_new(&sim->arena, Constants);
  *constants = (Constants){arrays, count, sim->constants};
  sim->constants = constants;
  return arrays;
}

void constants_bind(Sim *sim, const Kernel *kernel)
{
  Array *arrays = new_arrays(sim, kernel->shared_constants.count);
  for (uint32_t i = 0; i < kernel->shared_constants.count; i++) {
    const SharedConstant *constant = &kernel->shared_constants.items[i];
    bind_constant(sim, constant, tensor_named(kernel, constant->name), &arrays[i]);
  }
}

void constants_bind_one(Sim *sim, const SharedConstant *constant, const Tensor *tensor)
{
  bind_constant(sim, constant, tensor, new_arrays(sim, 1));
}

void constants_free(Sim *sim)
{
  for (Constants *constants = sim->constants; constants; constants = constants->next) {
    for (uint32_t i = 0; i < constants->count; i++)
      array_free(&constants->arrays[i]);
    free(constants->arrays);
  }
  sim->constants = NULL;
}

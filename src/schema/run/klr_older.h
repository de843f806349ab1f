/* klr_older.h -- how older programs launch the kernel of a library that has one: see klr_kernel_abi.h. */

#ifndef KLR_ONE_CPU /* compiled for the program that asks, which launches it otherwise */

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

KLR_PLAIN static uint32_t klr_run_stage(const KlrKernelStage *stage, const KlrKernelArgument *arguments, const uint32_t config[6], int has_one, char **error)
{
  KlrKernelGrid grid = {{1, 1, 1}, {256, 1, 1}};
  uint64_t threads = 1, groups = 1;
  uint32_t knows = stage->grid(arguments, grid.size);
  if (!config && !knows)
    return klr_refuse(error, "nothing says how many threads there are", 1);
  for (uint32_t d = 0; d < 3; d++) {
    if (config)
      grid.local[d] = config[3 + d] ? config[3 + d] : 1;
    if (config && !knows)
      grid.size[d] = (uint64_t)(config[d] ? config[d] : 1) * grid.local[d];
    if (d && d >= klr_kernels[0]->dims && grid.size[d] > 1)
      return klr_refuse(error, "the grid has more dimensions than the kernel asks for ids in", 1);
    if (has_one && !d)
      grid.size[0] = 1;
    threads *= grid.size[d];
    groups *= (grid.size[d] + grid.local[d] - 1) / grid.local[d];
  }
  uint64_t needed[256] = {0};
  if (stage->needed)
    stage->needed(arguments, &grid, needed);
  for (uint32_t i = 0; i < klr_kernels[0]->param_count; i++)
    if (klr_kernels[0]->params[i].is_array && needed[i] && !arguments[i].data)
      return klr_refuse(error, "an array has no address", 1);
  uint64_t *partials = malloc((threads / KLR_BLOCK + 2) * stage->reduction_count * 8 + 8);
  if (!partials)
    return klr_refuse(error, "out of memory", 2);
  stage->bodies[KLR_ISA_BASE](arguments, &grid, 0, stage->unit_is_group ? groups : threads, partials, NULL);
  if (stage->combine)
    stage->combine(arguments, &grid, partials, (threads + KLR_BLOCK - 1) / KLR_BLOCK);
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
      if ((uintptr_t)arguments[i].data % SIZES[info->params[i].dtype])
        return klr_refuse(error, "the address of an array is no multiple of its elements' size", 1);
    } else {
      memcpy(&arguments[i].value, params + at, size);
    }
    at += size;
  }
  uint32_t code = 0;
  for (uint32_t i = 0; i < info->stage_count && !code; i++)
    if (!info->stages[i].is_for_many)
      code = klr_run_stage(&info->stages[i], arguments, config, i && info->stages[i - 1].is_for_many, error);
  return code;
}

#endif

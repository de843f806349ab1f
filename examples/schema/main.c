/* main.c -- launches compiled scalar kernels from C: `launch FOLDER`, where FOLDER holds vector_add and vector_dot.
 *
 *   klr schema build kernels/vector/vector_add.py kernels/reduction/vector_dot.py -o libraries/
 *   cc examples/schema/main.c $(pkg-config --cflags --libs klr_schema) -o launch
 *   ./launch libraries/
 */

#include <klr_schema.h>

#include <stdio.h>
#include <stdlib.h>

enum { N = 100000 };

/* Files that are no libraries are told; what the others bring is listed. False when the folder cannot be read. */
static bool scan(KlrRegistry *registry, const char *folder)
{
  const KlrLoadResult *files;
  size_t count;
  if (!klr_registry_scan(registry, folder, NULL, &files, &count)) {
    fprintf(stderr, "%s\n", klr_registry_error(registry));
    return false;
  }
  for (size_t i = 0; i < count; i++)
    if (files[i].error)
      fprintf(stderr, "%s: %s\n", files[i].path, files[i].error);
  for (size_t i = 0; i < klr_registry_count(registry); i++) {
    const KlrKernelInfo *info = klr_kernel_info(registry, klr_registry_at(registry, i));
    printf("%s with %u parameters: %s\n", info->name, info->param_count, info->doc);
  }
  return true;
}

static bool launch(KlrRegistry *registry, const char *name, const KlrLaunchArgument *arguments, size_t count)
{
  KlrKernelHandle kernel = klr_registry_find(registry, name);
  if (kernel && klr_launch(registry, kernel, arguments, count, NULL))
    return true;
  fprintf(stderr, "%s\n", klr_registry_error(registry));
  return false;
}

/* c = a + b, then the sum of a * c. */
static bool compute(KlrRegistry *registry, float *a, float *b, float *c)
{
  float dot = 0;
  for (int i = 0; i < N; i++)
    a[i] = (float)(i % 7), b[i] = 1;
  KlrLaunchArgument add[] = {klr_array(a, N, KLR_F32), klr_array(b, N, KLR_F32), klr_array(c, N, KLR_F32), klr_u32(N)};
  KlrLaunchArgument product[] = {klr_array(a, N, KLR_F32), klr_array(c, N, KLR_F32), klr_array(&dot, 1, KLR_F32), klr_u32(N)};
  if (!launch(registry, "vector_add", add, 4) || !launch(registry, "vector_dot", product, 4))
    return false;
  printf("c[6] = %g, a . c = %g\n", (double)c[6], (double)dot);
  return true;
}

/* Arguments are checked before anything runs; `c` is one element short. */
static bool refuse(KlrRegistry *registry, float *a, float *b, float *c)
{
  KlrLaunchArgument add[] = {klr_array(a, N, KLR_F32), klr_array(b, N, KLR_F32), klr_array(c, N - 1, KLR_F32), klr_u32(N)};
  if (klr_launch(registry, klr_registry_find(registry, "vector_add"), add, 4, NULL))
    return false;
  printf("refused: %s\n", klr_registry_error(registry));
  return true;
}

int main(int argc, char **argv)
{
  KlrRegistry *registry = klr_registry_new();
  float *memory = malloc(3 * N * sizeof *memory);
  bool ok = argc == 2 && registry && memory && scan(registry, argv[1]) && compute(registry, memory, memory + N, memory + 2 * N) &&
            refuse(registry, memory, memory + N, memory + 2 * N);
  free(memory);
  klr_registry_free(registry);
  return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

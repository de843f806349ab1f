// launch_race.c -- many threads launch kernels of a registry while others scan, load, replace and unload its libraries. Built with -fsanitize=thread by
// tests/python/test_schema_sanitize.py: `launch_race FOLDER ROUNDS`. FOLDER/k.so and FOLDER/other/k.so have `saxpy`, `total`,
// `histogram` and `scan`. Ends with the number of launches that ran and those that were refused, which must all be for kernels that were gone.

#include "klr_schema.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 8, LARGEST = 60000, BINS = 16, SCANNED = 140000 };

typedef struct Worker {
  KlrRegistry *registry;
  const char *folder;
  unsigned random;
  int rounds, ran, refused, wrong;
} Worker;

static unsigned draw(Worker *w, unsigned below)
{
  w->random = w->random * 1664525u + 1013904223u;
  return (w->random >> 8) % below;
}

// A launch may fail only because its kernel was unloaded.
static bool launch(Worker *w, const char *name, const KlrLaunchArgument *arguments, size_t count)
{
  const KlrLaunch options = {.threads = 1 + draw(w, 4)};
  KlrKernelHandle kernel = klr_registry_find(w->registry, name);
  if (kernel && klr_launch(w->registry, kernel, arguments, count, &options)) {
    w->ran++;
    return true;
  }
  w->refused++;
  if (!strstr(klr_registry_error(w->registry), kernel ? "no longer" : "no kernel")) {
    fprintf(stderr, "%s: %s\n", name, klr_registry_error(w->registry));
    w->wrong++;
  }
  return false;
}

static void launch_saxpy(Worker *w, float *x, float *y, uint32_t n)
{
  for (uint32_t i = 0; i < n; i++)
    x[i] = (float)i, y[i] = 1;
  const KlrLaunchArgument arguments[] = {klr_array(x, n, KLR_F32), klr_array(y, n, KLR_F32), klr_f32(2), klr_u32(n)};
  if (launch(w, "saxpy", arguments, 4))
    for (uint32_t i = 0; i < n; i++)
      w->wrong += y[i] != 2 * (float)i + 1;
}

static void launch_total(Worker *w, float *x, uint32_t n)
{
  float total = 0;
  for (uint32_t i = 0; i < n; i++)
    x[i] = 1;
  const KlrLaunchArgument arguments[] = {klr_array(x, n, KLR_F32), klr_array(&total, 1, KLR_F32), klr_u32(n)};
  if (launch(w, "total", arguments, 3))
    w->wrong += total != (float)n;
}

static void launch_histogram(Worker *w, uint32_t *x, uint32_t n)
{
  uint32_t bins[BINS] = {0};
  for (uint32_t i = 0; i < n; i++)
    x[i] = i;
  const KlrLaunchArgument arguments[] = {klr_array(x, n, KLR_U32), klr_array(bins, BINS, KLR_U32), klr_u32(n)};
  if (launch(w, "histogram", arguments, 3))
    for (uint32_t i = 0; i < BINS; i++)
      w->wrong += bins[i] != n / BINS + (i < n % BINS);
}

// In place, and of so many that all threads take part.
static void launch_scan(Worker *w, uint32_t n)
{
  uint32_t *const x = malloc((n + 1) * sizeof *x);
  for (uint32_t i = 0; i < n; i++)
    x[i] = i % 3;
  const KlrLaunchArgument arguments[] = {klr_array(x, n, KLR_U32), klr_array(x, n, KLR_U32), klr_u32(n)};
  if (launch(w, "scan", arguments, 3))
    for (uint32_t i = 0; i < n; i++)
      w->wrong += x[i] != i / 3 * 3 + (i % 3 == 0 ? 0 : i % 3 == 1 ? 1 : 3);
  free(x);
}

static void change(Worker *w)
{
  char path[4096];
  const KlrLoadOptions replace = {.replace = true};
  snprintf(path, sizeof path, "%s/%sk.so", w->folder, draw(w, 2) ? "other/" : "");
  switch (draw(w, 6)) {
  case 0: klr_registry_scan(w->registry, w->folder, NULL, NULL, NULL); break;
  case 1: klr_registry_scan(w->registry, w->folder, &replace, NULL, NULL); break;
  case 2: klr_registry_load(w->registry, path, &replace); break;
  case 3: klr_registry_load(w->registry, path, NULL); break;
  case 4: klr_registry_unload(w->registry, path); break;
  default: klr_registry_at(w->registry, draw(w, (unsigned)klr_registry_count(w->registry) + 1)); break;
  }
}

static void *work(void *argument)
{
  Worker *w = argument;
  float *x = malloc(LARGEST * sizeof *x), *y = malloc(LARGEST * sizeof *y);
  for (int round = 0; round < w->rounds; round++) {
    const uint32_t n = draw(w, LARGEST);
    switch (draw(w, 6)) {
    case 0: launch_saxpy(w, x, y, n); break;
    case 1: launch_total(w, x, n); break;
    case 2: launch_histogram(w, (uint32_t *)(void *)x, n); break;
    case 3: launch_scan(w, SCANNED + n / 4); break;
    default: change(w); break;
    }
  }
  free(x);
  free(y);
  return NULL;
}

int main(int argc, char **argv)
{
  if (argc != 3)
    return 2;
  KlrRegistry *registry = klr_registry_new();
  Worker workers[WORKERS];
  pthread_t threads[WORKERS];
  for (unsigned i = 0; i < WORKERS; i++) {
    workers[i] = (Worker){.registry = registry, .folder = argv[1], .random = i * 77 + 5, .rounds = atoi(argv[2])};
    if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
      return 3;
  }
  int ran = 0, refused = 0, wrong = 0;
  for (unsigned i = 0; i < WORKERS; i++) {
    pthread_join(threads[i], NULL);
    ran += workers[i].ran, refused += workers[i].refused, wrong += workers[i].wrong;
  }
  klr_registry_free(registry);
  printf("%d ran, %d refused, %d wrong\n", ran, refused, wrong);
  return wrong != 0;
}

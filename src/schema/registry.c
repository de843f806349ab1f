// registry.c -- compiled kernels by name: libraries are loaded, looked through, replaced and unloaded. See include/klr_schema.h.

#define _XOPEN_SOURCE 700  // realpath
#include "schema/registry.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// A handle is the slot's number plus 1 and, above it, how often the slot was given away before.
typedef struct Slot {
  const KlrKernelInfo *info;  // NULL: free
  Library *library;
  uint32_t generation;
} Slot;

struct KlrRegistry {
  pthread_mutex_t lock;
  pthread_cond_t left;  // a launch has ended
  Library *libraries;
  Slot *slots;
  uint32_t slot_count, slot_capacity;
  uint32_t *sorted;  // slots in use, by name
  uint32_t count;
  KlrLoadResult *results;
  size_t result_count;
  struct KlrRegistry *next;  // of the process
};

// The threads that all registries of the process share, kept as long as there is one.
static LaunchPool pool = {.lock = PTHREAD_MUTEX_INITIALIZER};
static KlrRegistry *registries;
static pthread_mutex_t registries_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

// ---- processes that are forked: nobody is in the middle of changing a registry then, and launches may be under way

static void before_fork(void)
{
  pthread_mutex_lock(&registries_lock);
  for (KlrRegistry *registry = registries; registry; registry = registry->next)
    pthread_mutex_lock(&registry->lock);
}

static void after_fork_in_parent(void)
{
  for (KlrRegistry *registry = registries; registry; registry = registry->next)
    pthread_mutex_unlock(&registry->lock);
  pthread_mutex_unlock(&registries_lock);
}

// The other threads of the parent, and their launches, are not there.
static void after_fork_in_child(void)
{
  pthread_mutex_init(&pool.lock, NULL);
  pool.threads = NULL;
  pool.size = 0;
  for (KlrRegistry *registry = registries; registry; registry = registry->next) {
    pthread_mutex_init(&registry->lock, NULL);
    pthread_cond_init(&registry->left, NULL);
    for (Library *library = registry->libraries; library; library = library->next)
      library->launches = 0;
  }
  pthread_mutex_init(&registries_lock, NULL);
}

static void watch_forks(void)
{
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

// ---- the registries of the process

static void add_registry(KlrRegistry *registry)
{
  pthread_once(&once, watch_forks);
  pthread_mutex_lock(&registries_lock);
  registry->next = registries;
  registries = registry;
  pthread_mutex_unlock(&registries_lock);
}

static void remove_registry(const KlrRegistry *registry)
{
  pthread_mutex_lock(&registries_lock);
  KlrRegistry **link = &registries;
  while (*link != registry)
    link = &(*link)->next;
  *link = registry->next;
  if (!registries) {  // and so no launches
    threads_free(pool.threads);
    pool.threads = NULL;
    pool.size = 0;
  }
  pthread_mutex_unlock(&registries_lock);
}

// ---- what failed

static _Thread_local char error_text[1024];
static _Thread_local const KlrRegistry *error_owner;
static _Thread_local KlrKernelFault error_fault;

bool registry_fail(const KlrRegistry *registry, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error_text, sizeof error_text, format, arguments);
  va_end(arguments);
  error_owner = registry;
  error_fault.kind = 0;
  return false;
}

bool registry_fail_access(const KlrRegistry *registry, const KlrKernelFault *fault, const char *text)
{
  registry_fail(registry, "%s", text);
  error_fault = *fault;
  return false;
}

const KlrKernelFault *klr_registry_fault(const KlrRegistry *registry)
{
  return error_owner == registry && error_fault.kind ? &error_fault : NULL;
}

const char *klr_registry_error(const KlrRegistry *registry)
{
  return error_owner == registry ? error_text : "";
}

static bool no_memory(const KlrRegistry *registry)
{
  return registry_fail(registry, "there is no memory left");
}

// ---- slots

static KlrKernelHandle handle_of(const KlrRegistry *registry, uint32_t slot)
{
  return (uint64_t)registry->slots[slot].generation << 32 | (slot + 1);
}

static const Slot *find_slot(const KlrRegistry *registry, KlrKernelHandle handle)
{
  uint32_t number = (uint32_t)handle;
  if (number == 0 || number > registry->slot_count)
    return NULL;
  const Slot *slot = &registry->slots[number - 1];
  return slot->info && slot->generation == handle >> 32 ? slot : NULL;
}

// Where a name stands among the sorted, or would.
static uint32_t place_of(const KlrRegistry *registry, const char *name, bool *found)
{
  uint32_t low = 0, high = registry->count;
  *found = false;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    int order = strcmp(registry->slots[registry->sorted[middle]].info->name, name);
    *found |= order == 0;
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static void remove_at(KlrRegistry *registry, uint32_t place)
{
  Slot *slot = &registry->slots[registry->sorted[place]];
  slot->info = NULL;
  slot->library = NULL;
  slot->generation++;
  registry->count--;
  memmove(registry->sorted + place, registry->sorted + place + 1, (registry->count - place) * sizeof *registry->sorted);
}

// Room for `more` kernels, so that adding them cannot fail.
static bool reserve(KlrRegistry *registry, uint32_t more)
{
  if (registry->slot_capacity - registry->count >= more)
    return true;
  uint32_t capacity = (registry->count + more) * 2;
  Slot *slots = realloc(registry->slots, capacity * sizeof *slots);
  if (!slots)
    return no_memory(registry);
  registry->slots = slots;
  uint32_t *sorted = realloc(registry->sorted, capacity * sizeof *sorted);
  if (!sorted)
    return no_memory(registry);
  registry->sorted = sorted;
  registry->slot_capacity = capacity;
  return true;
}

static uint32_t take_slot(KlrRegistry *registry)
{
  if (registry->slot_count == registry->count || registry->slot_count < registry->slot_capacity) {
    registry->slots[registry->slot_count] = (Slot){0};
    return registry->slot_count++;
  }
  uint32_t slot = 0;
  while (registry->slots[slot].info)
    slot++;
  return slot;
}

static void add_kernel(KlrRegistry *registry, Library *library, const KlrKernelInfo *info)
{
  bool is_taken;
  uint32_t place = place_of(registry, info->name, &is_taken);
  if (is_taken)
    remove_at(registry, place);
  uint32_t slot = take_slot(registry);
  registry->slots[slot].info = info;
  registry->slots[slot].library = library;
  memmove(registry->sorted + place + 1, registry->sorted + place, (registry->count - place) * sizeof *registry->sorted);
  registry->sorted[place] = slot;
  registry->count++;
}

// ---- libraries

KlrRegistry *klr_registry_new(void)
{
  KlrRegistry *registry = calloc(1, sizeof *registry);
  if (!registry)
    return NULL;
  pthread_mutex_init(&registry->lock, NULL);
  pthread_cond_init(&registry->left, NULL);
  add_registry(registry);
  if (error_owner == registry)
    error_owner = NULL;  // of a registry that was here before
  return registry;
}

static void free_library(Library *library)
{
  if (library->loaded)
    dlclose(library->loaded);
  free(library->path);
  free(library);
}

// Takes a library out: its kernels are gone at once, itself when no launch runs in it. The lock is held, and released while waiting.
static void remove_library(KlrRegistry *registry, Library *library)
{
  for (uint32_t i = registry->count; i-- > 0;)
    if (registry->slots[registry->sorted[i]].library == library)
      remove_at(registry, i);
  Library **link = &registry->libraries;
  while (*link != library)
    link = &(*link)->next;
  *link = library->next;
  while (library->launches)
    pthread_cond_wait(&registry->left, &registry->lock);
  free_library(library);
}

static void free_results(KlrRegistry *registry)
{
  for (size_t i = 0; i < registry->result_count; i++) {
    free((void *)registry->results[i].path);
    free((void *)registry->results[i].error);
  }
  free(registry->results);
  registry->results = NULL;
  registry->result_count = 0;
}

void klr_registry_free(KlrRegistry *registry)
{
  if (!registry)
    return;
  pthread_mutex_lock(&registry->lock);
  while (registry->libraries)
    remove_library(registry, registry->libraries);
  pthread_mutex_unlock(&registry->lock);
  free_results(registry);
  remove_registry(registry);
  pthread_cond_destroy(&registry->left);
  pthread_mutex_destroy(&registry->lock);
  free(registry->slots);
  free(registry->sorted);
  free(registry);
}

static Library *find_library(const KlrRegistry *registry, const char *path)
{
  Library *library = registry->libraries;
  while (library && strcmp(library->path, path) != 0)
    library = library->next;
  return library;
}

const KlrKernelStage *kernel_stage(const KlrKernelInfo *info, uint32_t index)
{
  return (const KlrKernelStage *)(const void *)((const char *)info->stages + (size_t)index * info->stages->bytes);
}

static bool kernel_is_whole(const KlrKernelInfo *info)
{
  if (!info || info->bytes < sizeof *info || !info->name || !*info->name || info->dims > 3 || !info->stages || !info->stage_count ||
      info->param_count > 4096 || (info->param_count && !info->params))
    return false;
  for (uint32_t i = 0; i < info->param_count; i++)
    if (!info->params[i].name || info->params[i].dtype > KLR_F64 || info->params[i].is_array > 1 || info->params[i].direction > KLR_INOUT)
      return false;
  if (info->stages->bytes < KLR_STAGE_BYTES || info->stages->bytes % _Alignof(KlrKernelStage) || info->stage_count > 4096)
    return false;
  for (uint32_t i = 0; i < info->stage_count; i++) {
    const KlrKernelStage *stage = kernel_stage(info, i);
    if (stage->bytes != info->stages->bytes || !stage->bodies[KLR_ISA_BASE] || !stage->grid || (stage->reduction_count && !stage->combine))
      return false;
  }
  return true;
}

static bool table_is_whole(const KlrRegistry *registry, const Library *library)
{
  const KlrKernelLibrary *table = library->table;
  if (table->magic != KLR_KERNEL_MAGIC || table->abi != KLR_KERNEL_ABI || table->bytes < sizeof *table || table->kernel_count > 65536 ||
      (table->kernel_count && !table->kernels))
    return registry_fail(registry, "its `klr_kernel_library` is no table of kernels");
  for (uint32_t i = 0; i < table->kernel_count; i++) {
    if (!kernel_is_whole(table->kernels[i]))
      return registry_fail(registry, "the description of its kernel %u is damaged", i);
    for (uint32_t k = 0; k < i; k++)
      if (strcmp(table->kernels[k]->name, table->kernels[i]->name) == 0)
        return registry_fail(registry, "it has two kernels `%s`", table->kernels[i]->name);
  }
  return true;
}

// Names that other libraries hold; `old` is the library that goes.
static bool names_are_free(const KlrRegistry *registry, const Library *library, const Library *old)
{
  for (uint32_t i = 0; i < library->table->kernel_count; i++) {
    bool found;
    const char *name = library->table->kernels[i]->name;
    uint32_t place = place_of(registry, name, &found);
    const Library *holder = found ? registry->slots[registry->sorted[place]].library : NULL;
    if (holder && holder != old)
      return registry_fail(registry, "its kernel `%s` is already that of %s", name, holder->path);
  }
  return true;
}

// A name for an open file that no file had before, since the loader takes a name it knows for the library it knows: the bits of a counter
// are written as "/." and "/", which change nothing.
static void name_by_number(int file, char out[128])
{
  static atomic_uint counter;
  char *at = out + sprintf(out, "/proc/self/fd");
  for (unsigned bits = atomic_fetch_add(&counter, 1) + 1; bits; bits >>= 1)
    at += sprintf(at, bits & 1 ? "/." : "/");
  snprintf(at, 32, "/%d", file);
}

static bool open_library(const KlrRegistry *registry, Library *library, int file)
{
  char by_number[128];
  name_by_number(file, by_number);
  void *known = dlopen(library->path, RTLD_LAZY | RTLD_NOLOAD);  // perhaps of a file that was here before
  library->loaded = dlopen(known ? by_number : library->path, RTLD_NOW | RTLD_LOCAL);
  if (known)
    dlclose(known);
  close(file);
  if (!library->loaded)
    return registry_fail(registry, "%s", dlerror());
  library->table = dlsym(library->loaded, "klr_kernel_library");
  return library->table ? true : registry_fail(registry, "it has no symbol `klr_kernel_library`");
}

// The library may be gone again when this returns true: while it waits for launches of the one that it replaces, the lock is open.
static bool enter_library(KlrRegistry *registry, Library *library, const KlrLoadOptions *options, uint32_t *kernels)
{
  Library *old = find_library(registry, library->path);
  bool replaces = options && options->replace;
  if (old && !replaces)
    return registry_fail(registry, "it is loaded already");
  if ((!replaces && !names_are_free(registry, library, old)) || !reserve(registry, library->table->kernel_count))
    return false;
  for (uint32_t i = 0; i < library->table->kernel_count; i++)
    add_kernel(registry, library, library->table->kernels[i]);
  library->next = registry->libraries;
  registry->libraries = library;
  *kernels = library->table->kernel_count;
  if (old)
    remove_library(registry, old);
  return true;
}

// The text that is kept does not name the file.
static bool load(KlrRegistry *registry, const char *path, const KlrLoadOptions *options, uint32_t *kernels)
{
  FileText why;
  int file = library_file_open(path, options && options->allow_writable, &why);
  if (file < 0)
    return registry_fail(registry, "%s", why.text);
  Library *library = calloc(1, sizeof *library);
  char *whole = library ? realpath(path, NULL) : NULL;
  if (!whole) {
    close(file);
    free(library);
    return no_memory(registry);
  }
  library->path = whole;
  pthread_mutex_lock(&registry->lock);
  bool ok = open_library(registry, library, file) && table_is_whole(registry, library) && enter_library(registry, library, options, kernels);
  if (!ok)
    free_library(library);
  pthread_mutex_unlock(&registry->lock);
  return ok;
}

static bool is_path(const KlrRegistry *registry, const char *path)
{
  return path && *path ? true : registry_fail(registry, "no path is given");
}

// A folder that everyone may write to holds anyone's files.
static bool folder_is_safe(KlrRegistry *registry, const char *folder, const KlrLoadOptions *options)
{
  struct stat info;
  if (stat(folder, &info) != 0)
    return registry_fail(registry, "%s: %s", folder, strerror(errno));
  if (!S_ISDIR(info.st_mode))
    return registry_fail(registry, "%s is no folder", folder);
  if ((info.st_mode & S_IWOTH) && !(options && options->allow_writable))
    return registry_fail(registry, "everyone may write to the folder %s: chmod o-w", folder);
  return true;
}

bool klr_registry_load(KlrRegistry *registry, const char *path, const KlrLoadOptions *options)
{
  char folder[PATH_MAX];
  if (!is_path(registry, path))
    return false;
  const char *slash = strrchr(path, '/');
  snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
  if (!folder_is_safe(registry, folder, options))
    return false;
  uint32_t kernels;
  if (load(registry, path, options, &kernels))
    return true;
  char why[sizeof error_text];
  snprintf(why, sizeof why, "%s", error_text);
  return registry_fail(registry, "%s: %s", path, why);
}

static int by_name(const void *a, const void *b)
{
  return strcmp(*(char *const *)a, *(char *const *)b);
}

// The paths of a folder's files that end in .so, sorted; NULL with errno.
static char **list_folder(const char *folder, size_t *count)
{
  DIR *open = opendir(folder);
  if (!open)
    return NULL;
  size_t capacity = 64;
  char **paths = malloc(capacity * sizeof *paths);
  *count = 0;
  for (struct dirent *entry; paths && (entry = readdir(open));) {
    size_t length = strlen(entry->d_name), size = strlen(folder) + length + 2;
    if (length < 4 || strcmp(entry->d_name + length - 3, ".so") != 0)
      continue;
    char **grown = *count == capacity ? realloc(paths, (capacity *= 2) * sizeof *paths) : paths;
    char *path = malloc(size);
    if (!grown || !path) {
      free(path);
      break;
    }
    paths = grown;
    snprintf(path, size, "%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", entry->d_name);
    paths[(*count)++] = path;
  }
  closedir(open);
  if (paths)
    qsort(paths, *count, sizeof *paths, by_name);
  return paths;
}

bool klr_registry_scan(KlrRegistry *registry, const char *folder, const KlrLoadOptions *options, const KlrLoadResult **results,
                       size_t *count)
{
  if (!is_path(registry, folder) || !folder_is_safe(registry, folder, options))
    return false;
  size_t path_count = 0;
  char **paths = list_folder(folder, &path_count);
  KlrLoadResult *rows = paths ? calloc(path_count + 1, sizeof *rows) : NULL;
  if (!rows) {
    for (size_t i = 0; i < path_count; i++)
      free(paths[i]);
    free(paths);
    return registry_fail(registry, "%s: %s", folder, strerror(errno));
  }
  for (size_t i = 0; i < path_count; i++) {
    rows[i].path = paths[i];
    if (!load(registry, paths[i], options, &rows[i].kernels))
      rows[i].error = strdup(error_text);
  }
  free(paths);
  pthread_mutex_lock(&registry->lock);
  free_results(registry);
  registry->results = rows;
  registry->result_count = path_count;
  pthread_mutex_unlock(&registry->lock);
  if (results)
    *results = rows;
  if (count)
    *count = path_count;
  return true;
}

bool klr_registry_unload(KlrRegistry *registry, const char *path)
{
  if (!is_path(registry, path))
    return false;
  char *whole = realpath(path, NULL);  // the file itself may be gone
  pthread_mutex_lock(&registry->lock);
  Library *library = find_library(registry, whole ? whole : path);
  if (library)
    remove_library(registry, library);
  pthread_mutex_unlock(&registry->lock);
  free(whole);
  return library ? true : registry_fail(registry, "%s is not loaded", path);
}

// ---- looking

KlrKernelHandle klr_registry_find(const KlrRegistry *registry, const char *name)
{
  KlrRegistry *r = (KlrRegistry *)registry;
  if (!name) {
    registry_fail(registry, "no name is given");
    return 0;
  }
  pthread_mutex_lock(&r->lock);
  bool found;
  uint32_t place = place_of(r, name, &found);
  KlrKernelHandle handle = found ? handle_of(r, r->sorted[place]) : 0;
  pthread_mutex_unlock(&r->lock);
  if (!handle)
    registry_fail(registry, "there is no kernel `%s`", name);
  return handle;
}

size_t klr_registry_count(const KlrRegistry *registry)
{
  KlrRegistry *r = (KlrRegistry *)registry;
  pthread_mutex_lock(&r->lock);
  size_t count = r->count;
  pthread_mutex_unlock(&r->lock);
  return count;
}

KlrKernelHandle klr_registry_at(const KlrRegistry *registry, size_t index)
{
  KlrRegistry *r = (KlrRegistry *)registry;
  pthread_mutex_lock(&r->lock);
  KlrKernelHandle handle = index < r->count ? handle_of(r, r->sorted[index]) : 0;
  pthread_mutex_unlock(&r->lock);
  return handle;
}

static Slot look_up(const KlrRegistry *registry, KlrKernelHandle kernel)
{
  KlrRegistry *r = (KlrRegistry *)registry;
  pthread_mutex_lock(&r->lock);
  const Slot *slot = find_slot(r, kernel);
  Slot found = slot ? *slot : (Slot){0};
  pthread_mutex_unlock(&r->lock);
  if (!found.info)
    registry_fail(registry, "the kernel is not, or no longer, loaded");
  return found;
}

const KlrKernelInfo *klr_kernel_info(const KlrRegistry *registry, KlrKernelHandle kernel)
{
  return look_up(registry, kernel).info;
}

const char *klr_kernel_path(const KlrRegistry *registry, KlrKernelHandle kernel)
{
  const Library *library = look_up(registry, kernel).library;
  return library ? library->path : NULL;
}

// ---- for launches

const KlrKernelInfo *registry_enter(KlrRegistry *registry, KlrKernelHandle kernel, Library **library)
{
  pthread_mutex_lock(&registry->lock);
  const Slot *slot = find_slot(registry, kernel);
  const KlrKernelInfo *info = slot ? slot->info : NULL;
  if (slot) {
    *library = slot->library;
    slot->library->launches++;
  }
  pthread_mutex_unlock(&registry->lock);
  if (!info)
    registry_fail(registry, "the kernel is not, or no longer, loaded");
  return info;
}

void registry_leave(KlrRegistry *registry, Library *library)
{
  pthread_mutex_lock(&registry->lock);
  if (--library->launches == 0)
    pthread_cond_broadcast(&registry->left);
  pthread_mutex_unlock(&registry->lock);
}

LaunchPool *registry_pool(void)
{
  return &pool;
}

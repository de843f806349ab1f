// build.c -- runs the C compiler, without a shell, and keeps what it has made.
//
// A library is kept under a hash of everything it depends on: the C text, the compiler's file, its flags, the processor. Files are
// written under a name of their own and renamed, so readers see whole ones, and whoever comes last wins with the same bytes.

#define _XOPEN_SOURCE 700  // realpath

#include "schema/build.h"
#include "schema/registry.h"
#include "schema/write_c.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <xxhash.h>

extern char **environ;

// All of -O3: without its unswitching, or its jam of unrolled loops, products of matrices take a third less to compile and run up to twice as long;
// without the second scheduling, exponentials run a tenth longer.
// Without SLP vectors: GCC 12 gets sums of doubles that are narrowed in between wrong when eight lanes are unrolled (tests/python/test_schema_strips.py).
static const char *const FLAGS[] = {"-std=gnu17", "-O3", "-fno-tree-slp-vectorize", "-fPIC", "-shared", "-fvisibility=hidden", "-ffp-contract=off", "-fno-math-errno",
                                    "-fno-trapping-math", "-w", "-xc",
                                    // libm's functions of f64 are called: a compiler that computes them, or makes pow(2, x) exp2(x), gets other bits.
                                    "-fno-builtin-exp", "-fno-builtin-exp2", "-fno-builtin-expm1", "-fno-builtin-log", "-fno-builtin-log2", "-fno-builtin-log10",
                                    "-fno-builtin-log1p", "-fno-builtin-erf", "-fno-builtin-pow", "-fno-builtin-sin", "-fno-builtin-cos", "-fno-builtin-tan",
                                    "-fno-builtin-asin", "-fno-builtin-acos", "-fno-builtin-atan", "-fno-builtin-atan2", "-fno-builtin-sinh", "-fno-builtin-cosh",
                                    "-fno-builtin-tanh",
#if defined __x86_64__ && defined __linux__
                                    // The C library is in every process that loads one; to look through it takes a tenth of the time of a
                                    // small kernel. Elsewhere the compiler's own library may be needed.
                                    "-nostdlib",
#endif
};
enum { FLAG_COUNT = sizeof FLAGS / sizeof *FLAGS, MOST_FLAGS = FLAG_COUNT + 10, MOST_ARGUMENTS = MOST_FLAGS + 8 };

typedef struct Flags {
  const char *items[MOST_FLAGS];
  size_t count;
} Flags;

static Flags flags_of(const SchemaBuildOptions *options)
{
  // As the bodies for these instruction sets are compiled otherwise: C_ISAS of write_c_body.c.
  static const char *const ONE_CPU[KLR_ISA_COUNT][7] = {
      [KLR_ISA_AVX2] = {"-mavx2", "-mfma"},
      [KLR_ISA_AVX512] = {"-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma"}};
  Flags flags = {.count = 0};
  for (size_t i = 0; i < FLAG_COUNT; i++)
    flags.items[flags.count++] = FLAGS[i];
  if (options->is_checked)
    flags.items[flags.count++] = "-DKLR_CHECKED", flags.items[flags.count++] = "-g";  // debuggers see the lines of the Python source
  if (options->is_for_this_cpu)
    flags.items[flags.count++] = "-DKLR_ONE_CPU";
  for (const char *const *flag = ONE_CPU[best_isa()]; options->is_for_this_cpu && *flag; flag++)
    flags.items[flags.count++] = *flag;
  return flags;
}

// ---- the compiler

static bool is_program(const char *path)
{
  struct stat info;
  return access(path, X_OK) == 0 && stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

// The file that `name` means: itself when it has a slash, else the first in PATH. NULL: none.
static const char *find_program(Arena *arena, const char *name)
{
  if (strchr(name, '/'))
    return is_program(name) ? name : NULL;
  const char *at = getenv("PATH");
  while (at && *at) {
    size_t len = strcspn(at, ":");
    const char *path = arena_printf(arena, "%.*s/%s", (int)len, at, name);
    if (len && is_program(path))
      return path;
    at += len + (at[len] == ':');
  }
  return NULL;
}

static const char *find_compiler(Session *session, Arena *arena, const SchemaBuildOptions *options)
{
  const char *const own = getenv("KLR_CC"), *const wanted = options->compiler ? options->compiler : own && *own ? own : getenv("CC");
  if (wanted && *wanted) {
    const char *path = find_program(arena, wanted);
    if (!path) {
      Diag *diag = diag_error(session, E_SCHEMA_BUILD, "there is no compiler `%s`", wanted);
      diag_help(diag, "name one that exists by --compiler, KLR_CC or CC; arguments cannot stand there");
    }
    return path;
  }
  static const char *const NAMES[] = {"cc", "gcc", "clang"};
  for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
    const char *path = find_program(arena, NAMES[i]);
    if (path)
      return path;
  }
  Diag *diag = diag_error(session, E_SCHEMA_BUILD, "there is no C compiler");
  diag_help(diag, "install gcc or clang, or name one by KLR_CC; `klr schema run` interprets kernels without one");
  return NULL;
}

// What changes when the compiler does.
static const char *identity_of(Arena *arena, const char *compiler)
{
  struct stat info = {0};
  char resolved[4096];
  const char *path = realpath(compiler, resolved) ? resolved : compiler;
  stat(path, &info);
  return arena_printf(arena, "%s %lld %lld", path, (long long)info.st_size, (long long)info.st_mtime);
}

// ---- the cache

const char *schema_cache_folder(Arena *arena)
{
  const char *own = getenv("KLR_CACHE"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
  if (own)
    return *own ? own : NULL;
  if (cache && *cache)
    return arena_printf(arena, "%s/klr", cache);
  return home && *home ? arena_printf(arena, "%s/.cache/klr", home) : NULL;
}

static bool make_folders(Arena *arena, const char *folder)
{
  char *path = (char *)arena_printf(arena, "%s", folder);
  for (char *at = path + 1; *at; at++)
    if (*at == '/') {
      *at = 0;
      mkdir(path, 0777);
      *at = '/';
    }
  return mkdir(path, 0777) == 0 || errno == EEXIST;
}

enum { LIBRARY_MODE = 0755 };  // none that everyone may write to, whatever the umask

static bool write_library(Session *session, const char *path, Str bytes)
{
  const int reason = file_replace(session, path, bytes, LIBRARY_MODE);
  if (reason) {
    Diag *diag = diag_error(session, E_FILE_WRITE, "cannot write `%s`: %s", path, strerror(reason));
    diag_help(diag, "choose another folder by -o, or make room; nothing was left there");
  }
  return reason == 0;
}

void schema_cache_list(Arena *arena, SchemaKeptList *out)
{
  const char *folder = schema_cache_folder(arena);
  DIR *dir = folder ? opendir(folder) : NULL;
  for (const struct dirent *entry; dir && (entry = readdir(dir));) {
    struct stat info;
    Str name = str_from(entry->d_name);
    if (str_ends_with(name, ".so") && stat(arena_printf(arena, "%s/%s", folder, entry->d_name), &info) == 0)
      vec_push(arena, out, (SchemaKept){arena_printf(arena, "%s", entry->d_name), (uint64_t)info.st_size});
  }
  if (dir)
    closedir(dir);
}

// Files that a process left which was ended in the middle.
static void remove_unfinished(Arena *arena, const char *folder)
{
  DIR *dir = folder ? opendir(folder) : NULL;
  for (const struct dirent *entry; dir && (entry = readdir(dir));)
    if (str_ends_with(str_from(entry->d_name), ".tmp"))
      unlink(arena_printf(arena, "%s/%s", folder, entry->d_name));
  if (dir)
    closedir(dir);
}

size_t schema_cache_clear(Arena *arena)
{
  SchemaKeptList kept = {0};
  schema_cache_list(arena, &kept);
  remove_unfinished(arena, schema_cache_folder(arena));
  size_t removed = 0;
  for (size_t i = 0; i < kept.count; i++)
    removed += unlink(arena_printf(arena, "%s/%s", schema_cache_folder(arena), kept.items[i].name)) == 0;
  return removed;
}

// ---- running the compiler

// Starts it with standard error in the file `log`. Its process, or -1 when it could not be started.
static pid_t start_program(const char *const *arguments, const char *log)
{
  posix_spawn_file_actions_t actions;
  pid_t pid;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  int started = posix_spawn(&pid, arguments[0], &actions, NULL, (char *const *)arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  return started == 0 ? pid : -1;
}

// Waits for the program's end. Its exit status, or -1 when it was not started.
static int end_program(pid_t pid)
{
  int status = -1;
  while (pid < 0 || waitpid(pid, &status, 0) < 0)
    if (pid < 0 || errno != EINTR)
      return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void tell_failure(Session *session, const char *compiler, const char *log)
{
  Arena arena = session_arena(session);
  Str said = {"", 0};
  if (access(log, R_OK) == 0)
    file_read(session, &arena, log, &said);
  Diag *diag = diag_error(session, E_SCHEMA_BUILD, "the compiler `%s` has failed", compiler);
  size_t shown = said.len > 2000 ? 2000 : said.len;
  if (shown)
    diag_note(diag, "it says:\n%.*s", (int)shown, said.data);
  diag_help(diag, "--emit-c keeps the C text; `klr schema run` interprets the kernel meanwhile");
  arena_free(&arena);
}

static double now_seconds(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

// A folder for one run of the compiler; NULL after reporting.
static const char *make_work_folder(Session *session, Arena *arena)
{
  const char *base = getenv("TMPDIR");
  char *folder = (char *)arena_printf(arena, "%s/klr-schema-XXXXXX", base && *base ? base : "/tmp");
  if (mkdtemp(folder))
    return folder;
  Diag *diag = diag_error(session, E_SCHEMA_BUILD, "cannot make the folder `%s`: %s", folder, strerror(errno));
  diag_help(diag, "the compiler works in TMPDIR, else in /tmp: name a folder there that can be written to");
  return NULL;
}

// What the compiler has made, which must be an ELF file. False after reporting.
static bool read_made(Session *session, Arena *arena, const char *compiler, const char *made, Str *library)
{
  if (access(made, R_OK) == 0 && !file_read(session, arena, made, library))
    return false;
  if (library->len > 4 && memcmp(library->data, "\177ELF", 4) == 0)
    return true;
  Diag *diag = diag_error(session, E_SCHEMA_BUILD, "the compiler `%s` has ended without an error, and has written no library", compiler);
  diag_help(diag, "is it a C compiler? It is called as gcc and clang are: CC FLAGS... kernels.c -o kernels.so");
  return false;
}

// A kept library, unless it is damaged or everyone may write to it.
static bool read_kept(Session *session, Arena *arena, const char *kept, Str *library)
{
  FileText why;
  const int file = access(kept, R_OK) == 0 ? library_file_open(kept, false, &why) : -1;
  if (file < 0)
    return false;
  close(file);
  return file_read(session, arena, kept, library);
}

struct SchemaBuild {
  const char *path, *kept, *compiler;        // `kept`: NULL when nothing is
  const char *folder, *source, *made, *log;  // where the compiler works; NULL when there is nothing to compile
  pid_t pid;
  double start;
  Str library;
};

// Starts to compile `text`, in a folder of its own. False after reporting.
static bool start_compiler(Session *session, Arena *arena, SchemaBuild *build, Str text, const Flags *flags)
{
  const char *folder = build->folder = make_work_folder(session, arena);
  if (!folder)
    return false;
  build->source = arena_printf(arena, "%s/kernels.c", folder), build->made = arena_printf(arena, "%s/kernels.so", folder), build->log = arena_printf(arena, "%s/log", folder);
  const char *arguments[MOST_ARGUMENTS] = {build->compiler};
  size_t count = 1;
  for (size_t i = 0; i < flags->count; i++)
    arguments[count++] = flags->items[i];
  arguments[count++] = build->source;
  arguments[count++] = "-o";
  arguments[count++] = build->made;
  arguments[count++] = "-Wl,--as-needed";
  arguments[count++] = "-lm";
  const bool ok = file_write(session, build->source, text);
  if (ok)
    build->pid = start_program(arguments, build->log);
  else
    unlink(build->source), rmdir(folder);
  return ok;
}

// Waits for the compiler and reads the library. False after reporting.
static bool end_compiler(Session *session, Arena *arena, SchemaBuild *build)
{
  bool ok = end_program(build->pid) == 0;
  if (!ok)
    tell_failure(session, build->compiler, build->log);
  ok = ok && read_made(session, arena, build->compiler, build->made, &build->library);
  unlink(build->source), unlink(build->log), unlink(build->made);
  rmdir(build->folder);
  return ok;
}

SchemaBuild *schema_build_start(Session *session, Arena *arena, SchemaFile *const *files, size_t file_count, const char *path,
                                const SchemaBuildOptions *options)
{
  SchemaBuild *build = arena_alloc(arena, sizeof *build);
  *build = (SchemaBuild){.path = path, .compiler = find_compiler(session, arena, options), .library = {"", 0}};
  if (!build->compiler)
    return NULL;
  const Flags flags = flags_of(options);
  StrBuf line = strbuf_new(arena);
  strbuf_puts(&line, build->compiler);
  for (size_t i = 0; i < flags.count; i++)
    strbuf_printf(&line, " %s", flags.items[i]);
  SchemaSource source;
  if (!schema_write_c(session, arena, files, file_count, strbuf_cstr(&line), &source))
    return NULL;
  const char *key = arena_printf(arena, "%s %s", strbuf_cstr(&line), identity_of(arena, build->compiler));
  const char *folder = options->no_cache ? NULL : schema_cache_folder(arena);
  if (folder)
    build->kept = arena_printf(arena, "%s/%.*s-%016" PRIx64 ".so", folder, STR_ARG(source.hash), (uint64_t)XXH3_64bits(key, strlen(key)));
  if (build->kept && read_kept(session, arena, build->kept, &build->library))
    return build;
  build->start = now_seconds();
  return start_compiler(session, arena, build, source.text, &flags) ? build : NULL;
}

bool schema_build_end(Session *session, Arena *arena, SchemaBuild *build, SchemaBuilt *built)
{
  *built = (SchemaBuilt){.compiler = build->compiler, .was_kept = !build->folder};
  if (built->was_kept)
    return write_library(session, build->path, build->library);
  if (!end_compiler(session, arena, build))
    return false;
  built->seconds = now_seconds() - build->start;
  if (!write_library(session, build->path, build->library))
    return false;
  if (build->kept && make_folders(arena, schema_cache_folder(arena)))
    file_replace(session, build->kept, build->library, LIBRARY_MODE);  // one that cannot be kept is no error: the library is there
  return true;
}

bool schema_build(Session *session, Arena *arena, SchemaFile *const *files, size_t file_count, const char *path,
                  const SchemaBuildOptions *options, SchemaBuilt *built)
{
  SchemaBuild *build = schema_build_start(session, arena, files, file_count, path, options);
  return build && schema_build_end(session, arena, build, built);
}

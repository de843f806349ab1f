#include "cli/write.h"

#include "base/map.h"
#include "core/text.h"
#include "serde/klr_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool cli_write(Cli *cli, Str bytes)
{
  const char *path = cli->options.output;
  if (path && strcmp(path, "-") != 0)
    return file_write(cli->session, path, bytes);
  strbuf_add(&cli->out, bytes.data, bytes.len);
  return true;
}

// The files of the kernel's constants that the session keeps, in the folder of the file the kernel is written to.
static bool write_constants(Cli *cli, const Kernel *kernel)
{
  const char *path = cli->options.output, *slash = path ? strrchr(path, '/') : NULL;
  Arena *arena = &cli->session->arena;
  const char *folder = slash ? arena_strndup(arena, path, (size_t)(slash - path) + 1) : "";
  bool is_file = path && strcmp(path, "-") != 0;
  for (uint32_t i = 0; i < kernel->shared_constants.count; i++) {
    const char *name = kernel->shared_constants.items[i].file_name, *end = strrchr(name, '/');
    const Str *bytes = session_kept_file(cli->session, name);
    if (!bytes)
      continue;
    if (!is_file) {
      fprintf(stderr, "klr: constants are not written; -o FILE writes them beside FILE, in `shared_constants`\n");
      return true;
    }
    const char *inner = end ? arena_printf(arena, "%s%.*s", folder, (int)(end - name), name) : NULL;
    if (inner && mkdir(inner, 0777) != 0 && errno != EEXIST) {
      diag_error(cli->session, E_FILE_WRITE, "cannot make the folder `%s`: %s", inner, strerror(errno));
      return false;
    }
    if (!file_write(cli->session, arena_printf(arena, "%s%s", folder, name), *bytes))
      return false;
  }
  return true;
}

int write_kernel(Cli *cli, const Kernel *kernel, const char *as)
{
  StrBuf out = strbuf_new(&cli->session->arena);
  KlrFile file = {.contents = KLR_CONTENTS_LNC, .kernel = kernel};
  bool ok = true;
  if (strcmp(as, "text") == 0) {
    core_print_kernel(kernel, &out, (TextOptions){.source = cli->options.source ? cli->session : NULL});
    if (out.len && out.data[out.len - 1] != '\n')
      strbuf_putc(&out, '\n');
  } else if (strcmp(as, "json") == 0) {
    ok = klr_to_json(cli->session, &file, 1, &out);
  } else if (strcmp(as, "sexp") == 0) {
    ok = klr_to_sexp(cli->session, &file, &out);
    strbuf_putc(&out, '\n');
  } else if (strcmp(as, "klr") == 0) {
    if (!cli->options.output && isatty(STDOUT_FILENO))
      return cli_usage(cli, "a .klr file is binary: give it a name with -o FILE, or send it into a pipe");
    ok = klr_write(cli->session, kernel, &out);
  } else {
    return cli_usage(cli, "a kernel is written --as text, json, sexp or klr, found `%s`", as);
  }
  return ok && write_constants(cli, kernel) && cli_write(cli, strbuf_str(&out)) ? EXIT_OK : EXIT_USER;
}

uint64_t kernel_operators(const Kernel *kernel)
{
  uint64_t count = 0;
  for (uint32_t core = 0; core < kernel->bodies.count; core++)
    for (uint32_t i = 0; i < kernel->bodies.items[core].count; i++)
      count += kernel->bodies.items[core].items[i]->body.count;
  return count;
}

static bool count_tensor(void *context, const FieldInfo *field, Role role, const TensorRef *ref)
{
  (void)field, (void)role;
  Map *tensors = context;
  const View *view = ref->ctor == TensorRef_abstract && ref->abstract.ctor == Access_view ? ref->abstract.view : NULL;
  if (view)
    map_set_number(tensors, (uint64_t)(uintptr_t)view->tensor, (void *)view->tensor);
  return true;
}

uint64_t kernel_tensors(Arena *arena, const Kernel *kernel)
{
  Map tensors = map_new(arena);
  for (uint32_t core = 0; core < kernel->bodies.count; core++)
    for (uint32_t i = 0; i < kernel->bodies.items[core].count; i++) {
      const Block *block = kernel->bodies.items[core].items[i];
      for (uint32_t j = 0; j < block->body.count; j++)
        op_visit_tensors(block->body.items[j]->op, count_tensor, &tensors);
    }
  return tensors.count;
}

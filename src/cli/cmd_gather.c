// cmd_gather.c -- `klr gather`: sources and everything they import, in one file.

#include "cli/program.h"
#include "cli/write.h"
#include "serde/klr_file.h"
#include "syntax/python_ast.h"
#include "trace/gather.h"

#include <string.h>

static const Gathered *with_arguments(Cli *cli, const Gathered *sources)
{
  Gathered *all = arena_new(&cli->session->arena, Gathered);
  *all = *sources;
  all->target = cli->options.target;
  if (cli->options.lnc)
    all->lnc = (Core_OPT_NAT){true, (uint64_t)cli->options.lnc};
  size_t count = cli->options.arguments.count - 1;
  all->arguments.items = arena_array(&cli->session->arena, GatheredArgument, count);
  for (size_t i = 0; i < count; i++) {
    const char *text = cli->options.arguments.items[i + 1], *equals = strchr(text, '=');
    if (!equals) {
      cli_usage(cli, "`%s` is not of the form NAME=VALUE", text);
      return NULL;
    }
    const char *name = arena_strndup(&cli->session->arena, text, (size_t)(equals - text));
    all->arguments.items[all->arguments.count++] = (GatheredArgument){name, equals + 1};
  }
  return all;
}

int cmd_gather(Cli *cli)
{
  if (cli->options.arguments.count == 0)
    return cli_usage(cli, "klr gather needs a file");
  const char *path, *kernel, *as = cli->options.as;
  as = as ? as : cli->options.json && !cli->options.output ? "json" : "klr";
  split_kernel_name(cli->session, cli->options.arguments.items[0], &path, &kernel);
  bool as_tree = strcmp(as, "ast") == 0 || strcmp(as, "ast-klr") == 0;
  if (strcmp(as, "klr") != 0 && strcmp(as, "json") != 0 && !as_tree)
    return cli_usage(cli, "klr gather writes --as klr, json, ast or ast-klr, found `%s`", as);
  Tracer *tracer = program_tracer(cli);
  const Gathered *sources = gather_sources(tracer, path, kernel);
  const Gathered *gathered = sources ? with_arguments(cli, sources) : NULL;
  StrBuf out = strbuf_new(&cli->session->arena);
  bool ok = gathered != NULL;
  if (ok && as_tree) {
    ok = python_ast_write(cli->session, gathered, strcmp(as, "ast-klr") == 0, &out);
  } else if (ok && strcmp(as, "json") == 0) {
    ok = klr_to_json(cli->session, &(KlrFile){.contents = KLR_CONTENTS_SOURCES, .sources = gathered}, 1, &out);
    strbuf_putc(&out, '\n');
  } else if (ok) {
    ok = gathered_write(cli->session, gathered, &out);
  }
  if (ok)
    ok = cli_write(cli, strbuf_str(&out));
  tracer_free(tracer);
  return ok ? EXIT_OK : EXIT_USER;
}

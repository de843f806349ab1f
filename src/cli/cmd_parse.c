// cmd_parse.c -- `klr parse`: the syntax tree of Python files.

#include "cli/cli.h"
#include "syntax/check.h"
#include "syntax/dump.h"
#include "syntax/parser.h"

#include <string.h>
#include <time.h>

static double now_seconds(void)
{
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

// Seconds for one parse of all files, the best of `repeat`, on standard output. Reading the files is not counted.
static int time_files(Cli *cli, const TextVec *paths, int64_t repeat)
{
  double best = 0;
  for (int64_t round = 0; round < repeat; round++) {
    double total = 0;
    for (size_t i = 0; i < paths->count; i++) {
      Session *session = session_new();
      if (!session)
        return EXIT_USER;
      Arena arena = ARENA_INIT;
      Source *source = session_read_source(session, paths->items[i]);
      double start = now_seconds();
      if (source)
        parse_module(session, &arena, source);
      total += now_seconds() - start;
      arena_free(&arena);
      session_free(session);
    }
    best = round == 0 || total < best ? total : best;
  }
  strbuf_printf(&cli->out, "%.9f\n", best);
  return EXIT_OK;
}

// Every file's outcome for a program to read: "ok MINOR_VERSION\0TREE\0", or "error\0MESSAGES\0".
static int batch_files(Cli *cli, const TextVec *paths)
{
  for (size_t i = 0; i < paths->count; i++) {
    Session *session = session_new();
    if (!session)
      return EXIT_USER;
    Arena arena = ARENA_INIT;
    StrBuf text = strbuf_new(&arena);
    Source *source = session_read_source(session, paths->items[i]);
    Module *module = source ? parse_module(session, &arena, source) : NULL;
    bool ok = module && !module->has_errors && (!cli->options.check || check_module(session, module));
    if (ok) {
      strbuf_printf(&cli->out, "ok %d", module->minor_version);
      strbuf_putc(&cli->out, '\0');
      ast_dump(module, &text);
    } else {
      strbuf_puts(&cli->out, "error");
      strbuf_putc(&cli->out, '\0');
      diag_print_text(session, &text, false);
    }
    strbuf_add(&cli->out, strbuf_cstr(&text), text.len);
    strbuf_putc(&cli->out, '\0');
    arena_free(&arena);
    session_free(session);
  }
  return EXIT_OK;
}

int cmd_parse(Cli *cli)
{
  const TextVec *paths = &cli->options.arguments;
  const char *form = cli->options.as ? cli->options.as : "dump";
  if (cli->options.repeat > 0)
    return time_files(cli, paths, cli->options.repeat);
  if (strcmp(form, "batch") == 0)
    return batch_files(cli, paths);
  if (!cli_wants(cli, 1))
    return EXIT_USAGE;
  bool as_source = strcmp(form, "source") == 0, as_tree = strcmp(form, "tree") == 0;
  if (!as_source && !as_tree && strcmp(form, "dump") != 0)
    return cli_usage(cli, "klr parse writes dump, tree or source, not `%s`", form);
  Source *source = session_read_source(cli->session, paths->items[0]);
  if (!source)
    return EXIT_USER;
  Module *module = parse_module(cli->session, &cli->session->arena, source);
  if (module->has_errors || (cli->options.check && !check_module(cli->session, module)))
    return EXIT_USER;
  StrBuf text = strbuf_new(&cli->session->arena);
  if (as_source) {
    ast_print(module, &text);
  } else {
    if (as_tree)
      ast_dump_without_places(module, &text);
    else
      ast_dump(module, &text);
    strbuf_putc(&text, '\n');
  }
  if (cli->options.json) {
    JsonWriter json = json_writer(&cli->out, 0);
    json_begin_object(&json);
    json_key(&json, "ok");
    json_bool(&json, true);
    json_key(&json, "command");
    json_text(&json, STR("parse"));
    json_key(&json, as_source ? "source" : "tree");
    json_text(&json, strbuf_str(&text));
    json_end_object(&json);
    strbuf_putc(&cli->out, '\n');
  } else {
    strbuf_add(&cli->out, strbuf_cstr(&text), text.len);
  }
  return EXIT_OK;
}

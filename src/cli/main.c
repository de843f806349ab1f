// main.c -- the `klr` program: finds the subcommand, reads its options, prints what it said.

#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct CommandInfo {
  const char *name, *sentence, *synopsis, *examples, *more;
  int (*run)(Cli *cli);
} CommandInfo;

static const CommandInfo commands[] = {
#define COMMAND(name, sentence, synopsis, examples, more) {#name, sentence, synopsis, examples, more, cmd_##name},
#include "cli/commands.def"
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

typedef enum OptionKind { FLAG, TEXT, NUMBER, LIST } OptionKind;

typedef struct OptionInfo {
  OptionKind kind;
  const char *long_form, *short_form, *value, *commands, *meaning;
  size_t offset;
} OptionInfo;

static const OptionInfo option_infos[] = {
#define OPTION(member, kind, long_form, short_form, value, commands, meaning)                                          \
  {kind, long_form, short_form, value, commands, meaning, offsetof(Options, member)},
#include "cli/options.def"
};
enum { OPTION_COUNT = sizeof option_infos / sizeof *option_infos };

static const CommandInfo *find_command(const char *name)
{
  for (int i = 0; i < COMMAND_COUNT; i++)
    if (strcmp(commands[i].name, name) == 0)
      return &commands[i];
  return NULL;
}

static bool option_belongs(const OptionInfo *option, const char *command)
{
  if (strcmp(option->commands, "*") == 0)
    return true;
  size_t len = strlen(command);
  for (const char *at = option->commands; (at = strstr(at, command)); at += len)
    if ((at == option->commands || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
      return true;
  return false;
}

// ---- help

static void add_indented(StrBuf *out, const char *text, int indent)
{
  for (const char *line = text; *line;) {
    size_t len = strcspn(line, "\n");
    strbuf_repeat(out, ' ', len ? (size_t)indent : 0);
    strbuf_add(out, line, len);
    strbuf_putc(out, '\n');
    line += len + (line[len] == '\n');
  }
}

static void add_option(StrBuf *out, const OptionInfo *option)
{
  size_t start = out->len;
  strbuf_printf(out, "  %s%s%s", option->short_form ? option->short_form : "", option->short_form ? ", " : "",
                option->long_form);
  if (option->value)
    strbuf_printf(out, " %s", option->value);
  size_t width = out->len - start;
  strbuf_repeat(out, ' ', width < 32 ? 32 - width : 1);
  strbuf_printf(out, "%s\n", option->meaning);
}

void cli_help(const char *name, StrBuf *out)
{
  const CommandInfo *command = find_command(name);
  strbuf_printf(out, "klr %s: %s.\n\nUsage:\n  %s\n\nExamples:\n", command->name, command->sentence, command->synopsis);
  add_indented(out, command->examples, 2);
  if (*command->more) {
    strbuf_putc(out, '\n');
    add_indented(out, command->more, 0);
  }
  strbuf_puts(out, "\nOptions:\n");
  for (int i = 0; i < OPTION_COUNT; i++)
    if (option_belongs(&option_infos[i], name))
      add_option(out, &option_infos[i]);
  if (!strstr(command->more, "Exit status"))
    strbuf_puts(out, "\nExit status: 0 success, 1 an error in the input, 2 wrong usage, 70 a bug in klr.\n");
}

static void overview(StrBuf *out)
{
  strbuf_puts(out, "klr: check, run and translate machine-learning kernels; no accelerator needed.\n\n"
                   "Usage:\n  klr COMMAND [arguments] [options]\n\nCommands:\n");
  for (int i = 0; i < COMMAND_COUNT; i++)
    strbuf_printf(out, "  %-12s%s\n", commands[i].name, commands[i].sentence);
  strbuf_puts(out, "\n`klr COMMAND --help` tells more, with examples. `klr --version` prints the version.\n");
}

// ---- options

int cli_usage(Cli *cli, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(&cli->session->arena, format, args);
  va_end(args);
  Diag *diag = diag_error(cli->session, E_USAGE, "%s", text);
  const CommandInfo *command = find_command(cli->command);
  if (command)
    diag_help(diag, "usage: %s\n`klr %s --help` tells more", command->synopsis, command->name);
  return EXIT_USAGE;
}

void cli_end_document(Cli *cli, JsonWriter *json)
{
  StrBuf diags = strbuf_new(&cli->session->arena);
  diag_print_json(cli->session, &diags);
  json_key(json, "diagnostics");
  json_raw(json, strbuf_str(&diags));
  cli->told_diagnostics = true;
  json_end_object(json);
  strbuf_putc(&cli->out, '\n');
}

bool cli_wants(Cli *cli, size_t count)
{
  if (cli->options.arguments.count == count)
    return true;
  cli_usage(cli, cli->options.arguments.count < count ? "klr %s needs %zu argument%s, found %zu"
                                                      : "klr %s takes %zu argument%s, found %zu",
            cli->command, count, count == 1 ? "" : "s", cli->options.arguments.count);
  return false;
}

static void unknown_option(Cli *cli, const char *text)
{
  const char *names[OPTION_COUNT];
  size_t count = 0;
  for (int i = 0; i < OPTION_COUNT; i++)
    if (option_belongs(&option_infos[i], cli->command))
      names[count++] = option_infos[i].long_form;
  cli_usage(cli, "klr %s has no option `%s`", cli->command, text);
  Diag *diag = cli->session->diags.items[cli->session->diags.count - 1];
  diag_suggest(diag, str_from(text), names, count);
}

static bool store(Cli *cli, const OptionInfo *option, const char *value)
{
  char *member = (char *)&cli->options + option->offset;
  switch (option->kind) {
  case FLAG:
    *(bool *)member = true;
    return true;
  case TEXT:
    *(const char **)member = value;
    return true;
  case LIST:
    vec_push(&cli->session->arena, (TextVec *)member, value);
    return true;
  case NUMBER: {
    char *end;
    long long number = strtoll(value, &end, 10);
    if (*value == '\0' || *end != '\0' || number < 0) {
      cli_usage(cli, "option %s takes a whole number, found `%s`", option->long_form, value);
      return false;
    }
    *(int64_t *)member = number;
    return true;
  }
  }
  return false;
}

// One option at argv[*at]; `--name=value`, `--name value`, `-nvalue` and `-n value` are understood.
static bool read_option(Cli *cli, int argc, char **argv, int *at)
{
  const char *text = argv[*at];
  for (int i = 0; i < OPTION_COUNT; i++) {
    const OptionInfo *option = &option_infos[i];
    if (!option_belongs(option, cli->command))
      continue;
    size_t len = strlen(option->long_form);
    const char *value = NULL;
    if (strncmp(text, option->long_form, len) == 0 && (text[len] == '\0' || text[len] == '='))
      value = text[len] ? text + len + 1 : NULL;
    else if (option->short_form && strncmp(text, option->short_form, 2) == 0)
      value = text[2] ? text + 2 : NULL;
    else
      continue;
    if (option->kind == FLAG) {
      if (value) {
        cli_usage(cli, "option %s takes no value", option->long_form);
        return false;
      }
      return store(cli, option, NULL);
    }
    if (!value && *at + 1 < argc)
      value = argv[++*at];
    if (!value) {
      cli_usage(cli, "option %s needs a value: %s", option->long_form, option->value);
      return false;
    }
    return store(cli, option, value);
  }
  unknown_option(cli, text);
  return false;
}

static bool read_arguments(Cli *cli, int argc, char **argv)
{
  bool ok = true, options_end = false;
  for (int i = 2; i < argc; i++) {
    if (!options_end && strcmp(argv[i], "--") == 0)
      options_end = true;
    else if (!options_end && argv[i][0] == '-' && argv[i][1] != '\0')
      ok = read_option(cli, argc, argv, &i) && ok;
    else
      vec_push(&cli->session->arena, &cli->options.arguments, argv[i]);
  }
  return ok;
}

// ---- the end of a run

static bool wants_color(const Cli *cli)
{
  const char *choice = cli->options.color ? cli->options.color : "auto";
  if (strcmp(choice, "auto") != 0)
    return strcmp(choice, "always") == 0;
  const char *term = getenv("TERM");
  return isatty(STDERR_FILENO) && !getenv("NO_COLOR") && term && strcmp(term, "dumb") != 0;
}

// A document that a command printed as its result, a kernel say, has what there is to tell about it as one more member.
static bool add_diagnostics(Cli *cli)
{
  StrBuf *out = &cli->out;
  size_t end = out->len;
  while (end && out->data[end - 1] == '\n')
    end--;
  if (!cli->session->diags.count || end < 2 || out->data[0] != '{' || out->data[end - 1] != '}')
    return false;
  out->len = end - 1 - (out->data[end - 2] == '\n');
  StrBuf diags = strbuf_new(&cli->session->arena);
  diag_print_json(cli->session, &diags);
  strbuf_printf(out, ",\n \"diagnostics\": %s\n}\n", strbuf_cstr(&diags));
  return true;
}

// Results on stdout, talk on stderr; with --json a command that printed no document of its own gets one here.
static int finish(Cli *cli, int status)
{
  Session *session = cli->session;
  if (session->error_count && status == EXIT_OK)
    status = EXIT_USER;
  StrBuf talk = strbuf_new(&session->arena);
  if (cli->options.json && !cli->told_diagnostics && (status != EXIT_OK || cli->out.len == 0)) {
    cli->out.len = 0;
    JsonWriter json = json_writer(&cli->out, 0);
    json_begin_object(&json);
    json_key(&json, "ok");
    json_bool(&json, status == EXIT_OK);
    json_key(&json, "command");
    json_text(&json, str_from(cli->command));
    json_key(&json, "diagnostics");
    StrBuf diags = strbuf_new(&session->arena);
    diag_print_json(session, &diags);
    json_raw(&json, strbuf_str(&diags));
    json_end_object(&json);
    strbuf_putc(&cli->out, '\n');
  } else if (!cli->told_diagnostics && !(cli->options.json && add_diagnostics(cli))) {
    diag_print_text(session, &talk, wants_color(cli));
  }
  if (talk.len)
    fwrite(talk.data, 1, talk.len, stderr);
  if ((cli->out.len && fwrite(cli->out.data, 1, cli->out.len, stdout) != cli->out.len) || fflush(stdout) != 0)
    status = status == EXIT_OK ? EXIT_USER : status;
  return status;
}

static int run(Cli *cli, int argc, char **argv)
{
  const CommandInfo *command = find_command(cli->command);
  if (!command) {
    for (int i = 2; i < argc; i++)
      cli->options.json = cli->options.json || strcmp(argv[i], "--json") == 0;
    const char *names[COMMAND_COUNT];
    for (int i = 0; i < COMMAND_COUNT; i++)
      names[i] = commands[i].name;
    Diag *diag = diag_error(cli->session, E_USAGE, "klr has no command `%s`", cli->command);
    diag_suggest(diag, str_from(cli->command), names, COMMAND_COUNT);
    diag_help(diag, "`klr --help` lists the commands");
    return EXIT_USAGE;
  }
  bool ok = read_arguments(cli, argc, argv);
  if (cli->options.help) {
    cli->session->diags.count = cli->session->error_count = 0;
    cli_help(cli->command, &cli->out);
    return EXIT_OK;
  }
  cli->session->strict = cli->options.strict;
  cli->session->lenient = cli->options.lenient;
  return ok ? command->run(cli) : EXIT_USAGE;
}

// Half of the computer's memory for each arena; what runs out of it is told as an error of the input.
static size_t memory_limit(void)
{
  long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
  return pages > 0 && page_bytes > 0 ? (size_t)pages / 2 * (size_t)page_bytes : 0;
}

// setjmp stands alone, so that no local of a longer function is lost.
static int run_guarded(Cli *cli, int argc, char **argv)
{
  Arena *arena = &cli->session->arena;
  arena->limit_bytes = memory_limit();
  arena->on_exhausted = &cli->session->on_exhausted;
  if (setjmp(cli->session->on_exhausted) == 0) {
    int status = run(cli, argc, argv);
    arena->on_exhausted = NULL;
    return status;
  }
  arena->on_exhausted = NULL;  // telling it may still end in arena_exhausted's own message
  arena->limit_bytes = 0;
  Diag *diag = diag_error(cli->session, E_MEMORY, "there is not enough memory for this");
  diag_help(diag, "try a smaller shape; `klr explain E0004` says more");
  return EXIT_USER;
}

int main(int argc, char **argv)
{
  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    puts("klr " KLR_VERSION);
    return EXIT_OK;
  }
#ifdef SIGXFSZ
  signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is then an error of the write, told like a full disk
#endif
  Session *session = session_new();
  if (!session) {
    fputs("klr: out of memory\n", stderr);
    return 70;
  }
  Cli cli = {.session = session, .command = argc > 1 ? argv[1] : "--help", .out = strbuf_new(&session->arena)};
  int status;
  if (strcmp(cli.command, "--help") == 0 || strcmp(cli.command, "-h") == 0 || strcmp(cli.command, "help") == 0) {
    overview(&cli.out);
    status = argc > 1 ? EXIT_OK : EXIT_USAGE;
  } else {
    status = run_guarded(&cli, argc, argv);
  }
  status = finish(&cli, status);
  session_free(session);
  return status;
}

// cmd_completion.c -- `klr completion`: shell completion made from the same tables as the help pages.

#include "cli/cli.h"

#include <string.h>

static const char *const command_names[] = {
#define COMMAND(name, sentence, synopsis, examples, more) #name,
#include "cli/commands.def"
};
static const char *const command_sentences[] = {
#define COMMAND(name, sentence, synopsis, examples, more) sentence,
#include "cli/commands.def"
};
enum { COMMAND_COUNT = sizeof command_names / sizeof *command_names };

typedef struct LongOption {
  const char *long_form, *meaning;
} LongOption;

static const LongOption options[] = {
#define OPTION(member, kind, long_form, short_form, value, commands, meaning) {long_form, meaning},
#include "cli/options.def"
};
enum { OPTION_COUNT = sizeof options / sizeof *options };

static void bash(StrBuf *out)
{
  strbuf_puts(out, "_klr() {\n  local word=\"${COMP_WORDS[COMP_CWORD]}\"\n  if [ \"$COMP_CWORD\" = 1 ]; then\n"
                   "    COMPREPLY=($(compgen -W \"");
  for (int i = 0; i < COMMAND_COUNT; i++)
    strbuf_printf(out, "%s%s", i ? " " : "", command_names[i]);
  strbuf_puts(out, "\" -- \"$word\"))\n  elif [[ \"$word\" == -* ]]; then\n    COMPREPLY=($(compgen -W \"");
  for (int i = 0; i < OPTION_COUNT; i++)
    strbuf_printf(out, "%s%s", i ? " " : "", options[i].long_form);
  strbuf_puts(out, "\" -- \"$word\"))\n  else\n    COMPREPLY=($(compgen -f -- \"$word\"))\n  fi\n}\n"
                   "complete -o filenames -F _klr klr\n");
}

// Single quotes inside a single-quoted shell word.
static void quoted(StrBuf *out, const char *text)
{
  strbuf_putc(out, '\'');
  for (; *text; text++)
    if (*text == '\'')
      strbuf_puts(out, "'\\''");
    else
      strbuf_putc(out, *text);
  strbuf_putc(out, '\'');
}

static void zsh(StrBuf *out)
{
  strbuf_puts(out, "#compdef klr\n_klr() {\n  if (( CURRENT == 2 )); then\n    local -a commands=(\n");
  for (int i = 0; i < COMMAND_COUNT; i++) {
    strbuf_printf(out, "      %s:", command_names[i]);
    quoted(out, command_sentences[i]);
    strbuf_putc(out, '\n');
  }
  strbuf_puts(out, "    )\n    _describe command commands\n  elif [[ $words[CURRENT] == -* ]]; then\n    compadd --");
  for (int i = 0; i < OPTION_COUNT; i++)
    strbuf_printf(out, " %s", options[i].long_form);
  strbuf_puts(out, "\n  else\n    _files\n  fi\n}\ncompdef _klr klr\n");
}

static void fish(StrBuf *out)
{
  for (int i = 0; i < COMMAND_COUNT; i++) {
    strbuf_printf(out, "complete -c klr -n __fish_use_subcommand -a %s -d ", command_names[i]);
    quoted(out, command_sentences[i]);
    strbuf_putc(out, '\n');
  }
  for (int i = 0; i < OPTION_COUNT; i++) {
    strbuf_printf(out, "complete -c klr -l %s -d ", options[i].long_form + 2);
    quoted(out, options[i].meaning);
    strbuf_putc(out, '\n');
  }
}

int cmd_completion(Cli *cli)
{
  if (!cli_wants(cli, 1))
    return EXIT_USAGE;
  const char *shell = cli->options.arguments.items[0];
  StrBuf script = strbuf_new(&cli->session->arena);
  if (strcmp(shell, "bash") == 0)
    bash(&script);
  else if (strcmp(shell, "zsh") == 0)
    zsh(&script);
  else if (strcmp(shell, "fish") == 0)
    fish(&script);
  else
    return cli_usage(cli, "klr completion knows bash, zsh and fish, found `%s`", shell);
  if (!cli->options.json) {
    strbuf_add(&cli->out, script.data, script.len);
    return EXIT_OK;
  }
  JsonWriter json = json_writer(&cli->out, 0);
  json_begin_object(&json);
  json_key(&json, "shell");
  json_text(&json, str_from(shell));
  json_key(&json, "script");
  json_text(&json, strbuf_str(&script));
  json_end_object(&json);
  strbuf_putc(&cli->out, '\n');
  return EXIT_OK;
}

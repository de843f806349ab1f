// cli.h -- what the subcommands share: options, arguments, and how they end.

#pragma once
#include "base/json.h"
#include "base/session.h"

enum { EXIT_OK = 0, EXIT_USER = 1, EXIT_USAGE = 2 };  // 70: a bug of ours, see base/bug.h

typedef Vec(const char *) TextVec;

typedef struct Options {
#define FLAG bool
#define TEXT const char *
#define NUMBER int64_t
#define LIST TextVec
#define OPTION(member, kind, long_form, short_form, value, commands, meaning) kind member;
#include "cli/options.def"
#undef FLAG
#undef TEXT
#undef NUMBER
#undef LIST
  TextVec arguments;  // what is not an option
} Options;

typedef struct Cli {
  Session *session;
  const char *command;
  Options options;
  StrBuf out;  // standard output, written whole at the end
  bool told_diagnostics;  // the JSON document in `out` holds them
} Cli;

// The subcommands return an exit status; errors are in the session, results in cli->out.
#define COMMAND(name, sentence, synopsis, examples, more) int cmd_##name(Cli *cli);
#include "cli/commands.def"

// Reports a misuse of the command line (E_USAGE) and returns EXIT_USAGE.
int cli_usage(Cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Exactly `count` arguments, or a usage error.
bool cli_wants(Cli *cli, size_t count);

// The help page of a command.
void cli_help(const char *command, StrBuf *out);

// Ends the object of a JSON document in cli->out: the diagnostics, as its last member.
void cli_end_document(Cli *cli, JsonWriter *json);

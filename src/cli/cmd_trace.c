// cmd_trace.c -- `klr trace`: a kernel to core, its tiles placed on request; as text, a .klr file, JSON or S-expressions.

#include "cli/program.h"
#include "cli/write.h"
#include "machine/place.h"

int cmd_trace(Cli *cli)
{
  Program program;
  int status = program_load(cli, &program);
  if (status == EXIT_OK && cli->options.place && !place_kernel(cli->session, program.machine, program.kernel))
    status = EXIT_USER;
  if (status == EXIT_OK) {
    const char *as = cli->options.as ? cli->options.as : cli->options.output ? "klr" : cli->options.json ? "json" : "text";
    status = write_kernel(cli, program.kernel, as);
  }
  if (status == EXIT_OK && cli->options.time)
    program_print_times(&program);
  program_free(&program);
  return status;
}

// cmd_verify.c -- `klr verify`: the rules of the core language, and of a target.

#include "cli/program.h"
#include "cli/write.h"
#include "core/verify.h"
#include "machine/legal.h"
#include "machine/place.h"

#include <inttypes.h>

int cmd_verify(Cli *cli)
{
  if (!cli_wants(cli, 1))
    return EXIT_USAGE;
  const char *path = cli->options.arguments.items[0];
  const Machine *machine = target_machine(cli);
  Str bytes;
  if (!machine || !file_read(cli->session, &cli->session->arena, path, &bytes))
    return machine ? EXIT_USER : EXIT_USAGE;
  const Kernel *kernel = kernel_read(cli->session, &cli->session->arena, path, bytes);
  if (!kernel || !core_verify(cli->session, kernel) || !machine_check(cli->session, machine, kernel) ||
      !machine_check_memory(cli->session, machine, kernel))
    return EXIT_USER;
  if (!cli->options.json)
    strbuf_printf(&cli->out, "%s: %s is right for %s: %" PRIu64 " operators on %u core%s\n", path, kernel->name,
                  machine->name, kernel_operators(kernel), kernel->bodies.count, kernel->bodies.count == 1 ? "" : "s");
  return EXIT_OK;
}

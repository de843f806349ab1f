// cmd_dump.c -- `klr dump`: a .klr file as text, JSON, S-expressions, or byte by byte.

#include "cli/cli.h"
#include "serde/read_kernel.h"
#include "cli/write.h"
#include "serde/klr_file.h"

#include <string.h>

int cmd_dump(Cli *cli)
{
  if (!cli_wants(cli, 1))
    return EXIT_USAGE;
  const char *path = cli->options.arguments.items[0];
  const char *as = cli->options.as ? cli->options.as : cli->options.json ? "json" : "text";
  Str bytes;
  if (!file_read(cli->session, &cli->session->arena, path, &bytes))
    return EXIT_USER;
  if (strcmp(as, "bytes") == 0) {
    StrBuf out = strbuf_new(&cli->session->arena);
    bool ok = klr_dump_bytes(cli->session, bytes, path, &out);
    return cli_write(cli, strbuf_str(&out)) && ok ? EXIT_OK : EXIT_USER;
  }
  const Kernel *kernel = kernel_read(cli->session, &cli->session->arena, path, bytes);
  return kernel ? write_kernel(cli, kernel, as) : EXIT_USER;
}

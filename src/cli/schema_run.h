// schema_run.h -- `klr schema run`: a scalar kernel on arguments of the command line.

#pragma once
#include "cli/cli.h"
#include "schema/schema.h"

// klr schema run FILE NAME ARG=VALUE...; `file` is checked.
int schema_run_file(Cli *cli, const SchemaFile *file, const char *name, const char *const *texts, size_t count);

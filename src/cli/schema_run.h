// schema_run.h -- `klr schema run`: a scalar kernel on arguments of the command line.

#pragma once
#include "cli/cli.h"
#include "schema/schema.h"

// klr schema run FILE NAME ARG=VALUE...; `file` is checked.
int schema_run_file(Cli *cli, const SchemaFile *file, const char *name, const char *const *texts, size_t count);

// A folder, or a file that ends in .so: what `klr schema build` makes.
bool schema_is_built(const char *path);

// klr schema run FOLDER|FILE.so NAME ARG=VALUE...
int schema_run_built(Cli *cli, const char *path, const char *name, const char *const *texts, size_t count);

// klr schema list FOLDER|FILE.so
int schema_list_built(Cli *cli, const char *path);

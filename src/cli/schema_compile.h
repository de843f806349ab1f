// schema_compile.h -- `klr schema compile|check|dump|format`: scalar kernels from Python and JSON, to JSON and text.

#pragma once
#include "cli/cli.h"
#include "schema/schema.h"

// A checked file from Python or from JSON (`-`: standard input); NULL after reporting.
SchemaFile *schema_read_file(Cli *cli, Arena *arena, const char *path);

// A file to read: its path, and where it stands below the folder that was named, which is where its document goes below --output.
typedef struct SchemaInput {
  const char *path, *below;
} SchemaInput;

typedef struct SchemaInputs {
  Vec(SchemaInput) list;
  bool has_folder;
} SchemaInputs;

// What the command line names. Of folders the Python files, and where there are none the documents; or both. False after reporting.
bool schema_find_inputs(Cli *cli, Arena *arena, const char *const *arguments, size_t count, bool with_documents, SchemaInputs *out);

// Makes the folders that a file's path names; false after reporting.
bool schema_make_folders(Cli *cli, Arena *arena, const char *path);

// The report of --json: an object of each file, then what there is to tell. `document`: NULL, or what was not written to a file.
JsonWriter schema_begin_report(Cli *cli);
void schema_begin_file(JsonWriter *json, const char *path, const SchemaFile *file);  // NULL: it is refused; json_end_object ends it
void schema_end_report(Cli *cli, JsonWriter *json);

size_t schema_kernel_count(const SchemaFile *file);

// Steps of `klr schema`; they return an exit status.
int schema_compile_step(Cli *cli, Arena *arena, const char *const *arguments, size_t count);
int schema_check_step(Cli *cli, Arena *arena, const char *const *arguments, size_t count);
int schema_dump_step(Cli *cli, Arena *arena, const char *const *arguments, size_t count);
int schema_format_step(Cli *cli, Arena *arena, const char *const *arguments, size_t count);

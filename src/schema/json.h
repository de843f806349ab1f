// json.h -- scalar kernels as JSON: docs/schema.md, "The JSON schema". The trust boundary: what is read is trusted with nothing.

#pragma once
#include "schema/schema.h"

// The whole file as one document of version 1.1, two blanks a level; `file` must be checked. Equal trees give equal text.
void schema_write_json(const SchemaFile *file, StrBuf *out);

// One function as the document writes it: what hashes of kernels are made from.
void schema_write_function(const SchemaFunction *function, bool with_places, StrBuf *out);

// A tree from a document of version 1.0 (one kernel, or an array of them) or 1.1, not checked yet. What is not as docs/schema.md has it is
// reported with its place in the document ("$.kernels[0].body[2].value"). NULL after reporting. `path` is for messages.
SchemaFile *schema_read_json(Session *session, Arena *arena, Str text, const char *path);

// A place in a document as messages show it: "$.kernels[0].body[2].value".
const char *schema_json_path(Arena *arena, const JsonPath *path);

// docs/schema.json: a JSON Schema of both versions.
void schema_write_json_schema(StrBuf *out);

// Whether the types, directions and results that a document says are those the checker has found; reports each that is not.
// `schema_check` asks for it.
bool schema_claims_hold(const SchemaFile *file);

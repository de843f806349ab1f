// klr_file.h -- .klr files (docs/format.md), and the same contents as JSON and S-expressions.

#pragma once
#include "core/core.h"
#include "serde/gathered.h"

typedef enum KlrContents {
  KLR_CONTENTS_PYTHON, // recognised, not read
  KLR_CONTENTS_NKI,    // recognised, not read
  KLR_CONTENTS_KERNEL, // a kernel for one logical core
  KLR_CONTENTS_LNC,    // a kernel
  KLR_CONTENTS_HLO,    // recognised, not read
  KLR_CONTENTS_SOURCES = 16,
} KlrContents;

typedef struct KlrFile {
  KlrContents contents;
  bool has_extensions;     // says what format 0.0.12 cannot: the metadata is `NKI+klr`
  const Kernel *kernel;    // of KERNEL (with one body) and LNC
  const Gathered *sources; // of SOURCES
} KlrFile;

// Appends a whole file to `out`. False after reporting a number that does not fit in 32 bits, a text that is too long
// or not UTF-8; what was appended is then removed.
bool klr_write(Session *session, const Kernel *kernel, StrBuf *out);
bool klr_write_file(Session *session, const KlrFile *file, StrBuf *out); // what was read is written as it was
bool gathered_write(Session *session, const Gathered *gathered, StrBuf *out);

// Reads a whole file into `arena`; `path` is for messages. NULL after reporting (one error). The result does not point
// into `bytes`; tensors, addresses, positions and texts of equal content are one value.
KlrFile *klr_read(Session *session, Arena *arena, Str bytes, const char *path);
const Gathered *gathered_read(Session *session, Arena *arena, Str bytes, const char *path); // .klr or JSON

// Whether the bytes begin as a .klr file does.
bool klr_is_file(Str bytes);

// Every byte of the file with offset and meaning, one item a line, to `out`. Damaged files are shown up to the damage,
// which is reported (false), and the rest as unread bytes.
bool klr_dump_bytes(Session *session, Str bytes, const char *path, StrBuf *out);

// ---- JSON: structures are objects, constructors {"name": {...}}, absent fields left out. `indent` 0: one line.
bool klr_to_json(Session *session, const KlrFile *file, int indent, StrBuf *out);
KlrFile *klr_from_json(Session *session, Arena *arena, Str text, const char *path);
bool core_to_json(Session *session, const TypeInfo *type, const void *value, int indent, StrBuf *out);
bool core_from_json(Session *session, Arena *arena, const TypeInfo *type, Str text, const char *path, void *out);

// ---- S-expressions: structures ((field value) ...), constructors (name (field value) ...), options () and (x).
bool klr_to_sexp(Session *session, const KlrFile *file, StrBuf *out);
KlrFile *klr_from_sexp(Session *session, Arena *arena, Str text, const char *path);
bool core_to_sexp(Session *session, const TypeInfo *type, const void *value, StrBuf *out);
bool core_from_sexp(Session *session, Arena *arena, const TypeInfo *type, Str text, const char *path, void *out);

// ---- CBOR of any value, without the container
bool core_to_cbor(Session *session, const TypeInfo *type, const void *value, StrBuf *out);
bool core_from_cbor(Session *session, Arena *arena, const TypeInfo *type, Str bytes, const char *path, void *out);

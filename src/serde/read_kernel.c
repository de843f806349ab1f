#include "serde/read_kernel.h"

#include "core/text.h"
#include "serde/klr_file.h"

#include <string.h>

static bool begins_with_json(Str bytes)
{
  size_t at = 0;
  while (at < bytes.len && strchr(" \t\r\n", bytes.data[at]))
    at++;
  return at < bytes.len && bytes.data[at] == '{';
}

// Whether a .klr file's contents (behind magic and metadata) are sources.
static bool klr_holds_sources(Str bytes)
{
  const unsigned char *b = (const unsigned char *)bytes.data;
  size_t at = 7 + 4;  // d9 d9 f7 83, three numbers below 24; d9 eb 00 81
  if (bytes.len <= at || b[at] >> 5 != 3)
    return false;
  at += 1 + (b[at] & 0x1F);
  return bytes.len > at + 2 && b[at] == 0xD9 && b[at + 1] == 0xEC && b[at + 2] == KLR_CONTENTS_SOURCES;
}

// Whether a JSON document's first key is the constructor of gathered sources.
static bool json_holds_sources(Str bytes)
{
  size_t at = (size_t)((const char *)memchr(bytes.data, '{', bytes.len) - bytes.data) + 1;
  while (at < bytes.len && strchr(" \t\r\n", bytes.data[at]))
    at++;
  return str_starts_with((Str){bytes.data + at, bytes.len - at}, "\"sources\"");
}

// "kernel ..." behind comment lines.
static bool begins_with_kernel(Str bytes)
{
  while (bytes.len && (bytes.data[0] == '#' || bytes.data[0] == '\n')) {
    const char *end = memchr(bytes.data, '\n', bytes.len);
    size_t skip = end ? (size_t)(end - bytes.data) + 1 : bytes.len;
    bytes = (Str){bytes.data + skip, bytes.len - skip};
  }
  return str_starts_with(bytes, "kernel ");
}

FileKind file_kind(const char *path, Str bytes)
{
  if (klr_is_file(bytes))
    return klr_holds_sources(bytes) ? FILE_GATHERED : FILE_KLR;
  if (str_ends_with(str_from(path), ".py"))
    return FILE_PYTHON;
  if (begins_with_json(bytes))
    return json_holds_sources(bytes) ? FILE_GATHERED : FILE_JSON;
  if (bytes.len && bytes.data[0] == '(')
    return FILE_SEXP;
  if (begins_with_kernel(bytes))
    return FILE_TEXT;
  // A file named .klr that is not one is a damaged .klr file, not Python.
  return str_ends_with(str_from(path), ".klr") ? FILE_KLR : FILE_PYTHON;
}

const Kernel *kernel_read(Session *session, Arena *arena, const char *path, Str bytes)
{
  FileKind kind = file_kind(path, bytes);
  if (kind == FILE_TEXT)
    return core_parse_text(session, arena, session_add_source(session, path, bytes));
  KlrFile *file = kind == FILE_JSON   ? klr_from_json(session, arena, bytes, path)
                  : kind == FILE_SEXP ? klr_from_sexp(session, arena, bytes, path)
                                      : klr_read(session, arena, bytes, path);
  if (file && !file->kernel) {
    Diag *diag = diag_error(session, E_FILE_CONTENTS, "`%s` holds no kernel in core form", path);
    diag_where(diag, path, 0, 0);
    diag_help(diag, "`klr info %s` says what it holds; sources are traced with `klr trace`", path);
    return NULL;
  }
  return file ? file->kernel : NULL;
}

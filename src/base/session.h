// session.h -- the state of one run: sources, names, diagnostics, settings. Passed in, never global.

#pragma once
#include "base/diag.h"
#include "base/map.h"

typedef struct Session {
  Arena arena;  // lives as long as the session: sources, names, diagnostics
  NameTable names;
  Vec(Source *) sources;  // Span.source is an index into it plus one
  Vec(Diag *) diags;
  size_t error_count, warning_count;
  size_t error_limit;  // further errors are counted but not kept; 0: no limit
  bool strict;         // what the vendor's compiler refuses is an error, not a warning
  Map kept_files;      // bytes (Str *) by name: see session_keep_file
  bool lenient;        // uses that the documents leave open go on with a warning (machine/gaps.def)
  bool (*poll)(void *context);  // whether to give up what is being done; called every now and then. NULL: never
  void *poll_context;
  uint64_t poll_count, poll_due_ms;
  jmp_buf on_exhausted;       // of entry points: arena.on_exhausted points here while one is active
  int64_t arenas_fail_after;  // testing: Arena.fail_after of arenas made by session_arena
} Session;

Session *session_new(void);
void session_free(Session *session);

// Whether somebody wants what is being done to end. Cheap: to be asked at every step of work. Who asks reports E_INTERRUPTED.
bool session_poll(Session *session);
static inline bool session_is_interrupted(Session *session)
{
  return session->poll && (++session->poll_count & 15) == 0 && session_poll(session);
}

// An empty arena that ends where the session's own does when memory runs out. Its owner frees it.
Arena session_arena(const Session *session);

// The file's bytes as a source; NULL after reporting E_FILE_READ. Path "-" is standard input.
Source *session_read_source(Session *session, const char *path);
Source *session_add_source(Session *session, const char *path, Str text);  // text is copied
uint32_t session_source_id(const Session *session, const Source *source);  // for Span.source
Source *session_source(const Session *session, uint32_t id);               // NULL for 0

// Files that belong to a kernel and were made or found while it was traced, by the name the kernel has for them. Both
// texts are copied. NULL: no such file.
void session_keep_file(Session *session, const char *name, Str bytes);
const Str *session_kept_file(const Session *session, const char *name);

// Whole file into `arena`, NUL-terminated; false after reporting. Path "-" is standard input.
bool file_read(Session *session, Arena *arena, const char *path, Str *out);

// Writes beside `path` and renames, so the file is whole or absent; "-" is standard output. False after reporting.
bool file_write(Session *session, const char *path, Str bytes);

// The same for a path that is a file's, without reporting; `mode` is that of chmod, 0: as for any new file. 0, or what errno was.
int file_replace(Session *session, const char *path, Str bytes, unsigned mode);

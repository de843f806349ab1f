#include "base/session.h"

#include "base/bug.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

Session *session_new(void)
{
  Session *session = calloc(1, sizeof *session);
  if (!session)
    return NULL;
  session->arena = (Arena)ARENA_INIT;
  session->names.arena = &session->arena;
  session->error_limit = 100;
  session->arenas_fail_after = -1;
  return session;
}

void session_free(Session *session)
{
  if (!session)
    return;
  arena_free(&session->arena);
  free(session);
}

Arena session_arena(const Session *session)
{
  return (Arena){.on_exhausted = session->arena.on_exhausted,
                 .fail_after = session->arenas_fail_after,
                 .limit_bytes = session->arena.limit_bytes};
}

enum { POLL_EVERY_MS = 50 };

bool session_poll(Session *session)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  uint64_t ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
  if (ms < session->poll_due_ms)
    return false;
  session->poll_due_ms = ms + POLL_EVERY_MS;
  return session->poll(session->poll_context);
}

uint32_t session_source_id(const Session *session, const Source *source)
{
  for (size_t i = session->sources.count; i-- > 0;)
    if (session->sources.items[i] == source)
      return (uint32_t)i + 1;
  bug("a source of another session");
}

Source *session_source(const Session *session, uint32_t id)
{
  return id ? session->sources.items[id - 1] : NULL;
}

static Source *add_source(Session *session, const char *path, Str text)
{
  Source *source = arena_new(&session->arena, Source);
  *source = (Source){.path = arena_strdup(&session->arena, path), .text = text, .first_line = 1};
  vec_push(&session->arena, &session->sources, source);
  return source;
}

Source *session_add_source(Session *session, const char *path, Str text)
{
  return add_source(session, path, (Str){arena_strndup(&session->arena, text.data, text.len), text.len});
}

Source *session_read_source(Session *session, const char *path)
{
  Str text;
  if (!file_read(session, &session->arena, path, &text))
    return NULL;
  return add_source(session, path, text);
}

void session_keep_file(Session *session, const char *name, Str bytes)
{
  Arena *arena = &session->arena;
  if (!session->kept_files.arena)
    session->kept_files = map_new(arena);
  Str *kept = arena_new(arena, Str);
  *kept = (Str){arena_strndup(arena, bytes.data, bytes.len), bytes.len};
  map_set(&session->kept_files, str_from(arena_strndup(arena, name, strlen(name))), kept);
}

const Str *session_kept_file(const Session *session, const char *name)
{
  return session->kept_files.arena ? map_get(&session->kept_files, str_from(name)) : NULL;
}

static bool read_stream(Arena *arena, FILE *stream, Str *out)
{
  size_t capacity = 1 << 16, len = 0;
  char *data = arena_alloc(arena, capacity);
  for (;;) {
    if (len + 1 == capacity) {
      data = arena_grow(arena, data, capacity, capacity * 2);
      capacity *= 2;
    }
    size_t got = fread(data + len, 1, capacity - len - 1, stream);
    if (got == 0)
      break;
    len += got;
  }
  data[len] = '\0';
  *out = (Str){data, len};
  return !ferror(stream);
}

bool file_read(Session *session, Arena *arena, const char *path, Str *out)
{
  bool is_stdin = strcmp(path, "-") == 0;
  FILE *stream = is_stdin ? stdin : fopen(path, "rb");
  bool ok = stream != NULL;
  long size = -1;
  if (ok && !is_stdin && fseek(stream, 0, SEEK_END) == 0) {  // one exact read when the size is known
    size = ftell(stream);
    rewind(stream);
  }
  int reason = errno;
  if (ok && size > 0 && size < (long)UINT32_MAX) {
    char *data = arena_alloc(arena, (size_t)size + 1);
    size_t got = fread(data, 1, (size_t)size, stream);
    data[got] = '\0';
    *out = (Str){data, got};
    ok = !ferror(stream);
    reason = errno;
  } else if (ok) {
    ok = read_stream(arena, stream, out);
    reason = errno;
  }
  if (stream && !is_stdin)
    fclose(stream);
  if (!ok) {
    Diag *diag = diag_error(session, E_FILE_READ, "cannot read `%s`: %s", path, strerror(reason));
    diag_help(diag, "check the spelling, the current folder and the permissions");
  }
  return ok;
}

int file_replace(Session *session, const char *path, Str bytes, unsigned mode)
{
  // A device or a pipe is written to and stays what it is. A process may have several sessions, each in a thread of its own.
  struct stat info;
  const bool is_special = stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
  const char *beside = is_special ? path : arena_printf(&session->arena, "%s.%ld-%p.tmp", path, (long)getpid(), (void *)session);
  FILE *stream = fopen(beside, "wb");
  int reason = 0;
  if (!stream)
    return errno;
  if (fwrite(bytes.data, 1, bytes.len, stream) != bytes.len)
    reason = errno;
  if (mode && !is_special && !reason && fchmod(fileno(stream), (mode_t)mode) != 0)
    reason = errno;
  if (fclose(stream) != 0 && !reason)
    reason = errno;
  if (!is_special && !reason && rename(beside, path) != 0)
    reason = errno;
  if (!is_special && reason)
    unlink(beside);
  return reason;
}

bool file_write(Session *session, const char *path, Str bytes)
{
  if (strcmp(path, "-") == 0) {
    bool ok = fwrite(bytes.data, 1, bytes.len, stdout) == bytes.len && fflush(stdout) == 0;
    if (!ok)
      diag_error(session, E_FILE_WRITE, "cannot write to standard output: %s", strerror(errno));
    return ok;
  }
  const int reason = file_replace(session, path, bytes, 0);
  if (reason)
    diag_error(session, E_FILE_WRITE, "cannot write `%s`: %s", path, strerror(reason));
  return reason == 0;
}

#include "core/where.h"

#include <string.h>

static Source *source_of(Session *session, const Pos *pos)
{
  Source *source = session_source(session, pos->span.source);
  for (size_t i = 0; !source && pos->filename && i < session->sources.count; i++)
    if (strcmp(session->sources.items[i]->path, pos->filename) == 0)
      source = session->sources.items[i];
  return source;
}

Where where_of(Session *session, const Pos *pos)
{
  if (!pos)
    return (Where){0};
  Source *source = source_of(session, pos);
  Where where = {.path = source ? source->path : pos->filename, .line = pos->line, .column = pos->column + 1};
  if (source && pos->span.source) {
    Place place = source_place(source, &session->arena, pos->span.start);
    where.line = place.line;
    where.column = place.column + 1;
  }
  if (!where.path || !where.line)
    return (Where){0};
  if (source)
    where.text = source_line(source, &session->arena, where.line);
  while (where.text.len && (*where.text.data == ' ' || *where.text.data == '\t'))
    where.text = (Str){where.text.data + 1, where.text.len - 1};
  return where;
}

const char *where_text(Arena *arena, const Where *where)
{
  if (!where->path)
    return "?";
  const char *slash = strrchr(where->path, '/');
  return arena_printf(arena, "%s:%u", slash ? slash + 1 : where->path, where->line);
}

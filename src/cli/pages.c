#include "cli/pages.h"

#include "trace/module.h"

#include <string.h>

extern const EmbeddedModule embedded_pages[];

static Str page(const char *name)
{
  for (const EmbeddedModule *at = embedded_pages; at->name; at++)
    if (strcmp(at->name, name) == 0)
      return at->text;
  return STR("");
}

// The next line of `*text`, without its end; false when nothing is left.
static bool next_line(Str *text, Str *line)
{
  if (text->len == 0)
    return false;
  const char *end = memchr(text->data, '\n', text->len);
  size_t len = end ? (size_t)(end - text->data) : text->len;
  *line = (Str){text->data, len};
  text->data += len + (end ? 1 : 0);
  text->len -= len + (end ? 1 : 0);
  return true;
}

// Whether `name` stands in `text` in backticks of its own.
static bool names(Str text, const char *name)
{
  size_t len = strlen(name);
  for (size_t i = 0; i + len + 2 <= text.len; i++)
    if (text.data[i] == '`' && text.data[i + len + 1] == '`' && memcmp(text.data + i + 1, name, len) == 0)
      return true;
  return false;
}

// The part of a list item before its colon: the names it defines.
static Str heading(Str line)
{
  const char *colon = memchr(line.data, ':', line.len);
  return (Str){line.data, colon ? (size_t)(colon - line.data) : line.len};
}

bool pages_add_meaning(StrBuf *out, const char *core_name)
{
  Str text = page("docs.core"), line;
  bool inside = false, found = false;
  while (next_line(&text, &line)) {
    if (str_starts_with(line, "* "))
      inside = names(heading(line), core_name);
    else if (!str_starts_with(line, "  "))
      inside = false;
    if (!inside)
      continue;
    size_t skip = 2;
    strbuf_printf(out, "  %.*s\n", (int)(line.len - skip), line.data + skip);
    found = true;
  }
  return found;
}

bool pages_add_choices(StrBuf *out, const char *core_name, const char *nki_name)
{
  Str text = page("docs.numerics"), line;
  bool found = false;
  while (next_line(&text, &line)) {
    bool is_row = str_starts_with(line, "| "), is_item = str_starts_with(line, "- ");
    if (!(is_row || is_item) || !(names(line, core_name) || names(line, nki_name)))
      continue;
    strbuf_printf(out, "  %.*s\n", (int)line.len, line.data);
    while (is_item && text.len && text.data[0] == ' ' && next_line(&text, &line))
      strbuf_printf(out, "  %.*s\n", (int)line.len, line.data);
    found = true;
  }
  return found;
}

#include "base/diag.h"

#include "base/json.h"
#include "base/session.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const DiagInfo infos[] = {
#define DIAG(name, code, title, explanation) [name] = {code, title, explanation},
#include "base/diag.def"
};

const DiagInfo *diag_info(DiagCode code)
{
  return &infos[code];
}

bool diag_find(const char *code, DiagCode *out)
{
  for (int i = 0; i < DIAG_CODE_COUNT; i++)
    if (strcasecmp(infos[i].code, code) == 0) {
      *out = (DiagCode)i;
      return true;
    }
  return false;
}

static Diag *add(Session *session, DiagCode code, Severity severity, const char *format, va_list args)
{
  Diag *diag = arena_new(&session->arena, Diag);
  diag->session = session;
  diag->code = code;
  diag->severity = severity;
  diag->message = arena_vprintf(&session->arena, format, args);
  size_t *count = severity == SEVERITY_ERROR ? &session->error_count : &session->warning_count;
  if (session->error_limit == 0 || *count < session->error_limit)
    vec_push(&session->arena, &session->diags, diag);
  ++*count;
  return diag;
}

Diag *diag_error(Session *session, DiagCode code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  Diag *diag = add(session, code, SEVERITY_ERROR, format, args);
  va_end(args);
  return diag;
}

Diag *diag_warning(Session *session, DiagCode code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  Diag *diag = add(session, code, session->strict ? SEVERITY_ERROR : SEVERITY_WARNING, format, args);
  va_end(args);
  return diag;
}

static const char *format_text(Diag *diag, const char *format, va_list args)
{
  return arena_vprintf(&diag->session->arena, format, args);
}

#define FORMATTED(text)                                                                                                \
  va_list args;                                                                                                        \
  va_start(args, format);                                                                                              \
  const char *text = format_text(diag, format, args);                                                                  \
  va_end(args)

void diag_primary(Diag *diag, Span span, const char *format, ...)
{
  FORMATTED(text);
  diag->primary = (DiagLabel){span, text};
}

void diag_where(Diag *diag, const char *path, uint32_t line, uint32_t column)
{
  const char *copy = path ? arena_strdup(&diag->session->arena, path) : NULL;  // the kernel may be gone before it is shown
  diag->where = (DiagFrame){copy, line, column, NULL};
}

void diag_label(Diag *diag, Span span, const char *format, ...)
{
  FORMATTED(text);
  if (!span_is_none(span))
    vec_push(&diag->session->arena, &diag->labels, (DiagLabel){span, text});
}

void diag_call(Diag *diag, Span span, const char *format, ...)
{
  FORMATTED(text);
  vec_push(&diag->session->arena, &diag->calls, (DiagLabel){span, text});
}

void diag_note(Diag *diag, const char *format, ...)
{
  FORMATTED(text);
  vec_push(&diag->session->arena, &diag->notes, text);
}

void diag_data(Diag *diag, const char *json)
{
  diag->data = json;
}

void diag_help(Diag *diag, const char *format, ...)
{
  FORMATTED(text);
  vec_push(&diag->session->arena, &diag->helps, text);
}

void diag_suggest(Diag *diag, Str found, const char *const *candidates, size_t count)
{
  const char *nearest = str_nearest(found, candidates, count);
  if (nearest)
    diag_help(diag, "did you mean `%s`?", nearest);
}

// ---- text ----------------------------------------------------------------------------------------------------------

typedef struct Palette {
  const char *bold, *red, *yellow, *blue, *cyan, *reset;
} Palette;

static const Palette PLAIN = {"", "", "", "", "", ""};
static const Palette COLOR = {"\033[1m", "\033[1;31m", "\033[1;33m", "\033[1;34m", "\033[1;36m", "\033[0m"};

enum { WIDEST_QUOTE = 200 };  // bytes of a source line that are shown

typedef struct Mark {  // one underlined piece of one line
  uint32_t line, start, end;
  const char *text;
  bool is_primary;
} Mark;

static Source *source_of(const Diag *diag, Span span)
{
  return session_source(diag->session, span.source);
}

static Mark mark_of(const Diag *diag, DiagLabel label, bool is_primary)
{
  Source *source = source_of(diag, label.span);
  Arena *arena = &diag->session->arena;
  Place start = source_place(source, arena, label.span.start);
  Place end = source_place(source, arena, label.span.end);
  Str line = source_line(source, arena, start.line);
  uint32_t end_column = end.line == start.line ? end.column : (uint32_t)line.len;
  if (end_column <= start.column)
    end_column = start.column + 1;
  return (Mark){start.line, start.column, end_column, label.text, is_primary};
}

static int digits(uint32_t number)
{
  int count = 1;
  while (number >= 10) {
    number /= 10;
    count++;
  }
  return count;
}

// The width a slice takes on screen: a code point is one column and a tab is shown as one space. Bytes that are not
// UTF-8 count one column each.
static size_t columns(Str line, size_t bytes)
{
  size_t count = 0;
  for (size_t at = 0; at < bytes && at < line.len;) {
    uint32_t c;
    size_t len = utf8_decode(line.data + at, line.data + line.len, &c);
    at += len ? len : 1;
    count++;
  }
  return count + (bytes > line.len ? bytes - line.len : 0);
}

static void add_quoted(StrBuf *out, Str line, size_t from, size_t to)
{
  for (size_t at = from; at < to && at < line.len;) {
    uint32_t c;
    size_t len = utf8_decode(line.data + at, line.data + line.len, &c);
    if (len == 0)
      strbuf_puts(out, "?");
    else if (c == '\t')
      strbuf_putc(out, ' ');
    else if (c < 0x20 || c == 0x7F)
      strbuf_puts(out, "?");
    else
      strbuf_add(out, line.data + at, len);
    at += len ? len : 1;
  }
}

static void print_mark(const Diag *diag, Source *source, const Mark *mark, StrBuf *out, int gutter, const Palette *p)
{
  Str line = source_line(source, &diag->session->arena, mark->line);
  size_t from = 0;
  if (mark->start > WIDEST_QUOTE * 3 / 4)
    from = mark->start - WIDEST_QUOTE / 4;
  while (from > 0 && from < line.len && (line.data[from] & 0xC0) == 0x80)
    from--;
  size_t to = line.len - from > WIDEST_QUOTE ? from + WIDEST_QUOTE : line.len;
  strbuf_printf(out, "%s%*u |%s ", p->blue, gutter, mark->line, p->reset);
  if (from)
    strbuf_puts(out, "...");
  add_quoted(out, line, from, to);
  if (to < line.len)
    strbuf_puts(out, "...");
  strbuf_printf(out, "\n%s%*s |%s ", p->blue, gutter, "", p->reset);
  size_t begin = columns((Str){line.data + from, line.len - from}, mark->start - from) + (from ? 3 : 0);
  size_t stop = mark->end < to ? mark->end : (to > mark->start ? to : mark->start + 1);
  size_t width = columns((Str){line.data + from, line.len - from}, stop - from) + (from ? 3 : 0) - begin;
  strbuf_repeat(out, ' ', begin);
  strbuf_puts(out, mark->is_primary ? (diag->severity == SEVERITY_ERROR ? p->red : p->yellow) : p->blue);
  strbuf_repeat(out, mark->is_primary ? '^' : '-', width ? width : 1);
  if (mark->text && *mark->text)
    strbuf_printf(out, " %s", mark->text);
  strbuf_printf(out, "%s\n", p->reset);
}

static int compare_marks(const void *a, const void *b)
{
  const Mark *x = a, *y = b;
  if (x->line != y->line)
    return x->line < y->line ? -1 : 1;
  return x->start < y->start ? -1 : x->start > y->start;
}

// All labels that lie in `source_id`, by line, as one quoted block.
static void print_block(const Diag *diag, uint32_t source_id, StrBuf *out, int gutter, const Palette *p)
{
  Arena *arena = &diag->session->arena;
  Source *source = session_source(diag->session, source_id);
  Mark *marks = arena_array(arena, Mark, diag->labels.count + 1);
  size_t count = 0;
  if (diag->primary.span.source == source_id)
    marks[count++] = mark_of(diag, diag->primary, true);
  for (size_t i = 0; i < diag->labels.count; i++)
    if (diag->labels.items[i].span.source == source_id)
      marks[count++] = mark_of(diag, diag->labels.items[i], false);
  for (size_t i = 1; i < count; i++)  // few; a stable insertion sort
    for (size_t j = i; j > 0 && compare_marks(&marks[j - 1], &marks[j]) > 0; j--) {
      Mark swap = marks[j];
      marks[j] = marks[j - 1];
      marks[j - 1] = swap;
    }
  strbuf_printf(out, "%s%*s |%s\n", p->blue, gutter, "", p->reset);
  for (size_t i = 0; i < count; i++) {
    if (i > 0 && marks[i].line > marks[i - 1].line + 1)
      strbuf_printf(out, "%s%*s%s\n", p->blue, gutter + 2, "...", p->reset);
    print_mark(diag, source, &marks[i], out, gutter, p);
  }
}

static int gutter_width(const Diag *diag)
{
  uint32_t largest = 1;
  for (size_t i = 0; i <= diag->labels.count; i++) {
    Span span = i ? diag->labels.items[i - 1].span : diag->primary.span;
    if (span_is_none(span))
      continue;
    uint32_t line = source_place(source_of(diag, span), &diag->session->arena, span.start).line;
    largest = line > largest ? line : largest;
  }
  return digits(largest) + 1;
}

static void print_arrow(const Diag *diag, Span span, StrBuf *out, int gutter, const char *arrow, const Palette *p)
{
  Source *source = source_of(diag, span);
  Place place = source_place(source, &diag->session->arena, span.start);
  strbuf_printf(out, "%*s%s%s%s %s:%u:%u\n", gutter, "", p->blue, arrow, p->reset, source->path, place.line,
                place.column + 1);
}

static void print_lines(StrBuf *out, int gutter, const char *head, const char *text, const Palette *p)
{
  strbuf_printf(out, "%*s %s=%s %s%s:%s ", gutter, "", p->blue, p->reset, p->bold, head, p->reset);
  for (const char *at = text; *at; at++) {
    strbuf_putc(out, *at);
    if (*at == '\n')
      strbuf_repeat(out, ' ', (size_t)gutter + strlen(head) + 5);
  }
  strbuf_putc(out, '\n');
}

// How many of the calls after number `at` say the same of the same place, as in recursion.
static size_t equal_calls(const Diag *diag, size_t at)
{
  const DiagLabel *first = &diag->calls.items[at];
  size_t count = 0;
  for (size_t i = at + 1; i < diag->calls.count; i++, count++)
    if (memcmp(&diag->calls.items[i].span, &first->span, sizeof first->span) != 0 ||
        strcmp(diag->calls.items[i].text, first->text) != 0)
      break;
  return count;
}

void diag_print_one(const Diag *diag, StrBuf *out, bool color)
{
  const Palette *p = color ? &COLOR : &PLAIN;
  bool is_error = diag->severity == SEVERITY_ERROR;
  strbuf_printf(out, "%s%s[%s]%s%s: %s%s\n", is_error ? p->red : p->yellow, is_error ? "error" : "warning",
                diag_info(diag->code)->code, p->reset, p->bold, diag->message, p->reset);
  int gutter = gutter_width(diag);
  uint32_t main_source = diag->primary.span.source;
  if (main_source) {
    print_arrow(diag, diag->primary.span, out, gutter, "-->", p);
    print_block(diag, main_source, out, gutter, p);
  } else if (diag->where.path && diag->where.line) {
    strbuf_printf(out, "%*s%s-->%s %s:%u:%u\n", gutter, "", p->blue, p->reset, diag->where.path, diag->where.line,
                  diag->where.column + 1);
  } else if (diag->where.path) {
    strbuf_printf(out, "%*s%s-->%s %s\n", gutter, "", p->blue, p->reset, diag->where.path);
  }
  for (size_t i = 0; i < diag->labels.count; i++) {  // labels in other files, each file once
    Span span = diag->labels.items[i].span;
    bool seen = span.source == main_source;
    for (size_t j = 0; j < i && !seen; j++)
      seen = diag->labels.items[j].span.source == span.source;
    if (seen)
      continue;
    print_arrow(diag, span, out, gutter, ":::", p);
    print_block(diag, span.source, out, gutter, p);
  }
  if (main_source && (diag->notes.count || diag->helps.count || diag->calls.count))
    strbuf_printf(out, "%*s %s|%s\n", gutter, "", p->blue, p->reset);
  for (size_t i = 0; i < diag->notes.count; i++)
    print_lines(out, gutter, "note", diag->notes.items[i], p);
  for (size_t i = 0; i < diag->calls.count; i++) {
    Span span = diag->calls.items[i].span;
    if (span_is_none(span)) {
      print_lines(out, gutter, "note", diag->calls.items[i].text, p);
      continue;
    }
    Source *source = source_of(diag, span);
    Place place = source_place(source, &diag->session->arena, span.start);
    size_t repeats = equal_calls(diag, i);
    strbuf_printf(out, "%*s %s=%s %snote:%s %s at %s:%u:%u", gutter, "", p->blue, p->reset, p->bold, p->reset,
                  diag->calls.items[i].text, source->path, place.line, place.column + 1);
    if (repeats)
      strbuf_printf(out, ", and %zu more time%s", repeats, repeats == 1 ? "" : "s");
    strbuf_putc(out, '\n');
    i += repeats;
  }
  for (size_t i = 0; i < diag->helps.count; i++)
    print_lines(out, gutter, "help", diag->helps.items[i], p);
}

void diag_print_text(const Session *session, StrBuf *out, bool color)
{
  for (size_t i = 0; i < session->diags.count; i++) {
    diag_print_one(session->diags.items[i], out, color);
    strbuf_putc(out, '\n');
  }
  size_t kept_errors = 0;
  for (size_t i = 0; i < session->diags.count; i++)
    kept_errors += session->diags.items[i]->severity == SEVERITY_ERROR;
  if (session->error_count > kept_errors)
    strbuf_printf(out, "%zu more errors are not shown\n", session->error_count - kept_errors);
}

// ---- JSON ----------------------------------------------------------------------------------------------------------

static void json_span(const Diag *diag, DiagLabel label, JsonWriter *json)
{
  Source *source = source_of(diag, label.span);
  Place start = source_place(source, &diag->session->arena, label.span.start);
  Place end = source_place(source, &diag->session->arena, label.span.end);
  json_key(json, "file");
  json_text(json, str_from(source->path));
  json_key(json, "line");
  json_int(json, start.line);
  json_key(json, "column");
  json_int(json, start.column + 1);
  json_key(json, "end_line");
  json_int(json, end.line);
  json_key(json, "end_column");
  json_int(json, end.column + 1);
}

static void json_labels(const Diag *diag, const char *key, const DiagLabel *labels, size_t count, JsonWriter *json)
{
  json_key(json, key);
  json_begin_array(json);
  for (size_t i = 0; i < count; i++) {
    json_begin_object(json);
    if (!span_is_none(labels[i].span))
      json_span(diag, labels[i], json);
    json_key(json, "text");
    json_text(json, str_from(labels[i].text));
    json_end_object(json);
  }
  json_end_array(json);
}

static void json_strings(const char *key, const char *const *texts, size_t count, JsonWriter *json)
{
  json_key(json, key);
  json_begin_array(json);
  for (size_t i = 0; i < count; i++)
    json_text(json, str_from(texts[i]));
  json_end_array(json);
}

void diag_print_json(const Session *session, StrBuf *out)
{
  JsonWriter json = json_writer(out, 0);
  json_begin_array(&json);
  for (size_t i = 0; i < session->diags.count; i++) {
    const Diag *diag = session->diags.items[i];
    json_begin_object(&json);
    json_key(&json, "severity");
    json_text(&json, str_from(diag->severity == SEVERITY_ERROR ? "error" : "warning"));
    json_key(&json, "code");
    json_text(&json, str_from(diag_info(diag->code)->code));
    json_key(&json, "message");
    json_text(&json, str_from(diag->message));
    if (!span_is_none(diag->primary.span)) {
      json_span(diag, diag->primary, &json);
      json_key(&json, "label");
      json_text(&json, str_from(diag->primary.text));
    } else if (diag->where.path) {
      json_key(&json, "file");
      json_text(&json, str_from(diag->where.path));
      if (diag->where.line) {
        json_key(&json, "line");
        json_int(&json, diag->where.line);
        json_key(&json, "column");
        json_int(&json, diag->where.column + 1);
      }
    }
    json_labels(diag, "labels", diag->labels.items, diag->labels.count, &json);
    json_labels(diag, "calls", diag->calls.items, diag->calls.count, &json);
    json_strings("notes", diag->notes.items, diag->notes.count, &json);
    json_strings("help", diag->helps.items, diag->helps.count, &json);
    if (diag->data) {
      json_key(&json, "data");
      json_raw(&json, str_from(diag->data));
    }
    json_end_object(&json);
  }
  json_end_array(&json);
}

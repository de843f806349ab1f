// sexp.c -- core values as S-expressions.
//
//   value      ::= atom | "text" | ( value ... )
//   structure  ::= ((field value) ...)         constructor ::= name | (name (field value) ...)
//   option     ::= () | (value)                list        ::= (value ...)
//   comment    ::= ; to the end of the line
//
// Numbers, true, false and names are atoms. Reading makes a tree first; `node` of the reader is a Node.

#include "base/number_text.h"
#include "serde/contents.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- writing
// Large structures have a line for each field, and a line for each item of a field that is a list; the rest is in line.
typedef struct Layout {
  bool fresh;   // nothing stands before the next value on its line
  int depth;    // of parentheses
  int large[8]; // depths of the fields of the large structures around, innermost last
  int large_count;
} Layout;

static bool is_large(const Head *head)
{
  static const char *const names[] = {"Contents", "Kernel", "LncKernel", "Block", "Sources"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (strcmp(head->type, names[i]) == 0)
      return true;
  return false;
}

static void separate(CoreWriter *writer)
{
  Layout *layout = writer->state;
  int fields = layout->large_count ? layout->large[layout->large_count - 1] : -3;
  if (layout->depth == fields || layout->depth == fields + 2) {
    strbuf_putc(writer->out, '\n');
    strbuf_repeat(writer->out, ' ', (size_t)layout->depth);
  } else if (!layout->fresh) {
    strbuf_putc(writer->out, ' ');
  }
  layout->fresh = false;
}

static void open(CoreWriter *writer)
{
  Layout *layout = writer->state;
  separate(writer);
  strbuf_putc(writer->out, '(');
  layout->depth++;
  layout->fresh = true;
}

static void close(CoreWriter *writer)
{
  Layout *layout = writer->state;
  strbuf_putc(writer->out, ')');
  layout->depth--;
  layout->fresh = false;
}

static void write_bool(CoreWriter *writer, bool value)
{
  separate(writer);
  strbuf_puts(writer->out, value ? "true" : "false");
}

static void write_natural(CoreWriter *writer, uint64_t value)
{
  separate(writer);
  strbuf_printf(writer->out, "%" PRIu64, value);
}

static void write_integer(CoreWriter *writer, int64_t value)
{
  separate(writer);
  strbuf_printf(writer->out, "%" PRId64, value);
}

static void write_real32(CoreWriter *writer, float value)
{
  separate(writer);
  if (isnan(value) && f32_bits(value) != F32_NAN_BITS)
    strbuf_printf(writer->out, "nan:%08" PRIx32, f32_bits(value));
  else
    number_add_repr_f32(writer->out, value);
}

static void write_real64(CoreWriter *writer, double value)
{
  separate(writer);
  number_add_repr(writer->out, value);
}

static void write_text(CoreWriter *writer, Str value)
{
  separate(writer);
  strbuf_putc(writer->out, '"');
  for (size_t i = 0; i < value.len; i++) {
    unsigned char c = (unsigned char)value.data[i];
    if (c == '"' || c == '\\')
      strbuf_printf(writer->out, "\\%c", c);
    else if (c == '\n')
      strbuf_puts(writer->out, "\\n");
    else if (c < 0x20 || c == 0x7F)
      strbuf_printf(writer->out, "\\x%02x", c);
    else
      strbuf_putc(writer->out, (char)c);
  }
  strbuf_putc(writer->out, '"');
}

static void write_none(CoreWriter *writer)
{
  separate(writer);
  strbuf_puts(writer->out, "()");
}

static void write_list(CoreWriter *writer, uint32_t count)
{
  (void)count;
  open(writer);
}

static void write_begin(CoreWriter *writer, const Head *head)
{
  Layout *layout = writer->state;
  if (head->ctor && head->count == 0) {
    separate(writer);
    strbuf_puts(writer->out, head->ctor);
    return;
  }
  open(writer);
  if (head->ctor) {
    strbuf_puts(writer->out, head->ctor);
    layout->fresh = false;
  }
  if (is_large(head) && layout->large_count < 8)
    layout->large[layout->large_count++] = layout->depth;
}

static void write_field(CoreWriter *writer, const char *name)
{
  open(writer);
  strbuf_puts(writer->out, name);
  ((Layout *)writer->state)->fresh = false;
}

static void write_end(CoreWriter *writer, const Head *head)
{
  Layout *layout = writer->state;
  if (layout->large_count && layout->large[layout->large_count - 1] == layout->depth)
    layout->large_count--;
  if (!head->ctor || head->count)
    close(writer);
}

static const WriterForm sexp_writer_form = {
    .boolean = write_bool,
    .natural = write_natural,
    .integer = write_integer,
    .real32 = write_real32,
    .real64 = write_real64,
    .text = write_text,
    .none = write_none,
    .begin_some = open,
    .end_some = close,
    .begin_list = write_list,
    .end_list = close,
    .begin = write_begin,
    .field = write_field,
    .end_field = close,
    .end = write_end,
};

static bool finish(CoreWriter *writer, size_t before)
{
  if (writer->failed)
    writer->out->len = before;
  else
    strbuf_putc(writer->out, '\n');
  return !writer->failed;
}

bool core_to_sexp(Session *session, const TypeInfo *type, const void *value, StrBuf *out)
{
  size_t before = out->len;
  Layout layout = {.fresh = true};
  CoreWriter writer = {.session = session, .form = &sexp_writer_form, .out = out, .state = &layout};
  core_write_value(&writer, type, value);
  return finish(&writer, before);
}

bool klr_to_sexp(Session *session, const KlrFile *file, StrBuf *out)
{
  size_t before = out->len;
  Layout layout = {.fresh = true};
  CoreWriter writer = {.session = session, .form = &sexp_writer_form, .out = out, .state = &layout};
  contents_write(&writer, file);
  return finish(&writer, before);
}

// ---- reading
typedef enum NodeKind { NODE_LIST, NODE_ATOM, NODE_TEXT } NodeKind;

typedef struct Node {
  NodeKind kind;
  uint32_t line, column;
  Str text;           // of atoms and texts
  struct Node *first; // of lists
  struct Node *next;  // in the same list
  uint32_t count;     // of lists
} Node;

typedef struct Parser {
  Session *session;
  Arena *arena;
  const char *path;
  const char *at, *end, *line_start;
  uint32_t line;
  bool failed;
} Parser;

static Node *parse_error(Parser *parser, const char *message)
{
  if (!parser->failed) {
    Diag *diag = diag_error(parser->session, E_SEXP_FORMAT, "%s", message);
    diag_where(diag, parser->path, parser->line, (uint32_t)(parser->at - parser->line_start));
  }
  parser->failed = true;
  return NULL;
}

static void skip_space(Parser *parser)
{
  for (; parser->at < parser->end; parser->at++) {
    char c = *parser->at;
    if (c == ';')
      while (parser->at + 1 < parser->end && parser->at[1] != '\n')
        parser->at++;
    else if (c == '\n')
      parser->line++, parser->line_start = parser->at + 1;
    else if (c != ' ' && c != '\t' && c != '\r')
      return;
  }
}

static int hex_digit(char c)
{
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// One character of a text after a backslash; false when there is no such escape.
static bool parse_escape(Parser *parser, char *out)
{
  if (parser->end - parser->at < 1)
    return false;
  char c = *parser->at++;
  *out = c == 'n' ? '\n' : c;
  if (c == '"' || c == '\\' || c == 'n')
    return true;
  if (c != 'x' || parser->end - parser->at < 2)
    return false;
  int high = hex_digit(parser->at[0]), low = hex_digit(parser->at[1]);
  parser->at += 2;
  *out = (char)(high * 16 + low);
  return high >= 0 && high < 8 && low >= 0 && *out;
}

static Node *parse_text(Parser *parser, Node *node)
{
  StrBuf text = strbuf_new(parser->arena);
  strbuf_puts(&text, "");
  uint32_t code_point;
  for (parser->at++; parser->at < parser->end && *parser->at != '"';) {
    char escaped;
    if (*parser->at == '\\') {
      parser->at++;
      if (!parse_escape(parser, &escaped))
        return parse_error(parser, "unknown escape in a text; known are \\\" \\\\ \\n and \\x01 to \\x7f");
      strbuf_putc(&text, escaped);
      continue;
    }
    size_t len = utf8_decode(parser->at, parser->end, &code_point);
    if (len == 0 || code_point == 0)
      return parse_error(parser, "a text holds a byte that is not UTF-8, or NUL");
    if (code_point == '\n')
      parser->line++, parser->line_start = parser->at + 1;
    strbuf_add(&text, parser->at, len);
    parser->at += len;
  }
  if (parser->at == parser->end)
    return parse_error(parser, "the text is not closed");
  parser->at++;
  node->kind = NODE_TEXT;
  node->text = strbuf_str(&text);
  return node;
}

static Node *parse_node(Parser *parser, int depth);

static Node *parse_list(Parser *parser, Node *node, int depth)
{
  if (depth > 10 * DEPTH_LIMIT)
    return parse_error(parser, "parentheses are nested too deeply");
  Node **last = &node->first;
  parser->at++;
  for (;;) {
    skip_space(parser);
    if (parser->at == parser->end)
      return parse_error(parser, "a parenthesis is not closed");
    if (*parser->at == ')')
      break;
    if (!(*last = parse_node(parser, depth + 1)))
      return NULL;
    last = &(*last)->next;
    node->count++;
  }
  parser->at++;
  return node;
}

static Node *parse_node(Parser *parser, int depth)
{
  skip_space(parser);
  if (parser->at == parser->end)
    return parse_error(parser, "expected a value, found the end");
  Node *node = arena_new(parser->arena, Node);
  node->line = parser->line;
  node->column = (uint32_t)(parser->at - parser->line_start);
  if (*parser->at == '(')
    return parse_list(parser, node, depth);
  if (*parser->at == ')')
    return parse_error(parser, "a parenthesis is closed that was not opened");
  if (*parser->at == '"')
    return parse_text(parser, node);
  const char *start = parser->at;
  while (parser->at < parser->end && *parser->at && !strchr(" \t\r\n();\"", *parser->at))
    parser->at++;
  if (parser->at == start)
    return parse_error(parser, "a NUL byte");
  node->kind = NODE_ATOM;
  node->text = (Str){start, (size_t)(parser->at - start)};
  return node;
}

// The one value that `text` holds.
static const Node *parse(Session *session, Arena *arena, Str text, const char *path)
{
  Parser parser = {.session = session,
                   .arena = arena,
                   .path = path,
                   .at = text.data,
                   .end = text.data + text.len,
                   .line_start = text.data,
                   .line = 1};
  const Node *node = parse_node(&parser, 0);
  if (!node)
    return NULL;
  skip_space(&parser);
  return parser.at == parser.end ? node : parse_error(&parser, "something follows the value");
}

static void place(CoreReader *reader, StrBuf *text, uint32_t *line, uint32_t *column)
{
  (void)text;
  const Node *node = reader->node;
  *line = node->line;
  *column = node->column;
}

static const char *found_here(CoreReader *reader)
{
  const Node *node = reader->node;
  if (node->kind == NODE_LIST)
    return node->count ? "a list" : "()";
  return arena_printf(&reader->session->arena, node->kind == NODE_TEXT ? "the text \"%.*s\"" : "`%.*s`",
                      (int)(node->text.len < 40 ? node->text.len : 40), node->text.data);
}

static bool expected(CoreReader *reader, const char *what)
{
  return read_error(reader, "expected %s, found %s", what, found_here(reader));
}

static bool is_atom(const CoreReader *reader)
{
  return ((const Node *)reader->node)->kind == NODE_ATOM;
}

static bool read_bool(CoreReader *reader, bool *out)
{
  const Node *node = reader->node;
  *out = str_is(node->text, "true");
  return (is_atom(reader) && (*out || str_is(node->text, "false"))) || expected(reader, "true or false");
}

// The atom as a NUL-terminated text; empty when it is none or too long for a number.
static void copy_atom(const CoreReader *reader, char out[64])
{
  const Node *node = reader->node;
  size_t len = is_atom(reader) && node->text.len < 64 ? node->text.len : 0;
  memcpy(out, len ? node->text.data : "", len);
  out[len] = 0;
}

static bool read_natural(CoreReader *reader, uint64_t most, uint64_t *out)
{
  char text[64], *end;
  copy_atom(reader, text);
  errno = 0;
  *out = strtoull(text, &end, 10);
  if (text[0] < '0' || text[0] > '9' || *end || errno)
    return expected(reader, "a natural number");
  return *out <= most || read_error(reader, "the number %" PRIu64 " is above %" PRIu64, *out, most);
}

static bool read_integer(CoreReader *reader, int64_t least, int64_t most, int64_t *out)
{
  char text[64], *end;
  copy_atom(reader, text);
  errno = 0;
  *out = strtoll(text, &end, 10);
  if (!text[0] || !strchr("-0123456789", text[0]) || *end || errno)
    return expected(reader, "an integer");
  return (*out >= least && *out <= most) ||
         read_error(reader, "the integer %" PRId64 " is outside %" PRId64 " to %" PRId64, *out, least, most);
}

static bool read_real32(CoreReader *reader, float *out)
{
  char text[64], *end;
  copy_atom(reader, text);
  bool bits_given = strncmp(text, "nan:", 4) == 0;
  uint32_t bits = bits_given ? (uint32_t)strtoul(text + 4, &end, 16) : F32_NAN_BITS;
  if (bits_given && (*end || strlen(text) != 12 || (bits & 0x7FFFFFFF) <= 0x7F800000))
    return expected(reader, "nan: and 8 hexadecimal digits");
  if (bits_given || strcmp(text, "nan") == 0) {
    memcpy(out, &bits, sizeof bits);
    return true;
  }
  *out = strtof(text, &end);
  bool infinite = strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0;
  if (!infinite && (!text[0] || !strchr("-0123456789", text[0]) || text[strspn(text, "-+.eE0123456789")] || *end))
    return expected(reader, "a number");
  return infinite || isfinite(*out) || read_error(reader, "the number %s is too large for a float32", text);
}

static bool read_text(CoreReader *reader, Str *out)
{
  const Node *node = reader->node;
  *out = node->text;
  return node->kind == NODE_TEXT || expected(reader, "a text in quotes");
}

static bool begin_option(CoreReader *reader, bool *some)
{
  const Node *node = reader->node;
  if (node->kind != NODE_LIST || node->count > 1)
    return expected(reader, "() or (value)");
  *some = node->count;
  if (*some)
    reader->node = node->first;
  return true;
}

static bool begin_list(CoreReader *reader, uint32_t item_least_bytes, uint32_t *count)
{
  (void)item_least_bytes;
  const Node *node = reader->node;
  *count = node->count;
  return node->kind == NODE_LIST || expected(reader, "a list");
}

static bool read_item(CoreReader *reader, const void *list, uint32_t index)
{
  reader->node = index ? ((const Node *)reader->node)->next : ((const Node *)list)->first;
  return true;
}

// The name that begins a constructor with fields, NULL when this is none.
static const Node *name_of(const Node *node)
{
  return node->kind == NODE_LIST && node->first && node->first->kind == NODE_ATOM ? node->first : NULL;
}

static bool begin_struct(CoreReader *reader, const Head *head, uint32_t most, uint32_t *count)
{
  const Node *node = reader->node, *name = name_of(node);
  *count = most;
  if (head->ctor && !(name && str_is(name->text, head->ctor)))
    return read_error(reader, "expected a `%s`, which is (%s (field value) ...), found %s", head->type, head->ctor,
                      found_here(reader));
  if (node->kind == NODE_LIST && !!head->ctor == !!name)
    return true;
  return read_error(reader, "expected a `%s`, which is ((field value) ...), found %s", head->type, found_here(reader));
}

static bool begin_sum(CoreReader *reader, const TypeInfo *sum, uint32_t *choice)
{
  const Node *node = reader->node, *name = node->kind == NODE_ATOM ? node : name_of(node);
  if (!name)
    return read_error(reader, "expected a `%s`, which is a name or (name (field value) ...), found %s", sum->wire,
                      found_here(reader));
  if (!choice_of_name(sum, name->text, choice)) {
    size_t before = reader->session->diags.count;
    read_error(reader, "`%s` has no constructor `%.*s`", sum->wire, STR_ARG(name->text));
    if (reader->session->diags.count > before)
      suggest_choice(reader->session->diags.items[before], sum, name->text);
    return false;
  }
  uint32_t fields = choice_fields(sum, *choice);
  if (fields ? node->kind == NODE_LIST && node->count == 1 + fields : node->kind == NODE_ATOM)
    return true;
  return read_error(reader, fields ? "`%s.%.*s` has one field" : "`%s.%.*s` has no fields, and is no list", sum->wire,
                    STR_ARG(name->text));
}

static bool read_field(CoreReader *reader, const char *name, uint32_t index, bool *absent)
{
  (void)index;
  const Node *node = reader->node;
  for (const Node *field = node->first; field; field = field->next) {
    const Node *found = name_of(field);
    if (!found || !str_is(found->text, name))
      continue;
    if (field->count != 2)
      return read_error(reader, "the field `%s` has %u values", name, field->count - 1);
    reader->node = found->next;
    return true;
  }
  if (!absent)
    return read_error(reader, "the field `%s` is missing", name);
  *absent = true;
  return true;
}

// Every member of a structure is a known field, once.
static bool end_struct(CoreReader *reader, const FieldInfo *fields, uint32_t count)
{
  const Node *node = reader->node;
  uint32_t seen = 0;
  for (const Node *field = name_of(node) ? node->first->next : node->first; field; field = field->next) {
    const Node *name = name_of(field);
    reader->node = field;
    if (!name)
      return expected(reader, "(field value)");
    uint32_t i = 0;
    while (i < count && !str_is(name->text, fields[i].wire))
      i++;
    if (i == count || seen >> i & 1)
      return read_error(reader, i == count ? "there is no field `%.*s` here" : "the field `%.*s` stands twice",
                        STR_ARG(name->text));
    seen |= UINT32_C(1) << i;
  }
  return true;
}

static const ReaderForm sexp_reader_form = {
    .code = E_SEXP_FORMAT,
    .boolean = read_bool,
    .natural = read_natural,
    .integer = read_integer,
    .real32 = read_real32,
    .text = read_text,
    .begin_option = begin_option,
    .begin_list = begin_list,
    .item = read_item,
    .begin_struct = begin_struct,
    .begin_sum = begin_sum,
    .field = read_field,
    .end = end_struct,
    .place = place,
};

bool core_from_sexp(Session *session, Arena *arena, const TypeInfo *type, Str text, const char *path, void *out)
{
  Arena nodes = ARENA_INIT;
  nodes.on_exhausted = session->arena.on_exhausted;
  CoreReader reader;
  core_reader_init(&reader, session, arena, &sexp_reader_form, path);
  reader.node = parse(session, &nodes, text, path);
  bool ok = reader.node && core_read_value(&reader, type, out);
  arena_free(&nodes);
  return ok;
}

KlrFile *klr_from_sexp(Session *session, Arena *arena, Str text, const char *path)
{
  Arena nodes = ARENA_INIT;
  nodes.on_exhausted = session->arena.on_exhausted;
  CoreReader reader;
  core_reader_init(&reader, session, arena, &sexp_reader_form, path);
  reader.node = parse(session, &nodes, text, path);
  KlrFile *file = arena_new(arena, KlrFile);
  bool ok = reader.node && contents_read(&reader, file);
  file->has_extensions = reader.uses_extensions;
  arena_free(&nodes);
  return ok ? file : NULL;
}

// write_c_text.c -- the C writer's lines, texts, places and names.

#include "schema/write_c_parts.h"

// ---- text

void c_put(CWriter *w, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  strbuf_puts(w->out, arena_vprintf(w->arena, format, args));
  va_end(args);
}

void c_start_line(CWriter *w)
{
  strbuf_repeat(w->out, ' ', (size_t)(2 * w->indent));
}

void c_put_line(CWriter *w, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  c_start_line(w);
  strbuf_puts(w->out, arena_vprintf(w->arena, format, args));
  strbuf_putc(w->out, '\n');
  va_end(args);
}

void c_put_text(CWriter *w, Str text)
{
  strbuf_putc(w->out, '"');
  for (size_t i = 0; i < text.len; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (c == '"' || c == '\\')
      strbuf_printf(w->out, "\\%c", c);
    else if (c == '\n')
      strbuf_puts(w->out, i + 1 < text.len ? "\\n\"\n  \"" : "\\n");
    else if (c < ' ' || c > '~' || c == '?')
      strbuf_printf(w->out, "\\%03o", c);
    else
      strbuf_putc(w->out, (char)c);
  }
  strbuf_putc(w->out, '"');
}

// Where the statement stands in the Python source, for debuggers, sanitizers and messages of the compiler.
void c_put_place(CWriter *w, SchemaPlace place)
{
  if (!place.line || place.line == w->line)
    return;
  w->line = place.line;
  strbuf_printf(w->out, "#line %u ", place.line);
  c_put_text(w, str_from(w->file->path[0] ? w->file->path : "kernel"));
  strbuf_putc(w->out, '\n');
}

// ---- names

// A name that C or the text around it has already gets an underscore.
static bool is_taken(Str name)
{
  static const char *const WORDS[] = {
      "auto", "break", "case", "char", "const", "continue", "default", "do", "double", "else", "enum", "extern", "float", "for", "goto", "if", "inline",
      "int", "long", "register", "restrict", "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union", "unsigned", "void",
      "volatile", "while", "asm", "typeof", "NAN", "INFINITY", "HUGE_VAL", "HUGE_VALF", "HUGE_VALL", "linux", "unix", "signgam", "memcpy", "malloc", "free"};
  for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
    if (str_is(name, WORDS[i]))
      return true;
  bool is_macro = name.len > 2 && name.data[0] >= 'A' && name.data[0] <= 'Z';
  for (size_t i = 0; i < name.len; i++)
    is_macro &= (name.data[i] >= 'A' && name.data[i] <= 'Z') || (name.data[i] >= '0' && name.data[i] <= '9') || name.data[i] == '_';
  return is_macro || str_starts_with(name, "klr") || str_starts_with(name, "__") || str_ends_with(name, "_t") || str_ends_with(name, "_");
}

void c_put_name(CWriter *w, Str name)
{
  for (size_t i = 0; i < name.len; i++) {
    unsigned char c = (unsigned char)name.data[i];
    if (c < 128)
      strbuf_putc(w->out, (char)c);
    else
      strbuf_printf(w->out, "_x%02x", c);
  }
  if (is_taken(name))
    strbuf_putc(w->out, '_');
}

const char *c_type(Scalar scalar)
{
  return scalar_info(scalar)->c_type;
}

#include "serde/klr_file.h"

#include "serde/cbor.h"
#include "serde/contents.h"

#include <stdio.h>
#include <string.h>

#define FORMAT "NKI"
#define FORMAT_EXTENDED "NKI+klr"

static const uint64_t version[3] = {0, 0, 12};
static const char *const version_names[3] = {"major", "minor", "patch"};
static const Head file_head = {.type = "KLRFile", .tag = 0xD9, .number = 0xF7, .count = 3};
static const Head metadata_head = {.type = "KLRMetaData", .tag = 0xEB, .count = 1};

bool klr_is_file(Str bytes)
{
  return bytes.len >= 4 && memcmp(bytes.data, "\xD9\xD9\xF7\x83", 4) == 0;
}

// ---- writing
static CoreWriter cbor_writer(Session *session, StrBuf *out)
{
  return (CoreWriter){.session = session, .form = &cbor_writer_form, .out = out, .text_limit = TEXT_LIMIT};
}

static void write_header(CoreWriter *writer, Str format)
{
  const WriterForm *form = writer->form;
  form->begin(writer, &file_head);
  for (int i = 0; i < 3; i++)
    form->natural(writer, version[i]);
  form->begin(writer, &metadata_head);
  form->text(writer, format);
}

static bool write_with_format(CoreWriter *writer, const KlrFile *file, Str format)
{
  write_header(writer, format);
  contents_write(writer, file);
  return !writer->failed;
}

bool klr_write_file(Session *session, const KlrFile *file, StrBuf *out)
{
  size_t before = out->len;
  CoreWriter writer = cbor_writer(session, out);
  bool ok = write_with_format(&writer, file, STR(FORMAT));
  if (ok && writer.uses_extensions) { // seldom: known only at the end
    out->len = before;
    writer = cbor_writer(session, out);
    ok = write_with_format(&writer, file, STR(FORMAT_EXTENDED));
  }
  if (!ok)
    out->len = before;
  return ok;
}

bool klr_write_with(Session *session, const Head *contents, WriteWith *write, const void *context, StrBuf *out)
{
  size_t before = out->len;
  CoreWriter writer = cbor_writer(session, out);
  write_header(&writer, STR(FORMAT));
  writer.form->begin(&writer, contents);
  write(&writer, context);
  if (writer.failed)
    out->len = before;
  return !writer.failed;
}

bool cbor_write_with(Session *session, WriteWith *write, const void *context, StrBuf *out)
{
  size_t before = out->len;
  CoreWriter writer = cbor_writer(session, out);
  write(&writer, context);
  if (writer.failed)
    out->len = before;
  return !writer.failed;
}

bool klr_write(Session *session, const Kernel *kernel, StrBuf *out)
{
  return klr_write_file(session, &(KlrFile){.contents = KLR_CONTENTS_LNC, .kernel = kernel}, out);
}

bool gathered_write(Session *session, const Gathered *gathered, StrBuf *out)
{
  return klr_write_file(session, &(KlrFile){.contents = KLR_CONTENTS_SOURCES, .sources = gathered}, out);
}

bool core_to_cbor(Session *session, const TypeInfo *type, const void *value, StrBuf *out)
{
  size_t before = out->len;
  CoreWriter writer = cbor_writer(session, out);
  core_write_value(&writer, type, value);
  if (writer.failed)
    out->len = before;
  return !writer.failed;
}

// ---- reading
static bool not_a_klr_file(CoreReader *reader, Str bytes)
{
  const char *path = reader->path;
  Diag *diag = diag_error(reader->session, E_KLR_FORMAT, "byte 0: not a .klr file: it does not begin with d9 d9 f7 83");
  diag_where(diag, path, 0, 0);
  reader->failed = true;
  size_t at = 0;
  while (at < bytes.len && strchr(" \t\r\n", bytes.data[at]) && bytes.data[at])
    at++;
  if (bytes.len == 0)
    diag_note(diag, "the file is empty");
  else if (at < bytes.len && (bytes.data[at] == '{' || bytes.data[at] == '('))
    diag_note(diag, "it looks like %s", bytes.data[at] == '{' ? "JSON" : "an S-expression");
  return false;
}

static bool read_version(CoreReader *reader)
{
  uint32_t count;
  uint64_t found[3];
  if (!reader->form->begin_struct(reader, &file_head, 3, &count))
    return false;
  for (int i = 0; i < 3; i++) {
    Step step = {reader->step, version_names[i], 0};
    reader->step = &step;
    bool ok = reader->form->natural(reader, UINT32_MAX, &found[i]);
    reader->step = step.up;
    if (!ok)
      return false;
  }
  if (memcmp(found, version, sizeof version) == 0)
    return true;
  return read_error_code(reader, E_KLR_VERSION, "the file has format version %u.%u.%u, and only %u.%u.%u is known",
                         (unsigned)found[0], (unsigned)found[1], (unsigned)found[2], (unsigned)version[0],
                         (unsigned)version[1], (unsigned)version[2]);
}

static bool read_metadata(CoreReader *reader)
{
  uint32_t count;
  Str format;
  if (!reader->form->begin_struct(reader, &metadata_head, 1, &count))
    return false;
  Step step = {reader->step, "format", 0};
  reader->step = &step;
  bool ok = reader->form->text(reader, &format);
  reader->step = step.up;
  if (!ok)
    return false;
  reader->allows_extensions = str_is(format, FORMAT_EXTENDED);
  if (reader->allows_extensions || str_is(format, FORMAT))
    return true;
  return read_error_code(reader, E_KLR_VERSION,
                         "the file has format `%.*s`, and only `" FORMAT "` and `" FORMAT_EXTENDED "` are known",
                         STR_ARG(format));
}

static bool read_file(CoreReader *reader, Str bytes, KlrFile *file)
{
  if (!klr_is_file(bytes))
    return not_a_klr_file(reader, bytes);
  if (!read_version(reader) || !read_metadata(reader) || !contents_read(reader, file) || !cbor_expect_end(reader))
    return false;
  file->has_extensions = reader->uses_extensions;
  if (reader->allows_extensions && !reader->uses_extensions)
    return read_error(reader,
                      "the format is `" FORMAT_EXTENDED "`, but nothing in the file needs more than `" FORMAT "`");
  return true;
}

KlrFile *klr_read(Session *session, Arena *arena, Str bytes, const char *path)
{
  CoreReader reader;
  core_reader_init(&reader, session, arena, &cbor_reader_form, path);
  cbor_set_bytes(&reader, bytes, NULL);
  KlrFile *file = arena_new(arena, KlrFile);
  return read_file(&reader, bytes, file) ? file : NULL;
}

const Gathered *gathered_read(Session *session, Arena *arena, Str bytes, const char *path)
{
  KlrFile *file =
      klr_is_file(bytes) ? klr_read(session, arena, bytes, path) : klr_from_json(session, arena, bytes, path);
  if (file && !file->sources)
    diag_where(diag_error(session, E_KLR_CONTENTS, "the file holds a kernel, not gathered sources"), path, 0, 0);
  return file ? file->sources : NULL;
}

bool core_from_cbor(Session *session, Arena *arena, const TypeInfo *type, Str bytes, const char *path, void *out)
{
  CoreReader reader;
  core_reader_init(&reader, session, arena, &cbor_reader_form, path);
  cbor_set_bytes(&reader, bytes, NULL);
  return core_read_value(&reader, type, out) && cbor_expect_end(&reader);
}

// ---- every byte by name
typedef struct Dump {
  StrBuf *out;
  StrBuf path; // of the item being shown
  Str bytes;
  size_t shown; // bytes printed so far
  int digits;   // of an offset
} Dump;

enum { HEX_PER_LINE = 12 };

static void add_hex(StrBuf *out, uint64_t value, int digits)
{
  while (digits-- > 0)
    strbuf_putc(out, "0123456789abcdef"[value >> 4 * digits & 15]);
}

// One line, or more when `end - start` is large: offset, bytes, and on the first line the meaning.
static void dump_lines(Dump *dump, size_t start, size_t end, const char *path, const char *meaning)
{
  size_t at = start;
  do {
    size_t stop = end - at > HEX_PER_LINE ? at + HEX_PER_LINE : end;
    add_hex(dump->out, at, dump->digits);
    strbuf_putc(dump->out, ' ');
    for (size_t i = at; i < stop; i++) {
      strbuf_putc(dump->out, ' ');
      add_hex(dump->out, (unsigned char)dump->bytes.data[i], 2);
    }
    if (at == start && *meaning) {
      strbuf_repeat(dump->out, ' ', 3 * (HEX_PER_LINE - (stop - at)) + 2);
      strbuf_puts(dump->out, path);
      strbuf_puts(dump->out, *path ? "  " : "");
      strbuf_puts(dump->out, meaning);
    }
    strbuf_putc(dump->out, '\n');
    at = stop;
  } while (at < end);
}

// `meaning` on one line: control characters become \xNN.
static void dump_item(void *context, const CoreReader *reader, size_t start, size_t end, const char *meaning)
{
  Dump *dump = context;
  char line[1024];
  dump->path.data[dump->path.len = 0] = 0;
  step_print(reader->step, &dump->path);
  size_t used = 0;
  for (; *meaning && used + 5 < sizeof line; meaning++) {
    if ((unsigned char)*meaning < 0x20 || *meaning == 0x7F)
      used += (size_t)snprintf(line + used, 5, "\\x%02x", (unsigned)*meaning);
    else
      line[used++] = *meaning;
  }
  line[used] = 0;
  dump_lines(dump, start, end, strbuf_cstr(&dump->path), line);
  dump->shown = end;
}

// The bytes that no item covers.
static void dump_rest(Dump *dump)
{
  if (dump->shown == dump->bytes.len)
    return;
  add_hex(dump->out, dump->shown, dump->digits);
  strbuf_printf(dump->out, "  -- reading stops here; %zu bytes are not understood\n", dump->bytes.len - dump->shown);
  for (size_t at = dump->shown; at < dump->bytes.len; at += HEX_PER_LINE) {
    size_t stop = dump->bytes.len - at > HEX_PER_LINE ? at + HEX_PER_LINE : dump->bytes.len;
    dump_lines(dump, at, stop, "", "");
  }
}

// Contents that have no description here are shown item by item.
static bool dump_contents(CoreReader *reader)
{
  KlrFile file = {0};
  if (!contents_begin(reader, &file))
    return false;
  return contents_is_read(file.contents) ? contents_read_inside(reader, &file) : cbor_skip_value(reader);
}

bool klr_dump_bytes(Session *session, Str bytes, const char *path, StrBuf *out)
{
  Arena arena = ARENA_INIT, paths = ARENA_INIT;
  arena.on_exhausted = paths.on_exhausted = session->arena.on_exhausted;
  Dump dump = {.out = out, .path = strbuf_new(&paths), .bytes = bytes, .digits = bytes.len > 0xFFFF ? 8 : 4};
  strbuf_puts(&dump.path, "");
  CborObserver observer = {dump_item, &dump};
  CoreReader reader;
  core_reader_init(&reader, session, &arena, &cbor_reader_form, path);
  cbor_set_bytes(&reader, bytes, &observer);
  bool ok = klr_is_file(bytes)
                ? read_version(&reader) && read_metadata(&reader) && dump_contents(&reader) && cbor_expect_end(&reader)
                : not_a_klr_file(&reader, bytes);
  dump_rest(&dump);
  arena_free(&paths);
  arena_free(&arena);
  return ok;
}

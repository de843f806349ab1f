#include "base/npy.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct Cursor {
  const char *at, *end;
} Cursor;

static void skip_spaces(Cursor *c)
{
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t'))
    c->at++;
}

static bool take(Cursor *c, const char *text)
{
  skip_spaces(c);
  size_t len = strlen(text);
  if ((size_t)(c->end - c->at) < len || memcmp(c->at, text, len) != 0)
    return false;
  c->at += len;
  return true;
}

// 'text' or "text"
static bool take_string(Cursor *c, Str *out)
{
  skip_spaces(c);
  if (c->at >= c->end || (*c->at != '\'' && *c->at != '"'))
    return false;
  char quote = *c->at++;
  const char *start = c->at;
  while (c->at < c->end && *c->at != quote)
    c->at++;
  if (c->at >= c->end)
    return false;
  *out = (Str){start, (size_t)(c->at++ - start)};
  return true;
}

// (3, 4), (3,) or ()
static bool take_shape(Cursor *c, Npy *npy)
{
  if (!take(c, "("))
    return false;
  while (!take(c, ")")) {
    skip_spaces(c);
    if (npy->rank == NPY_MOST_DIMS || c->at >= c->end || *c->at < '0' || *c->at > '9')
      return false;
    uint64_t size = 0;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
      if (size > UINT64_MAX / 10 - 1)
        return false;
      size = size * 10 + (uint64_t)(*c->at - '0');
    }
    npy->shape[npy->rank++] = size;
    if (!take(c, ",")) {
      if (!take(c, ")"))
        return false;
      break;
    }
  }
  return true;
}

static bool take_header(Cursor *c, Npy *npy, bool *fortran_order)
{
  bool has_descr = false, has_order = false, has_shape = false;
  if (!take(c, "{"))
    return false;
  while (!take(c, "}")) {
    Str key, descr;
    if (!take_string(c, &key) || !take(c, ":"))
      return false;
    if (str_is(key, "descr") && take_string(c, &descr) && descr.len < sizeof npy->descr) {
      memcpy(npy->descr, descr.data, descr.len);
      has_descr = true;
    } else if (str_is(key, "fortran_order") && (take(c, "False") || (*fortran_order = take(c, "True")))) {
      has_order = true;
    } else if (str_is(key, "shape") && take_shape(c, npy)) {
      has_shape = true;
    } else {
      return false;
    }
    if (!take(c, ","))
      return take(c, "}") && has_descr && has_order && has_shape;
  }
  return has_descr && has_order && has_shape;
}

static bool refused(Session *session, const char *path, const char *what, const char *next_step)
{
  Diag *diag = diag_error(session, E_NPY_FORMAT, "`%s` is not an .npy file that can be read: %s", path, what);
  diag_where(diag, path, 0, 0);
  diag_help(diag, "save it with `numpy.save(path, %s)`", next_step);
  return false;
}

static bool damaged(Session *session, const char *path, const char *what)
{
  return refused(session, path, what, "array");
}

bool npy_parse(Session *session, const char *path, Str file, Npy *out)
{
  *out = (Npy){0};
  const unsigned char *bytes = (const unsigned char *)file.data;
  if (file.len < 10 || memcmp(bytes, "\x93NUMPY", 6) != 0)
    return damaged(session, path, "it does not begin with the bytes \\x93NUMPY");
  if (bytes[6] < 1 || bytes[6] > 3)
    return damaged(session, path, "its format version is not 1, 2 or 3");
  size_t start = bytes[6] == 1 ? 10 : 12;
  if (file.len < start)
    return damaged(session, path, "it ends inside its header");
  size_t header = bytes[8] | (size_t)bytes[9] << 8;
  if (bytes[6] > 1)
    header |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
  if (header > file.len - start)
    return damaged(session, path, "it ends inside its header");
  Cursor cursor = {file.data + start, file.data + start + header};
  bool fortran_order = false;
  if (!take_header(&cursor, out, &fortran_order))
    return damaged(session, path, "its header is not {'descr': ..., 'fortran_order': ..., 'shape': ...}");
  if (fortran_order && out->rank > 1)
    return refused(session, path, "it is in Fortran order", "numpy.ascontiguousarray(array)");
  if (out->descr[0] == '>')
    return refused(session, path, "it is big-endian", "array.astype(array.dtype.newbyteorder('<'))");
  char kind = out->descr[1];
  char *rest;
  unsigned long item_bytes = strtoul(out->descr[0] ? out->descr + 2 : "", &rest, 10);
  if (!strchr("?bifuV", kind) || !kind || *rest || item_bytes == 0 || item_bytes > 16)
    return refused(session, path, arena_printf(&session->arena, "its dtype `%s` is not a number type", out->descr),
                   "array.astype(numpy.float32)");
  uint64_t count = 1;
  for (uint32_t i = 0; i < out->rank; i++) {
    if (out->shape[i] && count > UINT64_MAX / 32 / out->shape[i])
      return damaged(session, path, "its shape is too large");
    count *= out->shape[i];
  }
  out->item_bytes = (uint32_t)item_bytes;
  out->bytes = count * item_bytes;
  out->data = file.data + start + header;
  size_t left = file.len - start - header;
  if (left != out->bytes)
    return damaged(session, path,
                   arena_printf(&session->arena, "its shape and dtype need %" PRIu64 " bytes of data, it has %zu",
                                out->bytes, left));
  return true;
}

void npy_format(StrBuf *out, const char *descr, const uint64_t *shape, uint32_t rank, const void *data, uint64_t bytes)
{
  StrBuf header = strbuf_new(out->arena);
  strbuf_printf(&header, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
  for (uint32_t i = 0; i < rank; i++)
    strbuf_printf(&header, i + 1 < rank ? "%" PRIu64 ", " : "%" PRIu64, shape[i]);
  strbuf_puts(&header, rank == 1 ? ",), }" : "), }");
  size_t unpadded = 10 + header.len + 1;
  strbuf_repeat(&header, ' ', (64 - unpadded % 64) % 64);
  strbuf_putc(&header, '\n');
  strbuf_add(out, "\x93NUMPY\x01\x00", 8);
  strbuf_putc(out, (char)(header.len & 0xFF));
  strbuf_putc(out, (char)(header.len >> 8));
  strbuf_add(out, header.data, header.len);
  strbuf_add(out, data, bytes);
}

// serde_tool.c -- random kernels as files, and files from one form to another, for tests in other languages.
//
//   serde_tool random SEED OPS plain|raw|extended PREFIX     writes PREFIX.klr, PREFIX.json and PREFIX.sexp
//   serde_tool klr FILE | json FILE | sexp FILE              reads FILE (of any form), writes that form to standard
//   output serde_tool bytes FILE                                    every byte by name

#include "core/random.h"
#include "serde/klr_file.h"
#include "syntax/python_ast.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool write_form(Session *session, const KlrFile *file, const char *form, StrBuf *out)
{
  if (strcmp(form, "klr") == 0)
    return klr_write_file(session, file, out);
  if (strcmp(form, "json") == 0)
    return klr_to_json(session, file, 1, out);
  return klr_to_sexp(session, file, out);
}

static bool write_random(Session *session, char **args)
{
  bool plain = strcmp(args[2], "plain") == 0;
  RandomOptions options = {.op_count = (uint32_t)atoi(args[1]),
                           .raw = !plain,
                           .core_count = plain ? 2 : 1,
                           .block_count = 2,
                           .extensions = strcmp(args[2], "extended") == 0};
  KlrFile file = {.contents = KLR_CONTENTS_LNC,
                  .kernel = random_kernel(&session->arena, strtoull(args[0], NULL, 10), options)};
  static const char *const forms[] = {"klr", "json", "sexp"};
  for (int i = 0; i < 3; i++) {
    StrBuf out = strbuf_new(&session->arena);
    if (!write_form(session, &file, forms[i], &out) ||
        !file_write(session, arena_printf(&session->arena, "%s.%s", args[3], forms[i]), strbuf_str(&out)))
      return false;
  }
  return true;
}

static bool convert(Session *session, const char *form, const char *path)
{
  Str bytes;
  StrBuf out = strbuf_new(&session->arena);
  if (!file_read(session, &session->arena, path, &bytes))
    return false;
  if (strcmp(form, "bytes") == 0) {
    bool ok = klr_dump_bytes(session, bytes, path, &out);
    return file_write(session, "-", strbuf_str(&out)) && ok;
  }
  KlrFile *file = klr_is_file(bytes)                  ? klr_read(session, &session->arena, bytes, path)
                  : bytes.len && bytes.data[0] == '{' ? klr_from_json(session, &session->arena, bytes, path)
                                                      : klr_from_sexp(session, &session->arena, bytes, path);
  return file && write_form(session, file, form, &out) && file_write(session, "-", strbuf_str(&out));
}

// The module is named after the file.
static bool write_ast(Session *session, int count, char **args)
{
  const char *slash = strrchr(args[0], '/'), *stem = slash ? slash + 1 : args[0];
  Str text;
  if (!file_read(session, &session->arena, args[0], &text))
    return false;
  const char *name = arena_strndup(&session->arena, stem, strlen(stem) - 3);
  GatheredModule module = {name, args[0], false, text.data};
  GatheredArgument argument = {"", ""};
  Gathered sources = {.module = name, .function = args[1], .modules = {&module, 1}, .target = "trn2", .lnc = {true, 2}};
  if (count > 3) {
    char *equals = strchr(args[3], '=');
    argument = (GatheredArgument){arena_strndup(&session->arena, args[3], (size_t)(equals - args[3])), equals + 1};
    sources.arguments = (GatheredArguments){&argument, 1};
  }
  StrBuf out = strbuf_new(&session->arena);
  return python_ast_write(session, &sources, strcmp(args[2], "klr") == 0, &out) &&
         file_write(session, "-", strbuf_str(&out));
}

int main(int count, char **args)
{
  Session *session = session_new();
  bool ok = count == 6 && strcmp(args[1], "random") == 0 ? write_random(session, args + 2)
            : count >= 5 && strcmp(args[1], "ast") == 0  ? write_ast(session, count - 2, args + 2)
            : count == 3                                 ? convert(session, args[1], args[2])
                                                         : false;
  StrBuf messages = strbuf_new(&session->arena);
  diag_print_text(session, &messages, false);
  fputs(messages.len ? strbuf_cstr(&messages) : "", stderr);
  session_free(session);
  return ok ? 0 : 1;
}

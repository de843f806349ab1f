#include "cli/library.h"

#include "syntax/parser.h"
#include "trace/module.h"

#include <string.h>

Str first_line(const char *text)
{
  return (Str){text, strcspn(text, "\n")};
}

// The source between two places with line breaks and runs of spaces as one space.
static const char *one_line(Arena *arena, Str text)
{
  StrBuf out = strbuf_new(arena);
  for (size_t i = 0; i < text.len; i++) {
    bool is_space = text.data[i] == ' ' || text.data[i] == '\n';
    if (is_space && (out.len == 0 || out.data[out.len - 1] == ' ' || out.data[out.len - 1] == '('))
      continue;
    strbuf_putc(&out, is_space ? ' ' : text.data[i]);
  }
  return strbuf_cstr(&out);
}

// "(x, axis=-1)": what stands between the function's name and the colon before its body.
static const char *signature_of(Arena *arena, const Source *source, const Stmt *function)
{
  const char *text = source->text.data;
  size_t start = function->span.start, end = function->FunctionDef.body.items[0]->span.start;
  while (text[start] != '(')
    start++;
  while (end > start && text[end] != ':')
    end--;
  return one_line(arena, (Str){text + start, end - start});
}

// The docstring without the indentation of its later lines.
static const char *doc_of(Arena *arena, const Stmt *function)
{
  const Stmt *first = function->FunctionDef.body.items[0];
  if (first->kind != STMT_Expr || first->Expr.value->kind != EXPR_Constant ||
      first->Expr.value->Constant.value.kind != CONSTANT_STR)
    return "";
  Str text = first->Expr.value->Constant.value.text;
  StrBuf out = strbuf_new(arena);
  for (size_t i = 0; i < text.len; i++) {
    strbuf_putc(&out, text.data[i]);
    if (text.data[i] == '\n')
      for (int spaces = 0; spaces < 4 && i + 1 < text.len && text.data[i + 1] == ' '; spaces++)
        i++;
  }
  while (out.len && (out.data[out.len - 1] == '\n' || out.data[out.len - 1] == ' '))
    out.data[--out.len] = '\0';
  return strbuf_cstr(&out);
}

static const char *short_name_of(Arena *arena, const char *module, Str function)
{
  const char *prefix = strcmp(module, "nki.isa") == 0           ? "nisa"
                       : strcmp(module, "nki.language") == 0    ? "nl"
                       : strcmp(module, "nki.collectives") == 0 ? "nccl"
                                                                : module;
  return arena_printf(arena, "%s.%.*s", prefix, STR_ARG(function));
}

// The package that users import a module's functions from: the files of nki.language are one module to them.
// NULL for modules that are the library's own.
static const char *public_module(const EmbeddedModule *module)
{
  if (strrchr(module->name, '.') && strrchr(module->name, '.')[1] == '_')
    return NULL;
  return strncmp(module->name, "nki.language.", strlen("nki.language.")) == 0 ? "nki.language" : module->name;
}

LibraryFunctions library_functions(Session *session)
{
  Arena *arena = &session->arena;
  Vec(LibraryFunction) all = {0};
  for (const EmbeddedModule *module = embedded_modules; module->name; module++) {
    const char *name_of_module = public_module(module);
    if (!name_of_module)
      continue;
    Source *source = session_add_source(session, module->path, module->text);
    Module *tree = parse_module(session, arena, source);
    for (uint32_t i = 0; i < tree->body.count; i++) {
      const Stmt *stmt = tree->body.items[i];
      if (stmt->kind != STMT_FunctionDef || stmt->FunctionDef.name->str.data[0] == '_')
        continue;
      Str name = stmt->FunctionDef.name->str;
      vec_push(arena, &all,
               (LibraryFunction){arena_printf(arena, "%s.%.*s", name_of_module, STR_ARG(name)),
                                 short_name_of(arena, name_of_module, name), signature_of(arena, source, stmt),
                                 doc_of(arena, stmt)});
    }
  }
  return (LibraryFunctions){all.items, all.count};
}

const LibraryFunction *library_find(const LibraryFunctions *functions, const char *name)
{
  const LibraryFunction *found = NULL;
  for (size_t i = 0; i < functions->count; i++) {
    const LibraryFunction *function = &functions->items[i];
    if (strcmp(function->name, name) == 0 || strcmp(function->short_name, name) == 0)
      return function;
    if (strcmp(strrchr(function->name, '.') + 1, name) != 0)
      continue;
    if (found)
      return NULL;
    found = function;
  }
  return found;
}

const char *library_class(Session *session, const char *name)
{
  for (const EmbeddedModule *module = embedded_modules; module->name; module++) {
    if (strncmp(module->name, "nki", 3) != 0)
      continue;
    Source *source = session_add_source(session, module->path, module->text);
    Module *tree = parse_module(session, &session->arena, source);
    for (uint32_t i = 0; i < tree->body.count; i++) {
      const Stmt *stmt = tree->body.items[i];
      if (stmt->kind != STMT_ClassDef || !str_is(stmt->ClassDef.name->str, name) || stmt->ClassDef.bases.count != 1)
        continue;
      const char *text = source->text.data + stmt->span.start;
      size_t len = stmt->span.end - stmt->span.start;
      return arena_printf(&session->arena, "%.*s", (int)(len + strcspn(text + len, "\n")), text);
    }
  }
  return NULL;
}

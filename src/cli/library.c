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

static const struct {
  const char *name, *short_name;
} modules[] = {{"nki.isa", "nisa"}, {"nki.language", "nl"}, {"nki.collectives", "nccl"}, {"nki.collectives", "ncc"}};

const char *library_bare_name(const char *name)
{
  for (size_t i = 0; i < sizeof modules / sizeof *modules; i++)
    for (int is_short = 0; is_short < 2; is_short++) {
      const char *prefix = is_short ? modules[i].short_name : modules[i].name;
      size_t len = strlen(prefix);
      if (strncmp(name, prefix, len) == 0 && name[len] == '.')
        return name + len + 1;
    }
  return name;
}

// "nisa" and the like, by which `name` says that it is of another module.
static bool is_of_module(const char *name, const char *module)
{
  size_t len = (size_t)(library_bare_name(name) - name);
  for (size_t i = 0; i < sizeof modules / sizeof *modules && len; i++)
    if (strncmp(module, modules[i].name, strlen(modules[i].name)) == 0 &&
        ((strlen(modules[i].name) == len - 1 && strncmp(name, modules[i].name, len - 1) == 0) ||
         (strlen(modules[i].short_name) == len - 1 && strncmp(name, modules[i].short_name, len - 1) == 0)))
      return true;
  return !len;
}

const LibraryFunction *library_find(const LibraryFunctions *functions, const char *name)
{
  const LibraryFunction *found = NULL;
  for (size_t i = 0; i < functions->count; i++) {
    const LibraryFunction *function = &functions->items[i];
    if (strcmp(function->name, name) == 0 || strcmp(function->short_name, name) == 0)
      return function;
    if (strcmp(strrchr(function->name, '.') + 1, library_bare_name(name)) != 0 || !is_of_module(name, function->name))
      continue;
    if (found)
      return NULL;
    found = function;
  }
  return found;
}

// What a statement binds; NULL: a function, several names, nothing.
static const Name *name_bound(const Stmt *stmt)
{
  if (stmt->kind == STMT_ClassDef)
    return stmt->ClassDef.name;
  if (stmt->kind != STMT_Assign || stmt->Assign.targets.count != 1 || stmt->Assign.targets.items[0]->kind != EXPR_Name)
    return NULL;
  return stmt->Assign.targets.items[0]->Name.id;
}

// From the lines of comment above a statement, unless they are a heading, to the end of its last line.
static const char *definition_text(Arena *arena, const Source *source, const Stmt *stmt)
{
  const char *text = source->text.data;
  size_t start = stmt->span.start, end = stmt->span.end + strcspn(text + stmt->span.end, "\n");
  while (start > 0 && text[start - 1] != '\n')
    start--;
  for (size_t above = start; above > 0; start = above) {
    above--;
    while (above > 0 && text[above - 1] != '\n')
      above--;
    if (text[above] != '#' || strncmp(text + above, "# --", 4) == 0)
      break;
  }
  return arena_printf(arena, "%.*s", (int)(end - start), text + start);
}

static const Stmt *find_bound(const Stmt *const *stmts, size_t count, Str name)
{
  for (size_t i = 0; i < count; i++)
    if (name_bound(stmts[i]) && str_equal(name_bound(stmts[i])->str, name))
      return stmts[i];
  return NULL;
}

const char *library_definition(Session *session, const char *name)
{
  const char *bare = library_bare_name(name), *dot = strchr(bare, '.');
  Str first = dot ? (Str){bare, (size_t)(dot - bare)} : str_from(bare);
  for (const EmbeddedModule *module = embedded_modules; module->name && *bare != '_'; module++) {
    if (strncmp(module->name, "nki", 3) != 0 || !is_of_module(name, module->name))
      continue;
    Source *source = session_add_source(session, module->path, module->text);
    Module *tree = parse_module(session, &session->arena, source);
    const Stmt *found = find_bound((const Stmt *const *)tree->body.items, tree->body.count, first);
    if (found && dot)
      found = found->kind != STMT_ClassDef ? NULL
                                           : find_bound((const Stmt *const *)found->ClassDef.body.items,
                                                        found->ClassDef.body.count, str_from(dot + 1));
    if (found)
      return definition_text(&session->arena, source, found);
  }
  return NULL;
}

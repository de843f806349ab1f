#include "trace/gather.h"

#include "syntax/parser.h"
#include "trace/trace.h"

#include <string.h>

typedef struct Gatherer {
  Tracer *t;
  Map seen;  // by module name
  Vec(GatheredModule) modules;
  Vec(Module *) trees;  // of `modules`, same order
  bool failed;
} Gatherer;

static void add_module(Gatherer *g, const char *name, const char *path, bool is_package)
{
  Arena *arena = &g->t->arena;
  map_set(&g->seen, str_from(name), (void *)path);
  Source *source = session_read_source(g->t->session, path);
  Module *tree = source ? parse_module(g->t->session, arena, source) : NULL;
  if (!tree || tree->has_errors) {
    g->failed = true;
    return;
  }
  vec_push(arena, &g->modules, (GatheredModule){name, path, is_package, source->text.data});
  vec_push(arena, &g->trees, tree);
}

// A dotted name and all its parents, as importing it needs them: a, a.b, a.b.c.
static void want(Gatherer *g, Str dotted)
{
  for (size_t len = 0; len <= dotted.len; len++) {
    if (len < dotted.len && dotted.data[len] != '.')
      continue;
    Str name = {dotted.data, len};
    if (len == 0 || map_get(&g->seen, name))
      continue;
    ModuleObject *module = module_find(g->t, name);
    if (module && !module->native && !module->embedded && *module->path)
      add_module(g, arena_strndup(&g->t->arena, name.data, len), module->path, module->is_package);
  }
}

// "from ..x import y" in package.sub.module is about package.x; false when it leaves the package.
static bool absolute_name(Arena *arena, const GatheredModule *from, const struct Stmt_ImportFrom *import, Str *out)
{
  Str package = str_from(from->name);
  for (int level = from->is_package ? 1 : 0; level < import->level; level++) {
    size_t len = package.len;
    while (len > 0 && package.data[len - 1] != '.')
      len--;
    package.len = len ? len - 1 : 0;
  }
  StrBuf name = strbuf_new(arena);
  if (import->level)
    strbuf_add(&name, package.data, package.len);
  if (import->module) {
    if (name.len)
      strbuf_putc(&name, '.');
    strbuf_add(&name, import->module->str.data, import->module->str.len);
  }
  *out = strbuf_str(&name);
  return name.len > 0;
}

static void visit_import_from(Gatherer *g, const GatheredModule *from, const struct Stmt_ImportFrom *import)
{
  Str base;
  bool has_base = absolute_name(&g->t->arena, from, import, &base);
  if (has_base)
    want(g, base);
  for (uint32_t i = 0; i < import->names.count; i++) {  // a name may be a submodule
    Str name = import->names.items[i]->name->str;
    want(g, has_base ? str_from(arena_printf(&g->t->arena, "%.*s.%.*s", STR_ARG(base), STR_ARG(name))) : name);
  }
}

static void visit_body(Gatherer *g, const GatheredModule *from, StmtList body);

static void visit_statement(Gatherer *g, const GatheredModule *from, const Stmt *stmt)
{
  if (stmt->kind == STMT_Import)
    for (uint32_t i = 0; i < stmt->Import.names.count; i++)
      want(g, stmt->Import.names.items[i]->name->str);
  else if (stmt->kind == STMT_ImportFrom)
    visit_import_from(g, from, &stmt->ImportFrom);
  const AstNode *node = ast_stmt_node((StmtKind)stmt->kind);
  for (uint32_t i = 0; i < node->field_count; i++) {
    const char *field = (const char *)stmt + node->fields[i].offset;
    if (node->fields[i].kind == AST_STMTS)
      visit_body(g, from, *(const StmtList *)field);
    if (node->fields[i].kind == AST_HANDLERS)
      for (uint32_t j = 0; j < ((const HandlerList *)field)->count; j++)
        visit_body(g, from, ((const HandlerList *)field)->items[j]->body);
    if (node->fields[i].kind == AST_MATCH_CASES)
      for (uint32_t j = 0; j < ((const MatchCaseList *)field)->count; j++)
        visit_body(g, from, ((const MatchCaseList *)field)->items[j]->body);
  }
}

static void visit_body(Gatherer *g, const GatheredModule *from, StmtList body)
{
  for (uint32_t i = 0; i < body.count; i++)
    visit_statement(g, from, body.items[i]);
}

const Gathered *gather_sources(Tracer *t, const char *path, const char *function)
{
  Gatherer g = {.t = t, .seen = map_new(&t->arena)};
  const char *entry = trace_enter(t, path);
  add_module(&g, entry, path, false);
  for (size_t i = 0; i < g.modules.count; i++) {  // grows while it is walked
    GatheredModule from = g.modules.items[i];
    visit_body(&g, &from, g.trees.items[i]->body);
  }
  if (g.failed)
    return NULL;
  Gathered *gathered = arena_new(&t->arena, Gathered);
  gathered->module = entry;
  gathered->function = function ? function : "";
  gathered->modules = (GatheredModules){g.modules.items, (uint32_t)g.modules.count};
  return gathered;
}

#include "syntax/python_sources.h"

#include "syntax/parser.h"

#include <string.h>

enum { ALIAS_LIMIT = 50 }; // names that are imported through others

SourceModule *sources_find_module(PythonAst *p, Str name)
{
  return map_get(&p->modules, name);
}

const char *sources_join_names(PythonAst *p, Str a, Str b)
{
  return arena_printf(p->arena, "%.*s.%.*s", STR_ARG(a), STR_ARG(b));
}

static Binding *bind(PythonAst *p, SourceModule *module, Str name, Binding binding)
{
  Binding *kept = arena_new(p->arena, Binding);
  *kept = binding;
  kept->module = module;
  map_set(&module->bindings, name, kept);
  return kept;
}

// "from ..x import y" in package.sub.module is about package.x. Relative imports that leave the package name nothing.
static Str imported_module(PythonAst *p, const SourceModule *module, const struct Stmt_ImportFrom *import)
{
  Str base = str_from(module->gathered->name), own = import->module ? ident(import->module) : STR("");
  if (import->level == 0)
    return own;
  for (int level = module->gathered->is_package ? 1 : 0; level < import->level; level++)
    while (base.len && base.data[--base.len] != '.')
      ;
  return !own.len ? base : !base.len ? own : str_from(sources_join_names(p, base, own));
}

static void scan_import(PythonAst *p, SourceModule *module, const Stmt *s)
{
  for (uint32_t i = 0; i < s->Import.names.count; i++) {
    const Ast_alias *alias = s->Import.names.items[i];
    Str name = ident(alias->name);
    const char *dot = alias->asname ? NULL : memchr(name.data, '.', name.len);
    if (dot)
      name.len = (size_t)(dot - name.data);
    bind(p, module, alias->asname ? ident(alias->asname) : name,
         (Binding){.kind = BINDING_MODULE, .name = arena_strndup(p->arena, name.data, name.len)});
  }
}

static void scan_import_from(PythonAst *p, SourceModule *module, const Stmt *s)
{
  Str from = imported_module(p, module, &s->ImportFrom);
  for (uint32_t i = 0; i < s->ImportFrom.names.count; i++) {
    const Ast_alias *alias = s->ImportFrom.names.items[i];
    Str name = ident(alias->name);
    if (str_is(name, "*"))
      vec_push(p->arena, &module->stars, from);
    else
      bind(p, module, alias->asname ? ident(alias->asname) : name,
           (Binding){.kind = BINDING_FROM, .name = sources_join_names(p, from, name), .from = from, .imported = name});
  }
}

static void scan_definition(PythonAst *p, SourceModule *module, const Stmt *s, const Name *name, BindingKind kind)
{
  const char *full = sources_join_names(p, str_from(module->gathered->name), ident(name));
  bind(p, module, ident(name), (Binding){.kind = kind, .def = s, .name = full});
}

static void scan_value(PythonAst *p, SourceModule *module, const Expr *target, const Expr *value)
{
  if (target->kind == EXPR_Name && value)
    bind(p, module, ident(target->Name.id), (Binding){.kind = BINDING_VALUE, .value = value});
}

static void scan_block(PythonAst *p, SourceModule *module, StmtList body)
{
  for (uint32_t i = 0; i < body.count; i++) {
    const Stmt *s = body.items[i];
    switch (s->kind) {
    case STMT_FunctionDef: scan_definition(p, module, s, s->FunctionDef.name, BINDING_FUNCTION); break;
    case STMT_ClassDef: scan_definition(p, module, s, s->ClassDef.name, BINDING_CLASS); break;
    case STMT_Assign: scan_value(p, module, s->Assign.targets.items[0], s->Assign.value); break;
    case STMT_AnnAssign: scan_value(p, module, s->AnnAssign.target, s->AnnAssign.value); break;
    case STMT_Import: scan_import(p, module, s); break;
    case STMT_ImportFrom: scan_import_from(p, module, s); break;
    case STMT_If: scan_block(p, module, s->If.body); break;
    case STMT_Try: scan_block(p, module, s->Try.body); break;
    default: break;
    }
  }
}

bool sources_load(PythonAst *p)
{
  for (uint32_t i = 0; i < p->sources->modules.count; i++) {
    const GatheredModule *gathered = &p->sources->modules.items[i];
    SourceModule *module = arena_new(p->arena, SourceModule);
    module->gathered = gathered;
    module->bindings = map_new(p->arena);
    Source *source = session_add_source(p->session, gathered->path, str_from(gathered->text));
    module->tree = parse_module(p->session, p->arena, source);
    if (module->tree->has_errors)
      return false;
    scan_block(p, module, module->tree->body);
    map_set(&p->modules, str_from(gathered->name), module);
  }
  return true;
}

const Binding *sources_resolve(PythonAst *p, SourceModule *module, Str name, int hops)
{
  const Binding *found = map_get(&module->bindings, name);
  if (hops == ALIAS_LIMIT)
    return NULL;
  for (size_t i = 0; !found && i < module->stars.count; i++) {
    SourceModule *star = sources_find_module(p, module->stars.items[i]);
    found = star ? sources_resolve(p, star, name, hops + 1) : NULL;
  }
  if (!found || found->kind != BINDING_FROM)
    return found;
  SourceModule *from = sources_find_module(p, found->from);
  const Binding *inside = from ? sources_resolve(p, from, found->imported, hops + 1) : NULL;
  if (inside)
    return inside;
  if (!sources_find_module(p, str_from(found->name)))
    return found;
  Binding *as_module = arena_new(p->arena, Binding);
  *as_module = (Binding){.kind = BINDING_MODULE, .module = module, .name = found->name};
  return as_module;
}

// What the dotted path `e` means outside of functions, and the path's text; NULL when it is not a path of the sources.
static const Binding *resolve_path(PythonAst *p, const Expr *e, const char **path)
{
  if (e->kind == EXPR_Name) {
    Str name = ident(e->Name.id);
    const Binding *found = map_get(&p->locals, name) ? NULL : sources_resolve(p, p->module, name, 0);
    if (found)
      *path = found->kind == BINDING_MODULE ? found->name : arena_strndup(p->arena, name.data, name.len);
    return found;
  }
  if (e->kind != EXPR_Attribute)
    return NULL;
  const char *base_path;
  const Binding *base = resolve_path(p, e->Attribute.value, &base_path);
  if (!base || base->kind != BINDING_MODULE)
    return NULL;
  Str attr = ident(e->Attribute.attr);
  *path = sources_join_names(p, str_from(base_path), attr);
  SourceModule *module = sources_find_module(p, str_from(base->name));
  const Binding *found = module ? sources_resolve(p, module, attr, 0) : NULL;
  if (found || !sources_find_module(p, str_from(*path)))
    return found;
  Binding *as_module = arena_new(p->arena, Binding);
  *as_module = (Binding){.kind = BINDING_MODULE, .module = p->module, .name = *path};
  return as_module;
}

void sources_want(PythonAst *p, const char *name, const Binding *binding)
{
  if (!p->follows || map_get(&p->seen, str_from(name)))
    return;
  map_set(&p->seen, str_from(name), (void *)binding);
  Item item = {name, binding};
  switch (binding->kind) {
  case BINDING_FUNCTION: vec_push(p->arena, &p->functions, item); return;
  case BINDING_CLASS: vec_push(p->arena, &p->classes, item); return;
  case BINDING_VALUE:
  case BINDING_MODULE: vec_push(p->arena, &p->globals, item); return;
  case BINDING_FROM: return;
  }
}

const char *sources_follow(PythonAst *p, const Expr *e)
{
  const char *path;
  const Binding *found = resolve_path(p, e, &path);
  if (!found)
    return NULL;
  if (found->kind == BINDING_VALUE || found->kind == BINDING_MODULE) {
    sources_want(p, path, found);
    return path;
  }
  sources_want(p, found->name, found);
  if (e->kind == EXPR_Attribute && strcmp(path, found->name) != 0)
    sources_want(p, path, found); // the tree keeps the path as it is written
  return found->name;
}

#include "trace/module.h"

#include "syntax/check.h"
#include "syntax/parser.h"
#include "trace/eval_internal.h"
#include "trace/host.h"
#include "trace/natives.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct ModuleTable {
  Map by_name;  // every module that was looked for and found
  Vec(const char *) folders;
  Vec(const NativeModule *) natives;
  Vec(EmbeddedModule) sources;
} ModuleTable;

struct Lazy {
  ModuleObject *module;
  const Name *name;
  Span span;
  bool resolving;  // a circle of imports comes back here
};

void modules_init(Tracer *t);

void modules_init(Tracer *t)
{
  t->modules = arena_new(&t->arena, ModuleTable);
  t->modules->by_name = map_new(&t->arena);
  for (const NativeModule *const *module = native_modules; *module; module++)
    module_add_native(t, *module);
}

void module_add_native(Tracer *t, const NativeModule *module)
{
  vec_push(&t->arena, &t->modules->natives, module);
}

void module_add_path(Tracer *t, const char *folder)
{
  vec_push(&t->arena, &t->modules->folders, arena_strdup(&t->arena, folder));
}

void module_add_path_first(Tracer *t, const char *folder)
{
  module_add_path(t, folder);
  const char **items = t->modules->folders.items, *added = items[t->modules->folders.count - 1];
  memmove(items + 1, items, (t->modules->folders.count - 1) * sizeof *items);
  items[0] = added;
}

void module_add_source(Tracer *t, const char *name, bool is_package, Str text, const char *path)
{
  vec_push(&t->arena, &t->modules->sources, ((EmbeddedModule){name, is_package, text, path}));
}

static bool is_file(const char *path)
{
  struct stat info;
  return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

static bool is_folder(const char *path)
{
  struct stat info;
  return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

void module_add_default_paths(Tracer *t)
{
  const char *list = getenv("KLR_PATH");
  while (list && *list) {
    size_t len = strcspn(list, ":");
    if (len)
      module_add_path(t, arena_strndup(&t->arena, list, len));
    list += len + (list[len] == ':');
  }
  const char *environment = getenv("VIRTUAL_ENV");
  for (int minor = 13; environment && minor >= 9; minor--) {
    const char *folder = arena_printf(&t->arena, "%s/lib/python3.%d/site-packages", environment, minor);
    if (is_folder(folder))
      module_add_path(t, folder);
  }
}

// ---- finding

static ModuleObject *module_new(Tracer *t, Str name)
{
  ModuleObject *module = arena_new(&t->arena, ModuleObject);
  module->name = name_intern(&t->session->names, name);
  module->path = "";
  map_set(&t->modules->by_name, module->name->str, module);
  return module;
}

static ModuleObject *find_native(Tracer *t, Str name)
{
  for (size_t i = t->modules->natives.count; i-- > 0;) {
    const NativeModule *native = t->modules->natives.items[i];
    if (!str_is(name, native->name))
      continue;
    ModuleObject *module = module_new(t, name);
    module->native = native;
    module->state = MODULE_READY;
    for (const NativeMethod *f = native->functions; f && f->name; f++)
      module_set(t, module, f->name, value_builtin(t, f->name, f->function, f->signature, value_undefined()));
    if (native->init)
      native->init(t, module);
    return module;
  }
  return NULL;
}

static ModuleObject *find_text(Tracer *t, Str name)
{
  const EmbeddedModule *found = NULL;
  for (size_t i = 0; i < t->modules->sources.count && !found; i++)
    if (str_is(name, t->modules->sources.items[i].name))
      found = &t->modules->sources.items[i];
  bool given = found != NULL;
  for (const EmbeddedModule *e = embedded_modules; e->name && !found; e++)
    if (str_is(name, e->name))
      found = e;
  if (!found)
    return NULL;
  ModuleObject *module = module_new(t, name);
  EmbeddedModule *copy = arena_new(&t->arena, EmbeddedModule);
  *copy = *found;
  module->path = found->path;
  module->is_package = found->is_package;
  module->text = copy;
  module->embedded = given ? NULL : copy;
  return module;
}

static ModuleObject *find_in_folder(Tracer *t, const char *folder, Str last, Str name)
{
  const char *base = arena_printf(&t->arena, "%s%s%.*s", folder, *folder ? "/" : "", STR_ARG(last));
  const char *init = arena_printf(&t->arena, "%s/__init__.py", base), *file = arena_printf(&t->arena, "%s.py", base);
  bool package = is_file(init);
  if (!package && !is_file(file) && !is_folder(base))
    return NULL;
  ModuleObject *module = module_new(t, name);
  if (package || !is_file(file)) {
    module->is_package = true;
    module->folder = base;
    module->path = package ? init : "";
    module->state = package ? MODULE_FOUND : MODULE_READY;
  } else {
    module->path = file;
  }
  return module;
}

// Packages of this kind are never looked into: they are large, or replaced.
static bool is_closed(Str name)
{
  return str_is(name, "neuronxcc") || str_is(name, "torch") || str_is(name, "jax") || str_is(name, "tensorflow");
}

ModuleObject *module_find(Tracer *t, Str name)
{
  if (t->host && str_starts_with(name, "klr.nki"))  // the library, as the Python package names it
    name = (Str){name.data + 4, name.len - 4};
  ModuleObject *known = map_get(&t->modules->by_name, name);
  if (known)
    return known;
  ModuleObject *module = find_native(t, name);
  if (!module)
    module = find_text(t, name);
  if (module)
    return module;
  if (t->host && (module = t->host->module(t, t->host->context, name))) {
    map_set(&t->modules->by_name, module->name->str, module);
    return module;
  }
  size_t dot = name.len;
  while (dot > 0 && name.data[dot - 1] != '.')
    dot--;
  Str last = {name.data + dot, name.len - dot};
  if (last.len == 0)
    return NULL;
  if (dot) {
    ModuleObject *parent = module_find(t, (Str){name.data, dot - 1});
    return parent && parent->folder ? find_in_folder(t, parent->folder, last, name) : NULL;
  }
  if (is_closed(name))
    return NULL;
  for (size_t i = 0; i < t->modules->folders.count && !module; i++)
    module = find_in_folder(t, t->modules->folders.items[i], last, name);
  return module;
}

bool module_is_loaded(Tracer *t, Str name)
{
  return map_get(&t->modules->by_name, name) != NULL;
}

// ---- running

typedef Vec(const Name *) NameList;

static void target_names(Tracer *t, const Expr *target, NameList *names)
{
  switch ((ExprKind)target->kind) {
  case EXPR_Name: vec_push(&t->arena, names, target->Name.id); break;
  case EXPR_Starred: target_names(t, target->Starred.value, names); break;
  case EXPR_Tuple:
  case EXPR_List:
    for (uint32_t i = 0; i < target->Tuple.elts.count; i++)
      target_names(t, target->Tuple.elts.items[i], names);
    break;
  default: break;
  }
}

static void block_names(Tracer *t, const StmtList *body, NameList *names);

// The names that a statement would have bound.
static void bound_names(Tracer *t, const Stmt *stmt, NameList *names)
{
  switch ((StmtKind)stmt->kind) {
  case STMT_FunctionDef:
  case STMT_AsyncFunctionDef: vec_push(&t->arena, names, stmt->FunctionDef.name); break;
  case STMT_ClassDef: vec_push(&t->arena, names, stmt->ClassDef.name); break;
  case STMT_Assign:
    for (uint32_t i = 0; i < stmt->Assign.targets.count; i++)
      target_names(t, stmt->Assign.targets.items[i], names);
    break;
  case STMT_AugAssign: target_names(t, stmt->AugAssign.target, names); break;
  case STMT_AnnAssign: target_names(t, stmt->AnnAssign.target, names); break;
  case STMT_For:
    target_names(t, stmt->For.target, names);
    block_names(t, &stmt->For.body, names);
    break;
  case STMT_While: block_names(t, &stmt->While.body, names); break;
  case STMT_If:
    block_names(t, &stmt->If.body, names);
    block_names(t, &stmt->If.orelse, names);
    break;
  case STMT_With: block_names(t, &stmt->With.body, names); break;
  case STMT_Try:
    block_names(t, &stmt->Try.body, names);
    for (uint32_t i = 0; i < stmt->Try.handlers.count; i++)
      block_names(t, &stmt->Try.handlers.items[i]->body, names);
    break;
  case STMT_Import:
  case STMT_ImportFrom: {
    AliasList aliases = stmt->kind == STMT_Import ? stmt->Import.names : stmt->ImportFrom.names;
    for (uint32_t i = 0; i < aliases.count; i++)
      vec_push(&t->arena, names, aliases.items[i]->asname ? aliases.items[i]->asname : aliases.items[i]->name);
    break;
  }
  default: break;
  }
}

static void block_names(Tracer *t, const StmtList *body, NameList *names)
{
  for (uint32_t i = 0; i < body->count; i++)
    bound_names(t, body->items[i], names);
}

// A statement that failed: what it would have bound is unknown from now on, and the reason is kept for whoever asks.
static void survive(Tracer *t, ModuleObject *module, const Stmt *stmt)
{
  Value exception = catch_exception(t);
  Diag *reason = exception.tag == VALUE_INSTANCE ? exception.instance->diag : NULL;
  NameList names = {0};
  bound_names(t, stmt, &names);
  for (size_t i = 0; i < names.count; i++)
    if (!attr_find(&module->attrs, names.items[i]))
      attr_set(&t->arena, &module->attrs, names.items[i],
               value_opaque(t, names.items[i]->str.data, stmt->span, reason));
}

static bool run_body(Tracer *t, ModuleObject *module, const FunctionCode *code, Span span)
{
  Value *slots = stack_reserve(t, code->slot_count, span);
  if (!slots || !check_stack(t, span))
    return false;
  Frame frame = {.caller = t->frame, .code = code, .module = module, .id = ++t->frame_count,
                 .names = &module->attrs, .slots = slots,
                 .call_span = span};
  bool in_kernel = t->in_kernel, ok = true;
  int guards = t->import_guards;
  Span here = t->here;
  t->in_kernel = t->is_script && in_kernel;
  t->import_guards = 0;
  t->frame = &frame;
  t->depth++;
  for (uint32_t i = 0; ok && i < code->body.count; i++) {
    StmtList one = {&code->body.items[i], 1};
    Value *stack_top = t->stack_top;
    LoopMark *loop = frame.loop;
    if (eval_block(t, &frame, &one) != COMPLETION_ERROR)
      continue;
    ok = !t->is_script && !t->exception.extra;
    t->stack_top = stack_top;
    frame.loop = loop;
    t->frame = &frame;
    if (ok)
      survive(t, module, one.items[0]);
  }
  t->depth--;
  t->frame = frame.caller;
  t->here = here;
  t->in_kernel = in_kernel;
  t->import_guards = guards;
  stack_release(t, slots);
  return ok;
}

static void set_names(Tracer *t, ModuleObject *module)
{
  Str name = module->name->str;
  size_t len = name.len;
  while (!module->is_package && len > 0 && name.data[len - 1] != '.')
    len--;
  module_set(t, module, "__name__", value_name(t, module->name));
  module_set(t, module, "__file__", value_cstr(t, module->path));
  module_set(t, module, "__package__",
             value_str(t, (Str){name.data, module->is_package ? name.len : len ? len - 1 : 0}));
  if (module->is_package) {
    Value folder = value_cstr(t, module->folder ? module->folder : "");
    module_set(t, module, "__path__", value_list(t, &folder, 1));
  }
  module_set(t, module, "__doc__", module->tree && module->tree->docstring ? value_cstr(t, module->tree->docstring)
                                                                           : value_none());
}

bool module_run(Tracer *t, ModuleObject *module, Span span)
{
  if (module->state != MODULE_FOUND)
    return true;
  module->state = MODULE_RUNNING;
  size_t diag_count = t->session->diags.count;
  module->source = module->text ? session_add_source(t->session, module->path, module->text->text)
                                : session_read_source(t->session, module->path);
  if (module->source) {
    module->source_id = session_source_id(t->session, module->source);
    module->tree = parse_module(t->session, &t->arena, module->source);
    if (!module->tree->has_errors && !module->embedded)
      module->tree->has_errors = !check_module(t->session, module->tree);
  }
  if (!module->source || module->tree->has_errors) {
    Diag *diag = t->session->diags.count > diag_count ? t->session->diags.items[diag_count] : NULL;
    if (diag)
      raise_diag(t, module->source ? "SyntaxError" : "OSError", diag);
    else
      raise_error(t, E_IMPORT, span, "module '%s' cannot be loaded", module->name->str.data);
    return false;
  }
  set_names(t, module);
  const FunctionCode *code = scope_resolve_module(t, module->tree, &module->attrs, module->name);
  bool ok = run_body(t, module, code, span);
  module->state = MODULE_READY;
  return ok;
}

ModuleObject *module_load_file(Tracer *t, const char *path, const char *name)
{
  ModuleObject *module = map_get(&t->modules->by_name, str_from(name));
  if (!module) {
    module = module_new(t, str_from(name));
    module->path = arena_strdup(&t->arena, path);
  }
  return module_run(t, module, (Span){0}) ? module : NULL;
}

// ---- names of modules

void module_set(Tracer *t, ModuleObject *module, const char *name, Value value)
{
  attr_set(&t->arena, &module->attrs, tracer_name(t, name), value);
}

static ModuleObject *find_inner(Tracer *t, const ModuleObject *module, const Name *name)
{
  return module_find(t, str_from(arena_printf(&t->arena, "%s.%s", module->name->str.data, name->str.data)));
}

bool resolve_lazy(Tracer *t, Value *place, Span span)
{
  struct Lazy *lazy = place->lazy;
  const Name *name = lazy->name;
  Value value;
  Outcome outcome = OUTCOME_MISSING;
  if (!lazy->resolving) {
    lazy->resolving = true;
    outcome = module_getattr(t, lazy->module, name, lazy->span, &value);
    lazy->resolving = false;
  }
  if (outcome == OUTCOME_ERROR)
    return false;
  if (outcome == OUTCOME_MISSING) {
    Diag *diag = raise_error(t, E_IMPORT_NAME, lazy->span, "cannot import name '%s' from '%s'", name->str.data,
                             lazy->module->name->str.data);
    if (!span_is_none(span) && span.start != lazy->span.start)
      diag_label(diag, span, "needed here");
    Vec(const char *) names = {0};
    for (uint32_t i = 0; i < lazy->module->attrs.count; i++)
      if (value_is_set(lazy->module->attrs.items[i].value))
        vec_push(&t->arena, &names, lazy->module->attrs.items[i].name->str.data);
    diag_suggest(diag, name->str, names.items, names.count);
    return false;
  }
  // Running the module may have moved the table that `place` is in: look for the lazy value again through its owner.
  if (place->tag == VALUE_LAZY && place->lazy == lazy)
    *place = value;
  return true;
}

Outcome module_host_global(Tracer *t, ModuleObject *module, const Name *name, Value *out)
{
  if (!module->host_scope || !t->host || map_get_number(&module->host_lacks, (uintptr_t)name))
    return OUTCOME_MISSING;
  Outcome found = t->host->global(t, t->host->context, module->host_scope, name, out);
  if (found == OUTCOME_OK)
    attr_set(&t->arena, &module->attrs, name, *out);
  else if (found == OUTCOME_MISSING)
    map_set_number(&module->host_lacks, (uintptr_t)name, module);
  return found;
}

Outcome module_getattr(Tracer *t, ModuleObject *module, const Name *name, Span span, Value *out)
{
  if (!module_run(t, module, span))
    return OUTCOME_ERROR;
  uint32_t index = 0;
  Value *found = attr_find(&module->attrs, name);
  if (found && found->tag == VALUE_LAZY) {
    index = attr_reserve(&t->arena, &module->attrs, name);
    struct Lazy *lazy = found->lazy;
    Value value = *found;
    if (!resolve_lazy(t, &value, span))
      return OUTCOME_ERROR;
    found = &module->attrs.items[index].value;
    if (found->tag == VALUE_LAZY && found->lazy == lazy)
      *found = value;
  }
  if (found) {
    *out = *found;
    return OUTCOME_OK;
  }
  Outcome live = module_host_global(t, module, name, out);
  if (live != OUTCOME_MISSING)
    return live;
  if (name == t->builtins->__dict__) {
    *out = value_dict(t);
    for (uint32_t i = 0; i < module->attrs.count; i++)
      if (module->attrs.items[i].value.tag > VALUE_LAZY &&
          !dict_set(t, out->dict, value_name(t, module->attrs.items[i].name), module->attrs.items[i].value))
        return OUTCOME_ERROR;
    return OUTCOME_OK;
  }
  if (name == t->builtins->__name__) {
    *out = value_name(t, module->name);
    return OUTCOME_OK;
  }
  Value *hook = attr_find(&module->attrs, t->builtins->__getattr__);
  if (hook && hook->tag == VALUE_FUNCTION) {
    Value text = value_name(t, name);
    return call_simple(t, *hook, &text, 1, span, out) ? OUTCOME_OK : OUTCOME_ERROR;
  }
  ModuleObject *inner = find_inner(t, module, name);
  if (inner) {
    *out = (Value){.tag = VALUE_MODULE, .module = inner};
    return OUTCOME_OK;
  }
  if (module->native && module->native->unknown)
    return module->native->unknown(t, module, name, out);
  return OUTCOME_MISSING;
}

// ---- import statements

static bool module_missing(Tracer *t, Str name, Span span, Value *out)
{
  bool old = str_starts_with(name, "neuronxcc");
  if ((t->is_script || t->import_guards) && !old) {
    Diag *diag = raise_error(t, E_IMPORT, span, "No module named '%.*s'", STR_ARG(name));
    diag_help(diag, "folders are added with -I or KLR_PATH");
    return false;
  }
  *out = value_opaque(t, arena_strndup(&t->arena, name.data, name.len), span, NULL);
  return true;
}

static bool run_if_script(Tracer *t, ModuleObject *module, Span span)
{
  return !t->is_script || module_run(t, module, span);
}

static bool import_one(Tracer *t, Frame *frame, const Ast_alias *alias)
{
  Str name = alias->name->str;
  size_t first = 0;
  while (first < name.len && name.data[first] != '.')
    first++;
  ModuleObject *top = NULL, *module = NULL;
  for (size_t len = first; len <= name.len; len++) {
    if (len < name.len && name.data[len] != '.')
      continue;
    module = module_find(t, (Str){name.data, len});
    if (!module)
      break;
    if (!top)
      top = module;
    if (!run_if_script(t, module, alias->span))
      return false;
  }
  const Name *bound = alias->asname ? alias->asname : name_intern(&t->session->names, (Str){name.data, first});
  Value value;
  if (!module) {
    // `import torch.nn` of what is not there: `torch` is opaque, and so is everything in it.
    Str shown = alias->asname ? name : (Str){name.data, first};
    if (top && !alias->asname && !t->is_script && !t->import_guards)
      value = (Value){.tag = VALUE_MODULE, .module = top};
    else if (!module_missing(t, shown, alias->span, &value))
      return false;
  } else {
    value = (Value){.tag = VALUE_MODULE, .module = alias->asname ? module : top};
  }
  return bind_name(t, frame, bound, value, alias->span);
}

// "from ..x import y" names a module relative to the package of the importing one.
static Str absolute_name(Tracer *t, const Frame *frame, const Stmt *stmt)
{
  const struct Stmt_ImportFrom *import = &stmt->ImportFrom;
  Str package = frame->module->name->str;
  for (int level = frame->module->is_package ? 1 : 0; level < import->level; level++) {
    while (package.len > 0 && package.data[package.len - 1] != '.')
      package.len--;
    if (package.len)
      package.len--;
  }
  StrBuf name = strbuf_new(&t->arena);
  strbuf_add(&name, "", 0);
  if (import->level)
    strbuf_add(&name, package.data, package.len);
  if (import->module) {
    if (name.len)
      strbuf_putc(&name, '.');
    strbuf_add(&name, import->module->str.data, import->module->str.len);
  }
  return name.data ? strbuf_str(&name) : STR("");
}

static bool import_star(Tracer *t, Frame *frame, ModuleObject *module, Span span)
{
  if (!module_run(t, module, span))
    return false;
  Value all;
  Outcome listed = module_getattr(t, module, t->builtins->__all__, span, &all);
  if (listed == OUTCOME_ERROR)
    return false;
  if (listed == OUTCOME_OK && all.tag != VALUE_OPAQUE) {
    List names = {0};
    if (!op_collect(t, all, span, &names))
      return false;
    for (size_t i = 0; i < names.count; i++) {
      Value value;
      if (names.items[i].tag != VALUE_STR)
        continue;
      const Name *name = string_name(t, names.items[i].string);
      Outcome found = module_getattr(t, module, name, span, &value);
      if (found == OUTCOME_ERROR)
        return false;
      if (found == OUTCOME_OK)
        attr_set(&t->arena, frame->names ? frame->names : &frame->module->attrs, name, value);
    }
    return true;
  }
  for (uint32_t i = 0; i < module->attrs.count; i++) {
    const Attr attr = module->attrs.items[i];
    if (value_is_set(attr.value) && attr.name->str.data[0] != '_')
      attr_set(&t->arena, frame->names ? frame->names : &frame->module->attrs, attr.name, attr.value);
  }
  return true;
}

static bool import_name(Tracer *t, Frame *frame, ModuleObject *module, const Ast_alias *alias)
{
  const Name *bound = alias->asname ? alias->asname : alias->name;
  bool is_module_level = frame->names == &frame->module->attrs;
  Value *ready = module->state == MODULE_FOUND ? NULL : attr_find(&module->attrs, alias->name);
  bool postpone = is_module_level && !t->is_script && !t->import_guards &&
                  (module->state == MODULE_FOUND || (module->state == MODULE_RUNNING && !ready));
  ModuleObject *inner = module == frame->module && !ready ? find_inner(t, module, alias->name) : NULL;
  if (inner)  // `from . import part` in a package
    return run_if_script(t, inner, alias->span) &&
           bind_name(t, frame, bound, (Value){.tag = VALUE_MODULE, .module = inner}, alias->span);
  if (postpone) {
    struct Lazy *lazy = arena_new(&t->arena, struct Lazy);
    *lazy = (struct Lazy){module, alias->name, alias->span, false};
    return bind_name(t, frame, bound, (Value){.tag = VALUE_LAZY, .lazy = lazy}, alias->span);
  }
  Value value;
  Outcome found = module_getattr(t, module, alias->name, alias->span, &value);
  if (found == OUTCOME_ERROR)
    return false;
  if (found == OUTCOME_MISSING) {
    Diag *diag = raise_error(t, E_IMPORT_NAME, alias->span, "cannot import name '%s' from '%s'%s",
                             alias->name->str.data, module->name->str.data,
                             module->state == MODULE_RUNNING ? " (it is still being evaluated: a circular import)" : "");
    Vec(const char *) names = {0};
    for (uint32_t i = 0; i < module->attrs.count; i++)
      if (value_is_set(module->attrs.items[i].value))
        vec_push(&t->arena, &names, module->attrs.items[i].name->str.data);
    diag_suggest(diag, alias->name->str, names.items, names.count);
    return false;
  }
  if (value.tag == VALUE_MODULE && !run_if_script(t, value.module, alias->span))
    return false;
  return bind_name(t, frame, bound, value, alias->span);
}

bool eval_import(Tracer *t, Frame *frame, const Stmt *stmt)
{
  if (stmt->kind == STMT_Import) {
    for (uint32_t i = 0; i < stmt->Import.names.count; i++)
      if (!import_one(t, frame, stmt->Import.names.items[i]))
        return false;
    return true;
  }
  Str name = absolute_name(t, frame, stmt);
  if (str_is(name, "__future__"))
    return true;
  if (name.len == 0)
    return RAISE(t, E_IMPORT, stmt->span, "attempted relative import with no known parent package");
  // Packages around a module run before it.
  ModuleObject *module = NULL;
  for (size_t len = 1; len <= name.len; len++) {
    if (len < name.len && name.data[len] != '.')
      continue;
    module = module_find(t, (Str){name.data, len});
    if (!module)
      break;
    if (!run_if_script(t, module, stmt->span))
      return false;
  }
  for (uint32_t i = 0; i < stmt->ImportFrom.names.count; i++) {
    const Ast_alias *alias = stmt->ImportFrom.names.items[i];
    bool star = str_is(alias->name->str, "*");
    if (module) {
      if (!(star ? import_star(t, frame, module, stmt->span) : import_name(t, frame, module, alias)))
        return false;
      continue;
    }
    Value value;
    if (!module_missing(t, name, stmt->span, &value))
      return false;
    if (star)
      continue;
    if (value.tag == VALUE_OPAQUE)
      value = value_opaque(t, arena_printf(&t->arena, "%s.%s", value.opaque->path, alias->name->str.data), alias->span,
                           NULL);
    if (!bind_name(t, frame, alias->asname ? alias->asname : alias->name, value, alias->span))
      return false;
  }
  return true;
}

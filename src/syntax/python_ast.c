#include "syntax/python_ast.h"

#include "serde/form.h"
#include "syntax/parser.h"

#include <string.h>

enum {
  TAG_CONST = 1,
  TAG_CTX,
  TAG_BOOL_OP,
  TAG_CMP_OP,
  TAG_UNARY_OP,
  TAG_BIN_OP,
  TAG_EXPR,
  TAG_EXPR_INSIDE,
  TAG_KEYWORD,
  TAG_WITH_ITEM,
  TAG_STMT,
  TAG_STMT_INSIDE,
  TAG_ARGS,
  TAG_FUN,
  TAG_CLASS,
  TAG_KERNEL,
  TAG_POS = 100
};

enum { ALIAS_LIMIT = 50 }; // names that are imported through others

// A module of the sources, and what its top level binds.
typedef struct SourceModule {
  const GatheredModule *gathered;
  Module *tree;
  Map bindings;   // name to Binding
  Vec(Str) stars; // modules of `from m import *`
} SourceModule;

typedef enum BindingKind { BINDING_FUNCTION, BINDING_CLASS, BINDING_VALUE, BINDING_MODULE, BINDING_FROM } BindingKind;

typedef struct Binding {
  BindingKind kind;
  SourceModule *module; // where the definition stands
  const Stmt *def;      // FUNCTION, CLASS
  const Expr *value;    // VALUE
  const char *name;     // full name of a FUNCTION, CLASS or MODULE; of what FROM imports, "module.name"
  Str from, imported;   // FROM: its two halves
} Binding;

// A function, class or global that goes into the kernel.
typedef struct Item {
  const char *name;
  const Binding *binding;
} Item;

typedef struct PythonAst {
  Session *session;
  Arena *arena;
  const Gathered *sources;
  Map modules; // name to SourceModule
  Vec(Item) functions;
  Vec(Item) classes;
  Vec(Item) globals;
  Map seen;             // names of the items
  SourceModule *module; // being written
  Map locals;           // of the function being written
  uint32_t first_line;  // of the definition being written
  bool follows;         // references become items
  bool failed;
} PythonAst;

// What the functions below write to.
typedef struct Out {
  CoreWriter *w;
  PythonAst *p;
} Out;

static void unsupported(Out *o, Span span, const char *what)
{
  if (!o->p->failed || o->p->session->error_count < 20) {
    Diag *diag = diag_error(o->p->session, E_AST_FORM, "%s has no form in a syntax tree file", what);
    diag_primary(diag, span, "this");
  }
  o->p->failed = true;
}

// ---- modules and names
static SourceModule *find_module(PythonAst *p, Str name)
{
  return map_get(&p->modules, name);
}

static const char *join_names(PythonAst *p, Str a, Str b)
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

static Str ident(const Name *name)
{
  return name->str;
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
  return !own.len ? base : !base.len ? own : str_from(join_names(p, base, own));
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
           (Binding){.kind = BINDING_FROM, .name = join_names(p, from, name), .from = from, .imported = name});
  }
}

static void scan_definition(PythonAst *p, SourceModule *module, const Stmt *s, const Name *name, BindingKind kind)
{
  const char *full = join_names(p, str_from(module->gathered->name), ident(name));
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

static bool load_modules(PythonAst *p)
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

// What `name` means at the top level of `module`, imports followed; NULL: nothing that the sources define. What is
// imported from elsewhere stays a BINDING_FROM.
static const Binding *resolve(PythonAst *p, SourceModule *module, Str name, int hops)
{
  const Binding *found = map_get(&module->bindings, name);
  if (hops == ALIAS_LIMIT)
    return NULL;
  for (size_t i = 0; !found && i < module->stars.count; i++) {
    SourceModule *star = find_module(p, module->stars.items[i]);
    found = star ? resolve(p, star, name, hops + 1) : NULL;
  }
  if (!found || found->kind != BINDING_FROM)
    return found;
  SourceModule *from = find_module(p, found->from);
  const Binding *inside = from ? resolve(p, from, found->imported, hops + 1) : NULL;
  if (inside)
    return inside;
  if (!find_module(p, str_from(found->name)))
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
    const Binding *found = map_get(&p->locals, name) ? NULL : resolve(p, p->module, name, 0);
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
  *path = join_names(p, str_from(base_path), attr);
  SourceModule *module = find_module(p, str_from(base->name));
  const Binding *found = module ? resolve(p, module, attr, 0) : NULL;
  if (found || !find_module(p, str_from(*path)))
    return found;
  Binding *as_module = arena_new(p->arena, Binding);
  *as_module = (Binding){.kind = BINDING_MODULE, .module = p->module, .name = *path};
  return as_module;
}

static void want(PythonAst *p, const char *name, const Binding *binding)
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

// Notes what `e` refers to; the name that stands for it, or NULL to keep it.
static const char *follow(PythonAst *p, const Expr *e)
{
  const char *path;
  const Binding *found = resolve_path(p, e, &path);
  if (!found)
    return NULL;
  if (found->kind == BINDING_VALUE || found->kind == BINDING_MODULE) {
    want(p, path, found);
    return path;
  }
  want(p, found->name, found);
  if (e->kind == EXPR_Attribute && strcmp(path, found->name) != 0)
    want(p, path, found); // the tree keeps the path as it is written
  return found->name;
}

// ---- writing
static void begin_struct(Out *o, const char *type, uint8_t tag, uint32_t count)
{
  o->w->form->begin(o->w, &(Head){.type = type, .tag = tag, .count = count});
}

static void end_struct(Out *o)
{
  o->w->form->end(o->w, &(Head){0});
}

static void begin_ctor(Out *o, uint8_t tag, const char *name, unsigned number, uint32_t count)
{
  o->w->form->begin(o->w, &(Head){.type = name, .ctor = name, .tag = tag, .number = (uint8_t)number, .count = count});
}

static void end_ctor(Out *o, uint32_t count)
{
  o->w->form->end(o->w, &(Head){.ctor = "", .count = count});
}

static void write_plain(Out *o, uint8_t tag, const char *name, unsigned number)
{
  begin_ctor(o, tag, name, number, 0);
  end_ctor(o, 0);
}

static void begin_field(Out *o, const char *name)
{
  o->w->form->field(o->w, name);
}

static void end_field(Out *o)
{
  o->w->form->end_field(o->w);
}

static void text_field(Out *o, const char *name, Str text)
{
  begin_field(o, name);
  core_write_text(o->w, text);
  end_field(o);
}

static void natural_field(Out *o, const char *name, uint64_t value)
{
  begin_field(o, name);
  core_write_natural(o->w, value);
  end_field(o);
}

// Begins an option that is a field; false when it is none, and then it is written. `in_struct`: not of a constructor.
static bool begin_option(Out *o, const char *name, bool some, bool in_struct)
{
  if (!some && in_struct && o->w->form->omits_none)
    return false;
  begin_field(o, name);
  if (some) {
    o->w->form->begin_some(o->w);
    return true;
  }
  o->w->form->none(o->w);
  end_field(o);
  return false;
}

static void end_option(Out *o)
{
  o->w->form->end_some(o->w);
  end_field(o);
}

static void text_option(Out *o, const char *name, const Name *text)
{
  if (!begin_option(o, name, text != NULL, true))
    return;
  core_write_text(o->w, ident(text));
  end_option(o);
}

static void natural_option(Out *o, const char *name, uint64_t value)
{
  begin_option(o, name, true, true);
  core_write_natural(o->w, value);
  end_option(o);
}

static uint32_t line_of(Out *o, uint32_t offset, uint32_t *column)
{
  Place place = source_place(o->p->module->tree->source, o->p->arena, offset);
  *column = place.column;
  return place.line - o->p->first_line + 1;
}

static void pos_field(Out *o, Span span)
{
  uint32_t column, column_end;
  bool own = span.source == session_source_id(o->p->session, o->p->module->tree->source);
  uint32_t line = own ? line_of(o, span.start, &column) : (column = 0, 1);
  uint32_t line_end = own ? line_of(o, span.end, &column_end) : (column_end = 0, 1);
  begin_field(o, "pos");
  begin_struct(o, "Pos", TAG_POS, 5);
  natural_field(o, "line", line);
  natural_field(o, "column", column);
  natural_option(o, "lineEnd", line_end);
  natural_option(o, "columnEnd", column_end);
  begin_option(o, "filename", true, true);
  core_write_text(o->w, str_from(o->p->module->gathered->path));
  end_option(o);
  end_struct(o);
  end_field(o);
}

// ---- expressions
static void write_expr(Out *o, const Expr *e);

static void expr_field(Out *o, const char *name, const Expr *e)
{
  begin_field(o, name);
  write_expr(o, e);
  end_field(o);
}

static void expr_option(Out *o, const char *name, const Expr *e, bool in_struct)
{
  if (!begin_option(o, name, e != NULL, in_struct))
    return;
  write_expr(o, e);
  end_option(o);
}

static void exprs_field(Out *o, const char *name, ExprList list)
{
  begin_field(o, name);
  o->w->form->begin_list(o->w, list.count);
  for (uint32_t i = 0; i < list.count; i++)
    write_expr(o, list.items[i]);
  o->w->form->end_list(o->w);
  end_field(o);
}

static void context_field(Out *o, Context context)
{
  static const char *const names[] = {"load", "store", "del"};
  begin_field(o, "ctx");
  write_plain(o, TAG_CTX, names[context], context);
  end_field(o);
}

static void write_bin_op(Out *o, Operator op)
{
  static const char *const names[] = {"add",    "sub",    "mul", "matmul", "div", "mod",  "pow",
                                      "lshift", "rshift", "or",  "xor",    "and", "floor"};
  begin_field(o, "op");
  write_plain(o, TAG_BIN_OP, names[op], op);
  end_field(o);
}

static void write_const(Out *o, const Constant *c, Span span)
{
  switch (c->kind) {
  case CONSTANT_NONE: write_plain(o, TAG_CONST, "none", 0); return;
  case CONSTANT_ELLIPSIS: write_plain(o, TAG_CONST, "ellipsis", 5); return;
  case CONSTANT_FALSE:
  case CONSTANT_TRUE:
    begin_ctor(o, TAG_CONST, "bool", 1, 1);
    begin_field(o, "value");
    o->w->form->boolean(o->w, c->kind == CONSTANT_TRUE);
    break;
  case CONSTANT_INT:
    if (c->integer < INT32_MIN || c->integer > INT32_MAX) {
      unsupported(o, span, "an integer beyond 32 bits");
      return;
    }
    begin_ctor(o, TAG_CONST, "int", 2, 1);
    begin_field(o, "value");
    core_write_integer(o->w, c->integer);
    break;
  case CONSTANT_FLOAT:
    begin_ctor(o, TAG_CONST, "float", 3, 1);
    begin_field(o, "value");
    o->w->form->real64(o->w, c->real);
    break;
  case CONSTANT_STR:
    begin_ctor(o, TAG_CONST, "string", 4, 1);
    begin_field(o, "value");
    core_write_text(o->w, c->text);
    break;
  case CONSTANT_BIG_INT: unsupported(o, span, "an integer beyond 32 bits"); return;
  case CONSTANT_COMPLEX: unsupported(o, span, "a complex number"); return;
  case CONSTANT_BYTES: unsupported(o, span, "a bytes literal"); return;
  }
  end_field(o);
  end_ctor(o, 1);
}

static void write_keyword(Out *o, const Name *name, const Expr *value, Span span)
{
  begin_struct(o, "Keyword", TAG_KEYWORD, 3);
  text_option(o, "id", name);
  expr_field(o, "value", value);
  pos_field(o, span);
  end_struct(o);
}

static void write_name(Out *o, const Expr *e)
{
  Str name = ident(e->Name.id);
  const char *full = NULL;
  if (e->Name.ctx == CONTEXT_Load)
    full = follow(o->p, e);
  else
    map_set(&o->p->locals, name, (void *)e);
  begin_ctor(o, TAG_EXPR_INSIDE, "name", 1, 2);
  text_field(o, "id", full ? str_from(full) : name);
  context_field(o, e->Name.ctx);
  end_ctor(o, 2);
}

static void write_compare(Out *o, const Expr *e)
{
  static const char *const names[] = {"eq", "ne", "lt", "le", "gt", "ge", "is", "isNot", "isIn", "notIn"};
  const CmpOpList *ops = &e->Compare.ops;
  begin_ctor(o, TAG_EXPR_INSIDE, "compare", 11, 3);
  expr_field(o, "left", e->Compare.left);
  begin_field(o, "ops");
  o->w->form->begin_list(o->w, ops->count);
  for (uint32_t i = 0; i < ops->count; i++)
    write_plain(o, TAG_CMP_OP, names[ops->items[i]], ops->items[i]);
  o->w->form->end_list(o->w);
  end_field(o);
  exprs_field(o, "comparators", e->Compare.comparators);
  end_ctor(o, 3);
}

static void write_call(Out *o, const Expr *e)
{
  const KeywordList *keywords = &e->Call.keywords;
  begin_ctor(o, TAG_EXPR_INSIDE, "call", 13, 3);
  expr_field(o, "f", e->Call.func);
  exprs_field(o, "args", e->Call.args);
  begin_field(o, "keywords");
  o->w->form->begin_list(o->w, keywords->count);
  for (uint32_t i = 0; i < keywords->count; i++)
    write_keyword(o, keywords->items[i]->arg, keywords->items[i]->value, keywords->items[i]->span);
  o->w->form->end_list(o->w);
  end_field(o);
  end_ctor(o, 3);
}

static void write_dict(Out *o, const Expr *e)
{
  for (uint32_t i = 0; i < e->Dict.keys.count; i++)
    if (!e->Dict.keys.items[i]) {
      unsupported(o, e->Dict.values.items[i]->span, "`**` in a dictionary");
      return;
    }
  begin_ctor(o, TAG_EXPR_INSIDE, "dict", 5, 2);
  exprs_field(o, "keys", e->Dict.keys);
  exprs_field(o, "values", e->Dict.values);
  end_ctor(o, 2);
}

static void write_format(Out *o, const Expr *e)
{
  if (e->FormattedValue.format_spec) {
    unsupported(o, e->span, "a format specification");
    return;
  }
  begin_ctor(o, TAG_EXPR_INSIDE, "format", 16, 2);
  expr_field(o, "e", e->FormattedValue.value);
  if (begin_option(o, "conv", e->FormattedValue.conversion > 0, false)) {
    core_write_natural(o->w, (uint64_t)e->FormattedValue.conversion);
    end_option(o);
  }
  end_ctor(o, 2);
}

static void write_operators(Out *o, const Expr *e)
{
  static const char *const bool_ops[] = {"land", "lor"}, *const unary_ops[] = {"invert", "not", "uadd", "usub"};
  if (e->kind == EXPR_BoolOp) {
    begin_ctor(o, TAG_EXPR_INSIDE, "boolOp", 8, 2);
    begin_field(o, "op");
    write_plain(o, TAG_BOOL_OP, bool_ops[e->BoolOp.op], e->BoolOp.op);
    end_field(o);
    exprs_field(o, "values", e->BoolOp.values);
    end_ctor(o, 2);
  } else if (e->kind == EXPR_BinOp) {
    begin_ctor(o, TAG_EXPR_INSIDE, "binOp", 9, 3);
    write_bin_op(o, e->BinOp.op);
    expr_field(o, "left", e->BinOp.left);
    expr_field(o, "right", e->BinOp.right);
    end_ctor(o, 3);
  } else {
    begin_ctor(o, TAG_EXPR_INSIDE, "unaryOp", 10, 2);
    begin_field(o, "op");
    write_plain(o, TAG_UNARY_OP, unary_ops[e->UnaryOp.op], e->UnaryOp.op);
    end_field(o);
    expr_field(o, "operand", e->UnaryOp.operand);
    end_ctor(o, 2);
  }
}

static void write_sequence(Out *o, const char *name, unsigned number, ExprList elements, Context context)
{
  begin_ctor(o, TAG_EXPR_INSIDE, name, number, 2);
  exprs_field(o, "xs", elements);
  context_field(o, context);
  end_ctor(o, 2);
}

static void write_attribute(Out *o, const Expr *e)
{
  if (e->Attribute.ctx == CONTEXT_Load)
    follow(o->p, e);
  begin_ctor(o, TAG_EXPR_INSIDE, "attr", 2, 3);
  expr_field(o, "value", e->Attribute.value);
  text_field(o, "id", ident(e->Attribute.attr));
  context_field(o, e->Attribute.ctx);
  end_ctor(o, 3);
}

static void write_expr_inside(Out *o, const Expr *e)
{
  switch (e->kind) {
  case EXPR_Constant:
    begin_ctor(o, TAG_EXPR_INSIDE, "const", 0, 1);
    begin_field(o, "value");
    write_const(o, &e->Constant.value, e->span);
    end_field(o);
    end_ctor(o, 1);
    return;
  case EXPR_Name: write_name(o, e); return;
  case EXPR_Attribute: write_attribute(o, e); return;
  case EXPR_Tuple: write_sequence(o, "tuple", 3, e->Tuple.elts, e->Tuple.ctx); return;
  case EXPR_List: write_sequence(o, "list", 4, e->List.elts, e->List.ctx); return;
  case EXPR_Dict: write_dict(o, e); return;
  case EXPR_Subscript:
    begin_ctor(o, TAG_EXPR_INSIDE, "subscript", 6, 3);
    expr_field(o, "tensor", e->Subscript.value);
    expr_field(o, "index", e->Subscript.slice);
    context_field(o, e->Subscript.ctx);
    end_ctor(o, 3);
    return;
  case EXPR_Slice:
    begin_ctor(o, TAG_EXPR_INSIDE, "slice", 7, 3);
    expr_option(o, "l", e->Slice.lower, false);
    expr_option(o, "u", e->Slice.upper, false);
    expr_option(o, "step", e->Slice.step, false);
    end_ctor(o, 3);
    return;
  case EXPR_BoolOp:
  case EXPR_BinOp:
  case EXPR_UnaryOp: write_operators(o, e); return;
  case EXPR_Compare: write_compare(o, e); return;
  case EXPR_IfExp:
    begin_ctor(o, TAG_EXPR_INSIDE, "ifExp", 12, 3);
    expr_field(o, "test", e->IfExp.test);
    expr_field(o, "body", e->IfExp.body);
    expr_field(o, "orelse", e->IfExp.orelse);
    end_ctor(o, 3);
    return;
  case EXPR_Call: write_call(o, e); return;
  case EXPR_Starred:
    begin_ctor(o, TAG_EXPR_INSIDE, "starred", 14, 2);
    expr_field(o, "e", e->Starred.value);
    context_field(o, e->Starred.ctx);
    end_ctor(o, 2);
    return;
  case EXPR_FormattedValue: write_format(o, e); return;
  case EXPR_JoinedStr:
    begin_ctor(o, TAG_EXPR_INSIDE, "joined", 17, 1);
    exprs_field(o, "es", e->JoinedStr.values);
    end_ctor(o, 1);
    return;
  default: unsupported(o, e->span, arena_printf(o->p->arena, "`%s`", ast_expr_node((ExprKind)e->kind)->name));
  }
}

// The parser bounds how deep an expression is.
static void write_expr(Out *o, const Expr *e)
{
  begin_struct(o, "Expr", TAG_EXPR, 2);
  begin_field(o, "expr");
  write_expr_inside(o, e);
  end_field(o);
  pos_field(o, e->span);
  end_struct(o);
}

// ---- statements
static void stmts_field(Out *o, const char *name, StmtList body);

static void write_with_items(Out *o, WithItemList items)
{
  begin_field(o, "items");
  o->w->form->begin_list(o->w, items.count);
  for (uint32_t i = 0; i < items.count; i++) {
    begin_struct(o, "WithItem", TAG_WITH_ITEM, 2);
    expr_field(o, "item", items.items[i]->context_expr);
    expr_option(o, "var", items.items[i]->optional_vars, true);
    end_struct(o);
  }
  o->w->form->end_list(o->w);
  end_field(o);
}

static void write_return(Out *o, const Stmt *s)
{
  static const Expr none = {.kind = EXPR_Constant, .Constant = {.value = {.kind = CONSTANT_NONE}}};
  begin_ctor(o, TAG_STMT_INSIDE, "ret", 3, 1);
  expr_field(o, "e", s->Return.value ? s->Return.value : &none);
  end_ctor(o, 1);
}

static void write_assignment(Out *o, const Stmt *s)
{
  if (s->kind == STMT_Assign) {
    begin_ctor(o, TAG_STMT_INSIDE, "assign", 4, 2);
    exprs_field(o, "xs", s->Assign.targets);
    expr_field(o, "e", s->Assign.value);
    end_ctor(o, 2);
  } else if (s->kind == STMT_AugAssign) {
    begin_ctor(o, TAG_STMT_INSIDE, "augAssign", 5, 3);
    expr_field(o, "x", s->AugAssign.target);
    write_bin_op(o, s->AugAssign.op);
    expr_field(o, "e", s->AugAssign.value);
    end_ctor(o, 3);
  } else {
    begin_ctor(o, TAG_STMT_INSIDE, "annAssign", 6, 3);
    expr_field(o, "x", s->AnnAssign.target);
    expr_field(o, "annotation", s->AnnAssign.annotation);
    expr_option(o, "value", s->AnnAssign.value, false);
    end_ctor(o, 3);
  }
}

static void write_compound(Out *o, const Stmt *s)
{
  switch (s->kind) {
  case STMT_If:
    begin_ctor(o, TAG_STMT_INSIDE, "ifStm", 7, 3);
    expr_field(o, "e", s->If.test);
    stmts_field(o, "thn", s->If.body);
    stmts_field(o, "els", s->If.orelse);
    end_ctor(o, 3);
    return;
  case STMT_For:
    begin_ctor(o, TAG_STMT_INSIDE, "forLoop", 8, 4);
    expr_field(o, "x", s->For.target);
    expr_field(o, "iter", s->For.iter);
    stmts_field(o, "body", s->For.body);
    stmts_field(o, "orelse", s->For.orelse);
    end_ctor(o, 4);
    return;
  case STMT_While:
    begin_ctor(o, TAG_STMT_INSIDE, "whileLoop", 11, 3);
    expr_field(o, "test", s->While.test);
    stmts_field(o, "body", s->While.body);
    stmts_field(o, "orelse", s->While.orelse);
    end_ctor(o, 3);
    return;
  default:
    begin_ctor(o, TAG_STMT_INSIDE, "withBlock", 12, 2);
    write_with_items(o, s->With.items);
    stmts_field(o, "body", s->With.body);
    end_ctor(o, 2);
  }
}

static void write_stmt_inside(Out *o, const Stmt *s)
{
  switch (s->kind) {
  case STMT_Pass: write_plain(o, TAG_STMT_INSIDE, "pass", 0); return;
  case STMT_Break: write_plain(o, TAG_STMT_INSIDE, "breakLoop", 9); return;
  case STMT_Continue: write_plain(o, TAG_STMT_INSIDE, "continueLoop", 10); return;
  case STMT_Expr:
    begin_ctor(o, TAG_STMT_INSIDE, "expr", 1, 1);
    expr_field(o, "e", s->Expr.value);
    end_ctor(o, 1);
    return;
  case STMT_Assert:
    begin_ctor(o, TAG_STMT_INSIDE, "assert", 2, 2);
    expr_field(o, "e", s->Assert.test);
    expr_option(o, "msg", s->Assert.msg, false);
    end_ctor(o, 2);
    return;
  case STMT_Return: write_return(o, s); return;
  case STMT_Assign:
  case STMT_AugAssign:
  case STMT_AnnAssign: write_assignment(o, s); return;
  case STMT_If:
  case STMT_For:
  case STMT_While:
  case STMT_With: write_compound(o, s); return;
  default: unsupported(o, s->span, arena_printf(o->p->arena, "`%s`", ast_stmt_node((StmtKind)s->kind)->name));
  }
}

static void write_stmt(Out *o, const Stmt *s)
{
  begin_struct(o, "Stmt", TAG_STMT, 2);
  begin_field(o, "stmt");
  write_stmt_inside(o, s);
  end_field(o);
  pos_field(o, s->span);
  end_struct(o);
}

static void stmts_field(Out *o, const char *name, StmtList body)
{
  begin_field(o, name);
  o->w->form->begin_list(o->w, body.count);
  for (uint32_t i = 0; i < body.count; i++)
    write_stmt(o, body.items[i]);
  o->w->form->end_list(o->w);
  end_field(o);
}

// ---- functions and classes
static void names_field(Out *o, const char *name, ArgList args)
{
  begin_field(o, name);
  o->w->form->begin_list(o->w, args.count);
  for (uint32_t i = 0; i < args.count; i++) {
    map_set(&o->p->locals, ident(args.items[i]->arg), (void *)args.items[i]);
    core_write_text(o->w, ident(args.items[i]->arg));
  }
  o->w->form->end_list(o->w);
  end_field(o);
}

static void arg_option(Out *o, const char *name, const Ast_arg *arg)
{
  if (arg)
    map_set(&o->p->locals, ident(arg->arg), (void *)arg);
  text_option(o, name, arg ? arg->arg : NULL);
}

// Only the keyword-only parameters that have a default.
static void write_kw_defaults(Out *o, const Ast_arguments *a)
{
  uint32_t count = 0;
  for (uint32_t i = 0; i < a->kw_defaults.count; i++)
    count += a->kw_defaults.items[i] != NULL;
  begin_field(o, "kw_defaults");
  o->w->form->begin_list(o->w, count);
  for (uint32_t i = 0; i < a->kw_defaults.count; i++)
    if (a->kw_defaults.items[i])
      write_keyword(o, a->kwonlyargs.items[i]->arg, a->kw_defaults.items[i], a->kwonlyargs.items[i]->span);
  o->w->form->end_list(o->w);
  end_field(o);
}

static void write_args(Out *o, const Ast_arguments *a)
{
  begin_field(o, "args");
  begin_struct(o, "Args", TAG_ARGS, 7);
  names_field(o, "posonlyargs", a->posonlyargs);
  names_field(o, "args", a->args);
  exprs_field(o, "defaults", a->defaults);
  arg_option(o, "vararg", a->vararg);
  names_field(o, "kwonlyargs", a->kwonlyargs);
  write_kw_defaults(o, a);
  arg_option(o, "kwarg", a->kwarg);
  end_struct(o);
  end_field(o);
}

// Bases and decorators are not followed.
static void write_unfollowed(Out *o, const char *name, ExprList list)
{
  bool follows = o->p->follows;
  o->p->follows = false;
  exprs_field(o, name, list);
  o->p->follows = follows;
}

static Span whole_definition(const Stmt *def, ExprList decorators)
{
  Span span = def->span;
  if (decorators.count && decorators.items[0]->span.start < span.start)
    span.start = decorators.items[0]->span.start;
  return span;
}

// The lines of the outermost definition `def`, which are its source.
static Str source_lines(Out *o, const Stmt *def)
{
  ExprList decorators = def->kind == STMT_ClassDef ? def->ClassDef.decorator_list : def->FunctionDef.decorator_list;
  Span span = whole_definition(def, decorators);
  Str text = o->p->module->tree->source->text;
  size_t start = span.start, end = span.end;
  while (start && text.data[start - 1] != '\n')
    start--;
  while (end < text.len && text.data[end++] != '\n')
    ;
  return (Str){text.data + start, end - start};
}

// `outer` is the definition that the source belongs to: the function's own, or its class's.
static void write_function(Out *o, const char *name, const Stmt *def, const Stmt *outer)
{
  Step step = {NULL, name, 0};
  o->w->step = &step;
  o->p->locals = map_new(o->p->arena);
  begin_struct(o, "Fun", TAG_FUN, 7);
  text_field(o, "name", str_from(name));
  text_field(o, "fileName", str_from(o->p->module->gathered->path));
  natural_field(o, "line", o->p->first_line);
  text_field(o, "source", source_lines(o, outer));
  write_unfollowed(o, "decorators", def->FunctionDef.decorator_list);
  write_args(o, def->FunctionDef.args);
  stmts_field(o, "body", def->FunctionDef.body);
  end_struct(o);
  o->p->locals = map_new(o->p->arena);
  o->w->step = NULL;
}

static void enter_definition(PythonAst *p, const Binding *binding)
{
  const Stmt *def = binding->def;
  p->module = binding->module;
  ExprList decorators = def->kind == STMT_ClassDef ? def->ClassDef.decorator_list : def->FunctionDef.decorator_list;
  p->first_line = source_place(p->module->tree->source, p->arena, whole_definition(def, decorators).start).line;
}

typedef enum ClassPart { PART_NOTHING, PART_FIELD, PART_METHOD, PART_OTHER } ClassPart;

static ClassPart class_part(const Stmt *s)
{
  switch (s->kind) {
  case STMT_Pass: return PART_NOTHING;
  case STMT_Expr: return s->Expr.value->kind == EXPR_Constant ? PART_NOTHING : PART_OTHER;
  case STMT_Assign:
    return s->Assign.targets.count == 1 && s->Assign.targets.items[0]->kind == EXPR_Name ? PART_FIELD : PART_OTHER;
  case STMT_AnnAssign: return s->AnnAssign.target->kind == EXPR_Name ? PART_FIELD : PART_OTHER;
  case STMT_FunctionDef: return PART_METHOD;
  default: return PART_OTHER;
  }
}

static uint32_t count_parts(StmtList body, ClassPart part)
{
  uint32_t count = 0;
  for (uint32_t i = 0; i < body.count; i++)
    count += class_part(body.items[i]) == part;
  return count;
}

static void write_class_field(Out *o, const Stmt *s)
{
  static const Expr none = {.kind = EXPR_Constant, .Constant = {.value = {.kind = CONSTANT_NONE}}};
  const Expr *target = s->kind == STMT_Assign ? s->Assign.targets.items[0] : s->AnnAssign.target;
  const Expr *value = s->kind == STMT_Assign ? s->Assign.value : s->AnnAssign.value;
  write_keyword(o, target->Name.id, value ? value : &none, target->span);
}

static void write_class(Out *o, const char *name, const Stmt *def)
{
  StmtList body = def->ClassDef.body;
  if (def->ClassDef.keywords.count)
    unsupported(o, def->ClassDef.keywords.items[0]->span, "a keyword of a class");
  begin_struct(o, "Class", TAG_CLASS, 5);
  text_field(o, "name", str_from(name));
  write_unfollowed(o, "bases", def->ClassDef.bases);
  write_unfollowed(o, "decorators", def->ClassDef.decorator_list);
  begin_field(o, "fields");
  o->w->form->begin_list(o->w, count_parts(body, PART_FIELD));
  for (uint32_t i = 0; i < body.count; i++) {
    if (class_part(body.items[i]) == PART_OTHER)
      unsupported(o, body.items[i]->span, "this statement of a class");
    if (class_part(body.items[i]) == PART_FIELD)
      write_class_field(o, body.items[i]);
  }
  o->w->form->end_list(o->w);
  end_field(o);
  begin_field(o, "methods");
  o->w->form->begin_list(o->w, count_parts(body, PART_METHOD));
  for (uint32_t i = 0; i < body.count; i++)
    if (class_part(body.items[i]) == PART_METHOD)
      write_function(o, join_names(o->p, str_from(name), ident(body.items[i]->FunctionDef.name)), body.items[i], def);
  o->w->form->end_list(o->w);
  end_field(o);
  end_struct(o);
}

static void write_item(Out *o, const Item *item)
{
  const Binding *binding = item->binding;
  enter_definition(o->p, binding);
  if (binding->kind == BINDING_FUNCTION)
    write_function(o, item->name, binding->def, binding->def);
  else
    write_class(o, item->name, binding->def);
}

// A global of a module's value, or a module under its own name.
static void write_global(Out *o, const Item *item)
{
  const Name *name = name_intern(&o->p->session->names, str_from(item->name));
  Expr module = {.kind = EXPR_Name, .Name = {.id = name, .ctx = CONTEXT_Store}};
  o->p->module = item->binding->module;
  o->p->first_line = 1;
  o->p->locals = map_new(o->p->arena);
  const Expr *value = item->binding->kind == BINDING_VALUE ? item->binding->value : NULL;
  begin_struct(o, "Keyword", TAG_KEYWORD, 3);
  text_option(o, "id", name);
  if (value) {
    expr_field(o, "value", value);
  } else {
    begin_field(o, "value");
    begin_struct(o, "Expr", TAG_EXPR, 2);
    begin_field(o, "expr");
    begin_ctor(o, TAG_EXPR_INSIDE, "name", 1, 2);
    text_field(o, "id", str_from(item->name));
    context_field(o, CONTEXT_Load);
    end_ctor(o, 2);
    end_field(o);
    pos_field(o, module.span);
    end_struct(o);
    end_field(o);
  }
  pos_field(o, value ? value->span : module.span);
  end_struct(o);
}

// ---- the kernel
static const char *dtype_of_short(Str name)
{
  static const char *const names[][2] = {{"f32", "float32"}, {"bf16", "bfloat16"}, {"f16", "float16"},
                                         {"i32", "int32"},   {"i16", "int16"},     {"i8", "int8"},
                                         {"u32", "uint32"},  {"u16", "uint16"},    {"u8", "uint8"}};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (str_is(name, names[i][0]))
      return names[i][1];
  return NULL;
}

// "f32[128,512]": the shape and dtype of a tensor; false when it is none.
static bool write_tensor(Out *o, const Expr *e)
{
  if (e->kind != EXPR_Subscript || e->Subscript.value->kind != EXPR_Name)
    return false;
  Expr *one = e->Subscript.slice;
  ExprList dims = one->kind == EXPR_Tuple ? one->Tuple.elts : (ExprList){&one, 1};
  for (uint32_t i = 0; i < dims.count; i++)
    if (dims.items[i]->kind != EXPR_Constant || dims.items[i]->Constant.value.kind != CONSTANT_INT)
      return false;
  Str dtype = ident(e->Subscript.value->Name.id);
  const char *full = dtype_of_short(dtype);
  begin_ctor(o, TAG_EXPR_INSIDE, "const", 0, 1);
  begin_field(o, "value");
  begin_ctor(o, TAG_CONST, "tensor", 6, 2);
  begin_field(o, "shape");
  o->w->form->begin_list(o->w, dims.count);
  for (uint32_t i = 0; i < dims.count; i++)
    core_write_natural(o->w, (uint64_t)dims.items[i]->Constant.value.integer);
  o->w->form->end_list(o->w);
  end_field(o);
  text_field(o, "dtype", full ? str_from(full) : dtype);
  end_ctor(o, 2);
  end_field(o);
  end_ctor(o, 1);
  return true;
}

static void write_argument(Out *o, const GatheredArgument *argument)
{
  const char *colon = strchr(argument->text, ':'), *text = argument->text;
  if (colon && colon[1] != '=' && strchr(colon, '[') && text[0] != '{' && text[0] != '"' && text[0] != '\'')
    text = colon + 1; // "randn:f32[128,512]": the way it is filled is no part of the tree
  Source *source = session_add_source(o->p->session, "<argument>", str_from(text));
  Expr *e = parse_expression(o->p->session, o->p->arena, source);
  begin_struct(o, "Keyword", TAG_KEYWORD, 3);
  text_option(o, "id", name_intern(&o->p->session->names, str_from(argument->name)));
  begin_field(o, "value");
  begin_struct(o, "Expr", TAG_EXPR, 2);
  begin_field(o, "expr");
  if (e->kind == EXPR_Error)
    o->p->failed = true;
  else if (!write_tensor(o, e))
    write_expr_inside(o, e);
  end_field(o);
  pos_field(o, e->span);
  end_struct(o);
  end_field(o);
  pos_field(o, e->span);
  end_struct(o);
}

static void write_empty_list(Out *o, const char *name)
{
  begin_field(o, name);
  o->w->form->begin_list(o->w, 0);
  o->w->form->end_list(o->w);
  end_field(o);
}

static void write_items(Out *o, const char *name, const Item *items, size_t count, void (*write)(Out *, const Item *))
{
  begin_field(o, name);
  o->w->form->begin_list(o->w, (uint32_t)count);
  for (size_t i = 0; i < count; i++)
    write(o, &items[i]);
  o->w->form->end_list(o->w);
  end_field(o);
}

// The number of the generation, 2 to 4, as other programs count them.
static uint64_t arch_of_target(const char *target)
{
  return target && strncmp(target, "trn2", 4) == 0 ? 3 : target && strncmp(target, "trn3", 4) == 0 ? 4 : 2;
}

static void write_kernel(CoreWriter *writer, const void *context)
{
  PythonAst *p = (PythonAst *)context;
  Out out = {writer, p}, *o = &out;
  const Gathered *sources = p->sources;
  begin_struct(o, "Kernel", TAG_KERNEL, 10);
  text_field(o, "entry", str_from(p->functions.items[0].name));
  write_items(o, "funcs", p->functions.items, p->functions.count, write_item);
  write_items(o, "classes", p->classes.items, p->classes.count, write_item);
  write_empty_list(o, "args");
  enter_definition(p, p->functions.items[0].binding);
  begin_field(o, "kwargs");
  o->w->form->begin_list(o->w, sources->arguments.count);
  for (uint32_t i = 0; i < sources->arguments.count; i++)
    write_argument(o, &sources->arguments.items[i]);
  o->w->form->end_list(o->w);
  end_field(o);
  write_items(o, "globals", p->globals.items, p->globals.count, write_global);
  natural_field(o, "arch", arch_of_target(sources->target));
  natural_field(o, "grid", sources->lnc.some ? sources->lnc.value : 0);
  write_empty_list(o, "scheduleEdges");
  write_empty_list(o, "flags");
  end_struct(o);
}

// Writes every item to nowhere until no new one turns up: then the lists are known.
static void find_items(CoreWriter *writer, const void *context)
{
  PythonAst *p = (PythonAst *)context;
  Out out = {writer, p}, *o = &out;
  size_t f = 0, c = 0, g = 0;
  writer->text_limit = 0;
  while (f < p->functions.count || c < p->classes.count || g < p->globals.count) {
    Item item = f < p->functions.count ? p->functions.items[f]
                : c < p->classes.count ? p->classes.items[c]
                                       : p->globals.items[g];
    if (f < p->functions.count)
      f++, write_item(o, &item);
    else if (c < p->classes.count)
      c++, write_item(o, &item);
    else
      g++, write_global(o, &item);
    writer->out->len = 0;
  }
}

static bool is_jit(const Expr *decorator)
{
  if (decorator->kind == EXPR_Call)
    decorator = decorator->Call.func;
  return decorator->kind == EXPR_Attribute ? str_is(ident(decorator->Attribute.attr), "jit")
                                           : decorator->kind == EXPR_Name && str_is(ident(decorator->Name.id), "jit");
}

// The function that the sources name, or the only one of the entry's module with the decorator `jit`; NULL after
// reporting.
static const Binding *find_entry(PythonAst *p)
{
  Str module_name = str_from(p->sources->module), function = str_from(p->sources->function);
  SourceModule *module = find_module(p, module_name);
  StmtList body = module ? module->tree->body : (StmtList){0};
  uint32_t jits = 0;
  for (uint32_t i = 0; i < body.count && !*p->sources->function; i++)
    if (body.items[i]->kind == STMT_FunctionDef)
      for (uint32_t k = 0; k < body.items[i]->FunctionDef.decorator_list.count; k++)
        if (is_jit(body.items[i]->FunctionDef.decorator_list.items[k])) {
          function = ident(body.items[i]->FunctionDef.name);
          jits++;
        }
  const Binding *entry = module && jits <= 1 ? resolve(p, module, function, 0) : NULL;
  if (entry && entry->kind == BINDING_FUNCTION)
    return entry;
  Diag *diag = function.len && jits <= 1
                   ? diag_error(p->session, E_AST_FORM, "there is no function `%.*s` in `%.*s`", STR_ARG(function),
                                STR_ARG(module_name))
                   : diag_error(p->session, E_AST_FORM, "`%.*s` has %u functions marked `jit`, and none is named",
                                STR_ARG(module_name), jits);
  diag_help(diag, "name the kernel as FILE:KERNEL");
  return NULL;
}

bool python_ast_write(Session *session, const Gathered *sources, bool as_klr, StrBuf *out)
{
  static const Head contents = {.type = "Contents", .ctor = "python", .tag = 236, .number = 0, .count = 1};
  Arena *arena = &session->arena;
  PythonAst ast = {.session = session,
                   .arena = arena,
                   .sources = sources,
                   .modules = map_new(arena),
                   .seen = map_new(arena),
                   .locals = map_new(arena),
                   .follows = true};
  if (!load_modules(&ast))
    return false;
  const Binding *entry = find_entry(&ast);
  if (!entry)
    return false;
  want(&ast, entry->name, entry);
  StrBuf nowhere = strbuf_new(arena);
  if (!cbor_write_with(session, find_items, &ast, &nowhere) || ast.failed)
    return false;
  size_t before = out->len;
  bool ok = as_klr ? klr_write_with(session, &contents, write_kernel, &ast, out)
                   : json_write_with(session, 1, write_kernel, &ast, out);
  if (ast.failed)
    out->len = before;
  return ok && !ast.failed;
}

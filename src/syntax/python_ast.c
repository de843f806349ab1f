#include "syntax/python_ast.h"

#include "syntax/parser.h"
#include "syntax/python_tree.h"

#include <string.h>

// ---- functions and classes
static void names_field(Out *o, const char *name, ArgList args)
{
  tree_begin_field(o, name);
  o->w->form->begin_list(o->w, args.count);
  for (uint32_t i = 0; i < args.count; i++) {
    map_set(&o->p->locals, ident(args.items[i]->arg), (void *)args.items[i]);
    core_write_text(o->w, ident(args.items[i]->arg));
  }
  o->w->form->end_list(o->w);
  tree_end_field(o);
}

static void arg_option(Out *o, const char *name, const Ast_arg *arg)
{
  if (arg)
    map_set(&o->p->locals, ident(arg->arg), (void *)arg);
  tree_text_option(o, name, arg ? arg->arg : NULL);
}

// Only the keyword-only parameters that have a default.
static void write_kw_defaults(Out *o, const Ast_arguments *a)
{
  uint32_t count = 0;
  for (uint32_t i = 0; i < a->kw_defaults.count; i++)
    count += a->kw_defaults.items[i] != NULL;
  tree_begin_field(o, "kw_defaults");
  o->w->form->begin_list(o->w, count);
  for (uint32_t i = 0; i < a->kw_defaults.count; i++)
    if (a->kw_defaults.items[i])
      tree_write_keyword(o, a->kwonlyargs.items[i]->arg, a->kw_defaults.items[i], a->kwonlyargs.items[i]->span);
  o->w->form->end_list(o->w);
  tree_end_field(o);
}

static void write_args(Out *o, const Ast_arguments *a)
{
  tree_begin_field(o, "args");
  tree_begin_struct(o, "Args", TAG_ARGS, 7);
  names_field(o, "posonlyargs", a->posonlyargs);
  names_field(o, "args", a->args);
  tree_exprs_field(o, "defaults", a->defaults);
  arg_option(o, "vararg", a->vararg);
  names_field(o, "kwonlyargs", a->kwonlyargs);
  write_kw_defaults(o, a);
  arg_option(o, "kwarg", a->kwarg);
  tree_end_struct(o);
  tree_end_field(o);
}

// Bases and decorators are not followed.
static void write_unfollowed(Out *o, const char *name, ExprList list)
{
  bool follows = o->p->follows;
  o->p->follows = false;
  tree_exprs_field(o, name, list);
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
  tree_begin_struct(o, "Fun", TAG_FUN, 7);
  tree_text_field(o, "name", str_from(name));
  tree_text_field(o, "fileName", str_from(o->p->module->gathered->path));
  tree_natural_field(o, "line", o->p->first_line);
  tree_text_field(o, "source", source_lines(o, outer));
  write_unfollowed(o, "decorators", def->FunctionDef.decorator_list);
  write_args(o, def->FunctionDef.args);
  tree_stmts_field(o, "body", def->FunctionDef.body);
  tree_end_struct(o);
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
  tree_write_keyword(o, target->Name.id, value ? value : &none, target->span);
}

static void write_class(Out *o, const char *name, const Stmt *def)
{
  StmtList body = def->ClassDef.body;
  if (def->ClassDef.keywords.count)
    tree_unsupported(o, def->ClassDef.keywords.items[0]->span, "a keyword of a class");
  tree_begin_struct(o, "Class", TAG_CLASS, 5);
  tree_text_field(o, "name", str_from(name));
  write_unfollowed(o, "bases", def->ClassDef.bases);
  write_unfollowed(o, "decorators", def->ClassDef.decorator_list);
  tree_begin_field(o, "fields");
  o->w->form->begin_list(o->w, count_parts(body, PART_FIELD));
  for (uint32_t i = 0; i < body.count; i++) {
    if (class_part(body.items[i]) == PART_OTHER)
      tree_unsupported(o, body.items[i]->span, "this statement of a class");
    if (class_part(body.items[i]) == PART_FIELD)
      write_class_field(o, body.items[i]);
  }
  o->w->form->end_list(o->w);
  tree_end_field(o);
  tree_begin_field(o, "methods");
  o->w->form->begin_list(o->w, count_parts(body, PART_METHOD));
  for (uint32_t i = 0; i < body.count; i++)
    if (class_part(body.items[i]) == PART_METHOD)
      write_function(o, sources_join_names(o->p, str_from(name), ident(body.items[i]->FunctionDef.name)), body.items[i],
                     def);
  o->w->form->end_list(o->w);
  tree_end_field(o);
  tree_end_struct(o);
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
  Step step = {NULL, item->name, 0};
  o->w->step = &step;
  const Name *name = name_intern(&o->p->session->names, str_from(item->name));
  Expr module = {.kind = EXPR_Name, .Name = {.id = name, .ctx = CONTEXT_Store}};
  o->p->module = item->binding->module;
  o->p->first_line = 1;
  o->p->locals = map_new(o->p->arena);
  const Expr *value = item->binding->kind == BINDING_VALUE ? item->binding->value : NULL;
  tree_begin_struct(o, "Keyword", TAG_KEYWORD, 3);
  tree_text_option(o, "id", name);
  if (value) {
    tree_expr_field(o, "value", value);
  } else {
    tree_begin_field(o, "value");
    tree_begin_struct(o, "Expr", TAG_EXPR, 2);
    tree_begin_field(o, "expr");
    tree_begin_ctor(o, TAG_EXPR_INSIDE, "name", 1, 2);
    tree_text_field(o, "id", str_from(item->name));
    tree_context_field(o, CONTEXT_Load);
    tree_end_ctor(o, 2);
    tree_end_field(o);
    tree_pos_field(o, module.span);
    tree_end_struct(o);
    tree_end_field(o);
  }
  tree_pos_field(o, value ? value->span : module.span);
  tree_end_struct(o);
  o->w->step = NULL;
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
  tree_begin_ctor(o, TAG_EXPR_INSIDE, "const", 0, 1);
  tree_begin_field(o, "value");
  tree_begin_ctor(o, TAG_CONST, "tensor", 6, 2);
  tree_begin_field(o, "shape");
  o->w->form->begin_list(o->w, dims.count);
  for (uint32_t i = 0; i < dims.count; i++)
    core_write_natural(o->w, (uint64_t)dims.items[i]->Constant.value.integer);
  o->w->form->end_list(o->w);
  tree_end_field(o);
  tree_text_field(o, "dtype", full ? str_from(full) : dtype);
  tree_end_ctor(o, 2);
  tree_end_field(o);
  tree_end_ctor(o, 1);
  return true;
}

static void write_argument(Out *o, const GatheredArgument *argument)
{
  const char *colon = strchr(argument->text, ':'), *text = argument->text;
  if (colon && colon[1] != '=' && strchr(colon, '[') && text[0] != '{' && text[0] != '"' && text[0] != '\'')
    text = colon + 1; // "randn:f32[128,512]": the way it is filled is no part of the tree
  Source *source = session_add_source(o->p->session, "<argument>", str_from(text));
  Expr *e = parse_expression(o->p->session, o->p->arena, source);
  tree_begin_struct(o, "Keyword", TAG_KEYWORD, 3);
  tree_text_option(o, "id", name_intern(&o->p->session->names, str_from(argument->name)));
  tree_begin_field(o, "value");
  tree_begin_struct(o, "Expr", TAG_EXPR, 2);
  tree_begin_field(o, "expr");
  if (e->kind == EXPR_Error)
    o->p->failed = true;
  else if (!write_tensor(o, e))
    tree_write_expr_inside(o, e);
  tree_end_field(o);
  tree_pos_field(o, e->span);
  tree_end_struct(o);
  tree_end_field(o);
  tree_pos_field(o, e->span);
  tree_end_struct(o);
}

static void write_empty_list(Out *o, const char *name)
{
  tree_begin_field(o, name);
  o->w->form->begin_list(o->w, 0);
  o->w->form->end_list(o->w);
  tree_end_field(o);
}

static void write_items(Out *o, const char *name, const Item *items, size_t count, void (*write)(Out *, const Item *))
{
  tree_begin_field(o, name);
  o->w->form->begin_list(o->w, (uint32_t)count);
  for (size_t i = 0; i < count; i++)
    write(o, &items[i]);
  o->w->form->end_list(o->w);
  tree_end_field(o);
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
  tree_begin_struct(o, "Kernel", TAG_KERNEL, 10);
  tree_text_field(o, "entry", str_from(p->functions.items[0].name));
  write_items(o, "funcs", p->functions.items, p->functions.count, write_item);
  write_items(o, "classes", p->classes.items, p->classes.count, write_item);
  write_empty_list(o, "args");
  enter_definition(p, p->functions.items[0].binding);
  tree_begin_field(o, "kwargs");
  o->w->form->begin_list(o->w, sources->arguments.count);
  for (uint32_t i = 0; i < sources->arguments.count; i++)
    write_argument(o, &sources->arguments.items[i]);
  o->w->form->end_list(o->w);
  tree_end_field(o);
  write_items(o, "globals", p->globals.items, p->globals.count, write_global);
  tree_natural_field(o, "arch", arch_of_target(sources->target));
  tree_natural_field(o, "grid", sources->lnc.some ? sources->lnc.value : 0);
  write_empty_list(o, "scheduleEdges");
  write_empty_list(o, "flags");
  tree_end_struct(o);
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
  SourceModule *module = sources_find_module(p, module_name);
  StmtList body = module ? module->tree->body : (StmtList){0};
  uint32_t jits = 0;
  for (uint32_t i = 0; i < body.count && !*p->sources->function; i++)
    if (body.items[i]->kind == STMT_FunctionDef)
      for (uint32_t k = 0; k < body.items[i]->FunctionDef.decorator_list.count; k++)
        if (is_jit(body.items[i]->FunctionDef.decorator_list.items[k])) {
          function = ident(body.items[i]->FunctionDef.name);
          jits++;
        }
  const Binding *entry = module && jits <= 1 ? sources_resolve(p, module, function, 0) : NULL;
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
  if (!sources_load(&ast))
    return false;
  const Binding *entry = find_entry(&ast);
  if (!entry)
    return false;
  sources_want(&ast, entry->name, entry);
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

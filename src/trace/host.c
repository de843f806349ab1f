// host.c -- live modules: texts parsed but not run, functions and classes found in them.

#include "trace/host.h"

#include "syntax/check.h"
#include "syntax/parser.h"
#include "trace/eval_internal.h"

#include <string.h>

struct HostText {
  HostText *next;  // of the same module
  ModuleObject *module;
  const char *path;
  Str text;
  Source *source;
  Module *tree;
};

ModuleObject *host_module(Tracer *t, void *scope, const char *name, const char *path, bool is_package)
{
  ModuleObject *module = arena_new(&t->arena, ModuleObject);
  module->name = tracer_name(t, name);
  module->path = arena_strdup(&t->arena, path);
  module->is_package = is_package;
  module->state = MODULE_READY;
  module->host_scope = scope;
  module->host_lacks = map_new(&t->arena);
  return module;
}

// ---- texts

// What Python raises for a text that does not parse: what was compiled has since changed, or is not Python's.
static bool raise_unreadable(Tracer *t, const HostText *text, size_t first_diag)
{
  if (t->session->diags.count > first_diag)
    raise_diag(t, "SyntaxError", t->session->diags.items[first_diag]);
  else
    raise_error(t, E_IMPORT, (Span){0}, "the source text '%s' cannot be read", text->path);
  return false;
}

HostText *host_text(Tracer *t, ModuleObject *module, const char *path, Str text)
{
  for (HostText *known = module->host_texts; known; known = known->next)
    if (strcmp(known->path, path) == 0 && str_equal(known->text, text))
      return known;
  HostText *made = arena_new(&t->arena, HostText);
  size_t first_diag = t->session->diags.count;
  made->module = module;
  made->path = arena_strdup(&t->arena, path);
  made->source = session_add_source(t->session, made->path, text);
  made->text = made->source->text;
  made->tree = parse_module(t->session, &t->arena, made->source);
  if (made->tree->has_errors || !check_module(t->session, made->tree))
    return raise_unreadable(t, made, first_diag), NULL;
  scope_resolve_module(t, made->tree, &module->attrs, module->name);
  made->next = module->host_texts;
  return module->host_texts = made;
}

// ---- finding definitions: every node of a tree is visited

typedef struct Search {
  Tracer *t;
  HostText *text;
  const char *name;
  uint32_t line;     // of a function; 0: look for a class by its qualified name
  int64_t column;    // of a lambda's body; negative: any
  const FunctionCode *found_code;
  const Stmt *found_class;
} Search;

static uint32_t line_of(Search *search, Span span)
{
  return source_place(search->text->source, &search->t->session->arena, span.start).line;
}

static bool visit_node(Search *search, const AstNode *node, const void *at);

static bool visit_stmt(Search *search, const Stmt *stmt)
{
  if (search->line && (stmt->kind == STMT_FunctionDef || stmt->kind == STMT_AsyncFunctionDef) &&
      str_is(stmt->FunctionDef.name->str, search->name)) {
    ExprList decorators = stmt->FunctionDef.decorator_list;
    uint32_t line = line_of(search, decorators.count ? decorators.items[0]->span : stmt->span);
    if (line == search->line || line_of(search, stmt->span) == search->line) {
      search->found_code = stmt->cache;
      return true;
    }
  }
  if (!search->line && stmt->kind == STMT_ClassDef &&
      strcmp(((const FunctionCode *)stmt->cache)->qualname, search->name) == 0) {
    search->found_class = stmt;
    return true;
  }
  return visit_node(search, ast_stmt_node((StmtKind)stmt->kind), stmt);
}

static bool is_in_column(Search *search, Span body)
{
  return search->column < 0 ||
         source_place(search->text->source, &search->t->session->arena, body.start).column == search->column;
}

static bool visit_expr(Search *search, const Expr *expr)
{
  if (search->line && expr->kind == EXPR_Lambda && strcmp(search->name, "<lambda>") == 0 &&
      line_of(search, expr->span) == search->line && is_in_column(search, expr->Lambda.body->span)) {
    search->found_code = expr->cache;
    return true;
  }
  return visit_node(search, ast_expr_node((ExprKind)expr->kind), expr);
}

// Lists of nodes all begin with a pointer to pointers and a count.
static bool visit_field(Search *search, const AstField *field, const void *at)
{
  const void *place = (const char *)at + field->offset;
  switch (field->kind) {
  case AST_EXPR:
  case AST_OPT_EXPR: {
    const Expr *expr = *(Expr *const *)place;
    return expr && visit_expr(search, expr);
  }
  case AST_EXPRS:
  case AST_OPT_EXPRS: {
    const ExprList *list = place;
    for (uint32_t i = 0; i < list->count; i++)
      if (list->items[i] && visit_expr(search, list->items[i]))
        return true;
    return false;
  }
  case AST_STMTS: {
    const StmtList *list = place;
    for (uint32_t i = 0; i < list->count; i++)
      if (visit_stmt(search, list->items[i]))
        return true;
    return false;
  }
#define EACH(List, helper)                                                                    \
  {                                                                                           \
    const List *list = place;                                                                 \
    for (uint32_t i = 0; i < list->count; i++)                                                \
      if (visit_node(search, ast_helper_node(AST_HELPER_##helper), list->items[i]))           \
        return true;                                                                          \
    return false;                                                                             \
  }
  case AST_COMPREHENSIONS: EACH(ComprehensionList, comprehension)
  case AST_HANDLERS: EACH(HandlerList, ExceptHandler)
  case AST_KEYWORDS: EACH(KeywordList, keyword)
  case AST_WITH_ITEMS: EACH(WithItemList, withitem)
  case AST_MATCH_CASES: EACH(MatchCaseList, match_case)
#undef EACH
  case AST_ARGUMENTS: {
    const Ast_arguments *arguments = *(Ast_arguments *const *)place;
    return arguments && visit_node(search, ast_helper_node(AST_HELPER_arguments), arguments);
  }
  default: return false;
  }
}

static bool visit_node(Search *search, const AstNode *node, const void *at)
{
  for (uint32_t i = 0; node && i < node->field_count; i++)
    if (visit_field(search, &node->fields[i], at))
      return true;
  return false;
}

static void search_text(Search *search)
{
  StmtList body = search->text->tree->body;
  for (uint32_t i = 0; i < body.count; i++)
    if (visit_stmt(search, body.items[i]))
      return;
}

Function *host_function(Tracer *t, HostText *text, const char *name, uint32_t line, int64_t column)
{
  Search search = {.t = t, .text = text, .name = name, .line = line, .column = column};
  search_text(&search);
  const FunctionCode *code = search.found_code;
  if (!code)
    return NULL;
  Function *function = arena_new(&t->arena, Function);
  *function = (Function){.code = code, .name = code->name, .qualname = code->qualname, .module = text->module,
                         .span = code->span};
  function->keyword_defaults = arena_array(&t->arena, Value, code->keyword_only);
  function->cells = arena_array(&t->arena, Cell *, code->free_count);
  for (uint32_t i = 0; i < code->free_count; i++)
    function->cells[i] = arena_new(&t->arena, Cell);
  return function;
}

const Name *host_free_name(const Function *function, uint32_t index)
{
  return function->code->slot_names[function->code->frees[index].slot];
}

// The variable of `outer` in slot `slot` with its live value; in a cell if inner functions share it.
static Value outer_variable(Tracer *t, const FunctionCode *outer, uint32_t slot, const HostVariable *free, size_t count)
{
  Value value = value_undefined();
  for (size_t i = 0; i < count; i++)
    if (outer->slot_names[slot] == free[i].name)
      value = free[i].value;
  if (scope_binding(outer, outer->slot_names[slot]).kind == NAME_LOCAL)
    return value;
  Cell *cell = arena_new(&t->arena, Cell);
  cell->value = value;
  return (Value){.tag = VALUE_CELL, .cell = cell};
}

Outcome host_class(Tracer *t, HostText *text, const char *qualname, const HostVariable *free, size_t free_count,
                   Value *out)
{
  Search search = {.t = t, .text = text, .name = qualname};
  search_text(&search);
  if (!search.found_class)
    return OUTCOME_MISSING;
  const Stmt *stmt = search.found_class;
  const FunctionCode *outer = ((const FunctionCode *)stmt->cache)->outer;
  ModuleObject *module = text->module;
  Value *slots = stack_reserve(t, outer->slot_count, stmt->span);
  if (!slots || !check_stack(t, stmt->span))
    return OUTCOME_ERROR;
  for (uint32_t i = 0; i < outer->slot_count && outer->kind != CODE_MODULE; i++)
    slots[i] = outer_variable(t, outer, i, free, free_count);
  // The statement binds its name: in a table of its own, so that what the module holds stays as it is.
  AttrTable names = {0};
  Frame frame = {.caller = t->frame, .code = outer, .module = module, .id = ++t->frame_count,
                 .names = outer->kind == CODE_CLASS ? &names : NULL,
                 .slots = slots, .call_span = stmt->span};
  const Name *name = stmt->ClassDef.name;
  Value kept = value_undefined(), *known = attr_find(&module->attrs, name);
  if (known)
    kept = *known;
  Span here = t->here;
  bool in_kernel = t->in_kernel;
  t->in_kernel = false;
  t->frame = &frame;
  StmtList one = {(Stmt **)(uintptr_t)&stmt, 1};
  Completion how = eval_block(t, &frame, &one);
  t->frame = frame.caller;
  t->in_kernel = in_kernel;
  t->here = here;
  Value made = value_undefined();
  Binding binding = scope_binding(outer, name);
  if (how != COMPLETION_ERROR)
    switch (binding.kind) {
    case NAME_GLOBAL: made = module->attrs.items[binding.index].value; break;
    case NAME_LOCAL: made = slots[binding.index]; break;
    case NAME_CELL: made = slots[binding.index].cell->value; break;
    default: {
      Value *found = attr_find(&names, name);
      made = found ? *found : made;
      break;
    }
    }
  stack_release(t, slots);
  if (binding.kind == NAME_GLOBAL)
    attr_set(&t->arena, &module->attrs, name, kept);
  if (how == COMPLETION_ERROR)
    return OUTCOME_ERROR;
  *out = made;
  return value_is_set(made) ? OUTCOME_OK : OUTCOME_MISSING;
}

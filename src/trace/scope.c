#include "trace/scope.h"

#include <string.h>

typedef struct Symbol {
  const Name *name;
  bool bound, global, nonlocal, cell, free;
  uint32_t slot;
} Symbol;

typedef struct Scope {
  struct Scope *parent;
  struct Scope *host;  // whose frame it lives in: itself unless it is a comprehension
  FunctionCode *code;  // of the host
  ComprehensionCode *comprehension;
  const Name *class_name;  // innermost class around, for private names
  Vec(Symbol) symbols;
  Map index;  // name -> position in symbols, plus one
  Vec(Expr *) uses;
  Vec(const Name *) slot_names;
  Vec(FreeVariable) frees;
} Scope;

typedef struct Resolver {
  Tracer *t;
  AttrTable *globals;
  Arena scratch;
  Vec(Scope *) scopes;
} Resolver;

static void visit_expr(Resolver *r, Scope *scope, Expr *expr);
static void visit_block(Resolver *r, Scope *scope, StmtList body);

// ---- scopes and symbols

static Scope *scope_new(Resolver *r, Scope *parent, FunctionCode *code)
{
  Scope *scope = arena_new(&r->scratch, Scope);
  scope->parent = parent;
  scope->index = map_new(&r->scratch);
  scope->class_name = parent ? parent->class_name : NULL;
  scope->host = code ? scope : parent->host;
  scope->code = scope->host->code;
  if (code) {
    scope->code = code;
    code->outer = parent ? parent->host->code : NULL;
  }
  vec_push(&r->scratch, &r->scopes, scope);
  return scope;
}

static Symbol *symbol_of(Resolver *r, Scope *scope, const Name *name)
{
  uintptr_t at = (uintptr_t)map_get_number(&scope->index, (uint64_t)(uintptr_t)name);
  if (!at) {
    vec_push(&r->scratch, &scope->symbols, ((Symbol){.name = name}));
    at = scope->symbols.count;
    map_set_number(&scope->index, (uint64_t)(uintptr_t)name, (void *)at);
  }
  return &scope->symbols.items[at - 1];
}

static Symbol *find_symbol(Scope *scope, const Name *name)
{
  uintptr_t at = (uintptr_t)map_get_number(&scope->index, (uint64_t)(uintptr_t)name);
  return at ? &scope->symbols.items[at - 1] : NULL;
}

static bool has_slots(const Scope *scope)
{
  return scope->comprehension || scope->code->kind == CODE_FUNCTION || scope->code->kind == CODE_LAMBDA;
}

static uint32_t new_slot(Resolver *r, Scope *scope, const Name *name)
{
  vec_push(&r->scratch, &scope->host->slot_names, name);
  return scope->code->slot_count++;
}

static void bind(Resolver *r, Scope *scope, const Name *name)
{
  Symbol *symbol = symbol_of(r, scope, name);
  if (symbol->bound || symbol->global || symbol->nonlocal)
    return;
  symbol->bound = true;
  if (has_slots(scope))
    symbol->slot = new_slot(r, scope, name);
}

// A name that begins with two underscores belongs to the class it is written in.
static const Name *mangle(Resolver *r, const Scope *scope, const Name *name)
{
  Str text = name->str;
  if (!scope->class_name || text.len < 3 || text.data[0] != '_' || text.data[1] != '_' || str_ends_with(text, "__"))
    return name;
  const char *class_name = scope->class_name->str.data;
  while (*class_name == '_')
    class_name++;
  if (!*class_name)
    return name;
  return tracer_name(r->t, arena_printf(&r->t->arena, "_%s%s", class_name, text.data));
}

// ---- walking expressions

static void visit_exprs(Resolver *r, Scope *scope, ExprList list)
{
  for (uint32_t i = 0; i < list.count; i++)
    visit_expr(r, scope, list.items[i]);
}

static void bind_parameters(Resolver *r, Scope *scope, const ArgList *list)
{
  for (uint32_t i = 0; i < list->count; i++)
    bind(r, scope, mangle(r, scope, list->items[i]->arg));
}

static FunctionCode *code_new(Resolver *r, Scope *scope, CodeKind kind, const Name *name, Span span)
{
  FunctionCode *code = arena_new(&r->t->arena, FunctionCode);
  code->kind = kind;
  code->name = name;
  code->span = span;
  code->rest_slot = code->keyword_rest_slot = -1;
  const FunctionCode *outer = scope ? scope->host->code : NULL;
  const char *text = kind == CODE_LAMBDA ? "<lambda>" : name->str.data;
  if (!outer || outer->kind == CODE_MODULE)
    code->qualname = text;
  else
    code->qualname = arena_printf(&r->t->arena, outer->kind == CODE_CLASS ? "%s.%s" : "%s.<locals>.%s",
                                  outer->qualname, text);
  return code;
}

static void visit_arguments(Resolver *r, Scope *scope, FunctionCode *code, Ast_arguments *args)
{
  visit_exprs(r, scope, args->defaults);
  visit_exprs(r, scope, args->kw_defaults);
  code->args = args;
  code->positional_only = args->posonlyargs.count;
  code->positional = args->posonlyargs.count + args->args.count;
  code->keyword_only = args->kwonlyargs.count;
}

static Scope *function_scope(Resolver *r, Scope *scope, FunctionCode *code)
{
  Scope *inner = scope_new(r, scope, code);
  const Ast_arguments *args = code->args;
  bind_parameters(r, inner, &args->posonlyargs);
  bind_parameters(r, inner, &args->args);
  bind_parameters(r, inner, &args->kwonlyargs);
  if (args->vararg) {
    code->rest_slot = (int)code->slot_count;
    bind(r, inner, args->vararg->arg);
  }
  if (args->kwarg) {
    code->keyword_rest_slot = (int)code->slot_count;
    bind(r, inner, args->kwarg->arg);
  }
  return inner;
}

static void visit_lambda(Resolver *r, Scope *scope, Expr *expr)
{
  FunctionCode *code = code_new(r, scope, CODE_LAMBDA, tracer_name(r->t, "<lambda>"), expr->span);
  visit_arguments(r, scope, code, expr->Lambda.args);
  code->lambda_body = expr->Lambda.body;
  expr->cache = code;
  visit_expr(r, function_scope(r, scope, code), expr->Lambda.body);
}

static void visit_comprehension(Resolver *r, Scope *scope, Expr *expr)
{
  ComprehensionList generators = expr->kind == EXPR_ListComp    ? expr->ListComp.generators
                                 : expr->kind == EXPR_SetComp   ? expr->SetComp.generators
                                 : expr->kind == EXPR_DictComp  ? expr->DictComp.generators
                                                                : expr->GeneratorExp.generators;
  visit_expr(r, scope, generators.items[0]->iter);
  Scope *inner = scope_new(r, scope, NULL);
  inner->comprehension = arena_new(&r->t->arena, ComprehensionCode);
  expr->cache = inner->comprehension;
  for (uint32_t i = 0; i < generators.count; i++) {
    Ast_comprehension *generator = generators.items[i];
    visit_expr(r, inner, generator->target);
    if (i > 0)
      visit_expr(r, inner, generator->iter);
    visit_exprs(r, inner, generator->ifs);
  }
  if (expr->kind == EXPR_DictComp) {
    visit_expr(r, inner, expr->DictComp.key);
    visit_expr(r, inner, expr->DictComp.value);
  } else {
    visit_expr(r, inner, expr->kind == EXPR_ListComp  ? expr->ListComp.elt
                         : expr->kind == EXPR_SetComp ? expr->SetComp.elt
                                                      : expr->GeneratorExp.elt);
  }
}

static void visit_name(Resolver *r, Scope *scope, Expr *expr)
{
  expr->Name.id = mangle(r, scope, expr->Name.id);
  if (expr->Name.ctx != CONTEXT_Load)
    bind(r, scope, expr->Name.id);
  vec_push(&r->scratch, &scope->uses, expr);
}

static void visit_fields(Resolver *r, Scope *scope, const AstNode *node, char *base)
{
  for (uint32_t i = 0; i < node->field_count; i++) {
    void *at = base + node->fields[i].offset;
    switch (node->fields[i].kind) {
    case AST_EXPR:
    case AST_OPT_EXPR: visit_expr(r, scope, *(Expr **)at); break;
    case AST_EXPRS:
    case AST_OPT_EXPRS: visit_exprs(r, scope, *(ExprList *)at); break;
    case AST_STMTS: visit_block(r, scope, *(StmtList *)at); break;
    case AST_KEYWORDS: {
      KeywordList list = *(KeywordList *)at;
      for (uint32_t k = 0; k < list.count; k++)
        visit_expr(r, scope, list.items[k]->value);
      break;
    }
    default: break;
    }
  }
}

static void visit_expr(Resolver *r, Scope *scope, Expr *expr)
{
  if (!expr)
    return;
  switch ((ExprKind)expr->kind) {
  case EXPR_Name: visit_name(r, scope, expr); return;
  case EXPR_Lambda: visit_lambda(r, scope, expr); return;
  case EXPR_ListComp:
  case EXPR_SetComp:
  case EXPR_DictComp:
  case EXPR_GeneratorExp: visit_comprehension(r, scope, expr); return;
  case EXPR_NamedExpr:
    visit_expr(r, scope, expr->NamedExpr.value);
    visit_name(r, scope->host, expr->NamedExpr.target);
    return;
  case EXPR_Attribute:
    expr->Attribute.attr = mangle(r, scope, expr->Attribute.attr);
    visit_expr(r, scope, expr->Attribute.value);
    return;
  case EXPR_Yield:
  case EXPR_YieldFrom: scope->code->is_generator = true; break;
  case EXPR_Error: return;
  default: break;
  }
  visit_fields(r, scope, ast_expr_node((ExprKind)expr->kind), (char *)expr);
}

// ---- walking statements

static void visit_function(Resolver *r, Scope *scope, Stmt *stmt)
{
  struct Stmt_FunctionDef *def = &stmt->FunctionDef;
  visit_exprs(r, scope, def->decorator_list);
  def->name = mangle(r, scope, def->name);
  bind(r, scope, def->name);
  FunctionCode *code = code_new(r, scope, CODE_FUNCTION, def->name, stmt->span);
  code->is_async = stmt->kind == STMT_AsyncFunctionDef;
  visit_arguments(r, scope, code, def->args);
  code->body = def->body;
  stmt->cache = code;
  visit_block(r, function_scope(r, scope, code), def->body);
}

static void visit_class(Resolver *r, Scope *scope, Stmt *stmt)
{
  struct Stmt_ClassDef *def = &stmt->ClassDef;
  visit_exprs(r, scope, def->decorator_list);
  visit_exprs(r, scope, def->bases);
  for (uint32_t i = 0; i < def->keywords.count; i++)
    visit_expr(r, scope, def->keywords.items[i]->value);
  bind(r, scope, def->name);
  FunctionCode *code = code_new(r, scope, CODE_CLASS, def->name, stmt->span);
  code->body = def->body;
  stmt->cache = code;
  Scope *inner = scope_new(r, scope, code);
  inner->class_name = def->name;
  visit_block(r, inner, def->body);
}

static void visit_import(Resolver *r, Scope *scope, AliasList names, bool from)
{
  for (uint32_t i = 0; i < names.count; i++) {
    const Ast_alias *alias = names.items[i];
    const Name *name = alias->asname ? alias->asname : alias->name;
    if (from && str_is(name->str, "*"))
      continue;
    const char *dot = alias->asname ? NULL : memchr(name->str.data, '.', name->str.len);
    if (dot)
      name = name_intern(&r->t->session->names, (Str){name->str.data, (size_t)(dot - name->str.data)});
    bind(r, scope, name);
  }
}

static void visit_pattern(Resolver *r, Scope *scope, Pattern *pattern)
{
  if (!pattern)
    return;
  PatternList inner = {0};
  switch ((PatternKind)pattern->kind) {
  case PATTERN_MatchValue: visit_expr(r, scope, pattern->MatchValue.value); break;
  case PATTERN_MatchSequence: inner = pattern->MatchSequence.patterns; break;
  case PATTERN_MatchMapping:
    visit_exprs(r, scope, pattern->MatchMapping.keys);
    inner = pattern->MatchMapping.patterns;
    if (pattern->MatchMapping.rest)
      bind(r, scope, pattern->MatchMapping.rest);
    break;
  case PATTERN_MatchClass:
    visit_expr(r, scope, pattern->MatchClass.cls);
    inner = pattern->MatchClass.patterns;
    for (uint32_t i = 0; i < pattern->MatchClass.kwd_patterns.count; i++)
      visit_pattern(r, scope, pattern->MatchClass.kwd_patterns.items[i]);
    break;
  case PATTERN_MatchStar:
    if (pattern->MatchStar.name)
      bind(r, scope, pattern->MatchStar.name);
    break;
  case PATTERN_MatchAs:
    visit_pattern(r, scope, pattern->MatchAs.pattern);
    if (pattern->MatchAs.name)
      bind(r, scope, pattern->MatchAs.name);
    break;
  case PATTERN_MatchOr: inner = pattern->MatchOr.patterns; break;
  default: break;
  }
  for (uint32_t i = 0; i < inner.count; i++)
    visit_pattern(r, scope, inner.items[i]);
}

static void declare(Resolver *r, Scope *scope, IdentList names, bool global)
{
  for (uint32_t i = 0; i < names.count; i++) {
    Symbol *symbol = symbol_of(r, scope, mangle(r, scope, names.items[i]));
    symbol->global |= global;
    symbol->nonlocal |= !global;
    symbol->bound = false;
  }
}

static void visit_stmt(Resolver *r, Scope *scope, Stmt *stmt)
{
  switch ((StmtKind)stmt->kind) {
  case STMT_FunctionDef:
  case STMT_AsyncFunctionDef: visit_function(r, scope, stmt); return;
  case STMT_ClassDef: visit_class(r, scope, stmt); return;
  case STMT_Global: declare(r, scope, stmt->Global.names, true); return;
  case STMT_Nonlocal: declare(r, scope, stmt->Nonlocal.names, false); return;
  case STMT_Import: visit_import(r, scope, stmt->Import.names, false); return;
  case STMT_ImportFrom: visit_import(r, scope, stmt->ImportFrom.names, true); return;
  case STMT_AnnAssign:
    visit_expr(r, scope, stmt->AnnAssign.target);
    visit_expr(r, scope, stmt->AnnAssign.value);
    return;
  case STMT_Try:
  case STMT_TryStar:
    for (uint32_t i = 0; i < stmt->Try.handlers.count; i++) {
      const Ast_ExceptHandler *handler = stmt->Try.handlers.items[i];
      visit_expr(r, scope, handler->type);
      if (handler->name)
        bind(r, scope, handler->name);
      visit_block(r, scope, handler->body);
    }
    break;
  case STMT_With:
  case STMT_AsyncWith:
    for (uint32_t i = 0; i < stmt->With.items.count; i++) {
      visit_expr(r, scope, stmt->With.items.items[i]->context_expr);
      visit_expr(r, scope, stmt->With.items.items[i]->optional_vars);
    }
    break;
  case STMT_Match:
    for (uint32_t i = 0; i < stmt->Match.cases.count; i++) {
      Ast_match_case *match = stmt->Match.cases.items[i];
      visit_pattern(r, scope, match->pattern);
      visit_expr(r, scope, match->guard);
      visit_block(r, scope, match->body);
    }
    break;
  case STMT_TypeAlias: bind(r, scope, stmt->TypeAlias.name->Name.id); return;
  case STMT_Error: return;
  default: break;
  }
  visit_fields(r, scope, ast_stmt_node((StmtKind)stmt->kind), (char *)stmt);
}

static void visit_block(Resolver *r, Scope *scope, StmtList body)
{
  for (uint32_t i = 0; i < body.count; i++)
    visit_stmt(r, scope, body.items[i]);
}

// ---- resolving

// The slot of `scope`'s frame that holds the cell of `name` as seen from inside `scope`; -1: the name is global.
static int64_t cell_slot(Resolver *r, Scope *scope, const Name *name)
{
  Symbol *symbol = find_symbol(scope, name);
  if (!scope->parent)
    return -1;
  if (has_slots(scope)) {
    if (symbol && symbol->global)
      return -1;
    if (symbol && symbol->bound) {
      symbol->cell = true;
      return symbol->slot;
    }
  }
  if (scope->comprehension)
    return cell_slot(r, scope->parent, name);
  if (symbol && symbol->free)
    return symbol->slot;
  int64_t outer = cell_slot(r, scope->parent, name);
  if (outer < 0)
    return -1;
  symbol = symbol_of(r, scope, name);
  symbol->free = true;
  symbol->slot = new_slot(r, scope, name);
  vec_push(&r->scratch, &scope->frees, ((FreeVariable){(uint32_t)outer, symbol->slot}));
  return symbol->slot;
}

static Binding resolve(Resolver *r, Scope *scope, const Name *name)
{
  Scope *at = scope;
  for (;;) {
    Symbol *symbol = find_symbol(at, name);
    if (symbol && symbol->global)
      return (Binding){NAME_GLOBAL, 0};
    if (has_slots(at) && symbol && symbol->bound)
      return (Binding){symbol->cell ? NAME_CELL : NAME_LOCAL, symbol->slot};
    if (!at->comprehension)
      break;
    at = at->parent;
  }
  bool in_class = at == scope && at->code->kind == CODE_CLASS;
  if (at->code->kind == CODE_CLASS) {
    Symbol *symbol = find_symbol(at, name);
    in_class = in_class && symbol && symbol->bound;
  }
  int64_t slot = cell_slot(r, at, name);
  if (slot >= 0)
    return (Binding){in_class ? NAME_CLASS_CELL : NAME_CELL, (uint32_t)slot};
  return (Binding){in_class ? NAME_CLASS : NAME_GLOBAL, 0};
}

static uint32_t builtin_index(Tracer *t, const Name *name)
{
  return attr_find(&t->builtin_names, name) ? attr_reserve(&t->arena, &t->builtin_names, name) + 1 : 0;
}

static void finish_use(Resolver *r, Scope *scope, Expr *expr)
{
  Binding binding = resolve(r, scope, expr->Name.id);
  uint64_t index = binding.index;
  if (binding.kind == NAME_GLOBAL || binding.kind == NAME_CLASS)
    index = attr_reserve(&r->t->arena, r->globals, expr->Name.id) |
            (uint64_t)builtin_index(r->t, expr->Name.id) << 32;
  expr->flags = (uint16_t)binding.kind;
  expr->cache = (void *)(uintptr_t)index;
}

static void finish_scope(Resolver *r, Scope *scope)
{
  Arena *arena = &r->t->arena;
  for (size_t i = 0; i < scope->uses.count; i++)
    finish_use(r, scope, scope->uses.items[i]);
  size_t cell_count = 0;
  uint32_t *cells = arena_array(arena, uint32_t, scope->symbols.count);
  for (size_t i = 0; i < scope->symbols.count; i++)
    if (scope->symbols.items[i].cell)
      cells[cell_count++] = scope->symbols.items[i].slot;
  if (scope->comprehension) {
    ComprehensionCode *comprehension = scope->comprehension;
    comprehension->cells = cells;
    comprehension->cell_count = (uint32_t)cell_count;
    comprehension->slots = arena_array(arena, uint32_t, scope->symbols.count);
    for (size_t i = 0; i < scope->symbols.count; i++)
      if (scope->symbols.items[i].bound)
        comprehension->slots[comprehension->slot_count++] = scope->symbols.items[i].slot;
    return;
  }
  FunctionCode *code = scope->code;
  code->cells = cells;
  code->cell_count = (uint32_t)cell_count;
  code->frees = arena_array(arena, FreeVariable, scope->frees.count);
  code->free_count = (uint32_t)scope->frees.count;
  if (code->free_count)
    memcpy(code->frees, scope->frees.items, code->free_count * sizeof *code->frees);
  code->slot_names = arena_array(arena, const Name *, code->slot_count);
  for (uint32_t i = 0; i < code->slot_count; i++)
    code->slot_names[i] = scope->slot_names.items[i];
  code->symbols = arena_array(arena, CodeSymbol, scope->symbols.count);
  for (size_t i = 0; i < scope->symbols.count; i++) {
    const Name *name = scope->symbols.items[i].name;
    Binding binding = resolve(r, scope, name);
    if (binding.kind == NAME_GLOBAL)
      binding.index = attr_reserve(arena, r->globals, name);
    code->symbols[code->symbol_count++] = (CodeSymbol){name, binding};
  }
}

static void finish_all(Resolver *r)
{
  // First every variable that is shared becomes a cell, then names can be bound.
  for (size_t i = 0; i < r->scopes.count; i++) {
    Scope *scope = r->scopes.items[i];
    for (size_t k = 0; k < scope->uses.count; k++)
      resolve(r, scope, scope->uses.items[k]->Name.id);
    for (size_t k = 0; k < scope->symbols.count; k++)
      if (scope->symbols.items[k].nonlocal)
        resolve(r, scope, scope->symbols.items[k].name);
  }
  for (size_t i = 0; i < r->scopes.count; i++)
    finish_scope(r, r->scopes.items[i]);
}

FunctionCode *scope_resolve_module(Tracer *t, const Module *module, AttrTable *globals, const Name *name)
{
  Resolver r = {.t = t, .globals = globals, .scratch = session_arena(t->session)};
  FunctionCode *code = code_new(&r, NULL, CODE_MODULE, name, (Span){0});
  code->body = module->body;
  visit_block(&r, scope_new(&r, NULL, code), module->body);
  finish_all(&r);
  arena_free(&r.scratch);
  return code;
}

FunctionCode *scope_resolve_expression(Tracer *t, Expr *expr, AttrTable *globals)
{
  Resolver r = {.t = t, .globals = globals, .scratch = session_arena(t->session)};
  FunctionCode *code = code_new(&r, NULL, CODE_MODULE, tracer_name(t, "<expression>"), expr->span);
  visit_expr(&r, scope_new(&r, NULL, code), expr);
  finish_all(&r);
  arena_free(&r.scratch);
  return code;
}

Binding scope_binding(const FunctionCode *code, const Name *name)
{
  for (uint32_t i = 0; i < code->symbol_count; i++)
    if (code->symbols[i].name == name)
      return code->symbols[i].binding;
  return (Binding){NAME_UNRESOLVED, 0};
}

#include "syntax/check.h"

#include <string.h>

// Where the node stands that is being looked at.
typedef struct Scope {
  Session *session;
  bool in_function, in_async, in_loop, in_class;
} Scope;

static void check_expr(const Scope *scope, const Expr *e);
static void check_stmts(const Scope *scope, StmtList body);

static void report(const Scope *scope, DiagCode code, Span span, const char *label, const char *message,
                   const char *help)
{
  Diag *diag = diag_error(scope->session, code, "%s", message);
  diag_primary(diag, span, "%s", label);
  if (help)
    diag_help(diag, "%s", help);
}

// ---- names given twice

static void report_twice(const Scope *scope, DiagCode code, const char *what, const Name *name, Span again, Span first)
{
  Diag *diag = diag_error(scope->session, code, "%s `%s` is given twice", what, name->str.data);
  diag_primary(diag, again, "again here");
  diag_label(diag, first, "first here");
}

// The parameters of one function, in order, compared as they are looked at. Their number is small; where it is not,
// only the first ones are compared with the rest, which keeps the work linear.
enum { MOST_COMPARED = 500 };

typedef struct Seen {
  const Ast_arg *args[MOST_COMPARED];
  size_t count;
} Seen;

static void check_parameter(const Scope *scope, Seen *seen, const Ast_arg *arg)
{
  if (!arg)
    return;
  for (size_t i = 0; i < seen->count; i++)
    if (seen->args[i]->arg == arg->arg) {
      report_twice(scope, E_PARAMETER_TWICE, "the parameter", arg->arg, arg->span, seen->args[i]->span);
      break;
    }
  if (seen->count < MOST_COMPARED)
    seen->args[seen->count++] = arg;
  if (arg->annotation)
    check_expr(scope, arg->annotation);
}

static void check_exprs(const Scope *scope, ExprList list)
{
  for (uint32_t i = 0; i < list.count; i++)
    if (list.items[i])
      check_expr(scope, list.items[i]);
}

static void check_parameters(const Scope *scope, const Ast_arguments *args)
{
  Seen seen = {.count = 0};
  const ArgList lists[] = {args->posonlyargs, args->args, {(Ast_arg **)&args->vararg, 1}, args->kwonlyargs,
                           {(Ast_arg **)&args->kwarg, 1}};
  for (size_t k = 0; k < sizeof lists / sizeof *lists; k++)
    for (uint32_t i = 0; i < lists[k].count; i++)
      check_parameter(scope, &seen, lists[k].items[i]);
  check_exprs(scope, args->defaults);
  check_exprs(scope, args->kw_defaults);
}

static void check_keywords(const Scope *scope, KeywordList keywords)
{
  for (uint32_t i = 0; i < keywords.count; i++) {
    const Ast_keyword *keyword = keywords.items[i];
    check_expr(scope, keyword->value);
    for (uint32_t k = 0; keyword->arg && k < i && k < MOST_COMPARED; k++)
      if (keywords.items[k]->arg == keyword->arg) {
        report_twice(scope, E_ARGUMENT_TWICE, "the argument", keyword->arg, keyword->span, keywords.items[k]->span);
        break;
      }
  }
}

// ---- any node

static void check_fields(const Scope *scope, const AstNode *node, const void *self);

static void check_helpers(const Scope *scope, AstHelperKind kind, void *const *items, uint32_t count)
{
  for (uint32_t i = 0; i < count; i++)
    check_fields(scope, ast_helper_node(kind), items[i]);
}

static void check_fields(const Scope *scope, const AstNode *node, const void *self)
{
  for (uint32_t i = 0; i < node->field_count; i++) {
    const void *at = (const char *)self + node->fields[i].offset;
    const ExprList *list = at;  // all lists have this form
    switch ((int)node->fields[i].kind) {
    case AST_EXPR: case AST_OPT_EXPR:
      if (*(Expr *const *)at)
        check_expr(scope, *(Expr *const *)at);
      break;
    case AST_EXPRS: case AST_OPT_EXPRS: check_exprs(scope, *list); break;
    case AST_STMTS: check_stmts(scope, *(const StmtList *)at); break;
    case AST_KEYWORDS: check_keywords(scope, *(const KeywordList *)at); break;
    case AST_COMPREHENSIONS:
      check_helpers(scope, AST_HELPER_comprehension, (void *const *)list->items, list->count);
      break;
    case AST_HANDLERS:
      check_helpers(scope, AST_HELPER_ExceptHandler, (void *const *)list->items, list->count);
      break;
    case AST_WITH_ITEMS: check_helpers(scope, AST_HELPER_withitem, (void *const *)list->items, list->count); break;
    case AST_MATCH_CASES: check_helpers(scope, AST_HELPER_match_case, (void *const *)list->items, list->count); break;
    default: break;
    }
  }
}

// ---- expressions

static void check_expr(const Scope *scope, const Expr *e)
{
  switch ((ExprKind)e->kind) {
  case EXPR_Lambda: {
    check_parameters(scope, e->Lambda.args);
    Scope inner = {.session = scope->session, .in_function = true};
    check_expr(&inner, e->Lambda.body);
    return;
  }
  case EXPR_GeneratorExp: {  // may become an asynchronous one anywhere
    Scope inner = *scope;
    inner.in_async = true;
    check_fields(&inner, ast_expr_node(EXPR_GeneratorExp), e);
    return;
  }
  case EXPR_Yield: case EXPR_YieldFrom:
    if (!scope->in_function)
      report(scope, E_OUTSIDE, e->span, "not inside a function", "`yield` outside a function", NULL);
    break;
  case EXPR_Await:
    if (!scope->in_async)
      report(scope, E_OUTSIDE, e->span, "not inside an `async def`", "`await` outside an async function", NULL);
    break;
  default: break;
  }
  check_fields(scope, ast_expr_node((ExprKind)e->kind), e);
}

// ---- statements

static void check_function(const Scope *scope, const struct Stmt_FunctionDef *def, bool is_async)
{
  check_exprs(scope, def->decorator_list);
  check_parameters(scope, def->args);
  if (def->returns)
    check_expr(scope, def->returns);
  Scope inner = {.session = scope->session, .in_function = true, .in_async = is_async};
  check_stmts(&inner, def->body);
}

static void check_loop(const Scope *scope, StmtList body, StmtList orelse)
{
  Scope inner = *scope;
  inner.in_loop = true;
  check_stmts(&inner, body);
  check_stmts(scope, orelse);
}

// At most one star among the parts of a tuple or list that is assigned to, and none without such.
static void check_target(const Scope *scope, const Expr *target, bool is_part)
{
  if (target->kind == EXPR_Starred && !is_part)
    report(scope, E_STAR_TARGET, target->span, "takes what is left of a sequence",
           "a starred target must stand in a list or tuple", "add a comma: *rest, = values");
  if (target->kind != EXPR_Tuple && target->kind != EXPR_List)
    return;
  ExprList parts = target->kind == EXPR_Tuple ? target->Tuple.elts : target->List.elts;
  const Expr *star = NULL;
  for (uint32_t i = 0; i < parts.count; i++) {
    const Expr *part = parts.items[i];
    check_target(scope, part, true);
    if (part->kind != EXPR_Starred)
      continue;
    if (star) {
      Diag *diag = diag_error(scope->session, E_STAR_TARGET, "two starred targets in one assignment");
      diag_primary(diag, part->span, "only one can take what is left");
      diag_label(diag, star->span, "the first is here");
    }
    star = part;
  }
}

static void check_handlers(const Scope *scope, HandlerList handlers)
{
  for (uint32_t i = 0; i + 1 < handlers.count; i++)
    if (!handlers.items[i]->type)
      report(scope, E_STATEMENT_PART,
             (Span){handlers.items[i]->span.source, handlers.items[i]->span.start, handlers.items[i]->span.start + 6},
             "catches all, so those below would never be reached", "`except:` without a type must be the last", NULL);
}

static void check_stmt(const Scope *scope, const Stmt *s)
{
  switch ((StmtKind)s->kind) {
  case STMT_FunctionDef: check_function(scope, &s->FunctionDef, false); return;
  case STMT_AsyncFunctionDef: {
    const struct Stmt_AsyncFunctionDef *def = &s->AsyncFunctionDef;
    struct Stmt_FunctionDef same = {
        .args = def->args, .body = def->body, .decorator_list = def->decorator_list, .returns = def->returns};
    check_function(scope, &same, true);
    return;
  }
  case STMT_ClassDef: {
    check_exprs(scope, s->ClassDef.decorator_list);
    check_exprs(scope, s->ClassDef.bases);
    check_keywords(scope, s->ClassDef.keywords);
    Scope inner = {.session = scope->session, .in_class = true};
    check_stmts(&inner, s->ClassDef.body);
    return;
  }
  case STMT_For:
    check_target(scope, s->For.target, false);
    check_expr(scope, s->For.target);
    check_expr(scope, s->For.iter);
    check_loop(scope, s->For.body, s->For.orelse);
    return;
  case STMT_AsyncFor:
    check_target(scope, s->AsyncFor.target, false);
    check_expr(scope, s->AsyncFor.target);
    check_expr(scope, s->AsyncFor.iter);
    check_loop(scope, s->AsyncFor.body, s->AsyncFor.orelse);
    return;
  case STMT_While:
    check_expr(scope, s->While.test);
    check_loop(scope, s->While.body, s->While.orelse);
    return;
  case STMT_Return:
    if (!scope->in_function)
      report(scope, E_OUTSIDE, s->span, "not inside a function", "`return` outside a function", NULL);
    break;
  case STMT_Break:
    if (!scope->in_loop)
      report(scope, E_OUTSIDE, s->span, "not inside a loop", "`break` outside a loop", NULL);
    break;
  case STMT_Continue:
    if (!scope->in_loop)
      report(scope, E_OUTSIDE, s->span, "not inside a loop", "`continue` outside a loop", NULL);
    break;
  case STMT_Nonlocal:
    if (!scope->in_function && !scope->in_class)
      report(scope, E_OUTSIDE, s->span, "not inside a function", "`nonlocal` outside a function", NULL);
    break;
  case STMT_Assign:
    for (uint32_t i = 0; i < s->Assign.targets.count; i++)
      check_target(scope, s->Assign.targets.items[i], false);
    break;
  case STMT_Try: check_handlers(scope, s->Try.handlers); break;
  default: break;
  }
  check_fields(scope, ast_stmt_node((StmtKind)s->kind), s);
}

static void check_stmts(const Scope *scope, StmtList body)
{
  for (uint32_t i = 0; i < body.count; i++)
    check_stmt(scope, body.items[i]);
}

bool check_module(Session *session, const Module *module)
{
  size_t error_count = session->error_count;
  Scope scope = {.session = session};
  check_stmts(&scope, module->body);
  return session->error_count == error_count;
}

#include "syntax/ast.h"

#include <stddef.h>

// One function per node that returns its description; the tables at the end find it by kind.

#define NODE(prefix, Struct, base)                                                                                     \
  static const AstNode *prefix(void)                                                                                   \
  {                                                                                                                    \
    typedef struct Struct Self;                                                                                        \
    enum { BASE = base };                                                                                              \
    static const AstField fields[] = {

#define EXPR(name) NODE(expr_##name, Expr_##name, offsetof(Expr, name))
#define STMT(name) NODE(stmt_##name, Stmt_##name, offsetof(Stmt, name))
#define PATTERN(name) NODE(pattern_##name, Pattern_##name, offsetof(Pattern, name))
#define TYPE_PARAM(name) NODE(type_param_##name, TypeParam_##name, offsetof(TypeParam, name))
#define HELPER(name) NODE(helper_##name, Ast_##name, 0)
#define HELPER_PLACELESS(name) NODE(helper_##name, Ast_##name, 0)
#define FIELD(name, kind) {#name, AST_##kind, (uint16_t)(BASE + offsetof(Self, name)), 0},
#define FIELD_SINCE(name, kind, minor) {#name, AST_##kind, (uint16_t)(BASE + offsetof(Self, name)), minor},
#define END(name)                                                                                                      \
  }                                                                                                                    \
  ;                                                                                                                    \
  static const AstNode node = {#name, fields, sizeof fields / sizeof *fields, BASE + sizeof(Self)};                    \
  return &node;                                                                                                        \
  }
#include "syntax/ast.def"

#define STMT_PLAIN(name)                                                                                               \
  static const AstNode *stmt_##name(void)                                                                              \
  {                                                                                                                    \
    static const AstNode node = {#name, NULL, 0, offsetof(Stmt, cache) + sizeof(void *)};                              \
    return &node;                                                                                                      \
  }
#include "syntax/ast.def"

static const AstNode *expr_Error(void)
{
  static const AstNode node = {"Error", NULL, 0, offsetof(Expr, cache) + sizeof(void *)};
  return &node;
}

static const AstNode *stmt_Error(void)
{
  static const AstNode node = {"Error", NULL, 0, offsetof(Stmt, cache) + sizeof(void *)};
  return &node;
}

typedef const AstNode *NodeFn(void);

const AstNode *ast_expr_node(ExprKind kind)
{
  static NodeFn *const nodes[] = {
#define EXPR(name) [EXPR_##name] = expr_##name,
#include "syntax/ast.def"
      [EXPR_Error] = expr_Error,
  };
  return nodes[kind]();
}

const AstNode *ast_stmt_node(StmtKind kind)
{
  static NodeFn *const nodes[] = {
#define STMT(name) [STMT_##name] = stmt_##name,
#define STMT_PLAIN(name) [STMT_##name] = stmt_##name,
#include "syntax/ast.def"
      [STMT_Error] = stmt_Error,
  };
  return nodes[kind]();
}

const AstNode *ast_pattern_node(PatternKind kind)
{
  static NodeFn *const nodes[] = {
#define PATTERN(name) [PATTERN_##name] = pattern_##name,
#include "syntax/ast.def"
  };
  return nodes[kind]();
}

const AstNode *ast_type_param_node(TypeParamKind kind)
{
  static NodeFn *const nodes[] = {
#define TYPE_PARAM(name) [TYPE_PARAM_##name] = type_param_##name,
#include "syntax/ast.def"
  };
  return nodes[kind]();
}

const AstNode *ast_helper_node(AstHelperKind kind)
{
  static NodeFn *const nodes[] = {
#define HELPER(name) [AST_HELPER_##name] = helper_##name,
#define HELPER_PLACELESS(name) [AST_HELPER_##name] = helper_##name,
#include "syntax/ast.def"
  };
  return nodes[kind]();
}

const char *ast_operator_name(Operator op)
{
  static const char *const names[] = {"Add",    "Sub",    "Mult",  "MatMult", "Div",    "Mod",     "Pow",
                                      "LShift", "RShift", "BitOr", "BitXor",  "BitAnd", "FloorDiv"};
  return names[op];
}

const char *ast_cmp_op_name(CmpOp op)
{
  static const char *const names[] = {"Eq", "NotEq", "Lt", "LtE", "Gt", "GtE", "Is", "IsNot", "In", "NotIn"};
  return names[op];
}

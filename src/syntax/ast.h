// ast.h -- the tree of a Python source, node by node as CPython's `ast` module names them.
//
// Nodes live in the arena the parser was given and are never copied by value: each is allocated only as large as its
// kind needs. Read a payload through the member of the same name after looking at `kind`:
//
//   case EXPR_BinOp: visit(e->BinOp.left); ...

#pragma once
#include "base/session.h"

typedef struct Expr Expr;
typedef struct Stmt Stmt;
typedef struct Pattern Pattern;
typedef struct TypeParam TypeParam;
typedef struct Ast_comprehension Ast_comprehension;
typedef struct Ast_ExceptHandler Ast_ExceptHandler;
typedef struct Ast_arguments Ast_arguments;
typedef struct Ast_arg Ast_arg;
typedef struct Ast_keyword Ast_keyword;
typedef struct Ast_alias Ast_alias;
typedef struct Ast_withitem Ast_withitem;
typedef struct Ast_match_case Ast_match_case;

typedef enum BoolOp { BOOL_OP_And, BOOL_OP_Or } BoolOp;
typedef enum Operator {
  OPERATOR_Add, OPERATOR_Sub, OPERATOR_Mult, OPERATOR_MatMult, OPERATOR_Div, OPERATOR_Mod, OPERATOR_Pow,
  OPERATOR_LShift, OPERATOR_RShift, OPERATOR_BitOr, OPERATOR_BitXor, OPERATOR_BitAnd, OPERATOR_FloorDiv
} Operator;
typedef enum UnaryOp { UNARY_OP_Invert, UNARY_OP_Not, UNARY_OP_UAdd, UNARY_OP_USub } UnaryOp;
typedef enum CmpOp {
  CMP_OP_Eq, CMP_OP_NotEq, CMP_OP_Lt, CMP_OP_LtE, CMP_OP_Gt, CMP_OP_GtE, CMP_OP_Is, CMP_OP_IsNot, CMP_OP_In,
  CMP_OP_NotIn
} CmpOp;
typedef enum Context { CONTEXT_Load, CONTEXT_Store, CONTEXT_Del } Context;

typedef enum ConstantKind {
  CONSTANT_NONE, CONSTANT_FALSE, CONSTANT_TRUE, CONSTANT_ELLIPSIS, CONSTANT_INT, CONSTANT_BIG_INT, CONSTANT_FLOAT,
  CONSTANT_COMPLEX, CONSTANT_STR, CONSTANT_BYTES
} ConstantKind;

typedef struct Constant {
  ConstantKind kind;
  union {
    int64_t integer;  // CONSTANT_INT
    Str text;         // STR: UTF-8, lone surrogates as three bytes; BYTES: raw; BIG_INT: digits with 0x/0o/0b prefix
                      // when not decimal, underscores removed
    double real;      // FLOAT; COMPLEX: the imaginary part
  };
} Constant;

#define AST_LIST(Type, Name)                                                                                           \
  typedef struct Name {                                                                                                \
    Type *items;                                                                                                       \
    uint32_t count;                                                                                                    \
  } Name
AST_LIST(Expr *, ExprList);  // OPT_EXPRS: items may be NULL
AST_LIST(Stmt *, StmtList);
AST_LIST(Pattern *, PatternList);
AST_LIST(TypeParam *, TypeParamList);
AST_LIST(Ast_comprehension *, ComprehensionList);
AST_LIST(Ast_ExceptHandler *, HandlerList);
AST_LIST(Ast_arg *, ArgList);
AST_LIST(Ast_keyword *, KeywordList);
AST_LIST(Ast_alias *, AliasList);
AST_LIST(Ast_withitem *, WithItemList);
AST_LIST(Ast_match_case *, MatchCaseList);
AST_LIST(const Name *, IdentList);
AST_LIST(CmpOp, CmpOpList);

// The C type of each field kind of ast.def.
typedef Expr *AstField_EXPR;
typedef Expr *AstField_OPT_EXPR;
typedef ExprList AstField_EXPRS;
typedef ExprList AstField_OPT_EXPRS;
typedef StmtList AstField_STMTS;
typedef Pattern *AstField_PATTERN;
typedef Pattern *AstField_OPT_PATTERN;
typedef PatternList AstField_PATTERNS;
typedef TypeParamList AstField_TYPE_PARAMS;
typedef ComprehensionList AstField_COMPREHENSIONS;
typedef HandlerList AstField_HANDLERS;
typedef Ast_arguments *AstField_ARGUMENTS;
typedef ArgList AstField_ARGS;
typedef Ast_arg *AstField_OPT_ARG;
typedef KeywordList AstField_KEYWORDS;
typedef AliasList AstField_ALIASES;
typedef WithItemList AstField_WITH_ITEMS;
typedef MatchCaseList AstField_MATCH_CASES;
typedef const Name *AstField_IDENT;
typedef const Name *AstField_OPT_IDENT;
typedef IdentList AstField_IDENTS;
typedef const char *AstField_OPT_TEXT;  // NULL: absent
typedef int AstField_INT;
typedef Constant AstField_CONSTANT;
typedef BoolOp AstField_BOOL_OP;
typedef Operator AstField_OPERATOR;
typedef UnaryOp AstField_UNARY_OP;
typedef CmpOpList AstField_CMP_OPS;
typedef Context AstField_CONTEXT;

typedef enum AstFieldKind {
  AST_EXPR, AST_OPT_EXPR, AST_EXPRS, AST_OPT_EXPRS, AST_STMTS, AST_PATTERN, AST_OPT_PATTERN, AST_PATTERNS,
  AST_TYPE_PARAMS, AST_COMPREHENSIONS, AST_HANDLERS, AST_ARGUMENTS, AST_ARGS, AST_OPT_ARG, AST_KEYWORDS, AST_ALIASES,
  AST_WITH_ITEMS, AST_MATCH_CASES, AST_IDENT, AST_OPT_IDENT, AST_IDENTS, AST_OPT_TEXT, AST_INT, AST_CONSTANT,
  AST_BOOL_OP, AST_OPERATOR, AST_UNARY_OP, AST_CMP_OPS, AST_CONTEXT
} AstFieldKind;

// Kinds. EXPR_Error and STMT_Error stand where the parser reported an error; later stages pass over them in silence.
typedef enum ExprKind {
#define EXPR(name) EXPR_##name,
#include "syntax/ast.def"
  EXPR_Error,
  EXPR_KIND_COUNT
} ExprKind;

typedef enum StmtKind {
#define STMT(name) STMT_##name,
#define STMT_PLAIN(name) STMT_##name,
#include "syntax/ast.def"
  STMT_Error,
  STMT_KIND_COUNT
} StmtKind;

typedef enum PatternKind {
#define PATTERN(name) PATTERN_##name,
#include "syntax/ast.def"
  PATTERN_KIND_COUNT
} PatternKind;

typedef enum TypeParamKind {
#define TYPE_PARAM(name) TYPE_PARAM_##name,
#include "syntax/ast.def"
  TYPE_PARAM_KIND_COUNT
} TypeParamKind;

typedef enum AstHelperKind {
#define HELPER(name) AST_HELPER_##name,
#define HELPER_PLACELESS(name) AST_HELPER_##name,
#include "syntax/ast.def"
  AST_HELPER_KIND_COUNT
} AstHelperKind;

// Payloads: struct Expr_BinOp, Stmt_If, Pattern_MatchAs, TypeParam_TypeVar, Ast_arg, ...
#define EXPR(name) struct Expr_##name {
#define STMT(name) struct Stmt_##name {
#define PATTERN(name) struct Pattern_##name {
#define TYPE_PARAM(name) struct TypeParam_##name {
#define HELPER(name) struct Ast_##name { Span span;
#define HELPER_PLACELESS(name) struct Ast_##name { Span span;  // for our messages; `ast` gives these no place
#define FIELD(name, kind) AstField_##kind name;
#define FIELD_SINCE(name, kind, minor) AstField_##kind name;
#define END(name) };
#include "syntax/ast.def"

struct Expr {
  uint16_t kind;   // ExprKind
  uint16_t flags;  // free for the stage that walks the tree
  Span span;
  void *cache;  // the tracer's: a resolved slot, a bound call, a constant's value
  union {
#define EXPR(name) struct Expr_##name name;
#include "syntax/ast.def"
  };
};

struct Stmt {
  uint16_t kind;  // StmtKind
  uint16_t flags;
  Span span;
  void *cache;
  union {
#define STMT(name) struct Stmt_##name name;
#include "syntax/ast.def"
  };
};

struct Pattern {
  uint16_t kind;  // PatternKind
  Span span;
  union {
#define PATTERN(name) struct Pattern_##name name;
#include "syntax/ast.def"
  };
};

struct TypeParam {
  uint16_t kind;  // TypeParamKind
  Span span;
  union {
#define TYPE_PARAM(name) struct TypeParam_##name name;
#include "syntax/ast.def"
  };
};

typedef struct Comment {
  Span span;
} Comment;

typedef struct Module {
  Source *source;
  StmtList body;
  const char *docstring;  // NULL: none
  Comment *comments;      // in source order
  uint32_t comment_count;
  bool has_errors;  // diagnostics were reported; the tree holds error nodes
  int minor_version;  // the oldest Python 3.x, from 3.9 on, that has all the syntax the text uses
} Module;

// What generic code walks.
typedef struct AstField {
  const char *name;
  AstFieldKind kind;
  uint16_t offset;  // in the node
  uint8_t since;    // minor version of Python 3, 0: always there
} AstField;

typedef struct AstNode {
  const char *name;
  const AstField *fields;
  uint32_t field_count;
  uint32_t bytes;  // how much of the node is allocated
} AstNode;

const AstNode *ast_expr_node(ExprKind kind);
const AstNode *ast_stmt_node(StmtKind kind);
const AstNode *ast_pattern_node(PatternKind kind);
const AstNode *ast_type_param_node(TypeParamKind kind);
const AstNode *ast_helper_node(AstHelperKind kind);
const char *ast_operator_name(Operator op);  // "Add"
const char *ast_cmp_op_name(CmpOp op);       // "NotEq"

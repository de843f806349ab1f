// scope.h -- which variable a name is, decided once before a module runs, as CPython's symbol table does.
//
// Locals are slots of the frame. A local that an inner function uses is a cell in its slot. Comprehensions have scopes of
// their own but live in the frame around them, in hidden slots.

#pragma once
#include "trace/tracer.h"

typedef enum NameKind {
  NAME_UNRESOLVED,
  NAME_LOCAL,   // slots[index]
  NAME_CELL,    // the cell in slots[index]
  NAME_GLOBAL,  // the module's table, then builtins
  NAME_CLASS,   // the class body's table, then NAME_GLOBAL
  NAME_CLASS_CELL  // the class body's table, then the cell in slots[index]
} NameKind;

// Name expressions hold a binding: the kind in `flags`, this in `cache`: for globals the entry in the module's table (low
// half) and in the table of builtins (high half, plus one; 0: none); for the others the slot.
#define NAME_INDEX(expr) ((uint32_t)(uintptr_t)(expr)->cache)

typedef struct Binding {
  NameKind kind;
  uint32_t index;
} Binding;

typedef enum CodeKind { CODE_MODULE, CODE_CLASS, CODE_FUNCTION, CODE_LAMBDA } CodeKind;

typedef struct FreeVariable {
  uint32_t outer_slot;  // of the frame that makes the function
  uint32_t slot;
} FreeVariable;

typedef struct CodeSymbol {
  const Name *name;
  Binding binding;
} CodeSymbol;

// Slots: positional-only, positional, keyword-only parameters, *args, **kwargs, other locals, free variables.
struct FunctionCode {
  CodeKind kind;
  const Name *name;
  const char *qualname;
  Span span;
  const Ast_arguments *args;  // functions and lambdas
  StmtList body;
  Expr *lambda_body;
  const Name **slot_names;
  Expr **annotations;  // of parameters
  Span *parameter_spans;
  uint32_t slot_count;
  uint32_t positional_only, positional, keyword_only;  // `positional` counts the positional-only ones too
  int rest_slot, keyword_rest_slot;                    // -1: none
  uint32_t *cells;                                     // slots that are cells from the start (parameters among them)
  uint32_t cell_count;
  FreeVariable *frees;
  uint32_t free_count;
  CodeSymbol *symbols;  // every name bound in the body, for statements that bind without a Name expression
  uint32_t symbol_count;
  bool is_generator, is_async;
  struct FunctionCode *outer;
};

// What a comprehension's `cache` points to: the hidden slots that must be fresh cells at each evaluation.
typedef struct ComprehensionCode {
  uint32_t *cells;
  uint32_t cell_count;
  uint32_t *slots;
  uint32_t slot_count;
} ComprehensionCode;

// Resolves a whole module; `globals` and the builtins' table get an entry for every global name. Statements and
// expressions that make functions or classes have their code in `cache`.
FunctionCode *scope_resolve_module(Tracer *t, const Module *module, AttrTable *globals, const Name *name);
FunctionCode *scope_resolve_expression(Tracer *t, Expr *expr, AttrTable *globals);

// The variable that `name` is in `code` when a statement binds it (import, def, class, except, match).
Binding scope_binding(const FunctionCode *code, const Name *name);

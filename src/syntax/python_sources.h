// python_sources.h -- the modules of gathered sources: what their names mean, and what a kernel refers to.

#pragma once
#include "base/map.h"
#include "serde/gathered.h"
#include "syntax/ast.h"

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

static inline Str ident(const Name *name)
{
  return name->str;
}

// Parses every module and notes what it binds. False after reporting.
bool sources_load(PythonAst *p);
// What `name` means at the top level of `module`, imports followed; NULL: nothing that the sources define. What is
// imported from elsewhere stays a BINDING_FROM.
const Binding *sources_resolve(PythonAst *p, SourceModule *module, Str name, int hops);
// Notes what `e` refers to; the name that stands for it, or NULL to keep it.
const char *sources_follow(PythonAst *p, const Expr *e);
// Makes the binding an item of the kernel, under this name.
void sources_want(PythonAst *p, const char *name, const Binding *binding);
SourceModule *sources_find_module(PythonAst *p, Str name);
// "a.b"
const char *sources_join_names(PythonAst *p, Str a, Str b);

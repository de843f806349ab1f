// eval_internal.h -- what the files of the evaluator share.

#pragma once
#include "trace/eval.h"
#include "trace/module.h"
#include "trace/object.h"
#include "trace/ops.h"

bool eval_import(Tracer *t, Frame *frame, const Stmt *stmt);
bool eval_comprehension(Tracer *t, Frame *frame, const Expr *expr, Value *out);
bool eval_class_def(Tracer *t, Frame *frame, const Stmt *stmt);
Completion eval_try(Tracer *t, Frame *frame, const Stmt *stmt);
Completion eval_with(Tracer *t, Frame *frame, const Stmt *stmt);
Completion eval_match(Tracer *t, Frame *frame, const Stmt *stmt);
bool eval_raise(Tracer *t, Frame *frame, const Stmt *stmt);
// The value of `module.name` when it stands ready in the module's table; NULL: read it with op_getattr. `expr` remembers
// where the name was found last.
const Value *module_value(ModuleObject *module, const Expr *expr);
bool eval_truth(Tracer *t, Frame *frame, const Expr *expr, bool *out);

// Binds a name that has no expression of its own (def, class, import, except, match).
bool bind_name(Tracer *t, Frame *frame, const Name *name, Value value, Span span);
// A name as a bare expression statement of `frame` would read it; MISSING when it is nowhere.
Outcome global_value(Tracer *t, ModuleObject *module, const Name *name, uint32_t index, uint32_t builtin, Span span,
                     Value *out);
// Warns that the vendor's compiler refuses what stands at `span`, when a kernel's own code is being traced.
void warn_syntax(Tracer *t, const Frame *frame, Span span, const char *what);
// One step of work: false after raising when the limit is reached.
bool count_step(Tracer *t, Span span);
// Puts an imported name whose module was not needed until now into place.
bool resolve_lazy(Tracer *t, Value *place, Span span);
// Raises because an opaque value is used.
bool raise_opaque(Tracer *t, Value value, Span span, const char *use);
// `text` with everything beyond ASCII written as escapes.
Str ascii_text(Tracer *t, Str text);
// Whether module or class bodies are running, where unknown things may be computed with and stay unknown.
bool is_module_level(const Tracer *t);

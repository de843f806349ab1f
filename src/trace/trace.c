#include "trace/trace.h"

#include "syntax/parser.h"
#include "trace/eval_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// ---- kernels as values

static Outcome kernel_call(Tracer *t, Value self, const Call *call, Value *out)
{
  return call_value(t, ((KernelObject *)self.object)->function, call, out) ? OUTCOME_OK : OUTCOME_ERROR;
}

static Outcome kernel_getitem(Tracer *t, Value self, Value key, Span span, Value *out)
{
  int64_t lnc;
  Value first = key;
  if (key.tag == VALUE_TUPLE && key.tuple->count == 1)
    first = key.tuple->items[0];
  if (!value_as_int(first, &lnc))
    return RAISE_OUTCOME(t, E_TYPE, span, "'kernel[lnc]' takes the number of logical cores, not '%s'",
                         value_type_name(t, key));
  if (lnc < 1)
    return RAISE_OUTCOME(t, E_VALUE, span, "'kernel[%lld]': the number of logical cores is at least 1", (long long)lnc);
  const KernelObject *kernel = (const KernelObject *)self.object;
  *out = value_kernel(t, kernel->function, lnc);
  ((KernelObject *)out->object)->schedule = kernel->schedule;
  return OUTCOME_OK;
}

static Outcome kernel_getattr(Tracer *t, Value self, const Name *name, Span span, Value *out)
{
  if (name == t->builtins->__wrapped__ || str_is(name->str, "func")) {
    *out = ((KernelObject *)self.object)->function;
    return OUTCOME_OK;
  }
  return op_find_attr(t, ((KernelObject *)self.object)->function, name, span, out);
}

static void kernel_repr(Tracer *t, Value self, StrBuf *out)
{
  Value function = ((KernelObject *)self.object)->function;
  (void)t;
  strbuf_printf(out, "<kernel %s>", function.tag == VALUE_FUNCTION ? function.function->qualname : "?");
}

static bool kernel_with_schedule(Tracer *t, const Call *call, Value *out)
{
  const KernelObject *kernel = (const KernelObject *)call->self.object;
  const Schedule *schedule;
  if (!schedule_read(t, call->args[0], kernel->schedule, call->span, &schedule))
    return false;
  *out = value_kernel(t, kernel->function, kernel->lnc);
  ((KernelObject *)out->object)->schedule = schedule;
  return true;
}

static const NativeMethod kernel_methods[] = {{"with_schedule", kernel_with_schedule, "edges"}, {0}};

const NativeType kernel_type = {
  .name = "Kernel", .methods = kernel_methods, .call = kernel_call, .getitem = kernel_getitem, .getattr = kernel_getattr, .repr = kernel_repr,
};

Value value_kernel(Tracer *t, Value function, int64_t lnc)
{
  KernelObject *kernel = arena_new(&t->arena, KernelObject);
  *kernel = (KernelObject){{&kernel_type}, function, lnc, NULL};
  return value_object(VALUE_OBJECT, &kernel->head);
}

static Function *plain_function(Value value)
{
  while (value_is_native(value) && value.object->type == &kernel_type)
    value = ((KernelObject *)value.object)->function;
  return value.tag == VALUE_FUNCTION ? value.function : NULL;
}

// ---- files

static bool exists(const char *path)
{
  struct stat info;
  return stat(path, &info) == 0;
}

// A file inside packages is the module a.b.name, and the search begins where the outermost package lies.
static const char *place_in_packages(Tracer *t, const char *path, const char **root)
{
  const char *slash = strrchr(path, '/');
  Str folder = slash ? (Str){path, (size_t)(slash - path)} : STR("");
  const char *stem = slash ? slash + 1 : path;
  size_t stem_len = strlen(stem);
  if (str_ends_with(str_from(stem), ".py"))
    stem_len -= 3;
  const char *name = arena_strndup(&t->arena, stem, stem_len);
  while (folder.len && exists(arena_printf(&t->arena, "%.*s/__init__.py", STR_ARG(folder)))) {
    size_t start = folder.len;
    while (start > 0 && folder.data[start - 1] != '/')
      start--;
    Str last = {folder.data + start, folder.len - start};
    if (last.len == 0 || str_is(last, ".") || str_is(last, ".."))
      break;
    name = arena_printf(&t->arena, "%.*s.%s", STR_ARG(last), name);
    folder.len = start ? start - 1 : 0;
    if (start == 0)
      break;
  }
  *root = folder.len ? arena_strndup(&t->arena, folder.data, folder.len) : slash == path ? "/" : ".";
  return name;
}

const char *trace_enter(Tracer *t, const char *path)
{
  const char *root;
  const char *name = place_in_packages(t, path, &root);
  module_add_path_first(t, root);
  return name;
}

ModuleObject *trace_load(Tracer *t, const char *path)
{
  const char *name = trace_enter(t, path);
  ModuleObject *known = module_find(t, str_from(name));
  if (known && strcmp(known->path, path) == 0)
    return module_run(t, known, (Span){0}) ? known : NULL;
  return module_load_file(t, path, known ? arena_printf(&t->arena, "%s ", name) : name);
}

ModuleObject *trace_load_text(Tracer *t, const char *path, Str text)
{
  const char *name = trace_enter(t, path);
  module_add_source(t, name, false, text, path);
  ModuleObject *module = module_find(t, str_from(name));
  return module && module_run(t, module, (Span){0}) ? module : NULL;
}

KernelEntries trace_kernels(Tracer *t, ModuleObject *module)
{
  Vec(KernelEntry) kernels = {0}, functions = {0};
  for (uint32_t i = 0; i < module->attrs.count; i++) {
    Value value = module->attrs.items[i].value;
    Function *function = plain_function(value);
    if (!function || function->module != module)
      continue;
    KernelEntry entry = {module->attrs.items[i].name, value};
    if (value_is_native(value))
      vec_push(&t->arena, &kernels, entry);
    else
      vec_push(&t->arena, &functions, entry);
  }
  if (kernels.count)
    return (KernelEntries){kernels.items, kernels.count};
  return (KernelEntries){functions.items, functions.count};
}

bool trace_find_kernel(Tracer *t, ModuleObject *module, const char *name, KernelEntry *out)
{
  KernelEntries entries = trace_kernels(t, module);
  const char **names = arena_array(&t->arena, const char *, entries.count);
  StrBuf list = strbuf_new(&t->arena);
  for (size_t i = 0; i < entries.count; i++) {
    names[i] = entries.items[i].name->str.data;
    strbuf_printf(&list, "%s%s", i ? ", " : "", names[i]);
  }
  if (name) {
    const Name *wanted = tracer_name(t, name);
    Value value;
    Outcome found = module_getattr(t, module, wanted, (Span){0}, &value);
    if (found == OUTCOME_ERROR)
      return false;
    if (found == OUTCOME_OK && value.tag == VALUE_OPAQUE)
      return raise_opaque(t, value, value.opaque->origin, "called");
    if (found == OUTCOME_OK && plain_function(value)) {
      *out = (KernelEntry){wanted, value};
      return true;
    }
    Diag *diag = diag_error(t->session, E_KERNEL_UNKNOWN, "`%s` has no kernel `%s`", module->path, name);
    diag_suggest(diag, str_from(name), names, entries.count);
    if (entries.count)
      diag_help(diag, "it has: %s", strbuf_cstr(&list));
    return false;
  }
  if (entries.count == 1) {
    *out = entries.items[0];
    return true;
  }
  Diag *diag = diag_error(t->session, E_KERNEL_UNKNOWN,
                          entries.count ? "`%s` has several kernels" : "`%s` has no function marked with `@nki.jit`",
                          module->path);
  for (uint32_t i = 0; i < module->attrs.count && !entries.count; i++)
    if (module->attrs.items[i].value.tag == VALUE_OPAQUE && module->attrs.items[i].value.opaque->reason)
      diag_label(diag, module->attrs.items[i].value.opaque->reason->primary.span, "`%s` could not be evaluated: %s",
                 module->attrs.items[i].name->str.data, module->attrs.items[i].value.opaque->reason->message);
  if (entries.count)
    diag_help(diag, "name one of them as %s:KERNEL: %s", module->path, strbuf_cstr(&list));
  return false;
}

// ---- calling

Parameters trace_parameters(Tracer *t, Value value)
{
  Function *function = plain_function(value);
  if (!function)
    return (Parameters){0};
  const FunctionCode *code = function->code;
  const Ast_arguments *args = code->args;
  Vec(Parameter) list = {0};
  for (uint32_t i = 0; i < code->positional + code->keyword_only; i++) {
    const Ast_arg *arg = i < args->posonlyargs.count ? args->posonlyargs.items[i]
                         : i < code->positional      ? args->args.items[i - args->posonlyargs.count]
                                                     : args->kwonlyargs.items[i - code->positional];
    bool optional = i < code->positional ? i + function->default_count >= code->positional
                                         : value_is_set(function->keyword_defaults[i - code->positional]);
    vec_push(&t->arena, &list, ((Parameter){.name = code->slot_names[i], .has_default = optional,
                                            .keyword_only = i >= code->positional, .span = arg->span}));
  }
  if (args->vararg)
    vec_push(&t->arena, &list, ((Parameter){.name = args->vararg->arg, .has_default = true, .rest = true,
                                            .span = args->vararg->span}));
  if (args->kwarg)
    vec_push(&t->arena, &list, ((Parameter){.name = args->kwarg->arg, .has_default = true, .keyword_rest = true,
                                            .span = args->kwarg->span}));
  return (Parameters){list.items, list.count};
}

bool trace_call(Tracer *t, Value function, const Name *const *names, const Value *values, size_t positional, size_t count,
                Value *out)
{
  Function *plain = plain_function(function);
  Call call = {.args = values, .positional = (uint32_t)positional, .keyword_count = (uint32_t)(count - positional),
               .keywords = names ? names + positional : NULL};
  if (plain)
    t->here = (Span){plain->span.source, plain->span.start, plain->span.start};
  return call_value(t, function, &call, out);
}

// Modules that an expression may name as kernels usually do: mx_dtype=nl.float8_e4m3fn_x4. Run only when it does.
static bool give_modules(Tracer *t, const char *text, Span span, ModuleObject *module)
{
  static const struct { const char *name, *module; } given[] = {{"nl", "nki.language"}, {"nisa", "nki.isa"}};
  for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
    ModuleObject *found = strstr(text, given[i].name) ? module_find(t, str_from(given[i].module)) : NULL;
    if (found && !module_run(t, found, span))
      return false;
    if (found)
      module_set(t, module, given[i].name, (Value){.tag = VALUE_MODULE, .module = found});
  }
  return true;
}

bool trace_eval_text(Tracer *t, const char *description, const char *text, Value *out)
{
  Source *source = session_add_source(t->session, description, str_from(text));
  Expr *expr = parse_expression(t->session, &t->arena, source);
  if (expr->kind == EXPR_Error)
    return false;
  ModuleObject *module = arena_new(&t->arena, ModuleObject);
  module->name = tracer_name(t, description);
  module->path = description;
  module->state = MODULE_READY;
  if (!give_modules(t, text, expr->span, module))
    return false;
  const FunctionCode *code = scope_resolve_expression(t, expr, &module->attrs);
  Value *slots = stack_reserve(t, code->slot_count, expr->span);
  if (!slots)
    return false;
  Frame frame = {.caller = t->frame, .code = code, .module = module, .id = ++t->frame_count,
                 .names = &module->attrs, .slots = slots};
  t->frame = &frame;
  t->here = expr->span;
  bool ok = eval_expr(t, &frame, expr, out);
  t->frame = frame.caller;
  stack_release(t, slots);
  return ok;
}

bool trace_run_script(Tracer *t, const char *path)
{
  const char *slash = strrchr(path, '/');
  t->is_script = true;
  module_add_path_first(t, slash ? arena_strndup(&t->arena, path, (size_t)(slash - path)) : ".");
  if (module_load_file(t, path, "__main__"))
    return true;
  if (!exception_matches(t, "SystemExit"))
    return false;
  Value exception = catch_exception(t);
  Value *args = attr_find(&exception.instance->attrs, t->builtins->args);
  Value code = args && args->tuple->count ? args->tuple->items[0] : value_none();
  return code.tag == VALUE_NONE || (code.tag == VALUE_INT && code.integer == 0);
}

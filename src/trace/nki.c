// nki.c -- module `_klr`: what the NKI library, written in NKI, is made of; and how a tracer gets to know it.

#include "machine/gaps.h"
#include "machine/rule_list.h"
#include "trace/builder.h"

#include <string.h>

// ---- logical cores

static bool axis_zero(Tracer *t, const Call *call, const char *what)
{
  int64_t axis = 0;
  Builder *b = builder_need(t, what, call->span);
  if (!b)
    return false;
  if (!value_is_set(call->args[0]) || call->args[0].tag == VALUE_NONE)
    return true;
  if (value_as_int(call->args[0], &axis) && axis == 0)
    return true;
  return RAISE(t, E_ISA_ARGUMENT, user_span(t, call->span), "%s of axis %s; the grid of logical cores has axis 0 only",
               what, describe(t, call->args[0]));
}

bool klr_program_id(Tracer *t, const Call *call, Value *out)
{
  if (!axis_zero(t, call, "'nl.program_id'"))
    return false;
  *out = value_int(builder_of(t)->core);
  return true;
}

bool klr_num_programs(Tracer *t, const Call *call, Value *out)
{
  if (!axis_zero(t, call, "'nl.num_programs'"))
    return false;
  *out = value_int(builder_of(t)->cores);
  return true;
}

bool klr_program_ndim(Tracer *t, const Call *call, Value *out)
{
  Builder *b = builder_need(t, "'nl.program_ndim'", call->span);
  *out = value_int(b && b->has_grid ? 1 : 0);
  return b != NULL;
}

bool klr_jit(Tracer *t, const Call *call, Value *out)
{
  *out = value_kernel(t, call->args[0], 0);
  return true;
}

// ---- help for the library

bool klr_kind(Tracer *t, const Call *call, Value *out)
{
  Value value = call->args[0];
  DType dtype;
  Memory memory;
  double number;
  const char *kind = value.tag == VALUE_TENSOR                       ? "tensor"
                     : value_is_register(value)                      ? "register"
                     : value_is_dtype(value, &dtype)                 ? "dtype"
                     : read_memory(value, &memory)                   ? "memory"
                     : value_as_double(value_unwrap(value), &number) ? "number"
                                                                     : value_type_name(t, value);
  *out = value_cstr(t, kind);
  return true;
}

bool klr_error(Tracer *t, const Call *call, Value *out)
{
  const char *function = library_function(t);
  (void)out;
  Diag *diag = raise_error(t, E_ISA_ARGUMENT, user_span(t, call->span), "%s%s%s%s", function ? "'" : "",
                           function ? function : "", function ? "': " : "", call->args[0].string->text.data);
  if (value_is_set(call->args[1]))
    diag_help(diag, "%s", call->args[1].string->text.data);
  if (value_is_set(call->args[2]))
    nki_cite(t, diag, call->args[2].string->text.data);
  return false;
}

bool klr_describe(Tracer *t, const Call *call, Value *out)
{
  *out = value_cstr(t, describe(t, call->args[0]));
  return true;
}

// What the documents leave open: an error that names the gap, or in a lenient session a warning, and the caller goes on.
bool klr_unspecified(Tracer *t, const Call *call, Value *out)
{
  const char *function = library_function(t), *text = call->args[1].string->text.data;
  Gap gap;
  *out = value_none();
  if (!gap_find(call->args[0].string->text, &gap))
    return RAISE(t, E_ISA_ARGUMENT, user_span(t, call->span), "no gap '%s'", call->args[0].string->text.data);
  bool is_error = !t->session->lenient;
  const char *name = function ? function : "nki";
  Diag *diag = is_error ? raise_error(t, E_UNSPECIFIED, user_span(t, call->span), "'%s': %s", name, text)
                        : warn_once(t, W_UNSPECIFIED, user_span(t, call->span), "'%s': %s", name, text);
  if (diag)
    gap_describe(diag, gap, is_error);
  return !is_error;
}

// What operands of library functions may be. `hint` is what to do about a tensor in another memory.
typedef struct Need {
  const char *what, *expected;
  bool hbm, sbuf, psum, number;
  const char *hint;
} Need;

static const Need needs[] = {
    {"tile", "a tile in SBUF or PSUM", false, true, true, false, "load it first: `tile = nl.load(x)`"},
    {"operand", "a tile in SBUF or PSUM, or a number", false, true, true, true, "load it first: `tile = nl.load(x)`"},
    {"sbuf", "a tile in SBUF", false, true, false, false, NULL},
    {"hbm", "a tensor in HBM", true, false, false, false, "it is on chip already; `nl.copy(x)` makes a copy in SBUF"},
    {"tensor", "a tensor", true, true, true, false, NULL},
};

// Gives `value` back when it is what the parameter needs; else raises, at the user's line.
bool klr_need(Tracer *t, const Call *call, Value *out)
{
  const Need *need = needs;
  while (!value_is_str(call->args[2], need->what))
    need++;
  *out = call->args[0];
  const View *view = value_view(*out);
  double number;
  Memory memory = view ? view->tensor->address->memory : MEMORY_HBM;
  bool fits = !view                   ? need->number && value_as_double(value_unwrap(*out), &number)
              : memory == MEMORY_SBUF ? need->sbuf
              : memory == MEMORY_PSUM ? need->psum
                                      : need->hbm;
  if (fits)
    return true;
  const char *where = !view ? "" : memory == MEMORY_SBUF ? " in SBUF" : memory == MEMORY_PSUM ? " in PSUM" : " in HBM";
  const char *function = library_function(t);
  Diag *diag = raise_error(t, E_ISA_ARGUMENT, user_span(t, call->span), "'%s': '%s' is %s%s; expected %s",
                           function ? function : "nl", call->args[1].string->text.data, describe(t, *out), where, need->expected);
  nki_cite(t, diag, "argument-kind");
  if (view && memory == MEMORY_PSUM && !need->hbm)
    diag_help(diag, "bring it to SBUF first: `tile = nl.copy(x)`");
  else if (view && !memory_is_on_chip(memory))
    diag_help(diag, "load it first: `tile = nl.load(x)`");
  else if (view && need->hint)
    diag_help(diag, "%s", need->hint);
  return false;
}

// A warning at the user's line, once in a kernel for each name.
bool klr_deprecated(Tracer *t, const Call *call, Value *out)
{
  Builder *b = builder_of(t);
  Str name = call->args[0].string->text;
  *out = value_none();
  if (!b || map_get(&b->deprecated, name))
    return true;
  map_set(&b->deprecated, name, (void *)(uintptr_t)name.data);
  bool strict = t->session->strict;
  t->session->strict = false; // deprecated is not yet refused
  Diag *diag = diag_warning(t->session, W_NKI_DEPRECATED, "`%s` is deprecated and will be removed", name.data);
  t->session->strict = strict;
  diag_primary(diag, user_span(t, call->span), "%s", "");
  diag_help(diag, "%s", call->args[1].string->text.data);
  return true;
}

// Of something that the vendor's compiler refuses by now: an error under --strict.
bool klr_warn_old(Tracer *t, const Call *call, Value *out)
{
  const char *function = library_function(t);
  *out = value_none();
  Diag *diag = warn_once(t, W_NKI_OLD, user_span(t, call->span), "`%s`: %s", function ? function : "nki",
                         call->args[0].string->text.data);
  if (diag->helps.count == 0)
    diag_help(diag, "%s", call->args[1].string->text.data);
  return true;
}

bool klr_cached(Tracer *t, const Call *call, Value *out)
{
  Builder *b = builder_need(t, "a cached value", call->span);
  StrBuf key = strbuf_new(&t->arena);
  if (!b || !op_repr(t, call->args[0], call->span, &key))
    return false;
  Value *known = map_get(&b->values, strbuf_str(&key));
  if (!known || b->device_depth > 0) {
    Value *made = arena_new(&t->arena, Value);
    const Tuple *arguments = call->args[2].tuple;
    if (!call_simple(t, call->args[1], arguments->items, (uint32_t)arguments->count, call->span, made))
      return false;
    if (b->device_depth == 0)
      map_set(&b->values, strbuf_str(&key), made);
    known = made;
  }
  *out = *known;
  return true;
}

// ---- what older versions had

typedef struct Removed {
  NativeObject head; // removed_type
  const char *name, *help;
} Removed;

static Outcome raise_removed(Tracer *t, Value self, Span span)
{
  const Removed *removed = (const Removed *)self.object;
  diag_help(raise_error(t, E_NKI_OLD, user_span(t, span), "'%s' is no longer part of NKI", removed->name), "%s",
            removed->help);
  return OUTCOME_ERROR;
}

static Outcome removed_call(Tracer *t, Value self, const Call *call, Value *out)
{
  (void)out;
  return raise_removed(t, self, call->span);
}

static Outcome removed_getattr(Tracer *t, Value self, const Name *name, Span span, Value *out)
{
  (void)name, (void)out;
  return raise_removed(t, self, span);
}

static Outcome removed_getitem(Tracer *t, Value self, Value key, Span span, Value *out)
{
  (void)key, (void)out;
  return raise_removed(t, self, span);
}

static void removed_repr(Tracer *t, Value self, StrBuf *out)
{
  (void)t;
  strbuf_printf(out, "<%s, removed>", ((const Removed *)self.object)->name);
}

static const NativeType removed_type = {.name = "removed",
                                        .call = removed_call,
                                        .getattr = removed_getattr,
                                        .getitem = removed_getitem,
                                        .repr = removed_repr};

bool klr_removed(Tracer *t, const Call *call, Value *out)
{
  Removed *made = arena_new(&t->arena, Removed);
  made->head.type = &removed_type;
  made->name = call->args[0].string->text.data;
  made->help = call->args[1].string->text.data;
  *out = value_object(VALUE_OBJECT, &made->head);
  return true;
}

void nki_explain_call(Diag *diag, Str parameter)
{
  static const struct {
    const char *parameter, *help;
  } changes[] = {
      {"dst", "instructions return nothing: allocate the result with `nl.ndarray` and pass it as `dst=`"},
      {"mask", "masks are no longer part of NKI: pass smaller slices, `t[0:rows, 0:columns]`"},
      {"dtype", "the result has the dtype of `dst`"},
      {"dst_rmw_op", "`nisa.dma_compute(dst, [dst, src], nl.add)` adds in memory"},
      {"shape", "the shape is that of `dst`"},
      {"expr", "the pattern is written out: `pattern=[[step, count], ...]`, `offset`, `channel_multiplier`"},
      {"pred", "the pattern is written out: `pattern=[[step, count], ...]`, `offset`, `channel_multiplier`"},
      {"is_transpose_stationary", "transpose with `nisa.nc_transpose` first"},
  };
  for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
    if (str_is(parameter, changes[i].parameter))
      diag_help(diag, "%s", changes[i].help);
}

// ---- the machine

// The generation is kept in the module itself.
static const Machine *machine_of(Tracer *t)
{
  ModuleObject *module = module_find(t, STR("_klr"));
  Value *generation = module ? attr_find(&module->attrs, tracer_name(t, "_generation")) : NULL;
  const Machine *machine = generation ? machine_of_generation((int)generation->integer) : NULL;
  return machine ? machine : machine_default();
}

void nki_cite(Tracer *t, Diag *diag, const char *rule)
{
  rule_cite(diag, &t->arena, machine_of(t), rule);
}

bool klr_generation(Tracer *t, const Call *call, Value *out)
{
  (void)call;
  *out = value_int(machine_of(t)->generation);
  return true;
}

// The constants of nl.tile_size.
bool klr_tile_size(Tracer *t, const Call *call, Value *out)
{
  TileSize size;
  for (size_t i = 0; machine_tile_size(machine_of(t), i, &size); i++)
    if (value_is_str(call->args[0], size.name)) {
      *out = value_int((int64_t)size.value);
      return true;
    }
  return RAISE(t, E_VALUE, call->span, "no such size");
}

// ---- installation

static const NativeMethod functions[] = {
#define X(name, function, signature) {name, function, signature},
    KLR_FUNCTIONS(X)
#undef X
        {0},
};

// `nl.NkiTensor(...)`: binding storage that exists is for frameworks, which have some.
static bool construct_tensor(Tracer *t, const Call *call, Value *out)
{
  (void)out;
  diag_help(raise_error(t, E_ISA_ARGUMENT, user_span(t, call->span),
                        "'nl.NkiTensor' binds a tensor to storage that exists, of which a kernel has none"),
            "`nl.ndarray(shape, dtype, buffer)` makes a tensor with storage of its own");
  return false;
}

// The class of the tracer's own objects of a type, which a sample with nothing else in it stands for.
static Value class_of_native(Tracer *t, const NativeType *type)
{
  NativeObject *sample = arena_new(&t->session->arena, NativeObject);
  sample->type = type;
  return value_class(value_class_of(t, value_object(VALUE_OBJECT, sample)));
}

static void init_module(Tracer *t, ModuleObject *module)
{
  static const TensorObject tensor = {.head = {&tensor_type}};
  Value sample = value_object(VALUE_TENSOR, (NativeObject *)(uintptr_t)&tensor.head);
  Class *class = value_class_of(t, sample);
  class->construct = construct_tensor;
  module_set(t, module, "NkiTensor", value_class(class));
  module_set(t, module, "DType", value_class(value_class_of(t, value_dtype(t, DTYPE_FLOAT32))));
  module_set(t, module, "NKIObject", value_class(t->builtins->class_NKIObject));
  module_set(t, module, "VirtualRegister", class_of_native(t, &register_type));
  module_set(t, module, "NkiInstruction", class_of_native(t, &instruction_type));
}

static const NativeModule klr_module = {.name = "_klr", .functions = functions, .init = init_module};

void nki_install(Tracer *t, const Machine *machine)
{
  t->device = &device_hooks;
  module_add_native(t, &klr_module);
  ModuleObject *module = module_find(t, STR("_klr"));
  if (module)
    module_set(t, module, "_generation", value_int((machine ? machine : machine_default())->generation));
}

// _eager.c -- kernels that the interpreter itself evaluates, one operator at a time.
//
// The function of a kernel runs as plain Python. What it calls of the library is evaluated by the tracer, which stays open
// meanwhile; the instructions that a call adds are run at once. Tensors, registers and whatever else the tracer alone
// knows are `Held`: a value of the tracer under Python's protocols. So a traced kernel and an eager one have the
// library, the views and the simulator in common, and differ in who evaluates the function.
//
// `hooks`, an object of klr._eager, knows Python's side: places of calls, exceptions, warnings, classes of held values, and how
// logical cores take turns.

#include "_native.h"

#include "core/verify.h"
#include "machine/legal.h"
#include "sim/sim.h"
#include "trace/builder.h"

#include <string.h>

// The memory of one address: held by Python as long as one of its views is.
typedef struct Life {
  const char *address;
  uint32_t core, held;
  bool is_pinned;     // something besides Python's objects may know it
  bool is_queued;
  struct Life *next;  // queued to be looked at
} Life;

typedef struct Site {  // of a call, by code and instruction
  Span span;
  bool is_hidden;  // in this package: not what the user wrote
} Site;

typedef struct EagerObject {
  PyObject_HEAD
  SessionObject *session;
  Live live;
  Tracer *t;
  OpenKernel *open;
  Kernel *kernel;  // once it is closed
  const Machine *machine;
  Verifier *verifiers[2];  // of each core
  MachineChecker *checker;
  Sim *sim;
  SimRank rank;
  SimOptions options;
  PyObject *hooks, *value_type, *tensor_type, *register_type, *instruction_type;
  Frame frame;       // stands for the user's, around calls of the library
  FunctionCode code;
  ModuleObject *module;
  Map fixed;         // values of objects that stay what they are, by address
  Map sites, sources, lives;
  Life *queue;
  size_t made[2], kept[2];  // of each core: tensors and cached values seen so far
  size_t told;       // diagnostics that were given
  uint32_t core;     // on turn
  Signals signals;
  bool failed, forgets;  // forgets: memory is released when nothing holds it
} EagerObject;

typedef struct Held {
  PyObject_HEAD
  EagerObject *eager;  // owned
  Value value;
  Life *life;          // of a tensor
} Held;

typedef struct FunctionObject {
  PyObject_HEAD
  PyObject *function;  // Python's own
  PyObject *module, *name;  // as the tracer knows it
} FunctionObject;

static PyTypeObject *eager_type, *held_type, *function_type;
static _Thread_local EagerObject *active;  // in whose kernel this thread is

// ---- guarded calls: memory that runs out comes back here

typedef struct Work Work;
struct Work {
  EagerObject *e;
  bool (*run)(Work *work);
  Value values[3];
  PyObject *object, *args, *keywords;
  Span span;
  int op;
  const Name *name;
  Value out;
  bool flag;
  int64_t number;
};

static bool run_work(void *context)
{
  Work *work = context;
  return work->run(work);
}

static PyObject *text_object(Str text)
{
  return PyUnicode_DecodeUTF8(text.data, (Py_ssize_t)text.len, "surrogatepass");
}

// ---- where the user is

// Asks for the place of `frame`: (path, text, start, end), or None for code of this package.
static bool find_site(EagerObject *e, PyObject *frame, Site *out)
{
  PyObject *place = PyObject_CallMethod(e->hooks, "place", "O", frame);
  *out = (Site){{0}, true};
  if (!place || place == Py_None) {
    Py_XDECREF(place);
    return place != NULL;
  }
  PyObject *path;
  const char *text;
  Py_ssize_t len;
  unsigned start, end;
  out->is_hidden = false;
  if (!PyArg_ParseTuple(place, "Us#II", &path, &text, &len, &start, &end)) {
    Py_DECREF(place);
    return false;
  }
  Str name = STR("");
  bool done = live_text(&e->live, path, &name);
  Source *source = done ? map_get(&e->sources, name) : NULL;
  if (done && !source) {
    source = session_add_source(e->t->session, name.data, (Str){text, (size_t)len});
    map_set(&e->sources, name, source);
  }
  if (done)
    out->span = (Span){session_source_id(e->t->session, source), start, end};
  Py_DECREF(place);
  return done;
}

static long long int_attribute(PyObject *object, const char *name)
{
  PyObject *item = PyObject_GetAttrString(object, name);
  long long number = item ? PyLong_AsLongLong(item) : 0;
  Py_XDECREF(item);
  PyErr_Clear();
  return number;
}

enum { CODE_BITS = 48 };  // of an address, in the key of a site

static const Site *site_of(EagerObject *e, PyObject *frame)
{
  PyObject *code = PyObject_GetAttrString(frame, "f_code");
  uint64_t at = (uint64_t)int_attribute(frame, "f_lasti");
  uint64_t key = (uint64_t)(uintptr_t)code ^ at << CODE_BITS;
  Site *known = at < 1 << 16 ? map_get_number(&e->sites, key) : NULL;
  if (!known) {
    known = arena_new(&e->t->arena, Site);
    if (!find_site(e, frame, known))
      PyErr_Clear();
    map_set_number(&e->sites, key, known);
    PyObject *kept = PyObject_CallMethod(e->hooks, "keep", "O", code);
    Py_XDECREF(kept);
    PyErr_Clear();
  }
  Py_XDECREF(code);
  return known;
}

// What the user's own innermost frame is doing.
static Span place_now(EagerObject *e)
{
  PyObject *frame = (PyObject *)PyEval_GetFrame();
  Span span = {0};
  Py_XINCREF(frame);
  while (frame && frame != Py_None) {
    const Site *site = site_of(e, frame);
    span = site->span;
    if (!site->is_hidden)
      break;
    PyObject *back = PyObject_GetAttrString(frame, "f_back");
    Py_DECREF(frame);
    frame = back;
  }
  Py_XDECREF(frame);
  PyErr_Clear();
  return span;
}

// ---- what went wrong, as Python's exceptions and warnings

static void give_diagnostics(EagerObject *e, const char *method)
{
  Value exception = e->t ? e->t->exception : value_undefined();
  const char *name = exception.tag == VALUE_INSTANCE ? exception.instance->class->name->str.data : "";
  bool failed = strcmp(method, "failed") == 0;
  PyObject *given = PyObject_CallMethod(e->hooks, method, failed ? "ns" : "n", (Py_ssize_t)e->told, name);
  e->told = klr_core_session(e->session->klr)->diags.count;
  if (given && given != Py_None)
    PyErr_SetObject((PyObject *)Py_TYPE(given), given);
  Py_XDECREF(given);
}

// Raises what the tracer or the simulator reported; the session is then as if it had not been.
static PyObject *raise_reported(EagerObject *e)
{
  Session *session = klr_core_session(e->session->klr);
  Live *live = &e->live;
  if (e->signals.type) {
    PyErr_Restore(e->signals.type, e->signals.value, e->signals.trace);
    e->signals = (Signals){0};
  } else if (live->error_type && !PyErr_GivenExceptionMatches(live->error_type, PyExc_Exception)) {
    PyErr_Restore(live->error_type, live->error_value, live->error_trace);
    live->error_type = live->error_value = live->error_trace = NULL;
  } else {
    give_diagnostics(e, "failed");
  }
  Py_CLEAR(live->error_type);
  Py_CLEAR(live->error_value);
  Py_CLEAR(live->error_trace);
  if (e->t)
    catch_exception(e->t);
  session->diags.count = session->diags.count < e->told ? session->diags.count : e->told;
  size_t kept = 0;
  for (size_t i = 0; i < session->diags.count; i++)
    if (session->diags.items[i]->severity != SEVERITY_ERROR)
      session->diags.items[kept++] = session->diags.items[i];
  session->diags.count = e->told = kept;
  session->error_count = 0;
  if (!PyErr_Occurred())
    PyErr_SetString(PyExc_RuntimeError, "the kernel failed without a diagnostic");
  return NULL;
}

// ---- memory of tensors

static Life *life_of(EagerObject *e, const Tensor *tensor)
{
  uint64_t key = (uint64_t)(uintptr_t)tensor->address->name * 2 + e->core;
  Life *life = map_get_number(&e->lives, key);
  if (!life) {
    life = arena_new(&e->t->arena, Life);
    *life = (Life){.address = tensor->address->name, .core = e->core};
    map_set_number(&e->lives, key, life);
  }
  return life;
}

static void pin_access(EagerObject *e, const Access *access)
{
  if (access->ctor == Access_view)
    life_of(e, access->view->tensor)->is_pinned = true;
}

static void queue_life(EagerObject *e, Life *life)
{
  if (life->held || life->is_pinned || life->is_queued)
    return;
  life->is_queued = true;
  life->next = e->queue;
  e->queue = life;
}

static bool has_own_memory(const Tensor *tensor)
{
  const Address *address = tensor->address;
  return !address->is_shared && address->memory != MEMORY_SHARED_HBM && !(address->par_offset.some && address->free_offset.some);
}

// After a call: tensors that it made and that nobody got are not used again, unless the library has kept some.
static void note_tensors(EagerObject *e)
{
  size_t kept = kernel_kept(e->open), count = kernel_made_count(e->open);
  for (; e->made[e->core] < count; e->made[e->core]++) {
    const Tensor *tensor = kernel_made(e->open, e->made[e->core]);
    Life *life = life_of(e, tensor);
    life->is_pinned |= kept != e->kept[e->core] || !has_own_memory(tensor);
    queue_life(e, life);
  }
  e->kept[e->core] = kept;
  while (e->queue) {
    Life *life = e->queue;
    e->queue = life->next;
    life->is_queued = false;
    if (!life->held && !life->is_pinned && e->forgets)
      sim_release(e->sim, life->core, life->address);
  }
}

// ---- values as Python's objects

static PyObject *to_object(EagerObject *e, Value value);

static PyObject *hold(EagerObject *e, Value value)
{
  bool is_instruction = value.tag == VALUE_OBJECT && strcmp(value.object->type->name, "NkiInstruction") == 0;
  PyObject *type = value.tag == VALUE_TENSOR     ? e->tensor_type
                   : value.tag == VALUE_REGISTER ? e->register_type
                   : is_instruction              ? e->instruction_type
                                                 : e->value_type;
  Held *held = (Held *)PyType_GenericAlloc((PyTypeObject *)type, 0);
  if (!held)
    return NULL;
  Py_INCREF((PyObject *)e);
  held->eager = e;
  held->value = value;
  const View *view = value_view(value);
  if (view) {
    held->life = life_of(e, view->tensor);
    held->life->held++;
    if (view->scalar_offset && view->scalar_offset->ctor == ScalarOffset_acc)
      pin_access(e, &view->scalar_offset->acc);
    if (view->vector_offset)
      pin_access(e, view->vector_offset);
  }
  e->forgets &= value.tag != VALUE_INSTANCE;  // which may hold tensors of its own
  return (PyObject *)held;
}

static PyObject *big_int_object(EagerObject *e, Value value)
{
  StrBuf text = strbuf_new(&e->t->arena);
  return op_str(e->t, value, (Span){0}, &text) ? PyLong_FromString(strbuf_cstr(&text), NULL, 10) : raise_reported(e);
}

static PyObject *sequence_object(EagerObject *e, const Value *items, size_t count, bool is_tuple)
{
  PyObject *made = is_tuple ? PyTuple_New((Py_ssize_t)count) : PyList_New((Py_ssize_t)count);
  for (size_t i = 0; made && i < count; i++) {
    PyObject *item = to_object(e, items[i]);
    if (!item) {
      Py_DECREF(made);
      return NULL;
    }
    if (is_tuple)
      PyTuple_SetItem(made, (Py_ssize_t)i, item);
    else
      PyList_SetItem(made, (Py_ssize_t)i, item);
  }
  return made;
}

static PyObject *dict_object(EagerObject *e, const Dict *dict)
{
  PyObject *made = PyDict_New();
  for (uint32_t i = 0; made && i < dict->used; i++) {
    if (!value_is_set(dict->entries[i].key))
      continue;
    PyObject *key = to_object(e, dict->entries[i].key), *item = key ? to_object(e, dict->entries[i].value) : NULL;
    bool done = item && PyDict_SetItem(made, key, item) == 0;
    Py_XDECREF(key);
    Py_XDECREF(item);
    if (!done)
      Py_CLEAR(made);
  }
  return made;
}

static PyObject *slice_object(EagerObject *e, const Slice *slice)
{
  PyObject *start = to_object(e, slice->start), *stop = to_object(e, slice->stop), *step = to_object(e, slice->step);
  PyObject *made = start && stop && step ? PySlice_New(start, stop, step) : NULL;
  Py_XDECREF(start);
  Py_XDECREF(stop);
  Py_XDECREF(step);
  return made;
}

static PyObject *native_object(EagerObject *e, Value value)
{
  DType dtype;
  if (value_is_dtype(value, &dtype))
    return PyObject_CallMethod(e->hooks, "dtype", "s", dtype_name(dtype));
  if (value.tag == VALUE_OBJECT && value.object->type == &constant_type) {
    const NamedConstant *constant = (const NamedConstant *)value.object;
    return PyObject_CallMethod(e->hooks, "constant", "ss", constant->group == GROUP_MEMORY ? "memory" : "operator",
                               constant->name->str.data);
  }
  if (value.tag == VALUE_INSTANCE && (value.instance->class->flags & CLASS_ENUM)) {
    const Class *class = value.instance->class;
    Value *name = attr_find(&value.instance->attrs, e->t->builtins->_name_);
    if (name && name->tag == VALUE_STR && class->module)
      return PyObject_CallMethod(e->hooks, "member", "sss", class->module->name->str.data, class->qualname,
                                 name->string->text.data);
  }
  return hold(e, value);
}

static PyObject *to_object(EagerObject *e, Value value)
{
  switch (value.tag) {
  case VALUE_UNDEFINED:
  case VALUE_NONE: Py_RETURN_NONE;
  case VALUE_BOOL: return PyBool_FromLong(value.integer != 0);
  case VALUE_INT: return PyLong_FromLongLong(value.integer);
  case VALUE_BIG_INT: return big_int_object(e, value);
  case VALUE_FLOAT: return PyFloat_FromDouble(value.real);
  case VALUE_STR: return text_object(value.string->text);
  case VALUE_BYTES: return PyBytes_FromStringAndSize(value.string->text.data, (Py_ssize_t)value.string->text.len);
  case VALUE_TUPLE: return sequence_object(e, value.tuple->items, value.tuple->count, true);
  case VALUE_LIST: return sequence_object(e, value.list->items, value.list->count, false);
  case VALUE_DICT: return dict_object(e, value.dict);
  case VALUE_SLICE: return slice_object(e, value.slice);
  case VALUE_RANGE:
    return PyObject_CallFunction((PyObject *)&PyRange_Type, "LLL", (long long)value.range->start,
                                 (long long)value.range->stop, (long long)value.range->step);
  case VALUE_ELLIPSIS: Py_INCREF(Py_Ellipsis); return Py_Ellipsis;
  case VALUE_NOT_IMPLEMENTED: Py_INCREF(Py_NotImplemented); return Py_NotImplemented;
  default: return native_object(e, value);
  }
}

// ---- Python's objects as values

static Outcome other_value(Live *live, PyObject *object, Value *out)
{
  EagerObject *e = (EagerObject *)((char *)live - offsetof(EagerObject, live));
  if (PyObject_TypeCheck(object, held_type)) {
    const Held *held = (const Held *)object;
    if (held->eager != e)
      return RAISE_OUTCOME(live->t, E_TYPE, (Span){0}, "a tensor of another call of a kernel");
    *out = held->value;
    return OUTCOME_OK;
  }
  Value *known = map_get_number(&e->fixed, (uint64_t)(uintptr_t)object);
  if (known) {
    *out = *known;
    return OUTCOME_OK;
  }
  if (!PyObject_TypeCheck(object, function_type))
    return OUTCOME_MISSING;
  FunctionObject *function = (FunctionObject *)object;
  Str module, name;
  if (!live_text(live, function->module, &module) || !live_text(live, function->name, &name) ||
      !live_library(live, module.data, name.data, out))
    return OUTCOME_ERROR;
  Value *place = arena_new(&live->t->arena, Value);
  *place = *out;
  map_set_number(&e->fixed, (uint64_t)(uintptr_t)object, place);  // functions of the library live as long as Python
  return OUTCOME_OK;
}

// Objects may have changed since the call before.
static void forget_objects(EagerObject *e)
{
  if (!e->live.values.count && !PyList_Size(e->live.kept))
    return;
  e->live.values = map_new(&e->t->arena);
  PyList_SetSlice(e->live.kept, 0, PyList_Size(e->live.kept), NULL);
}

// ---- one operation

// Runs the instructions that were added, up to one that the core waits at. False after reporting.
static bool run_added(Work *work)
{
  EagerObject *e = work->e;
  const Tensor *tensor;
  const SharedConstant *constant;
  const Instr *instr;
  while ((constant = kernel_next_constant(e->open, &tensor)))
    if (!sim_give_constant(e->sim, constant, tensor))
      return false;
  while ((instr = kernel_next(e->open))) {
    if (instr->op->kind == OP_cmp_branch)  // from one block to the next
      continue;
    if (!verifier_accepts(e->verifiers[e->core], instr) || !machine_checker_accepts(e->checker, instr) ||
        !sim_give(e->sim, e->core, instr))
      return false;
    if (sim_waits(e->sim, e->core))
      break;
  }
  return true;
}

// Runs all of them. While this core waits for another one, that one has its turn: in a thread of its own, and not inside
// of a guarded call.
static bool run_all_added(EagerObject *e)
{
  Work work = {.e = e, .run = run_added};
  while (klr_guarded(e->session->klr, run_work, &work)) {
    if (!sim_waits(e->sim, e->core))
      return true;
    PyObject *waited = PyObject_CallMethod(e->hooks, "wait", "I", e->core);
    if (!waited)
      return false;
    Py_DECREF(waited);
  }
  return false;
}

static bool usable(EagerObject *e)
{
  if (e->failed)
    PyErr_SetString(PyExc_RuntimeError, "this call of the kernel has failed and cannot go on");
  else if (!e->sim || e->kernel)
    PyErr_SetString(PyExc_RuntimeError, "the kernel has ended, and its tensors with it: copy what is wanted later, "
                                        "np.array(tile), while it runs");
  else if (active != e)
    PyErr_SetString(PyExc_RuntimeError, "a kernel's tensors are used in the thread that runs the kernel");
  return !PyErr_Occurred();
}

// Does the work as what the user's frame asks for, then runs what it added. False with a Python exception.
static bool operate(EagerObject *e, Work *work)
{
  Tracer *t = e->t;
  if (!usable(e))
    return false;
  work->e = e;
  work->span = place_now(e);
  t->here = work->span;
  bool ok = klr_guarded(e->session->klr, run_work, work);
  bool fatal = false;
  forget_objects(e);
  if (ok && !t->session->error_count) {
    ok = run_all_added(e);
    fatal = !ok;
  }
  if (PyErr_Occurred())
    return false;
  if (!ok || t->session->error_count) {
    e->failed |= fatal;
    raise_reported(e);
    return false;
  }
  if (t->session->diags.count > e->told)
    give_diagnostics(e, "warned");
  return !PyErr_Occurred();
}

static PyObject *result_of(EagerObject *e, Work *work)
{
  if (!operate(e, work))
    return NULL;
  PyObject *made = to_object(e, work->out);
  note_tensors(e);
  return made;
}

// ---- calls

static bool do_call(Work *work)
{
  EagerObject *e = work->e;
  Tracer *t = e->t;
  Value callee;
  Py_ssize_t positional = work->args ? PyTuple_Size(work->args) : 0;
  Py_ssize_t named = work->keywords ? PyDict_Size(work->keywords) : 0;
  Value *values = arena_array(&t->arena, Value, (size_t)(positional + named));
  const Name **names = arena_array(&t->arena, const Name *, (size_t)named);
  if (!live_value(&e->live, work->object, &callee))
    return false;
  for (Py_ssize_t i = 0; i < positional; i++)
    if (!live_value(&e->live, PyTuple_GetItem(work->args, i), &values[i]))
      return false;
  PyObject *key, *item;
  Py_ssize_t at = 0;
  for (Py_ssize_t i = 0; i < named && PyDict_Next(work->keywords, &at, &key, &item); i++) {
    Str name;
    if (!live_text(&e->live, key, &name) || !live_value(&e->live, item, &values[positional + i]))
      return false;
    names[i] = name_intern(&t->session->names, name);
  }
  Call call = {.args = values, .positional = (uint32_t)positional, .keyword_count = (uint32_t)named, .keywords = names,
               .span = work->span};
  return call_value(t, callee, &call, &work->out);
}

static PyObject *call_object(EagerObject *e, PyObject *callee, PyObject *args, PyObject *keywords)
{
  Work work = {.run = do_call, .object = callee, .args = args, .keywords = keywords};
  return result_of(e, &work);
}

static PyObject *held_call(PyObject *self, PyObject *args, PyObject *keywords)
{
  return call_object(((Held *)self)->eager, self, args, keywords);
}

// ---- operators of held values

static EagerObject *eager_of(PyObject *a, PyObject *b)
{
  return PyObject_TypeCheck(a, held_type) ? ((Held *)a)->eager : ((Held *)b)->eager;
}

static bool two_values(Work *work)
{
  return live_value(&work->e->live, work->args, &work->values[0]) &&
         live_value(&work->e->live, work->keywords, &work->values[1]);
}

static bool do_binary(Work *work)
{
  return two_values(work) &&
         op_binary(work->e->t, (Operator)work->op, work->values[0], work->values[1], work->span, &work->out);
}

static bool do_compare(Work *work)
{
  return two_values(work) &&
         op_compare(work->e->t, (CmpOp)work->op, work->values[0], work->values[1], work->span, &work->out);
}

static bool do_unary(Work *work)
{
  return op_unary(work->e->t, (UnaryOp)work->op, work->values[0], work->span, &work->out);
}

static PyObject *with_two(PyObject *a, PyObject *b, bool (*run)(Work *), int op)
{
  Work work = {.run = run, .args = a, .keywords = b, .op = op};
  return result_of(eager_of(a, b), &work);
}

#define BINARY(name, op) \
  static PyObject *held_##name(PyObject *a, PyObject *b) { return with_two(a, b, do_binary, OPERATOR_##op); }
BINARY(add, Add)
BINARY(subtract, Sub)
BINARY(multiply, Mult)
BINARY(matrix_multiply, MatMult)
BINARY(true_divide, Div)
BINARY(floor_divide, FloorDiv)
BINARY(remainder, Mod)
BINARY(lshift, LShift)
BINARY(rshift, RShift)
BINARY(and, BitAnd)
BINARY(or, BitOr)
BINARY(xor, BitXor)
#undef BINARY

static PyObject *held_power(PyObject *a, PyObject *b, PyObject *modulus)
{
  (void)modulus;
  return with_two(a, b, do_binary, OPERATOR_Pow);
}

static PyObject *with_one(PyObject *self, bool (*run)(Work *), int op)
{
  Held *held = (Held *)self;
  Work work = {.run = run, .values = {held->value}, .op = op};
  return result_of(held->eager, &work);
}

static PyObject *held_negative(PyObject *self) { return with_one(self, do_unary, UNARY_OP_USub); }
static PyObject *held_positive(PyObject *self) { return with_one(self, do_unary, UNARY_OP_UAdd); }
static PyObject *held_invert(PyObject *self) { return with_one(self, do_unary, UNARY_OP_Invert); }

static PyObject *held_compare(PyObject *a, PyObject *b, int op)
{
  static const CmpOp ops[] = {[Py_LT] = CMP_OP_Lt, [Py_LE] = CMP_OP_LtE, [Py_EQ] = CMP_OP_Eq, [Py_NE] = CMP_OP_NotEq,
                              [Py_GT] = CMP_OP_Gt, [Py_GE] = CMP_OP_GtE};
  if (a == b && (op == Py_EQ || op == Py_NE) && ((Held *)a)->value.tag != VALUE_REGISTER)
    return PyBool_FromLong(op == Py_EQ);
  return with_two(a, b, do_compare, ops[op]);
}

static bool do_hash(Work *work)
{
  uint64_t hash;
  if (!op_hash(work->e->t, work->values[0], work->span, &hash))
    return false;
  work->number = (int64_t)(hash >> 1);
  return true;
}

static Py_hash_t held_hash(PyObject *self)
{
  Held *held = (Held *)self;
  Work work = {.e = held->eager, .run = do_hash, .values = {held->value}};
  if (!klr_guarded(held->eager->session->klr, run_work, &work))
    return raise_reported(held->eager), -1;
  return (Py_hash_t)work.number;
}

// ---- registers have values

typedef struct Reader {
  EagerObject *e;
  Span span;
} Reader;

static bool read_register(void *context, const char *name, double *out)
{
  Reader *reader = context;
  EagerObject *e = reader->e;
  if (sim_register(e->sim, e->core, name, out))
    return true;
  return RAISE(e->t, E_REGISTER, reader->span, "register '%s' is read before it is set", name);
}

static bool do_truth(Work *work)
{
  EagerObject *e = work->e;
  Value value = work->values[0];
  Reader reader = {e, work->span};
  if (value_is_register(value) || (value.tag == VALUE_OBJECT && value.object->type == &condition_type))
    return device_condition(value, read_register, &reader, &work->flag);
  return op_truth(e->t, value, work->span, &work->flag);
}

static int held_truth(PyObject *self)
{
  Held *held = (Held *)self;
  Work work = {.run = do_truth, .values = {held->value}};
  return operate(held->eager, &work) ? work.flag : -1;
}

static bool do_register(Work *work)
{
  Reader reader = {work->e, work->span};
  return device_register(value_is_register(work->values[0]), read_register, &reader, &work->out.real);
}

// number() -> what the register holds now
static PyObject *held_number(PyObject *self, PyObject *none)
{
  Held *held = (Held *)self;
  (void)none;
  if (!value_is_register(held->value)) {
    PyErr_SetString(PyExc_TypeError, "not a register");
    return NULL;
  }
  Work work = {.run = do_register, .values = {held->value}};
  if (!operate(held->eager, &work))
    return NULL;
  double number = work.out.real;
  return number == (double)(long long)number ? PyLong_FromLongLong((long long)number) : PyFloat_FromDouble(number);
}

// ---- attributes and items

static bool do_find_attr(Work *work)
{
  Outcome found = op_find_attr(work->e->t, work->values[0], work->name, work->span, &work->out);
  work->flag = found == OUTCOME_OK;
  return found != OUTCOME_ERROR;
}

static PyObject *held_getattr(PyObject *self, PyObject *name)
{
  Held *held = (Held *)self;
  EagerObject *e = held->eager;
  char *text = NULL;
  Py_ssize_t len = 0;
  PyObject *utf8 = PyUnicode_AsUTF8String(name);
  if (!utf8 || PyBytes_AsStringAndSize(utf8, &text, &len) < 0 || (len && text[0] == '_') || !e->sim || e->kernel) {
    Py_XDECREF(utf8);
    return PyErr_Occurred() ? NULL : PyObject_GenericGetAttr(self, name);
  }
  Work work = {.e = e, .run = do_find_attr, .values = {held->value},
               .name = name_intern(&e->t->session->names, (Str){text, (size_t)len})};
  Py_DECREF(utf8);
  e->t->here = (Span){0};
  if (!klr_guarded(e->session->klr, run_work, &work))
    return raise_reported(e);
  return work.flag ? to_object(e, work.out) : PyObject_GenericGetAttr(self, name);
}

static bool do_setattr(Work *work)
{
  Value value;
  Str name;
  return live_text(&work->e->live, work->args, &name) && live_value(&work->e->live, work->keywords, &value) &&
         op_setattr(work->e->t, work->values[0], name_intern(&work->e->t->session->names, name), value, work->span);
}

static int held_setattr(PyObject *self, PyObject *name, PyObject *object)
{
  Held *held = (Held *)self;
  Work work = {.run = do_setattr, .values = {held->value}, .args = name, .keywords = object};
  if (!object) {
    PyErr_SetString(PyExc_AttributeError, "attributes of a kernel's values cannot be deleted");
    return -1;
  }
  return operate(held->eager, &work) ? 0 : -1;
}

static bool do_getitem(Work *work)
{
  Value key;
  return live_value(&work->e->live, work->args, &key) &&
         op_getitem(work->e->t, work->values[0], key, work->span, &work->out);
}

static PyObject *held_getitem(PyObject *self, PyObject *key)
{
  Held *held = (Held *)self;
  Work work = {.run = do_getitem, .values = {held->value}, .args = key};
  return result_of(held->eager, &work);
}

static bool do_setitem(Work *work)
{
  Value key, value;
  return live_value(&work->e->live, work->args, &key) && live_value(&work->e->live, work->keywords, &value) &&
         op_setitem(work->e->t, work->values[0], key, value, work->span);
}

static int held_setitem(PyObject *self, PyObject *key, PyObject *object)
{
  Held *held = (Held *)self;
  Work work = {.run = do_setitem, .values = {held->value}, .args = key, .keywords = object};
  if (!object) {
    PyErr_SetString(PyExc_TypeError, "items of a kernel's values cannot be deleted");
    return -1;
  }
  if (!operate(held->eager, &work))
    return -1;
  note_tensors(held->eager);
  return 0;
}

static bool do_length(Work *work)
{
  return op_length(work->e->t, work->values[0], work->span, &work->number);
}

static Py_ssize_t held_length(PyObject *self)
{
  Held *held = (Held *)self;
  Work work = {.run = do_length, .values = {held->value}};
  return operate(held->eager, &work) ? (Py_ssize_t)work.number : -1;
}

// ---- iteration

static bool do_collect(Work *work)
{
  List *list = value_list(work->e->t, NULL, 0).list;
  work->out = (Value){.tag = VALUE_LIST, .list = list};
  return op_collect(work->e->t, work->values[0], work->span, list);
}

static PyObject *held_iterate(PyObject *self)
{
  Held *held = (Held *)self;
  if (held->value.tag == VALUE_OBJECT && held->value.object->type == &dynamic_range_type)
    return PyObject_CallMethod(held->eager->hooks, "loop", "O", self);
  PyObject *list = with_one(self, do_collect, 0), *iterator = list ? PyObject_GetIter(list) : NULL;
  Py_XDECREF(list);
  return iterator;
}

static bool do_loop_begin(Work *work)
{
  return device_loop_begin(work->e->t, work->values[0], work->span, &work->values[1], &work->values[2]);
}

// loop_begin() -> (the loop's register, a condition: whether it goes on)
static PyObject *held_loop_begin(PyObject *self, PyObject *none)
{
  Held *held = (Held *)self;
  Work work = {.run = do_loop_begin, .values = {held->value}};
  (void)none;
  if (!operate(held->eager, &work))
    return NULL;
  return sequence_object(held->eager, work.values + 1, 2, true);
}

static bool do_loop_next(Work *work)
{
  Value index;
  if (!live_value(&work->e->live, work->args, &index))
    return false;
  device_loop_next(work->e->t, work->values[0], index, work->span);
  return true;
}

static PyObject *held_loop_next(PyObject *self, PyObject *index)
{
  Held *held = (Held *)self;
  Work work = {.run = do_loop_next, .values = {held->value}, .args = index};
  if (!operate(held->eager, &work))
    return NULL;
  Py_RETURN_NONE;
}

// ---- `with`

static bool do_enter(Work *work)
{
  Value self = work->values[0];
  Outcome entered = value_is_native(self) && self.object->type->enter
                        ? self.object->type->enter(work->e->t, self, work->span, &work->out)
                        : OUTCOME_MISSING;
  if (entered == OUTCOME_MISSING)
    return RAISE(work->e->t, E_TYPE, work->span, "'%s' object does not support the context manager protocol",
                 value_type_name(work->e->t, self));
  return entered == OUTCOME_OK;
}

static PyObject *held_enter(PyObject *self, PyObject *none)
{
  (void)none;
  return with_one(self, do_enter, 0);
}

static bool do_exit(Work *work)
{
  Value self = work->values[0];
  return !self.object->type->exit || self.object->type->exit(work->e->t, self, work->span) != OUTCOME_ERROR;
}

static PyObject *held_exit(PyObject *self, PyObject *args)
{
  PyObject *type, *value, *trace;
  Held *held = (Held *)self;
  Work work = {.run = do_exit, .values = {held->value}};
  if (!PyArg_ParseTuple(args, "OOO", &type, &value, &trace))
    return NULL;
  if (type == Py_None && !operate(held->eager, &work))
    return NULL;
  Py_RETURN_FALSE;
}

// ---- looking at values

static bool do_repr(Work *work)
{
  StrBuf text = strbuf_new(&work->e->t->arena);
  if (!(work->op ? op_str : op_repr)(work->e->t, work->values[0], work->span, &text))
    return false;
  work->out = value_str_own(work->e->t, (Str){strbuf_cstr(&text), text.len});
  return true;
}

static PyObject *shown(PyObject *self, int op)
{
  Held *held = (Held *)self;
  EagerObject *e = held->eager;
  Work work = {.e = e, .run = do_repr, .values = {held->value}, .op = op};
  if (!e->t || !klr_guarded(e->session->klr, run_work, &work))
    return raise_reported(e);
  return text_object(work.out.string->text);
}

static PyObject *held_repr(PyObject *self) { return shown(self, 0); }
static PyObject *held_str(PyObject *self) { return shown(self, 1); }

// read() -> (name, memory, dtype, shape, bytes, elements never written)
static PyObject *held_read(PyObject *self, PyObject *none)
{
  Held *held = (Held *)self;
  EagerObject *e = held->eager;
  const View *view = value_view(held->value);
  Array array;
  uint64_t unwritten;
  (void)none;
  if (!view || !e->sim) {
    PyErr_SetString(view ? PyExc_RuntimeError : PyExc_TypeError,
                    view ? "the kernel has ended, and its tensors with it: copy what is wanted later, np.array(tile), while it runs"
                         : "not a tensor");
    return NULL;
  }
  if (!sim_read(e->sim, held->life->core, view, &array, &unwritten))
    return raise_reported(e);
  PyObject *shape = PyTuple_New(array.rank);
  for (uint32_t i = 0; shape && i < array.rank; i++)
    PyTuple_SetItem(shape, i, PyLong_FromUnsignedLongLong(array.shape[i]));
  PyObject *made = shape ? Py_BuildValue("sssNy#K", view->tensor->name, memory_name(view->tensor->address->memory),
                                         dtype_name(array.dtype), shape, (const char *)array.data, (Py_ssize_t)array.bytes,
                                         (unsigned long long)unwritten)
                         : NULL;
  array_free(&array);
  return made;
}

static PyObject *make_no_held(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
  (void)type, (void)args, (void)keywords;
  PyErr_SetString(PyExc_TypeError, "a kernel makes its tensors itself: nl.ndarray(shape, dtype, buffer)");
  return NULL;
}

static void held_dealloc(PyObject *self)
{
  Held *held = (Held *)self;
  PyTypeObject *type = Py_TYPE(self);
  if (held->life) {
    held->life->held--;
    queue_life(held->eager, held->life);
  }
  Py_XDECREF((PyObject *)held->eager);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  release(self);
  Py_DECREF((PyObject *)type);
}

// ---- a call of a kernel

typedef struct OpenCall {
  EagerObject *e;
  PyObject *kernel, *arguments;
  const char *target, *name;
  int lnc;
} OpenCall;

static void prepare(EagerObject *e, const char *name)
{
  Tracer *t = e->t;
  e->live.other = other_value;
  e->fixed = e->sites = e->sources = e->lives = map_new(&t->arena);
  e->module = arena_new(&t->arena, ModuleObject);
  *e->module = (ModuleObject){.name = tracer_name(t, name), .path = "", .state = MODULE_READY};
  e->code = (FunctionCode){.kind = CODE_FUNCTION, .name = tracer_name(t, name), .qualname = arena_strdup(&t->arena, name)};
  e->frame = (Frame){.code = &e->code, .module = e->module, .id = ++t->frame_count};
  t->step_limit = 0;
  e->forgets = true;
}

static bool open_kernel(void *context)
{
  OpenCall *call = context;
  EagerObject *e = call->e;
  Session *session = klr_core_session(e->session->klr);
  e->machine = live_machine(session, call->target);
  if (!e->machine)
    return false;
  Tracer *t = e->t = tracer_new(session);
  live_init(&e->live, t);
  nki_install(t, e->machine);
  Value kernel;
  Arguments arguments;
  if (!live_value(&e->live, call->kernel, &kernel) || !live_arguments(&e->live, call->arguments, &arguments))
    return false;
  e->live.reach = REACH_CAPTURED;  // from now on: what calls are given, where arrays are constants
  e->open = kernel_open(t, kernel, arguments.names, arguments.values, arguments.count, call->lnc);
  if (!e->open)
    return false;
  prepare(e, kernel_so_far(e->open)->name);
  t->frame = &e->frame;
  return true;
}

// Eager(session, hooks, kernel, arguments, target, lnc, strict, lenient)
static PyObject *eager_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
  PyObject *session, *hooks;
  OpenCall call = {0};
  int strict, lenient;
  (void)keywords;
  if (!PyArg_ParseTuple(args, "O!OOO!sipp", session_type, &session, &hooks, &call.kernel, &PyDict_Type,
                        &call.arguments, &call.target, &call.lnc, &strict, &lenient))
    return NULL;
  EagerObject *e = call.e = (EagerObject *)PyType_GenericAlloc(type, 0);
  if (!e)
    return NULL;
  Py_INCREF(session), Py_INCREF(hooks);
  e->session = (SessionObject *)session;
  e->hooks = hooks;
  e->live.reads = hooks;
  e->live.kept = PyList_New(0);
  e->value_type = PyObject_GetAttrString(hooks, "value_type");
  e->tensor_type = PyObject_GetAttrString(hooks, "tensor_type");
  e->register_type = PyObject_GetAttrString(hooks, "register_type");
  e->instruction_type = PyObject_GetAttrString(hooks, "instruction_type");
  Session *core = klr_core_session(e->session->klr);
  core->strict = strict;
  core->lenient = lenient;
  if (e->live.kept && e->value_type && e->tensor_type && e->register_type && e->instruction_type) {
    if (klr_guarded(e->session->klr, open_kernel, &call))
      return (PyObject *)e;
    raise_reported(e);
  }
  Py_DECREF((PyObject *)e);
  return NULL;
}

// inputs() -> [(the argument, its tensor)], in the order of the kernel's inputs
static PyObject *eager_inputs(PyObject *self, PyObject *none)
{
  EagerObject *e = (EagerObject *)self;
  const Kernel *kernel = kernel_so_far(e->open);
  PyObject *objects = live_inputs(&e->live, kernel), *list = objects ? PyList_New(kernel->inputs.count) : NULL;
  (void)none;
  for (uint32_t i = 0; list && i < kernel->inputs.count; i++) {
    PyObject *item = NULL, *object = PyList_GetItem(objects, i);
    for (size_t k = 0; k < e->live.inputs.count; k++)
      if (tensor_argument_input(e->live.inputs.items[k].value) == kernel->inputs.items[i])
        item = Py_BuildValue("ON", object, hold(e, e->live.inputs.items[k].value));
    if (!item) {
      Py_CLEAR(list);
      break;
    }
    PyList_SetItem(list, i, item);
  }
  Py_XDECREF(objects);
  return list;
}

// A copy, so that the caller's memory is untouched until all went well.
static bool copy_array(PyObject *item, const Tensor *tensor, Array *out)
{
  unsigned long long address, bytes;
  uint64_t sizes[VIEW_RANK_MAX];
  uint32_t rank = tensor_rank(tensor);
  for (uint32_t i = 0; i < rank; i++)
    sizes[i] = tensor_dim(tensor, i);
  if (!PyArg_ParseTuple(item, "KK", &address, &bytes))
    return false;
  *out = array_new(tensor->dtype, rank, sizes);
  if (!out->data)
    return PyErr_NoMemory() != NULL;
  if (bytes == out->bytes) {
    memcpy(out->data, (const void *)(uintptr_t)address, bytes);
    return true;
  }
  PyErr_SetString(PyExc_ValueError, "an array is not of the size of its tensor");
  return false;
}

static bool begin_run(void *context)
{
  EagerObject *e = context;
  Session *session = klr_core_session(e->session->klr);
  uint32_t cores = e->rank.kernel->bodies.count;
  if (!machine_check(session, e->machine, e->rank.kernel))  // of no instructions yet: whether it has so many cores
    return false;
  for (uint32_t core = 0; core < cores; core++)
    e->verifiers[core] = verifier_new(session);
  e->checker = machine_checker_new(session, e->machine, cores);
  e->sim = sim_begin(klr_core_session(e->session->klr), &e->rank, 1, &e->options);
  return e->sim != NULL;
}

// start([(address, bytes)] of inputs, f32, checks, reference, poison, threads, seed, zeros, ocp_scales)
static PyObject *eager_start(PyObject *self, PyObject *args)
{
  EagerObject *e = (EagerObject *)self;
  const Kernel *kernel = kernel_so_far(e->open);
  PyObject *list;
  int f32, checks, reference, poison, zeros, ocp_scales;
  unsigned threads;
  unsigned long long seed;
  if (!PyArg_ParseTuple(args, "O!ppppIKpp", &PyList_Type, &list, &f32, &checks, &reference, &poison, &threads, &seed, &zeros, &ocp_scales))
    return NULL;
  e->options = sim_default_options();
  e->options.machine = e->machine;
  e->options.exact_fp = !f32;
  e->options.checks = checks;
  e->options.reference = reference;
  e->options.poison = poison;
  e->options.zeros = zeros;
  e->options.ocp_scales = ocp_scales;
  e->options.threads = threads;
  e->options.seed = seed;
  e->rank = (SimRank){kernel, PyMem_Calloc(kernel->inputs.count + 1, sizeof(Array)), NULL};
  if (!e->rank.inputs)
    return PyErr_NoMemory();
  for (uint32_t i = 0; i < kernel->inputs.count; i++)
    if (!copy_array(PyList_GetItem(list, i), kernel->inputs.items[i], &e->rank.inputs[i]))
      return NULL;
  if (!klr_guarded(e->session->klr, begin_run, e))
    return raise_reported(e);
  signals_watch(e->session->klr, &e->signals);
  Py_RETURN_NONE;
}

static bool do_begin_core(Work *work)
{
  EagerObject *e = work->e;
  kernel_begin_core(e->open, (uint32_t)work->op);
  e->core = (uint32_t)work->op;
  e->made[e->core] = kernel_made_count(e->open);
  return true;
}

static bool do_switch_core(Work *work)
{
  kernel_switch_core(work->e->open, (uint32_t)work->op);
  work->e->core = (uint32_t)work->op;
  return true;
}

static PyObject *to_core(PyObject *self, PyObject *args, bool (*run)(Work *))
{
  Work work = {.e = (EagerObject *)self, .run = run};
  if (!PyArg_ParseTuple(args, "i", &work.op))
    return NULL;
  if (!klr_guarded(work.e->session->klr, run_work, &work))
    return raise_reported(work.e);
  active = work.e;
  Py_RETURN_NONE;
}

// begin_core(core), switch_core(core): this thread evaluates that core from now on.
static PyObject *eager_begin_core(PyObject *self, PyObject *args) { return to_core(self, args, do_begin_core); }
static PyObject *eager_switch_core(PyObject *self, PyObject *args) { return to_core(self, args, do_switch_core); }

// leave(): this thread is in no kernel any more.
static PyObject *eager_leave(PyObject *self, PyObject *none)
{
  (void)none;
  if (active == (EagerObject *)self)
    active = NULL;
  Py_RETURN_NONE;
}

static bool do_end_core(Work *work)
{
  EagerObject *e = work->e;
  long next = 0;
  if (!live_value(&e->live, work->args, &work->out) || !kernel_end_core(e->open, work->out, kernel_place(e->open)))
    return false;
  work->object = live_result_form(work->out, &next);
  sim_end_core(e->sim, e->core);
  return work->object != NULL;
}

// end_core(what the function returned) -> the form of the result
static PyObject *eager_end_core(PyObject *self, PyObject *result)
{
  Work work = {.run = do_end_core, .args = result};
  return operate((EagerObject *)self, &work) ? work.object : NULL;
}

static PyObject *eager_waits(PyObject *self, PyObject *args)
{
  unsigned core;
  if (!PyArg_ParseTuple(args, "I", &core))
    return NULL;
  EagerObject *e = (EagerObject *)self;
  return PyBool_FromLong(e->sim && sim_waits(e->sim, core));
}

// deadlock(): raises what says who waits for whom.
static PyObject *eager_deadlock(PyObject *self, PyObject *none)
{
  EagerObject *e = (EagerObject *)self;
  (void)none;
  sim_report_deadlock(e->sim);
  e->failed = true;
  return raise_reported(e);
}

static bool close_kernel(void *context)
{
  EagerObject *e = context;
  Session *session = e->t->session;
  Kernel *kernel = kernel_close(e->open);
  e->open = NULL;
  if (!kernel || !core_verify(session, kernel) || session->error_count)
    return false;
  e->kernel = kernel;
  e->rank.outputs = PyMem_Calloc(kernel->outputs.count + 1, sizeof(Array));
  bool ok = e->rank.outputs && sim_end(e->sim, NULL);
  e->sim = NULL;
  return ok;
}

// close() -> the handle of the kernel
static PyObject *eager_close(PyObject *self, PyObject *none)
{
  EagerObject *e = (EagerObject *)self;
  (void)none;
  if (!klr_guarded(e->session->klr, close_kernel, e))
    return raise_reported(e);
  if (e->t->session->diags.count > e->told)
    give_diagnostics(e, "warned");
  return PyErr_Occurred() ? NULL : new_handle(e->session, e->kernel);
}

static bool give_arrays(PyObject *list, const Array *arrays, uint32_t count)
{
  for (uint32_t i = 0; i < count; i++) {
    unsigned long long address, bytes;
    if (!PyArg_ParseTuple(PyList_GetItem(list, i), "KK", &address, &bytes))
      return false;
    if (bytes == arrays[i].bytes)
      memcpy((void *)(uintptr_t)address, arrays[i].data, bytes);
  }
  return true;
}

// give([(address, bytes)] of inputs, the same of outputs): after close(), what the kernel wrote.
static PyObject *eager_give(PyObject *self, PyObject *args)
{
  EagerObject *e = (EagerObject *)self;
  PyObject *inputs, *outputs;
  if (!PyArg_ParseTuple(args, "O!O!", &PyList_Type, &inputs, &PyList_Type, &outputs))
    return NULL;
  if (!e->kernel || !give_arrays(inputs, e->rank.inputs, e->kernel->inputs.count) ||
      !give_arrays(outputs, e->rank.outputs, e->kernel->outputs.count))
    return NULL;
  Py_RETURN_NONE;
}

static void free_arrays(Array *arrays, uint32_t count)
{
  for (uint32_t i = 0; arrays && i < count; i++)
    array_free(&arrays[i]);
  PyMem_Free(arrays);
}

// abandon(): frees the run; tensors have no elements any more.
static PyObject *eager_abandon(PyObject *self, PyObject *none)
{
  EagerObject *e = (EagerObject *)self;
  (void)none;
  if (active == e)
    active = NULL;
  if (e->open)
    kernel_abandon(e->open);
  e->failed |= e->open != NULL;
  if (e->sim)
    (void)sim_end(e->sim, NULL);
  e->sim = NULL;
  Py_RETURN_NONE;
}

static void eager_dealloc(PyObject *self)
{
  EagerObject *e = (EagerObject *)self;
  PyTypeObject *type = Py_TYPE(self);
  Py_XDECREF(eager_abandon(self, NULL));
  klr_set_poll(e->session->klr, NULL, NULL);
  const Kernel *kernel = e->rank.kernel;
  free_arrays(e->rank.inputs, kernel ? kernel->inputs.count : 0);
  free_arrays(e->rank.outputs, e->kernel ? kernel->outputs.count : 0);
  tracer_free(e->t);
  verifier_free(e->verifiers[0]);
  verifier_free(e->verifiers[1]);
  machine_checker_free(e->checker);
  PyObject *owned[] = {(PyObject *)e->session, e->hooks, e->live.kept, e->value_type,
                       e->tensor_type, e->register_type, e->instruction_type, e->live.error_type, e->live.error_value, e->live.error_trace};
  for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
    Py_XDECREF(owned[i]);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  release(self);
  Py_DECREF((PyObject *)type);
}

// ---- functions of the library

// Function(function, module, name): Python's own function of the library, which in a kernel is the tracer's.
static PyObject *make_function(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
  PyObject *function, *module, *name;
  (void)keywords;
  if (!PyArg_ParseTuple(args, "OUU", &function, &module, &name))
    return NULL;
  FunctionObject *made = (FunctionObject *)PyType_GenericAlloc(type, 0);
  if (!made)
    return NULL;
  Py_INCREF(function), Py_INCREF(module), Py_INCREF(name);
  made->function = function;
  made->module = module;
  made->name = name;
  return (PyObject *)made;
}

static PyObject *call_library_function(PyObject *self, PyObject *args, PyObject *keywords)
{
  FunctionObject *function = (FunctionObject *)self;
  if (!active)
    return PyObject_Call(function->function, args, keywords);
  return call_object(active, self, args, keywords);
}

// Everything but what makes it callable is Python's function's.
static PyObject *function_getattr(PyObject *self, PyObject *name)
{
  FunctionObject *function = (FunctionObject *)self;
  static const char *const own[] = {"__class__", "__call__", "__reduce__", "__reduce_ex__", "__get__"};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    if (PyUnicode_CompareWithASCIIString(name, own[i]) == 0)
      return PyObject_GenericGetAttr(self, name);
  if (PyUnicode_CompareWithASCIIString(name, "__wrapped__") == 0) {
    Py_INCREF(function->function);
    return function->function;
  }
  return PyObject_GetAttr(function->function, name);
}

static PyObject *function_repr(PyObject *self)
{
  return PyObject_Repr(((FunctionObject *)self)->function);
}

// A function of the library is no method of a class that has it as an attribute.
static PyObject *function_get(PyObject *self, PyObject *instance, PyObject *owner)
{
  (void)instance, (void)owner;
  Py_INCREF(self);
  return self;
}

static PyObject *function_reduce(PyObject *self, PyObject *none)
{
  (void)none;
  return PyObject_GetAttrString(((FunctionObject *)self)->function, "__qualname__");
}

static void function_dealloc(PyObject *self)
{
  FunctionObject *function = (FunctionObject *)self;
  PyTypeObject *type = Py_TYPE(self);
  Py_XDECREF(function->function);
  Py_XDECREF(function->module);
  Py_XDECREF(function->name);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  release(self);
  Py_DECREF((PyObject *)type);
}

// in_kernel() -> whether this thread evaluates a kernel
static PyObject *in_kernel(PyObject *self, PyObject *none)
{
  (void)self, (void)none;
  return PyBool_FromLong(active != NULL);
}

// ---- types

static PyMethodDef eager_methods[] = {
    {"inputs", eager_inputs, METH_NOARGS, "[(argument, tensor)]"},
    {"start", eager_start, METH_VARARGS, "start(inputs, f32, checks, reference, poison, threads, seed, zeros, ocp_scales)"},
    {"begin_core", eager_begin_core, METH_VARARGS, "begin_core(core)"},
    {"switch_core", eager_switch_core, METH_VARARGS, "switch_core(core)"},
    {"leave", eager_leave, METH_NOARGS, "This thread is in no kernel any more."},
    {"end_core", eager_end_core, METH_O, "end_core(result)"},
    {"waits", eager_waits, METH_VARARGS, "waits(core)"},
    {"deadlock", eager_deadlock, METH_NOARGS, "Raises what says who waits for whom."},
    {"close", eager_close, METH_NOARGS, "The handle of the kernel."},
    {"give", eager_give, METH_VARARGS, "give(inputs, outputs)"},
    {"abandon", eager_abandon, METH_NOARGS, "Frees the run."},
    {0},
};
static PyType_Slot eager_slots[] = {
    {Py_tp_new, (void *)eager_new}, {Py_tp_dealloc, (void *)eager_dealloc}, {Py_tp_methods, eager_methods}, {0}};
static PyType_Spec eager_spec = {"klr._native.Eager", sizeof(EagerObject), 0, Py_TPFLAGS_DEFAULT, eager_slots};

static PyMethodDef held_methods[] = {
    {"_number", held_number, METH_NOARGS, "What a register holds now."},
    {"_read", held_read, METH_NOARGS, "(name, memory, dtype, shape, bytes, elements never written)"},
    {"_loop_begin", held_loop_begin, METH_NOARGS, "(register, condition)"},
    {"_loop_next", held_loop_next, METH_O, "_loop_next(register)"},
    {"__enter__", held_enter, METH_NOARGS, NULL},
    {"__exit__", held_exit, METH_VARARGS, NULL},
    {0},
};
#define SLOT(slot, function) {slot, (void *)function}
static PyType_Slot held_slots[] = {SLOT(Py_tp_dealloc, held_dealloc),
                                   SLOT(Py_tp_new, make_no_held),
                                   SLOT(Py_tp_methods, held_methods),
                                   SLOT(Py_tp_call, held_call),
                                   SLOT(Py_tp_getattro, held_getattr),
                                   SLOT(Py_tp_setattro, held_setattr),
                                   SLOT(Py_tp_richcompare, held_compare),
                                   SLOT(Py_tp_hash, held_hash),
                                   SLOT(Py_tp_iter, held_iterate),
                                   SLOT(Py_tp_repr, held_repr),
                                   SLOT(Py_tp_str, held_str),
                                   SLOT(Py_nb_bool, held_truth),
                                   SLOT(Py_mp_length, held_length),
                                   SLOT(Py_mp_subscript, held_getitem),
                                   SLOT(Py_mp_ass_subscript, held_setitem),
                                   SLOT(Py_nb_add, held_add),
                                   SLOT(Py_nb_subtract, held_subtract),
                                   SLOT(Py_nb_multiply, held_multiply),
                                   SLOT(Py_nb_matrix_multiply, held_matrix_multiply),
                                   SLOT(Py_nb_true_divide, held_true_divide),
                                   SLOT(Py_nb_floor_divide, held_floor_divide),
                                   SLOT(Py_nb_remainder, held_remainder),
                                   SLOT(Py_nb_power, held_power),
                                   SLOT(Py_nb_lshift, held_lshift),
                                   SLOT(Py_nb_rshift, held_rshift),
                                   SLOT(Py_nb_and, held_and),
                                   SLOT(Py_nb_or, held_or),
                                   SLOT(Py_nb_xor, held_xor),
                                   SLOT(Py_nb_negative, held_negative),
                                   SLOT(Py_nb_positive, held_positive),
                                   SLOT(Py_nb_invert, held_invert),
                                   {0}};
static PyType_Spec held_spec = {"klr._native.Held", sizeof(Held), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, held_slots};

static PyMethodDef function_methods[] = {{"__reduce__", function_reduce, METH_NOARGS, NULL}, {0}};
static PyType_Slot function_slots[] = {SLOT(Py_tp_new, make_function),
                                       SLOT(Py_tp_dealloc, function_dealloc),
                                       SLOT(Py_tp_call, call_library_function),
                                       SLOT(Py_tp_getattro, function_getattr),
                                       SLOT(Py_tp_repr, function_repr),
                                       SLOT(Py_tp_descr_get, function_get),
                                       SLOT(Py_tp_methods, function_methods),
                                       {0}};
static PyType_Spec function_spec = {"klr._native.Function", sizeof(FunctionObject), 0, Py_TPFLAGS_DEFAULT, function_slots};

static PyMethodDef module_functions[] = {{"in_kernel", in_kernel, METH_NOARGS, "Whether this thread evaluates a kernel."}, {0}};

bool eager_init(PyObject *module)
{
  eager_type = (PyTypeObject *)PyType_FromSpec(&eager_spec);
  held_type = (PyTypeObject *)PyType_FromSpec(&held_spec);
  function_type = (PyTypeObject *)PyType_FromSpec(&function_spec);
  if (!eager_type || !held_type || !function_type)
    return false;
  Py_INCREF((PyObject *)eager_type);
  Py_INCREF((PyObject *)held_type);
  Py_INCREF((PyObject *)function_type);
  return PyModule_AddObject(module, "Eager", (PyObject *)eager_type) == 0 &&
         PyModule_AddObject(module, "Held", (PyObject *)held_type) == 0 &&
         PyModule_AddObject(module, "Function", (PyObject *)function_type) == 0 &&
         PyModule_AddFunctions(module, module_functions) == 0;
}

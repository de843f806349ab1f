// _native.c -- the Python package's door to the library: live objects in, kernels, arrays and diagnostics out.
//
// It converts and decides nothing. What a Python object is (a function with its text, a class, a tensor, a part of the
// NKI library, ...) says `reads.describe`, of klr._cache, as a tuple whose first item is a tag; atoms and containers are
// converted here. `reads` also hears of everything that is read of the program, so that it can tell when a trace would
// come out differently. Only the stable interface of Python 3.9 is used.

#include "_native.h"

#include "core/verify.h"
#include "machine/legal.h"

#include <string.h>

PyTypeObject *session_type, *kernel_handle_type;

// ---- signals

static bool poll_signals(void *context)
{
  Signals *signals = context;
  // While tracing, too, other threads get their turn.
  PyEval_RestoreThread(signals->released ? signals->released : PyEval_SaveThread());
  bool raised = PyErr_CheckSignals() != 0;
  if (raised)
    PyErr_Fetch(&signals->type, &signals->value, &signals->trace);
  if (signals->released)
    signals->released = PyEval_SaveThread();
  return raised;
}

void signals_watch(KlrSession *klr, Signals *signals)
{
  klr_set_poll(klr, poll_signals, signals);
}

bool signals_end(KlrSession *klr, Signals *signals)
{
  klr_set_poll(klr, NULL, NULL);
  if (!signals->type)
    return false;
  PyErr_Restore(signals->type, signals->value, signals->trace);
  *signals = (Signals){0};
  return true;
}

// ---- live objects

static bool to_value(Live *live, PyObject *object, Value *out);

// A Python exception on the way becomes one of the trace; the first is kept to be raised again.
static bool python_failed(Live *live, const char *doing)
{
  PyObject *type, *value, *trace;
  PyErr_Fetch(&type, &value, &trace);
  PyErr_NormalizeException(&type, &value, &trace);
  PyObject *text = value ? PyObject_Str(value) : NULL, *utf8 = text ? PyUnicode_AsUTF8String(text) : NULL;
  const char *said = utf8 ? PyBytes_AsString(utf8) : NULL;
  raise_error(live->t, E_RUNTIME, (Span){0}, "%s: %s", doing, said ? said : "an exception");
  PyErr_Clear();
  Py_XDECREF(utf8);
  Py_XDECREF(text);
  if (!live->error_type) {
    live->error_type = type, live->error_value = value, live->error_trace = trace;
  } else {
    Py_XDECREF(type), Py_XDECREF(value), Py_XDECREF(trace);
  }
  return false;
}

static bool keep(Live *live, PyObject *object)
{
  return PyList_Append(live->kept, object) == 0 || python_failed(live, "keeping an object");
}

static bool remember_as(Live *live, PyObject *object, Value value, bool is_array)
{
  Known *place = arena_new(&live->t->arena, Known);
  *place = (Known){value, live->reach == REACH_PROGRAM, is_array};
  map_set_number(&live->values, (uint64_t)(uintptr_t)object + (value.tag == VALUE_TENSOR), place);
  return keep(live, object);
}

static bool remember(Live *live, PyObject *object, Value value)
{
  return remember_as(live, object, value, false);
}

// The value of an object met before, as it is to be seen from here; NULL: none.
static const Value *recall(Live *live, PyObject *object)
{
  uint64_t address = (uint64_t)(uintptr_t)object;
  const Known *known = live->reach == REACH_ARGUMENT ? map_get_number(&live->values, address + 1) : NULL;
  if (!known)
    known = map_get_number(&live->values, address);
  if (!known || (live->reach == REACH_ARGUMENT && known->is_array))
    return NULL;
  bool is_other_way = known->is_program != (live->reach == REACH_PROGRAM);
  if (is_other_way && known->value.tag == VALUE_TUPLE)
    return NULL;  // what is in it decides
  if (is_other_way && (known->value.tag == VALUE_LIST || known->value.tag == VALUE_DICT || known->value.tag == VALUE_SET ||
                       known->value.tag == VALUE_INSTANCE))
    live->is_entangled = true;
  return &known->value;
}

// Tells `reads` of something; steals the result of its method.
static bool told(Live *live, PyObject *result)
{
  Py_XDECREF(result);
  return result || python_failed(live, "remembering what a kernel reads");
}

// A copy in the tracer's arena. Lone surrogates have no UTF-8: the text is refused.
bool live_text(Live *live, PyObject *object, Str *out)
{
  char *data = NULL;
  Py_ssize_t len = 0;
  PyObject *utf8 = PyUnicode_AsUTF8String(object);
  *out = STR("");
  if (!utf8 || PyBytes_AsStringAndSize(utf8, &data, &len) < 0) {
    Py_XDECREF(utf8);
    return python_failed(live, "a text that is not Unicode");
  }
  *out = (Str){arena_strndup(&live->t->arena, data, (size_t)len), (size_t)len};
  Py_DECREF(utf8);
  return true;
}

static const char *item_text(Live *live, PyObject *tuple, Py_ssize_t index)
{
  PyObject *item = PyTuple_GetItem(tuple, index);
  Str text = STR("");
  if (item && PyUnicode_Check(item) && !live_text(live, item, &text))
    catch_exception(live->t);
  PyErr_Clear();
  return text.data;
}

static long long item_int(PyObject *tuple, Py_ssize_t index)
{
  PyObject *item = PyTuple_GetItem(tuple, index);
  long long number = item ? PyLong_AsLongLong(item) : 0;
  PyErr_Clear();
  return number;
}

// ---- atoms and containers

static bool big_int_value(Live *live, PyObject *object, Value *out)
{
  PyObject *text = PyObject_Str(object);
  Str digits;
  if (!text || !live_text(live, text, &digits))
    return text ? false : python_failed(live, "a number");
  bool done = trace_eval_text(live->t, "number", arena_strndup(&live->t->arena, digits.data, digits.len), out);
  Py_DECREF(text);
  return done;
}

static bool int_value(Live *live, PyObject *object, Value *out)
{
  int overflow;
  long long number = PyLong_AsLongLongAndOverflow(object, &overflow);
  if (overflow)
    return big_int_value(live, object, out);
  *out = value_int(number);
  return true;
}

// What a container holds now, as a tuple or dictionary of its own: other threads may change it meanwhile. NULL after raising.
static PyObject *contents(Live *live, PyObject *object, PyObject *copy)
{
  if (!copy) {
    python_failed(live, "reading a container");
    return NULL;
  }
  bool done = keep(live, copy) && (live->reach != REACH_PROGRAM ||
                                   told(live, PyObject_CallMethod(live->reads, "container", "OO", object, copy)));
  Py_DECREF(copy);  // kept
  return done ? copy : NULL;
}

static bool tuple_value(Live *live, PyObject *object, Value *out)
{
  Py_ssize_t count = PyTuple_Size(object);
  *out = value_tuple(live->t, NULL, (size_t)count);
  bool done = remember(live, object, *out);
  for (Py_ssize_t i = 0; done && i < count; i++)
    done = to_value(live, PyTuple_GetItem(object, i), &out->tuple->items[i]);
  return done;
}

static bool list_value(Live *live, PyObject *object, Value *out)
{
  *out = value_list(live->t, NULL, 0);
  PyObject *items = remember(live, object, *out) ? contents(live, object, PyList_AsTuple(object)) : NULL;
  Py_ssize_t count = items ? PyTuple_Size(items) : 0;
  for (Py_ssize_t i = 0; i < count; i++) {
    Value value;
    if (!to_value(live, PyTuple_GetItem(items, i), &value))
      return false;
    list_push(live->t, out->list, value);
  }
  return items != NULL;
}

static bool dict_value(Live *live, PyObject *object, Value *out)
{
  PyObject *key, *item;
  Py_ssize_t at = 0;
  *out = value_dict(live->t);
  PyObject *items = remember(live, object, *out) ? contents(live, object, PyDict_Copy(object)) : NULL;
  while (items && PyDict_Next(items, &at, &key, &item)) {
    Value k, v;
    if (!to_value(live, key, &k) || !to_value(live, item, &v) || !dict_set(live->t, out->dict, k, v))
      return false;
  }
  return items != NULL;
}

static bool set_value(Live *live, PyObject *object, bool frozen, Value *out)
{
  *out = value_set(live->t, frozen);
  PyObject *items = remember(live, object, *out) ? contents(live, object, PySequence_Tuple(object)) : NULL;
  Py_ssize_t count = items ? PyTuple_Size(items) : 0;
  for (Py_ssize_t i = 0; i < count; i++) {
    Value item;
    if (!to_value(live, PyTuple_GetItem(items, i), &item) || !dict_set(live->t, out->dict, item, value_none()))
      return false;
  }
  return items != NULL;
}

static bool attribute_value(Live *live, PyObject *object, const char *name, Value *out)
{
  PyObject *item = PyObject_GetAttrString(object, name);
  if (!item)
    return python_failed(live, name);
  bool done = to_value(live, item, out);
  Py_DECREF(item);
  return done;
}

static bool slice_value(Live *live, PyObject *object, Value *out)
{
  Value start, stop, step;
  if (!attribute_value(live, object, "start", &start) || !attribute_value(live, object, "stop", &stop) ||
      !attribute_value(live, object, "step", &step))
    return false;
  *out = value_slice(live->t, start, stop, step);
  return true;
}

static bool range_value(Live *live, PyObject *object, Value *out)
{
  Value start, stop, step;
  int64_t a, b, c;
  if (!attribute_value(live, object, "start", &start) || !attribute_value(live, object, "stop", &stop) ||
      !attribute_value(live, object, "step", &step))
    return false;
  if (!value_as_int(start, &a) || !value_as_int(stop, &b) || !value_as_int(step, &c))
    return RAISE(live->t, E_OVERFLOW, (Span){0}, "a range beyond 64 bits");
  *out = value_range(live->t, a, b, c);
  return true;
}

// ---- what describe() names

static bool live_attr(Live *live, Value owner, const char *dotted, Value *out)
{
  *out = owner;
  while (*dotted) {
    size_t len = strcspn(dotted, ".");
    const Name *name = name_intern(&live->t->session->names, (Str){dotted, len});
    Outcome found = op_find_attr(live->t, *out, name, (Span){0}, out);
    if (found == OUTCOME_ERROR)
      return false;
    if (found == OUTCOME_MISSING) {
      *out = value_opaque(live->t, arena_strdup(&live->t->arena, dotted), (Span){0}, NULL);
      return true;
    }
    dotted += len + (dotted[len] == '.');
  }
  return true;
}

// A module the tracer has itself, or something in it.
bool live_library(Live *live, const char *module, const char *name, Value *out)
{
  ModuleObject *found = module_find(live->t, str_from(module));
  if (!found) {
    *out = value_opaque(live->t, arena_printf(&live->t->arena, "%s.%s", module, name), (Span){0}, NULL);
    return true;
  }
  return live_attr(live, (Value){.tag = VALUE_MODULE, .module = found}, name, out);
}

// (globals, name, path, is_package)
static ModuleObject *module_of(Live *live, PyObject *what)
{
  PyObject *globals = PyTuple_GetItem(what, 0);
  ModuleObject *known = map_get_number(&live->modules, (uint64_t)(uintptr_t)globals);
  if (known)
    return known;
  known = host_module(live->t, globals, item_text(live, what, 1), item_text(live, what, 2), item_int(what, 3) != 0);
  map_set_number(&live->modules, (uint64_t)(uintptr_t)globals, known);
  return keep(live, globals) ? known : NULL;
}

static HostText *text_object(Live *live, PyObject *module, PyObject *path, PyObject *text)
{
  ModuleObject *owner = module_of(live, module);
  Str p, source;
  if (!owner || !live_text(live, path, &p) || !live_text(live, text, &source))
    return NULL;
  return host_text(live->t, owner, p.data, source);
}

static bool unknown_source(Live *live, const char *what, const char *name, const char *path, Value *out)
{
  Diag *diag = raise_error(live->t, E_IMPORT, (Span){0}, "the source text of %s '%s' is not at hand ('%s')", what, name,
                           path);
  diag_help(diag, "define it in a file or a notebook cell, not at a prompt or with exec()");
  catch_exception(live->t);
  *out = value_opaque(live->t, arena_strdup(&live->t->arena, name), (Span){0}, diag);
  return true;
}

static bool cell_value(Live *live, PyObject *cell, Cell **out)
{
  Cell *known = map_get_number(&live->cells, (uint64_t)(uintptr_t)cell);
  if (!known) {
    known = arena_new(&live->t->arena, Cell);
    map_set_number(&live->cells, (uint64_t)(uintptr_t)cell, known);
    PyObject *content = PyObject_GetAttrString(cell, "cell_contents");
    if (!content)
      PyErr_Clear();  // an empty cell: unbound here too
    bool done = keep(live, cell) && (live->reach != REACH_PROGRAM ||
                                     told(live, content ? PyObject_CallMethod(live->reads, "cell", "OO", cell, content)
                                                        : PyObject_CallMethod(live->reads, "cell", "O", cell)));
    done = done && (!content || to_value(live, content, &known->value));
    Py_XDECREF(content);
    if (!done)
      return false;
  }
  *out = known;
  return true;
}

// Names and cells of a closure: {name: cell}.
static bool bind_cells(Live *live, Function *function, PyObject *closure)
{
  for (uint32_t i = 0; i < function->code->free_count; i++) {
    PyObject *cell = PyDict_GetItemString(closure, host_free_name(function, i)->str.data);
    if (cell && !cell_value(live, cell, &function->cells[i]))
      return false;
  }
  return true;
}

static bool bind_defaults(Live *live, Function *function, PyObject *defaults, PyObject *keyword_defaults)
{
  if (PyTuple_Check(defaults)) {
    function->default_count = (uint32_t)PyTuple_Size(defaults);
    function->defaults = arena_array(&live->t->arena, Value, function->default_count);
    for (uint32_t i = 0; i < function->default_count; i++)
      if (!to_value(live, PyTuple_GetItem(defaults, i), &function->defaults[i]))
        return false;
  }
  const FunctionCode *code = function->code;
  for (uint32_t i = 0; i < code->keyword_only && PyDict_Check(keyword_defaults); i++) {
    PyObject *item = PyDict_GetItemString(keyword_defaults, code->slot_names[code->positional + i]->str.data);
    if (item && !to_value(live, item, &function->keyword_defaults[i]))
      return false;
  }
  return true;
}

// ("function", module, path, text, name, line, defaults, keyword defaults, {name: cell}, column of a lambda's body or -1)
static bool function_value(Live *live, PyObject *object, PyObject *what, Value *out)
{
  if (!PyUnicode_Check(PyTuple_GetItem(what, 3)))
    return unknown_source(live, "function", item_text(live, what, 4), item_text(live, what, 2), out);
  HostText *text = text_object(live, PyTuple_GetItem(what, 1), PyTuple_GetItem(what, 2), PyTuple_GetItem(what, 3));
  if (!text)
    return false;
  Function *function = host_function(live->t, text, item_text(live, what, 4), (uint32_t)item_int(what, 5),
                                     item_int(what, 9));
  if (!function)
    return unknown_source(live, "function", item_text(live, what, 4), item_text(live, what, 2), out);
  *out = (Value){.tag = VALUE_FUNCTION, .function = function};
  Reach reach = live->reach;
  live->reach = reach == REACH_ARGUMENT ? REACH_CAPTURED : reach;
  bool done = remember(live, object, *out) && bind_cells(live, function, PyTuple_GetItem(what, 8)) &&
              bind_defaults(live, function, PyTuple_GetItem(what, 6), PyTuple_GetItem(what, 7));
  live->reach = reach;
  return done;
}

// Attributes that the class got from elsewhere than its own text, or that may have changed since.
static bool set_attributes(Live *live, AttrTable *attrs, PyObject *attributes)
{
  PyObject *key, *item;
  Py_ssize_t at = 0;
  while (PyDict_Next(attributes, &at, &key, &item)) {
    Str name;
    Value value;
    if (!PyUnicode_Check(key))
      continue;
    if (!live_text(live, key, &name) || !to_value(live, item, &value))
      return false;
    attr_set(&live->t->arena, attrs, name_intern(&live->t->session->names, name), value);
  }
  return true;
}

// Objects made from now on start with what the attributes of the class and its bases hold now.
static void follow_attributes(Class *class)
{
  for (size_t i = 0; i < class->fields.count; i++)
    for (uint32_t k = class->mro_count; k-- > 0;) {
      const Value *now = attr_find(&class->mro[k]->attrs, class->fields.items[i].name);
      if (now && value_is_set(class->fields.items[i].value))
        class->fields.items[i].value = *now;
    }
}

// ("class", module, path, text, qualname, {name: value}, {attribute: value}, whether they are defaults of its objects)
static bool class_of_text(Live *live, PyObject *object, PyObject *what, Value *out)
{
  if (!PyUnicode_Check(PyTuple_GetItem(what, 3)))
    return unknown_source(live, "class", item_text(live, what, 4), item_text(live, what, 2), out);
  HostText *text = text_object(live, PyTuple_GetItem(what, 1), PyTuple_GetItem(what, 2), PyTuple_GetItem(what, 3));
  if (!text)
    return false;
  PyObject *variables = PyTuple_GetItem(what, 5), *key, *item;
  HostVariable *free = arena_array(&live->t->arena, HostVariable, (size_t)PyDict_Size(variables));
  Py_ssize_t at = 0;
  size_t count = 0;
  while (PyDict_Next(variables, &at, &key, &item)) {
    Str name;
    if (!live_text(live, key, &name) || !to_value(live, item, &free[count].value))
      return false;
    free[count++].name = name_intern(&live->t->session->names, name);
  }
  Outcome made = host_class(live->t, text, item_text(live, what, 4), free, count, out);
  if (made == OUTCOME_MISSING)
    return unknown_source(live, "class", item_text(live, what, 4), item_text(live, what, 2), out);
  if (made != OUTCOME_OK || !remember(live, object, *out))
    return false;
  if (out->tag != VALUE_CLASS)
    return true;
  if (!set_attributes(live, &out->class->attrs, PyTuple_GetItem(what, 6)))
    return false;
  if (PyTuple_GetItem(what, 7) == Py_True)
    follow_attributes(out->class);
  return true;
}

static bool class_value(Live *live, PyObject *object, PyObject *what, Value *out)
{
  Reach reach = live->reach;
  live->reach = REACH_PROGRAM;
  bool done = class_of_text(live, object, what, out);
  live->reach = reach;
  return done;
}

// ("instance", class, {attribute: value}, what it wraps or None)
static bool instance_value(Live *live, PyObject *object, PyObject *what, Value *out)
{
  Value class;
  if (!to_value(live, PyTuple_GetItem(what, 1), &class))
    return false;
  if (class.tag != VALUE_CLASS) {
    *out = class.tag == VALUE_OPAQUE ? class : value_opaque(live->t, "an object", (Span){0}, NULL);
    return true;
  }
  *out = instance_new(live->t, class.class);
  if (!remember(live, object, *out))
    return false;
  PyObject *attributes = PyTuple_GetItem(what, 2), *held = PyTuple_GetItem(what, 3);
  return (held == Py_None || to_value(live, held, &out->instance->held)) &&
         set_attributes(live, &out->instance->attrs, attributes);
}

// ("tensor", dtype, shape, the object it stands for)
static bool tensor_value(Live *live, PyObject *object, PyObject *what, Value *out)
{
  DType dtype;
  uint64_t sizes[VIEW_RANK_MAX + 1];
  PyObject *shape = PyTuple_GetItem(what, 2);
  Py_ssize_t rank = PyTuple_Size(shape);
  if (!dtype_from_nki_name(str_from(item_text(live, what, 1)), &dtype))
    return RAISE(live->t, E_TYPE, (Span){0}, "an array of dtype '%s', which NKI does not have", item_text(live, what, 1));
  for (Py_ssize_t i = 0; i < rank && i <= VIEW_RANK_MAX; i++)
    sizes[i] = (uint64_t)item_int(shape, i);
  size_t errors = live->t->session->error_count;
  if (!tensor_argument(live->t, live->argument, dtype, sizes, (uint32_t)rank, out)) {
    if (live->t->session->error_count > errors)
      raise_diag(live->t, "ValueError", live->t->session->diags.items[live->t->session->diags.count - 1]);
    return false;
  }
  vec_push(&live->t->arena, &live->inputs, ((LiveInput){object, *out}));
  return remember(live, object, *out);
}

// ("array", dtype, shape, bytes): one that is no argument.
static bool array_value(Live *live, PyObject *object, PyObject *what, Value *out)
{
  DType dtype;
  uint64_t sizes[VIEW_RANK_MAX];
  PyObject *shape = PyTuple_GetItem(what, 2);
  Py_ssize_t rank = PyTuple_Size(shape), len;
  char *data;
  if (!dtype_from_nki_name(str_from(item_text(live, what, 1)), &dtype) || rank > VIEW_RANK_MAX)
    return RAISE(live->t, E_TYPE, (Span){0}, "an array of dtype '%s' in %d dimensions", item_text(live, what, 1), (int)rank);
  if (PyBytes_AsStringAndSize(PyTuple_GetItem(what, 3), &data, &len) < 0)
    return python_failed(live, "an array");
  for (Py_ssize_t i = 0; i < rank; i++)
    sizes[i] = (uint64_t)item_int(shape, i);
  *out = value_array(live->t, dtype, sizes, (uint32_t)rank, (Str){data, (size_t)len});
  return remember_as(live, object, *out, true);
}

// ("call", what, (argument, ...), {keyword: argument}): an object that the tracer makes by such a call.
static bool made_value(Live *live, PyObject *object, PyObject *what, Value *out)
{
  PyObject *arguments = PyTuple_GetItem(what, 2), *keywords = PyTuple_GetItem(what, 3), *key, *item;
  size_t count = (size_t)PyTuple_Size(arguments), keyword_count = (size_t)PyDict_Size(keywords), n = 0;
  Value callee, *values = arena_array(&live->t->arena, Value, count + keyword_count);
  const Name **names = arena_array(&live->t->arena, const Name *, keyword_count);
  bool done = to_value(live, PyTuple_GetItem(what, 1), &callee);
  for (; done && n < count; n++)
    done = to_value(live, PyTuple_GetItem(arguments, (Py_ssize_t)n), &values[n]);
  for (Py_ssize_t at = 0; done && PyDict_Next(keywords, &at, &key, &item); n++) {
    Str name;
    done = live_text(live, key, &name) && to_value(live, item, &values[n]);
    names[n - count] = done ? name_intern(&live->t->session->names, name) : NULL;
  }
  Call call = {.args = values, .positional = (uint32_t)count, .keyword_count = (uint32_t)keyword_count, .keywords = names};
  return done && call_value(live->t, callee, &call, out) && remember(live, object, *out);
}

static bool described_value(Live *live, PyObject *object, PyObject *what, Value *out)
{
  const char *tag = item_text(live, what, 0);
  if (strcmp(tag, "library") == 0)
    return live_library(live, item_text(live, what, 1), item_text(live, what, 2), out);
  if (strcmp(tag, "module") == 0) {
    ModuleObject *module = module_of(live, PyTuple_GetItem(what, 1));
    *out = (Value){.tag = VALUE_MODULE, .module = module};
    return module != NULL;
  }
  if (strcmp(tag, "value") == 0)
    return to_value(live, PyTuple_GetItem(what, 1), out);
  if (strcmp(tag, "function") == 0)
    return function_value(live, object, what, out);
  if (strcmp(tag, "class") == 0)
    return class_value(live, object, what, out);
  if (strcmp(tag, "instance") == 0)
    return instance_value(live, object, what, out);
  if (strcmp(tag, "tensor") == 0)
    return tensor_value(live, object, what, out);
  if (strcmp(tag, "array") == 0)
    return array_value(live, object, what, out);
  if (strcmp(tag, "member") == 0 || strcmp(tag, "attribute") == 0) {
    Value owner;
    return to_value(live, PyTuple_GetItem(what, 1), &owner) && live_attr(live, owner, item_text(live, what, 2), out);
  }
  if (strcmp(tag, "method") == 0) {
    struct Method *method = arena_new(&live->t->arena, struct Method);
    *out = (Value){.tag = VALUE_METHOD, .method = method};
    return to_value(live, PyTuple_GetItem(what, 1), &method->function) &&
           to_value(live, PyTuple_GetItem(what, 2), &method->self);
  }
  if (strcmp(tag, "call") == 0)
    return made_value(live, object, what, out);
  if (strcmp(tag, "kernel") == 0) {
    Value function;
    if (!to_value(live, PyTuple_GetItem(what, 1), &function))
      return false;
    *out = value_kernel(live->t, function, item_int(what, 2));
    return remember(live, object, *out);
  }
  if (strcmp(tag, "constant") == 0) {
    Value maker, name = value_cstr(live->t, item_text(live, what, 2));
    ModuleObject *module = module_find(live->t, STR("_klr"));
    return module && live_attr(live, (Value){.tag = VALUE_MODULE, .module = module}, item_text(live, what, 1), &maker) &&
           call_simple(live->t, maker, &name, 1, (Span){0}, out);
  }
  if (strcmp(tag, "builtin") == 0) {
    Value *found = attr_find(&live->t->builtin_names, tracer_name(live->t, item_text(live, what, 1)));
    *out = found ? *found : value_opaque(live->t, item_text(live, what, 1), (Span){0}, NULL);
    return true;
  }
  DType dtype;
  if (strcmp(tag, "dtype") == 0 && dtype_from_nki_name(str_from(item_text(live, what, 1)), &dtype)) {
    *out = value_dtype(live->t, dtype);
    return true;
  }
  *out = value_opaque(live->t, arena_strdup(&live->t->arena, item_text(live, what, 1)), (Span){0}, NULL);
  return remember(live, object, *out);
}

static bool other_value(Live *live, PyObject *object, Value *out)
{
  PyObject *what = PyObject_CallMethod(live->reads, "describe", "Oi", object, (int)live->reach);
  if (!what)
    return python_failed(live, "a live object cannot be read");
  bool done = keep(live, what) && described_value(live, object, what, out);
  Py_DECREF(what);
  return done;
}

static bool to_value(Live *live, PyObject *object, Value *out)
{
  if (object == Py_None) {
    *out = value_none();
    return true;
  }
  if (PyBool_Check(object)) {
    *out = value_bool(object == Py_True);
    return true;
  }
  if (PyLong_CheckExact(object))
    return int_value(live, object, out);
  if (PyFloat_CheckExact(object)) {
    *out = value_float(PyFloat_AsDouble(object));
    return true;
  }
  if (PyUnicode_CheckExact(object)) {
    Str text;
    if (!live_text(live, object, &text))
      return false;
    *out = value_str(live->t, text);
    return true;
  }
  const Value *known = recall(live, object);
  if (known) {
    *out = *known;
    return true;
  }
  Outcome other = live->other ? live->other(live, object, out) : OUTCOME_MISSING;
  if (other != OUTCOME_MISSING)
    return other == OUTCOME_OK;
  if (!check_stack(live->t, (Span){0}))
    return false;
  if (PyTuple_CheckExact(object))
    return tuple_value(live, object, out);
  if (PyList_CheckExact(object))
    return list_value(live, object, out);
  if (PyDict_CheckExact(object))
    return dict_value(live, object, out);
  if (PyAnySet_CheckExact(object))
    return set_value(live, object, PyFrozenSet_CheckExact(object), out);
  if (PySlice_Check(object))
    return slice_value(live, object, out);
  if (PyRange_Check(object))
    return range_value(live, object, out);
  if (object == Py_Ellipsis) {
    *out = (Value){.tag = VALUE_ELLIPSIS};
    return true;
  }
  if (PyBytes_CheckExact(object)) {
    char *data;
    Py_ssize_t len;
    if (PyBytes_AsStringAndSize(object, &data, &len) < 0)
      return python_failed(live, "bytes");
    *out = value_bytes(live->t, (Str){data, (size_t)len});
    return true;
  }
  return other_value(live, object, out);
}

// ---- the host

static Outcome live_global(Tracer *t, void *context, void *scope, const Name *name, Value *out)
{
  Live *live = context;
  (void)t;
  PyObject *found = PyDict_GetItemString(scope, name->str.data), *dict = scope;
  if (!found)
    return told(live, PyObject_CallMethod(live->reads, "name", "Os", dict, name->str.data)) ? OUTCOME_MISSING : OUTCOME_ERROR;
  Py_INCREF(found);
  Reach reach = live->reach;
  live->reach = REACH_PROGRAM;
  bool done = told(live, PyObject_CallMethod(live->reads, "name", "OsO", dict, name->str.data, found)) && keep(live, found) &&
              to_value(live, found, out);
  Py_DECREF(found);
  live->reach = reach;
  return done ? OUTCOME_OK : OUTCOME_ERROR;
}

static ModuleObject *live_module(Tracer *t, void *context, Str name)
{
  Live *live = context;
  PyObject *text = PyUnicode_FromStringAndSize(name.data, (Py_ssize_t)name.len);
  PyObject *module = text ? PyImport_GetModule(text) : NULL;
  (void)t;
  PyErr_Clear();
  bool is_told = text && told(live, module ? PyObject_CallMethod(live->reads, "module", "OO", text, module)
                                           : PyObject_CallMethod(live->reads, "module", "O", text));
  Py_XDECREF(text);
  if (!is_told)
    catch_exception(live->t);
  if (!module)
    return NULL;
  Value value;
  Reach reach = live->reach;
  live->reach = REACH_PROGRAM;
  bool done = keep(live, module) && to_value(live, module, &value);
  live->reach = reach;
  Py_DECREF(module);
  if (!done)
    catch_exception(live->t);
  return done && value.tag == VALUE_MODULE ? value.module : NULL;
}

static void live_file(Tracer *t, void *context, const char *path)
{
  Live *live = context;
  if (!told(live, PyObject_CallMethod(live->reads, "file", "s", path)))
    catch_exception(t);
}

void live_init(Live *live, Tracer *t)
{
  live->t = t;
  t->host = &live->host;
  live->host = (Host){live, live_global, live_module, live_file};
  live->values = live->modules = live->cells = map_new(&t->arena);
}

bool live_value(Live *live, PyObject *object, Value *out)
{
  return to_value(live, object, out);
}

bool live_arguments(Live *live, PyObject *dict, Arguments *out)
{
  size_t count = (size_t)PyDict_Size(dict);
  *out = (Arguments){arena_array(&live->t->arena, const Name *, count), arena_array(&live->t->arena, Value, count), 0};
  Reach reach = live->reach;
  live->reach = REACH_ARGUMENT;
  PyObject *key, *item;
  Py_ssize_t at = 0;
  while (PyDict_Next(dict, &at, &key, &item)) {
    Str name;
    if (!live_text(live, key, &name))
      return false;
    live->argument = name.data;
    if (!to_value(live, item, &out->values[out->count]))
      return false;
    out->names[out->count++] = name_intern(&live->t->session->names, name);
  }
  live->reach = reach;
  return true;
}

// ---- tracing

typedef struct TraceCall {
  Live live;
  KlrSession *klr;
  PyObject *kernel, *arguments;  // {name: object}, of which the first `positional` are given by place
  Py_ssize_t positional;
  const char *target;
  int lnc;
  const Kernel *kernel_made;
  Value result;
  bool reads_environment, reads_files;
} TraceCall;

const Machine *live_machine(Session *session, const char *target)
{
  const Machine *machine = *target ? machine_find(target) : machine_default();
  if (!machine)
    diag_error(session, E_USAGE, "`%s` is no target: trn1, trn2, trn3", target);
  return machine;
}

static bool trace_live(void *context)
{
  TraceCall *call = context;
  Live *live = &call->live;
  Session *session = klr_core_session(call->klr);
  const Machine *machine = live_machine(session, call->target);
  if (!machine)
    return false;
  Tracer *t = klr_new_tracer(call->klr);
  live_init(live, t);
  nki_install(t, machine);
  Value kernel;
  Arguments arguments;
  if (!to_value(live, call->kernel, &kernel) || !live_arguments(live, call->arguments, &arguments))
    return false;
  size_t errors = session->error_count;
  TraceOptions options = {.lnc = call->lnc, .positional = (size_t)call->positional, .no_verify = true, .result = &call->result};
  Kernel *made = trace_kernel(t, kernel, arguments.names, arguments.values, arguments.count, &options);
  if (!made || !core_verify(session, made) || !machine_check(session, machine, made) || session->error_count != errors)
    return false;
  call->kernel_made = made;
  call->reads_environment = module_is_loaded(t, STR("os"));
  call->reads_files = module_is_loaded(t, STR("os.path"));
  return true;
}

// The argument objects in the order of the kernel's inputs; NULL after setting a Python error.
PyObject *live_inputs(const Live *live, const Kernel *kernel)
{
  PyObject *list = PyList_New(kernel->inputs.count);
  for (uint32_t i = 0; list && i < kernel->inputs.count; i++) {
    PyObject *found = Py_None;
    for (size_t k = 0; k < live->inputs.count; k++)
      if (tensor_argument_input(live->inputs.items[k].value) == kernel->inputs.items[i])
        found = live->inputs.items[k].object;
    Py_INCREF(found);
    PyList_SetItem(list, i, found);
  }
  return list;
}

// What a result is made of: the number of an output, None, or ("tuple" or "list", parts).
PyObject *live_result_form(Value value, long *next)
{
  const Value *items;
  size_t count;
  if (value.tag == VALUE_TENSOR)
    return PyLong_FromLong((*next)++);
  if (!value_sequence(value, &items, &count))
    Py_RETURN_NONE;
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list && i < count; i++)
    PyList_SetItem(list, (Py_ssize_t)i, live_result_form(items[i], next));
  return list ? Py_BuildValue("sN", value.tag == VALUE_LIST ? "list" : "tuple", list) : NULL;
}

PyObject *new_handle(SessionObject *session, const Kernel *kernel)
{
  KernelHandle *handle = (KernelHandle *)PyType_GenericAlloc(kernel_handle_type, 0);
  if (!handle)
    return NULL;
  Py_INCREF((PyObject *)session);
  handle->session = session;
  handle->kernel = (KlrKernel *)(uintptr_t)kernel;
  return (PyObject *)handle;
}

// trace(reads, kernel, arguments, target, lnc, strict, lenient) -> (handle, inputs, form of the result) or None. `reads`
// is of klr._cache.
static PyObject *session_trace(PyObject *self, PyObject *args)
{
  SessionObject *object = (SessionObject *)self;
  TraceCall call = {.klr = object->klr};
  int strict, lenient;
  if (!PyArg_ParseTuple(args, "OOO!nsipp", &call.live.reads, &call.kernel, &PyDict_Type, &call.arguments, &call.positional,
                        &call.target, &call.lnc, &strict, &lenient))
    return NULL;
  call.live.kept = PyList_New(0);
  if (!call.live.kept)
    return NULL;
  klr_core_session(object->klr)->strict = strict;
  klr_core_session(object->klr)->lenient = lenient;
  PyObject *result = NULL;
  Signals signals = {0};
  signals_watch(object->klr, &signals);
  bool ok = klr_guarded(object->klr, trace_live, &call);
  if (signals_end(object->klr, &signals)) {
    result = NULL;
  } else if (ok) {
    long next = 0;
    PyObject *inputs = live_inputs(&call.live, call.kernel_made), *handle = new_handle(object, call.kernel_made);
    PyObject *form = live_result_form(call.result, &next);
    PyObject *done = PyObject_CallMethod(call.live.reads, "finish", "iii", (int)call.live.is_entangled,
                                         (int)call.reads_environment, (int)call.reads_files);
    result = inputs && handle && form && done ? Py_BuildValue("NNN", handle, inputs, form) : NULL;
    Py_XDECREF(done);
  } else if (call.live.error_type && !PyErr_GivenExceptionMatches(call.live.error_type, PyExc_Exception)) {
    PyErr_Restore(call.live.error_type, call.live.error_value, call.live.error_trace);  // ctrl-C and the like
    call.live.error_type = call.live.error_value = call.live.error_trace = NULL;
  } else {
    Py_INCREF(Py_None);
    result = Py_None;
  }
  klr_release_tracer(object->klr);
  Py_XDECREF(call.live.error_type);
  Py_XDECREF(call.live.error_value);
  Py_XDECREF(call.live.error_trace);
  Py_DECREF(call.live.kept);
  return result;
}

typedef struct EvaluateCall {
  KlrSession *klr;
  const char *text, *target;
  Value result;
} EvaluateCall;

static bool evaluate(void *context)
{
  EvaluateCall *call = context;
  Session *session = klr_core_session(call->klr);
  const Machine *machine = live_machine(session, call->target);
  if (!machine)
    return false;
  Tracer *t = klr_new_tracer(call->klr);
  nki_install(t, machine);
  return trace_eval_text(t, "expression", call->text, &call->result);
}

// evaluate(text, target) -> the number an expression over `nl` and `nisa` has on a target, or None
static PyObject *session_evaluate(PyObject *self, PyObject *args)
{
  EvaluateCall call = {.klr = ((SessionObject *)self)->klr};
  if (!PyArg_ParseTuple(args, "ss", &call.text, &call.target))
    return NULL;
  int64_t number;
  bool ok = klr_guarded(call.klr, evaluate, &call) && value_as_int(call.result, &number);
  klr_release_tracer(call.klr);
  if (!ok)
    Py_RETURN_NONE;
  return PyLong_FromLongLong(number);
}

// ---- files

// read(bytes, path) -> handle or None
static PyObject *session_read(PyObject *self, PyObject *args)
{
  SessionObject *object = (SessionObject *)self;
  const char *bytes, *path;
  Py_ssize_t len;
  if (!PyArg_ParseTuple(args, "y#s", &bytes, &len, &path))
    return NULL;
  KlrKernel *kernel = klr_kernel_read(object->klr, bytes, (size_t)len, path);
  if (!kernel)
    Py_RETURN_NONE;
  return new_handle(object, (const Kernel *)kernel);
}

// diagnostics(as_json, errors_only) -> str
static PyObject *session_diagnostics(PyObject *self, PyObject *args)
{
  KlrSession *klr = ((SessionObject *)self)->klr;
  int as_json, errors_only;
  if (!PyArg_ParseTuple(args, "pp", &as_json, &errors_only))
    return NULL;
  const char *text = errors_only ? klr_errors(klr, as_json) : klr_diagnostics(klr, as_json);
  return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

static PyObject *session_count(PyObject *self, PyObject *none)
{
  (void)none;
  return PyLong_FromSize_t(klr_core_session(((SessionObject *)self)->klr)->diags.count);
}

static PyObject *session_new_object(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
  (void)args, (void)keywords;
  SessionObject *object = (SessionObject *)PyType_GenericAlloc(type, 0);
  if (object && !(object->klr = klr_session_new())) {
    Py_DECREF((PyObject *)object);
    return PyErr_NoMemory();
  }
  return (PyObject *)object;
}

static void session_dealloc(PyObject *self)
{
  PyTypeObject *type = Py_TYPE(self);
  klr_session_free(((SessionObject *)self)->klr);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  release(self);
  Py_DECREF((PyObject *)type);
}

// ---- kernels

static PyObject *tensor_tuple(KlrTensor tensor)
{
  PyObject *shape = PyTuple_New(tensor.rank);
  for (uint32_t i = 0; shape && i < tensor.rank; i++)
    PyTuple_SetItem(shape, i, PyLong_FromUnsignedLongLong(tensor.shape[i]));
  return shape ? Py_BuildValue("ssNs", tensor.name, tensor.dtype, shape, tensor.memory) : NULL;
}

static PyObject *tensor_list(KernelHandle *handle, size_t count, KlrTensor (*get)(KlrSession *, const KlrKernel *, size_t))
{
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list && i < count; i++) {
    PyObject *item = tensor_tuple(get(handle->session->klr, handle->kernel, i));
    if (!item) {
      Py_DECREF(list);
      return NULL;
    }
    PyList_SetItem(list, (Py_ssize_t)i, item);
  }
  return list;
}

static PyObject *handle_inputs(PyObject *self, PyObject *none)
{
  (void)none;
  KernelHandle *handle = (KernelHandle *)self;
  return tensor_list(handle, klr_input_count(handle->kernel), klr_input);
}

static PyObject *handle_outputs(PyObject *self, PyObject *none)
{
  (void)none;
  KernelHandle *handle = (KernelHandle *)self;
  return tensor_list(handle, klr_output_count(handle->kernel), klr_output);
}

// written() -> [bool], one for each input
static PyObject *handle_written(PyObject *self, PyObject *none)
{
  (void)none;
  KernelHandle *handle = (KernelHandle *)self;
  size_t count = klr_input_count(handle->kernel);
  bool *written = PyMem_Malloc(count + 1);
  PyObject *list = written ? PyList_New((Py_ssize_t)count) : PyErr_NoMemory();
  if (list)
    klr_find_written(handle->kernel, written);
  for (size_t i = 0; list && i < count; i++)
    PyList_SetItem(list, (Py_ssize_t)i, PyBool_FromLong(written[i]));
  PyMem_Free(written);
  return list;
}

static PyObject *handle_name(PyObject *self, PyObject *none)
{
  (void)none;
  return PyUnicode_FromString(klr_kernel_name(((KernelHandle *)self)->kernel));
}

static PyObject *handle_write(PyObject *self, PyObject *args)
{
  KernelHandle *handle = (KernelHandle *)self;
  int form;
  size_t len;
  if (!PyArg_ParseTuple(args, "i", &form))
    return NULL;
  const char *bytes = klr_kernel_write(handle->session->klr, handle->kernel, (KlrForm)form, &len);
  if (!bytes)
    Py_RETURN_NONE;
  return PyBytes_FromStringAndSize(bytes, (Py_ssize_t)len);
}

// constants() -> [(path, bytes or None)]
static PyObject *handle_constants(PyObject *self, PyObject *none)
{
  (void)none;
  KernelHandle *handle = (KernelHandle *)self;
  size_t count = klr_constant_count(handle->kernel);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list && i < count; i++) {
    const void *bytes;
    size_t len;
    const char *path = klr_constant(handle->session->klr, handle->kernel, i, &bytes, &len);
    PyObject *item = Py_BuildValue("(sy#)", path, (const char *)bytes, (Py_ssize_t)len);
    if (!item) {
      Py_DECREF(list);
      return NULL;
    }
    PyList_SetItem(list, (Py_ssize_t)i, item);
  }
  return list;
}

static PyObject *handle_verify(PyObject *self, PyObject *args)
{
  KernelHandle *handle = (KernelHandle *)self;
  const char *target;
  if (!PyArg_ParseTuple(args, "s", &target))
    return NULL;
  return PyBool_FromLong(klr_verify(handle->session->klr, handle->kernel, *target ? target : NULL));
}

static PyObject *field_list(KlrSession *klr, const KlrOperator *op)
{
  size_t count = klr_field_count(op);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list && i < count; i++) {
    KlrField field = klr_field(klr, op, i);
    PyObject *item = Py_BuildValue("ssss", field.name, field.kind, field.role, field.json);
    if (!item) {
      Py_DECREF(list);
      return NULL;
    }
    PyList_SetItem(list, (Py_ssize_t)i, item);
  }
  return list;
}

// (kind, name, engine, text, (file, line, column, end line, end column), fields)
static PyObject *operator_tuple(KlrSession *klr, const KlrOperator *op)
{
  PyObject *fields = field_list(klr, op);
  KlrPlace place = klr_operator_place(klr, op);
  return fields ? Py_BuildValue("szss(zIIII)N", klr_operator_kind(op), klr_operator_name(op), klr_operator_engine(op),
                                klr_operator_text(klr, op), place.file, place.line ? place.line : klr_operator_line(op),
                                place.column, place.end_line, place.end_column, fields)
                : NULL;
}

// Appends to the list and drops the caller's reference; false after setting a Python error, or when `item` is NULL.
static bool list_take(PyObject *list, PyObject *item)
{
  bool done = item && PyList_Append(list, item) == 0;
  Py_XDECREF(item);
  return done;
}

// blocks(core) -> [(label, [operator])]
static PyObject *handle_blocks(PyObject *self, PyObject *args)
{
  KernelHandle *handle = (KernelHandle *)self;
  Py_ssize_t core;
  if (!PyArg_ParseTuple(args, "n", &core))
    return NULL;
  if (core < 0 || (size_t)core >= klr_core_count(handle->kernel)) {
    PyErr_SetString(PyExc_IndexError, "the kernel has no such logical core");
    return NULL;
  }
  PyObject *list = PyList_New(0);
  bool done = list != NULL;
  size_t at = 0;
  for (size_t b = 0; done && b < klr_block_count(handle->kernel, (size_t)core); b++) {
    PyObject *body = PyList_New(0);
    done = body != NULL;
    for (size_t i = klr_block_operator_count(handle->kernel, (size_t)core, b); done && i > 0; i--)
      done = list_take(body, operator_tuple(handle->session->klr, klr_operator_at(handle->kernel, (size_t)core, at++)));
    if (done)
      done = list_take(list, Py_BuildValue("sO", klr_block_label(handle->kernel, (size_t)core, b), body));
    Py_XDECREF(body);
  }
  if (done)
    return list;
  Py_XDECREF(list);
  return NULL;
}

// kinds() -> [(name, engine, doc, [(field, kind, role, doc, place, is_optional)])]: the operators there are.
static PyObject *native_kinds(PyObject *self, PyObject *none)
{
  (void)self, (void)none;
  PyObject *list = PyList_New(0);
  bool done = list != NULL;
  for (size_t k = 0; done && k < klr_table_count(); k++) {
    KlrTableOperator kind = klr_table_operator(k);
    PyObject *fields = PyList_New(0);
    done = fields != NULL;
    for (size_t i = 0; done && i < kind.field_count; i++) {
      KlrTableField f = klr_table_field(k, i);
      done = list_take(fields, Py_BuildValue("sssssN", f.name, f.kind, f.role, f.doc, f.place, PyBool_FromLong(f.is_optional)));
    }
    if (done)
      done = list_take(list, Py_BuildValue("sssO", kind.name, kind.engine, kind.doc, fields));
    Py_XDECREF(fields);
  }
  if (done)
    return list;
  Py_XDECREF(list);
  return NULL;
}

static PyObject *handle_core_count(PyObject *self, PyObject *none)
{
  (void)none;
  return PyLong_FromSize_t(klr_core_count(((KernelHandle *)self)->kernel));
}

// The memory of each array of a list of (address, bytes), `count` of each rank; false after setting a Python error.
static bool take_arrays(KernelHandle *handle, PyObject *list, unsigned ranks, size_t count,
                        KlrTensor (*get)(KlrSession *, const KlrKernel *, size_t), KlrArray *arrays)
{
  if ((size_t)PyList_Size(list) != ranks * count) {
    PyErr_Format(PyExc_ValueError, "the kernel has %zu arrays here, not %zd", ranks * count, PyList_Size(list));
    return false;
  }
  for (size_t i = 0; i < ranks * count; i++) {
    KlrTensor tensor = get(handle->session->klr, handle->kernel, i % count);
    unsigned long long address, bytes;
    if (!PyArg_ParseTuple(PyList_GetItem(list, (Py_ssize_t)i), "KK", &address, &bytes))
      return false;
    arrays[i] = (KlrArray){tensor.dtype, tensor.rank, tensor.shape, (void *)(uintptr_t)address, bytes};
  }
  return true;
}

// run(session, inputs, outputs, target, f32, checks, reference, lenient, poison, threads, seed, ranks=1, zeros=0, ocp_scales=0) -> bool. Addresses are
// of contiguous memory that the caller keeps alive, those of rank 0 first; outputs are written when all went well. The
// interpreter lock is released meanwhile.
static PyObject *handle_run(PyObject *self, PyObject *args)
{
  KernelHandle *handle = (KernelHandle *)self;
  SessionObject *session;
  PyObject *inputs, *outputs;
  const char *target;
  int f32, checks, reference, lenient, poison, zeros = 0, ocp_scales = 0;
  unsigned threads, ranks = 1;
  unsigned long long seed;
  if (!PyArg_ParseTuple(args, "O!O!O!spppppIK|Ipp", session_type, &session, &PyList_Type, &inputs, &PyList_Type, &outputs,
                        &target, &f32, &checks, &reference, &lenient, &poison, &threads, &seed, &ranks, &zeros, &ocp_scales))
    return NULL;
  size_t input_count = klr_input_count(handle->kernel), output_count = klr_output_count(handle->kernel);
  KlrArray *arrays = PyMem_Malloc(((input_count + 2 * output_count) * ranks + 1) * sizeof *arrays);
  if (!arrays)
    return PyErr_NoMemory();
  KlrArray *wanted = arrays + input_count * ranks, *results = wanted + output_count * ranks;
  bool ok = take_arrays(handle, inputs, ranks, input_count, klr_input, arrays) &&
            take_arrays(handle, outputs, ranks, output_count, klr_output, wanted);
  PyObject *answer = NULL;
  if (ok) {
    KlrRunOptions options = {.target = *target ? target : NULL, .f32 = f32, .no_checks = !checks,
                             .reference = reference, .lenient = lenient, .poison = poison, .zeros = zeros, .ocp_scales = ocp_scales, .threads = threads, .seed = seed};
    klr_share_sources(session->klr, handle->session->klr);
    Signals signals = {0};
    signals_watch(session->klr, &signals);
    signals.released = PyEval_SaveThread();
    ok = klr_run_ranks(session->klr, handle->kernel, ranks, arrays, results, &options);
    for (size_t i = 0; ok && i < output_count * ranks; i++)
      if (results[i].bytes == wanted[i].bytes)
        memcpy(wanted[i].data, results[i].data, wanted[i].bytes);
    PyEval_RestoreThread(signals.released);
    answer = signals_end(session->klr, &signals) ? NULL : PyBool_FromLong(ok);
  }
  PyMem_Free(arrays);
  return answer;
}

// ---- comparing

// One side of a comparison: (handle, session, inputs, target, f32, checks, reference, lenient, poison, threads, seed).
typedef struct SideArguments {
  KernelHandle *handle;
  SessionObject *session;
  KlrArray *inputs;
  KlrRunOptions options;
  KlrSide side;
} SideArguments;

// False after setting a Python error; `inputs` is the caller's to free in either case.
static bool take_side(PyObject *tuple, SideArguments *out)
{
  PyObject *inputs;
  const char *target;
  int f32, checks, reference, lenient, poison;
  unsigned threads;
  unsigned long long seed;
  *out = (SideArguments){0};
  if (!PyArg_ParseTuple(tuple, "O!O!O!spppppIK", kernel_handle_type, &out->handle, session_type, &out->session, &PyList_Type,
                        &inputs, &target, &f32, &checks, &reference, &lenient, &poison, &threads, &seed))
    return false;
  size_t count = klr_input_count(out->handle->kernel);
  out->inputs = PyMem_Malloc((count + 1) * sizeof *out->inputs);
  if (!out->inputs) {
    PyErr_NoMemory();
    return false;
  }
  out->options = (KlrRunOptions){.target = *target ? target : NULL, .f32 = f32, .no_checks = !checks, .reference = reference,
                                 .lenient = lenient, .poison = poison, .threads = threads, .seed = seed};
  out->side = (KlrSide){out->session->klr, out->handle->kernel, out->inputs, &out->options};
  klr_share_sources(out->session->klr, out->handle->session->klr);
  return take_arrays(out->handle, inputs, 1, count, klr_input, out->inputs);
}

static PyObject *text_or_none(const char *text)
{
  if (text)
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
  Py_RETURN_NONE;
}

// diff(a, b, rtol, atol, ulps) -> the report as JSON, or None
static PyObject *module_diff(PyObject *self, PyObject *args)
{
  (void)self;
  PyObject *first, *second;
  KlrTolerance tolerance;
  if (!PyArg_ParseTuple(args, "O!O!ddd", &PyTuple_Type, &first, &PyTuple_Type, &second, &tolerance.rtol, &tolerance.atol,
                        &tolerance.ulps))
    return NULL;
  SideArguments a = {0}, b = {0};
  bool ok = take_side(first, &a) && take_side(second, &b);
  const char *text = NULL;
  if (ok) {
    Py_BEGIN_ALLOW_THREADS
    text = klr_diff(&a.side, &b.side, &tolerance);
    Py_END_ALLOW_THREADS
  }
  PyMem_Free(a.inputs);
  PyMem_Free(b.inputs);
  return ok ? text_or_none(text) : NULL;
}

enum { NAMED_DIMS = 32 };

typedef struct Named {
  KlrNamedArray array;
  uint64_t shape[NAMED_DIMS];
} Named;

// (name, dtype, shape, (address, bytes))
static bool take_named(PyObject *tuple, Named *out)
{
  PyObject *shape;
  unsigned long long address, bytes;
  if (!PyArg_ParseTuple(tuple, "ssO!(KK)", &out->array.name, &out->array.array.dtype, &PyTuple_Type, &shape, &address, &bytes))
    return false;
  Py_ssize_t rank = PyTuple_Size(shape);
  if (rank > NAMED_DIMS) {
    PyErr_SetString(PyExc_ValueError, "an array of more than 32 dimensions");
    return false;
  }
  for (Py_ssize_t i = 0; i < rank; i++)
    out->shape[i] = PyLong_AsUnsignedLongLong(PyTuple_GetItem(shape, i));
  out->array.array.rank = (uint32_t)rank;
  out->array.array.shape = out->shape;
  out->array.array.data = (void *)(uintptr_t)address;
  out->array.array.bytes = bytes;
  return !PyErr_Occurred();
}

// diff_arrays(a, [(name, dtype, shape, (address, bytes))], rtol, atol, ulps) -> the report as JSON, or None
static PyObject *module_diff_arrays(PyObject *self, PyObject *args)
{
  (void)self;
  PyObject *first, *list;
  KlrTolerance tolerance;
  if (!PyArg_ParseTuple(args, "O!O!ddd", &PyTuple_Type, &first, &PyList_Type, &list, &tolerance.rtol, &tolerance.atol,
                        &tolerance.ulps))
    return NULL;
  size_t count = (size_t)PyList_Size(list);
  Named *named = PyMem_Malloc((count + 1) * sizeof *named);
  KlrNamedArray *arrays = PyMem_Malloc((count + 1) * sizeof *arrays);
  SideArguments a = {0};
  bool ok = named && arrays ? take_side(first, &a) : (PyErr_NoMemory(), false);
  for (size_t i = 0; i < count && ok; i++) {
    ok = take_named(PyList_GetItem(list, (Py_ssize_t)i), &named[i]);
    arrays[i] = named[i].array;
  }
  const char *text = NULL;
  if (ok) {
    Py_BEGIN_ALLOW_THREADS
    text = klr_diff_arrays(&a.side, arrays, count, &tolerance);
    Py_END_ALLOW_THREADS
  }
  PyMem_Free(a.inputs);
  PyMem_Free(named);
  PyMem_Free(arrays);
  return ok ? text_or_none(text) : NULL;
}

// shadow(side, outputs) -> the report as JSON, or None. Outputs are written as by run.
static PyObject *module_shadow(PyObject *self, PyObject *args)
{
  (void)self;
  PyObject *first, *outputs;
  if (!PyArg_ParseTuple(args, "O!O!", &PyTuple_Type, &first, &PyList_Type, &outputs))
    return NULL;
  SideArguments a = {0};
  bool ok = take_side(first, &a);
  size_t count = ok ? klr_output_count(a.handle->kernel) : 0;
  KlrArray *wanted = PyMem_Malloc((count + 1) * sizeof *wanted), *results = PyMem_Malloc((count + 1) * sizeof *results);
  if (ok && (!wanted || !results)) {
    PyErr_NoMemory();
    ok = false;
  }
  ok = ok && take_arrays(a.handle, outputs, 1, count, klr_output, wanted);
  const char *text = NULL;
  if (ok) {
    a.options.shadow = &text;
    Py_BEGIN_ALLOW_THREADS
    bool ran = klr_run(a.session->klr, a.handle->kernel, a.inputs, results, &a.options);
    for (size_t i = 0; ran && i < count; i++)
      if (results[i].bytes == wanted[i].bytes)
        memcpy(wanted[i].data, results[i].data, wanted[i].bytes);
    text = ran ? text : NULL;
    Py_END_ALLOW_THREADS
  }
  PyMem_Free(a.inputs);
  PyMem_Free(wanted);
  PyMem_Free(results);
  return ok ? text_or_none(text) : NULL;
}

static void handle_dealloc(PyObject *self)
{
  PyTypeObject *type = Py_TYPE(self);
  Py_XDECREF((PyObject *)((KernelHandle *)self)->session);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  release(self);
  Py_DECREF((PyObject *)type);
}

// ---- the module

static PyMethodDef session_methods[] = {
    {"trace", session_trace, METH_VARARGS, "trace(reads, kernel, arguments, positional, target, lnc, strict, lenient)"},
    {"evaluate", session_evaluate, METH_VARARGS, "evaluate(text, target)"},
    {"read", session_read, METH_VARARGS, "read(bytes, path)"},
    {"count", session_count, METH_NOARGS, "Diagnostics so far."},
    {"diagnostics", session_diagnostics, METH_VARARGS, "diagnostics(as_json)"},
    {0},
};

static PyMethodDef handle_methods[] = {
    {"name", handle_name, METH_NOARGS, "The kernel's name."},
    {"inputs", handle_inputs, METH_NOARGS, "[(name, dtype, shape, memory)]"},
    {"written", handle_written, METH_NOARGS, "[whether the kernel writes it], one for each input"},
    {"outputs", handle_outputs, METH_NOARGS, "[(name, dtype, shape, memory)]"},
    {"write", handle_write, METH_VARARGS, "write(form)"},
    {"constants", handle_constants, METH_NOARGS, "[(path, bytes or None)]"},
    {"verify", handle_verify, METH_VARARGS, "verify(target)"},
    {"core_count", handle_core_count, METH_NOARGS, "Logical cores."},
    {"blocks", handle_blocks, METH_VARARGS, "blocks(core)"},
    {"run", handle_run, METH_VARARGS, "run(session, inputs, outputs, ...): see handle_run"},
    {0},
};

static PyType_Slot session_slots[] = {
    {Py_tp_new, (void *)session_new_object}, {Py_tp_dealloc, (void *)session_dealloc}, {Py_tp_methods, session_methods}, {0}};
static PyType_Slot handle_slots[] = {
    {Py_tp_dealloc, (void *)handle_dealloc}, {Py_tp_methods, handle_methods}, {0}};
static PyType_Spec session_spec = {"klr._native.Session", sizeof(SessionObject), 0, Py_TPFLAGS_DEFAULT, session_slots};
static PyType_Spec handle_spec = {"klr._native.Kernel", sizeof(KernelHandle), 0, Py_TPFLAGS_DEFAULT, handle_slots};

static PyMethodDef module_methods[] = {
    {"kinds", native_kinds, METH_NOARGS, "The operators there are."},
    {"diff", module_diff, METH_VARARGS, "diff(a, b, rtol, atol, ulps)"},
    {"diff_arrays", module_diff_arrays, METH_VARARGS, "diff_arrays(a, arrays, rtol, atol, ulps)"},
    {"shadow", module_shadow, METH_VARARGS, "shadow(side, outputs)"},
    {0},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_native", "The library behind the klr package.", -1,
                                    module_methods, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void);

PyMODINIT_FUNC PyInit__native(void)
{
  PyObject *made = PyModule_Create(&module);
  session_type = (PyTypeObject *)PyType_FromSpec(&session_spec);
  kernel_handle_type = (PyTypeObject *)PyType_FromSpec(&handle_spec);
  if (!made || !session_type || !kernel_handle_type)
    return NULL;
  Py_INCREF((PyObject *)session_type);
  Py_INCREF((PyObject *)kernel_handle_type);
  if (!eager_init(made) || !entry_init(made) || !schema_init(made))
    return NULL;
  if (PyModule_AddObject(made, "Session", (PyObject *)session_type) < 0 ||
      PyModule_AddObject(made, "Kernel", (PyObject *)kernel_handle_type) < 0 ||
      PyModule_AddStringConstant(made, "version", klr_version()) < 0)
    return NULL;
  return made;
}

// _entry.c -- functions of the package that a caller of it sees no inside of.
//
//     Entry(function)   the same function, also as a method; what it raises has a traceback of the caller's frames and the
//                       kernel's, none of the package's own
//
// An error that is about the caller's kernel or arguments has a true attribute `is_of_caller`, and may end at the call. Others are
// faults of the package: when all their frames are its own, they keep them. KLR_TRACEBACK=full keeps every frame.

#include "_native.h"

#include <stdlib.h>
#include <string.h>

typedef struct EntryObject {
  PyObject_HEAD
  PyObject *function;
  PyObject *self;  // of a bound method; NULL: none
  PyObject *uncompiled;  // `function` as torch.compile leaves it alone; NULL: not needed so far
} EntryObject;

static PyTypeObject *entry_type;
static PyObject *compiler_name;  // "torch._dynamo"

static PyObject *new_entry(PyObject *function, PyObject *self)
{
  EntryObject *made = (EntryObject *)PyType_GenericAlloc(entry_type, 0);
  if (!made)
    return NULL;
  Py_INCREF(function);
  Py_XINCREF(self);
  made->function = function;
  made->self = self;
  return (PyObject *)made;
}

static PyObject *make_entry(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
  PyObject *function;
  (void)type, (void)keywords;
  return PyArg_ParseTuple(args, "O", &function) ? new_entry(function, NULL) : NULL;
}

// Whether the frame of one entry of a traceback runs code of the package. Not of the NKI library, whose code is the kernel's.
static bool is_own_frame(PyObject *trace)
{
  bool own = false;
  PyObject *frame = PyObject_GetAttrString(trace, "tb_frame");
  PyObject *globals = frame ? PyObject_GetAttrString(frame, "f_globals") : NULL;
  PyObject *name = globals ? PyMapping_GetItemString(globals, "__name__") : NULL;
  PyObject *bytes = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8String(name) : NULL;
  const char *text = bytes ? PyBytes_AsString(bytes) : NULL;
  if (text)
    own = strcmp(text, "klr") == 0 || (strncmp(text, "klr.", 4) == 0 && strncmp(text, "klr.nki", 7) != 0) ||
          strcmp(text, "torch._dynamo.eval_frame") == 0;  // see what_to_call
  Py_XDECREF(bytes);
  Py_XDECREF(name);
  Py_XDECREF(globals);
  Py_XDECREF(frame);
  PyErr_Clear();
  return own;
}

static bool is_of_caller(PyObject *error)
{
  if (!PyObject_IsInstance(error, PyExc_Exception))
    return true;  // ctrl-C and the like
  PyObject *says = PyObject_GetAttrString(error, "is_of_caller");
  bool result = says && PyObject_IsTrue(says) == 1;
  Py_XDECREF(says);
  PyErr_Clear();
  return result;
}

// Takes the package's frames off the front of the traceback of the error that is set.
static void hide_own_frames(void)
{
  const char *wish = getenv("KLR_TRACEBACK");
  if (wish && strcmp(wish, "full") == 0)
    return;
  PyObject *type, *error, *trace;
  PyErr_Fetch(&type, &error, &trace);
  PyErr_NormalizeException(&type, &error, &trace);
  PyObject *rest = trace;
  Py_XINCREF(rest);
  while (rest && rest != Py_None && is_own_frame(rest)) {
    PyObject *next = PyObject_GetAttrString(rest, "tb_next");
    Py_DECREF(rest);
    rest = next;
  }
  PyErr_Clear();
  bool ends = !rest || rest == Py_None;
  if (!ends || is_of_caller(error)) {
    if (PyException_SetTraceback(error, ends ? Py_None : rest) != 0)
      PyErr_Clear();
    Py_XDECREF(trace);
    trace = NULL;
    if (!ends) {
      trace = rest;
      Py_INCREF(trace);
    }
  }
  Py_XDECREF(rest);
  PyErr_Restore(type, error, trace);
}

static PyObject *with_self(PyObject *self, PyObject *args)
{
  Py_ssize_t count = PyTuple_Size(args);
  PyObject *all = PyTuple_New(count + 1);
  if (!all)
    return NULL;
  Py_INCREF(self);
  PyTuple_SetItem(all, 0, self);
  for (Py_ssize_t i = 0; i < count; i++) {
    PyObject *item = PyTuple_GetItem(args, i);
    Py_INCREF(item);
    PyTuple_SetItem(all, i + 1, item);
  }
  return all;
}

// The function, or where torch.compile may be at work one whose frames it does not look at. A new reference.
static PyObject *what_to_call(EntryObject *entry)
{
  PyObject *compiler = entry->uncompiled ? NULL : PyImport_GetModule(compiler_name);
  if (compiler) {
    entry->uncompiled = PyObject_CallMethod(compiler, "disable", "O", entry->function);
    Py_DECREF(compiler);
  }
  PyErr_Clear();
  PyObject *found = entry->uncompiled ? entry->uncompiled : entry->function;
  Py_INCREF(found);
  return found;
}

static PyObject *call_entry(PyObject *object, PyObject *args, PyObject *keywords)
{
  EntryObject *entry = (EntryObject *)object;
  PyObject *all = args;
  if (entry->self)
    all = with_self(entry->self, args);
  else
    Py_INCREF(all);
  if (!all)
    return NULL;
  PyObject *function = what_to_call(entry), *result = PyObject_Call(function, all, keywords);
  Py_DECREF(function);
  Py_DECREF(all);
  if (!result)
    hide_own_frames();
  return result;
}

static PyObject *bind_entry(PyObject *object, PyObject *instance, PyObject *owner)
{
  (void)owner;
  if (!instance || instance == Py_None) {
    Py_INCREF(object);
    return object;
  }
  return new_entry(((EntryObject *)object)->function, instance);
}

// The function itself, bound where the entry is.
static PyObject *wrapped(EntryObject *entry)
{
  if (entry->self)
    return PyObject_CallMethod(entry->function, "__get__", "O", entry->self);
  Py_INCREF(entry->function);
  return entry->function;
}

// Everything but what makes it callable is the function's: name, text, signature, attributes.
static PyObject *entry_getattr(PyObject *object, PyObject *name)
{
  static const char *const own[] = {"__class__", "__call__", "__get__", "__reduce__", "__reduce_ex__"};
  for (size_t i = 0; i < sizeof own / sizeof *own; i++)
    if (PyUnicode_CompareWithASCIIString(name, own[i]) == 0)
      return PyObject_GenericGetAttr(object, name);
  PyObject *function = wrapped((EntryObject *)object);
  if (!function || PyUnicode_CompareWithASCIIString(name, "__wrapped__") == 0)
    return function;
  PyObject *found = PyObject_GetAttr(function, name);
  Py_DECREF(function);
  return found;
}

static int entry_setattr(PyObject *object, PyObject *name, PyObject *value)
{
  return PyObject_SetAttr(((EntryObject *)object)->function, name, value);
}

static PyObject *entry_repr(PyObject *object)
{
  PyObject *function = wrapped((EntryObject *)object);
  PyObject *text = function ? PyObject_Repr(function) : NULL;
  Py_XDECREF(function);
  return text;
}

// As functions are: by name, and methods by their object.
static PyObject *entry_reduce(PyObject *object, PyObject *none)
{
  (void)none;
  EntryObject *entry = (EntryObject *)object;
  if (!entry->self)
    return PyObject_GetAttrString(entry->function, "__qualname__");
  PyObject *method = wrapped(entry);
  PyObject *result = method ? PyObject_CallMethod(method, "__reduce__", NULL) : NULL;
  Py_XDECREF(method);
  return result;
}

// Where tools look that ask the type.
static PyObject *entry_doc(PyObject *object, void *none)
{
  (void)none;
  return PyObject_GetAttrString(((EntryObject *)object)->function, "__doc__");
}

static int entry_traverse(PyObject *object, visitproc visit, void *arg)
{
  EntryObject *entry = (EntryObject *)object;
  Py_VISIT(entry->function);
  Py_VISIT(entry->self);
  Py_VISIT(entry->uncompiled);
  Py_VISIT((PyObject *)Py_TYPE(object));
  return 0;
}

static int entry_clear(PyObject *object)
{
  EntryObject *entry = (EntryObject *)object;
  Py_CLEAR(entry->function);
  Py_CLEAR(entry->self);
  Py_CLEAR(entry->uncompiled);
  return 0;
}

static void entry_dealloc(PyObject *object)
{
  PyTypeObject *type = Py_TYPE(object);
  PyObject_GC_UnTrack(object);
  (void)entry_clear(object);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  release(object);
  Py_DECREF((PyObject *)type);
}

static PyMethodDef entry_methods[] = {{"__reduce__", entry_reduce, METH_NOARGS, NULL}, {0}};
static PyGetSetDef entry_properties[] = {{"__doc__", entry_doc, NULL, NULL, NULL}, {0}};
static PyType_Slot entry_slots[] = {{Py_tp_new, (void *)make_entry},
                                    {Py_tp_dealloc, (void *)entry_dealloc},
                                    {Py_tp_traverse, (void *)entry_traverse},
                                    {Py_tp_clear, (void *)entry_clear},
                                    {Py_tp_call, (void *)call_entry},
                                    {Py_tp_getattro, (void *)entry_getattr},
                                    {Py_tp_setattro, (void *)entry_setattr},
                                    {Py_tp_repr, (void *)entry_repr},
                                    {Py_tp_descr_get, (void *)bind_entry},
                                    {Py_tp_methods, entry_methods},
                                    {Py_tp_getset, entry_properties},
                                    {0}};
// An unbound method to the interpreter: it passes the object as the first argument.
static PyType_Spec entry_spec = {"klr._native.Entry", sizeof(EntryObject), 0,
                                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_METHOD_DESCRIPTOR, entry_slots};

bool entry_init(PyObject *module)
{
  entry_type = (PyTypeObject *)PyType_FromSpec(&entry_spec);
  compiler_name = PyUnicode_InternFromString("torch._dynamo");
  if (!entry_type || !compiler_name)
    return false;
  Py_INCREF((PyObject *)entry_type);
  return PyModule_AddObject(module, "Entry", (PyObject *)entry_type) == 0;
}

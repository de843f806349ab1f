// _schema.c -- scalar kernels for Python: documents (read, checked, built, interpreted), registries, and launching with live arguments.
//
// A launcher takes its arguments through the buffer protocol; what has none `take_array` of klr._kernels turns into something that
// has, and `take_number` numbers that are not Python's. What is wrong with an argument is raised by `refuse` of the same module.

#include "_native.h"

#include "klr_schema.h"
#include "schema/build.h"
#include "schema/check.h"
#include "schema/front.h"
#include "schema/interpret.h"
#include "schema/json.h"
#include "schema/registry.h"
#include "schema/write_c.h"

#include <string.h>

// The stable interface has buffers from 3.11 on; before they were the same, only not promised.
#if defined Py_LIMITED_API && Py_LIMITED_API < 0x030b0000
typedef struct Py_buffer {
  void *buf;
  PyObject *obj;
  Py_ssize_t len, itemsize;
  int readonly, ndim;
  char *format;
  Py_ssize_t *shape, *strides, *suboffsets;
  void *internal;
} Py_buffer;
int PyObject_GetBuffer(PyObject *object, Py_buffer *view, int flags);
void PyBuffer_Release(Py_buffer *view);
#define PyBUF_FORMAT 0x04
#define PyBUF_STRIDES 0x18
#endif
#if defined Py_LIMITED_API && Py_LIMITED_API < 0x030a0000  // the same of this one and 3.10
const char *PyUnicode_AsUTF8AndSize(PyObject *unicode, Py_ssize_t *size);
#endif

typedef struct DocumentObject {
  PyObject_HEAD
  SessionObject *session;  // owned
  SchemaFile *file;        // checked
} DocumentObject;

typedef struct RegistryObject {
  PyObject_HEAD
  KlrRegistry *registry;
} RegistryObject;

typedef struct Param {
  PyObject *name;  // owned
  const char *text;
  uint8_t dtype, is_array, direction;
} Param;

// A kernel with what launches need: in a registry, or interpreted.
typedef struct LauncherObject {
  PyObject_HEAD
  PyObject *owner;  // owned: the registry, or the document
  KlrRegistry *registry;
  KlrKernelHandle handle;
  const SchemaFunction *function;  // interpreted
  PyObject *name;                  // owned
  Param *params;                   // owned
  uint32_t count;
  KlrLaunch launch;
  bool is_empty;  // a grid without threads: arguments are taken, nothing runs
} LauncherObject;

static PyTypeObject *document_type, *registry_type, *launcher_type;
static PyObject *take_array_hook, *take_number_hook, *refuse_hook, *report_hook, *ndarray_type;

static void free_object(PyObject *self)
{
  PyTypeObject *type = Py_TYPE(self);
  freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
  release(self);
  Py_DECREF((PyObject *)type);
}

static PyObject *text_of(const char *text)
{
  return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

// Raises by way of klr._kernels: `kind` is "type", "value", "index" or "library". Always NULL.
static PyObject *refuse(const char *kind, const char *text, const char *help)
{
  PyObject *message = text_of(text), *result = message ? PyObject_CallFunction(refuse_hook, "sOz", kind, message, help) : NULL;
  Py_XDECREF(message);
  Py_XDECREF(result);
  return NULL;
}

#define REFUSE(kind, help, ...)                             \
  do {                                                      \
    char refusal[512];                                      \
    snprintf(refusal, sizeof refusal, __VA_ARGS__);         \
    refuse(kind, refusal, help);                            \
  } while (0)

// ---- documents

static PyObject *new_document(SessionObject *session, SchemaFile *file)
{
  DocumentObject *document = (DocumentObject *)PyType_GenericAlloc(document_type, 0);
  if (document) {
    Py_INCREF((PyObject *)session);
    document->session = session;
    document->file = file;
  }
  return (PyObject *)document;
}

static void document_dealloc(PyObject *self)
{
  Py_XDECREF((PyObject *)((DocumentObject *)self)->session);
  free_object(self);
}

typedef struct ReadCall {
  KlrSession *klr;
  const char *path, *text;
  Py_ssize_t len;
  int is_json;
  SchemaFile *file;
} ReadCall;

static bool read_document(void *context)
{
  ReadCall *call = context;
  Session *session = klr_core_session(call->klr);
  Str text = {call->text, (size_t)call->len};
  const char *path = arena_strdup(&session->arena, call->path);
  call->file = call->is_json ? schema_read_json(session, &session->arena, text, path)
                             : schema_read_python(session, &session->arena, session_add_source(session, path, text));
  return call->file && schema_check(call->file);
}

// schema_read(session, is_json, path, bytes) -> Document or None
static PyObject *module_read(PyObject *self, PyObject *args)
{
  (void)self;
  SessionObject *session;
  ReadCall call = {0};
  if (!PyArg_ParseTuple(args, "O!psy#", session_type, &session, &call.is_json, &call.path, &call.text, &call.len))
    return NULL;
  call.klr = session->klr;
  if (!klr_guarded(call.klr, read_document, &call))
    Py_RETURN_NONE;
  return new_document(session, call.file);
}

// ---- functions of the running program

typedef struct LiveCall {
  Session *session;
  PyObject *meaning;  // (function, name) -> what it means there
  PyObject *kept;     // a list
  SchemaLive kernel;
  SchemaFile *file;
  bool failed;  // a Python exception is raised
} LiveCall;

static bool str_item(LiveCall *call, PyObject *tuple, Py_ssize_t index, Str *out)
{
  PyObject *item = PyTuple_GetItem(tuple, index), *utf8 = item ? PyUnicode_AsUTF8String(item) : NULL;
  char *data;
  Py_ssize_t len;
  bool ok = utf8 && PyBytes_AsStringAndSize(utf8, &data, &len) == 0;
  if (ok)
    *out = (Str){arena_strndup(&call->session->arena, data, (size_t)len), (size_t)len};
  Py_XDECREF(utf8);
  return ok;
}

// (function, path, name, line, text), from item `at` on.
static bool live_function(LiveCall *call, PyObject *tuple, Py_ssize_t at, SchemaLive *out)
{
  Str path, name;
  PyObject *line = PyTuple_GetItem(tuple, at + 3);
  if (!line || !str_item(call, tuple, at + 1, &path) || !str_item(call, tuple, at + 2, &name) || !str_item(call, tuple, at + 4, &out->text))
    return false;
  out->identity = PyTuple_GetItem(tuple, at);
  out->path = path.data;
  out->name = name.data;
  out->line = (uint32_t)PyLong_AsUnsignedLong(line);
  return !PyErr_Occurred() && PyList_Append(call->kept, tuple) == 0;
}

// A Python number as a literal; false when it has more than 64 bits.
static bool literal_of(PyObject *number, SchemaLiteral *out)
{
  *out = (SchemaLiteral){.kind = LITERAL_INT};
  if (PyBool_Check(number)) {
    out->kind = LITERAL_BOOL;
    out->magnitude = number == Py_True;
    return true;
  }
  if (PyFloat_Check(number)) {
    out->kind = LITERAL_FLOAT;
    out->real = PyFloat_AsDouble(number);
    return true;
  }
  int overflow;
  long long value = PyLong_AsLongLongAndOverflow(number, &overflow);
  out->is_negative = value < 0 && !overflow;
  out->magnitude = overflow > 0 ? PyLong_AsUnsignedLongLong(number) : value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
  bool fits = overflow >= 0 && !PyErr_Occurred();
  PyErr_Clear();
  return fits;
}

static bool read_meaning(LiveCall *call, PyObject *said, SchemaMeaning *out)
{
  static const struct { const char *name; SchemaMeaningKind kind; } KINDS[] = {
      {"word", MEANING_WORD}, {"module", MEANING_MODULE}, {"number", MEANING_NUMBER}, {"helper", MEANING_HELPER}, {"refused", MEANING_REFUSED}};
  Str kind;
  if (said == Py_None)
    return true;
  if (!PyTuple_Check(said) || !str_item(call, said, 0, &kind))
    return false;
  for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
    if (str_is(kind, KINDS[i].name))
      out->kind = KINDS[i].kind;
  if (out->kind == MEANING_HELPER)
    return live_function(call, said, 1, &out->helper);
  if (out->kind == MEANING_WORD || out->kind == MEANING_REFUSED) {
    Str help = STR("");
    bool ok = str_item(call, said, 1, &out->word) && (out->kind == MEANING_WORD || str_item(call, said, 2, &help));
    out->help = help.len ? help.data : NULL;
    return ok;
  }
  if (out->kind == MEANING_NUMBER && !literal_of(PyTuple_GetItem(said, 1), &out->number))
    *out = (SchemaMeaning){.kind = MEANING_REFUSED, .word = STR("a number of more than 64 bits")};
  return true;
}

static SchemaMeaning meaning_of(void *context, const SchemaLive *function, const char *name)
{
  LiveCall *call = context;
  SchemaMeaning meaning = {.kind = MEANING_UNKNOWN};
  if (call->failed)
    return meaning;
  PyObject *said = PyObject_CallFunction(call->meaning, "Os", (PyObject *)function->identity, name);
  call->failed = !said || !read_meaning(call, said, &meaning);
  Py_XDECREF(said);
  return call->failed ? (SchemaMeaning){.kind = MEANING_UNKNOWN} : meaning;
}

static bool read_live(void *context)
{
  LiveCall *call = context;
  const SchemaProgram program = {call, meaning_of};
  call->file = schema_read_live(call->session, &call->session->arena, &program, &call->kernel);
  return call->file && !call->failed && schema_check(call->file);
}

// schema_trace(session, meaning, (function, path, name, line, text)) -> Document or None
static PyObject *module_trace(PyObject *self, PyObject *args)
{
  (void)self;
  SessionObject *session;
  PyObject *function;
  LiveCall call = {0};
  if (!PyArg_ParseTuple(args, "O!OO!", session_type, &session, &call.meaning, &PyTuple_Type, &function) || !(call.kept = PyList_New(0)))
    return NULL;
  call.session = klr_core_session(session->klr);
  bool ok = live_function(&call, function, 0, &call.kernel) && klr_guarded(session->klr, read_live, &call);
  Py_DECREF(call.kept);
  if (PyErr_Occurred())
    return NULL;
  if (!ok)
    Py_RETURN_NONE;
  return new_document(session, call.file);
}

// ---- what a document gives

typedef struct DocumentCall {
  const DocumentObject *document;
  Arena *arena;
  StrBuf text;
  SchemaSource source;
  const char *path;
  SchemaBuildOptions options;
  SchemaBuilt built;
} DocumentCall;

static bool write_document(void *context)
{
  DocumentCall *call = context;
  call->text = strbuf_new(call->arena);
  schema_write_json(call->document->file, &call->text);
  return true;
}

static bool write_document_c(void *context)
{
  DocumentCall *call = context;
  SchemaFile *file = call->document->file;
  return schema_write_c(file->session, call->arena, &file, 1, "", &call->source);
}

static bool build_document(void *context)
{
  DocumentCall *call = context;
  SchemaFile *file = call->document->file;
  return schema_build(file->session, call->arena, &file, 1, call->path, &call->options, &call->built);
}

// Does `work` with an arena of its own and without the interpreter's lock: sessions are used by one thread at a time.
static bool work_on(PyObject *self, DocumentCall *call, Arena *arena, bool (*work)(void *context))
{
  call->document = (DocumentObject *)self;
  *arena = session_arena(call->document->file->session);
  call->arena = arena;
  bool ok;
  KlrSession *klr = call->document->session->klr;
  Py_BEGIN_ALLOW_THREADS
  ok = klr_guarded(klr, work, call);
  Py_END_ALLOW_THREADS
  return ok;
}

// json() -> str; None after reporting
static PyObject *document_json(PyObject *self, PyObject *none)
{
  (void)none;
  DocumentCall call = {0};
  Arena arena;
  bool ok = work_on(self, &call, &arena, write_document);
  PyObject *result = ok ? PyUnicode_DecodeUTF8(call.text.data, (Py_ssize_t)call.text.len, "replace") : PyErr_NoMemory();
  arena_free(&arena);
  return result;
}

// c_text() -> str, or None after reporting
static PyObject *document_c_text(PyObject *self, PyObject *none)
{
  (void)none;
  DocumentCall call = {0};
  Arena arena;
  bool ok = work_on(self, &call, &arena, write_document_c);
  PyObject *result = ok ? PyUnicode_DecodeUTF8(call.source.text.data, (Py_ssize_t)call.source.text.len, "replace") : (Py_INCREF(Py_None), Py_None);
  arena_free(&arena);
  return result;
}

// build(path, checked, compiler or None, for this processor alone) -> (from the cache, seconds, compiler), or None after reporting
static PyObject *document_build(PyObject *self, PyObject *args)
{
  DocumentCall call = {0};
  Arena arena;
  int checked, for_this_cpu;
  if (!PyArg_ParseTuple(args, "spzp", &call.path, &checked, &call.options.compiler, &for_this_cpu))
    return NULL;
  call.options.is_checked = checked != 0;
  call.options.is_for_this_cpu = for_this_cpu != 0;
  bool ok = work_on(self, &call, &arena, build_document);
  PyObject *result = ok ? Py_BuildValue("Nds", PyBool_FromLong(call.built.was_kept), call.built.seconds, call.built.compiler)
                        : (Py_INCREF(Py_None), Py_None);
  arena_free(&arena);
  return result;
}

// ---- descriptions of kernels

static PyObject *describe_param(const char *name, unsigned dtype, bool is_array, unsigned direction)
{
  static const char *const DIRECTIONS[] = {"unused", "in", "out", "inout"};
  return Py_BuildValue("{sNsssssO}", "name", text_of(name), "dtype", scalar_name((Scalar)dtype), "direction",
                       is_array ? DIRECTIONS[direction] : "in", "is_array", is_array ? Py_True : Py_False);
}

static PyObject *str_object(Str text)
{
  return PyUnicode_DecodeUTF8(text.len ? text.data : "", (Py_ssize_t)text.len, "replace");
}

// The threads of a launch that says none, as Python: "n", "m * n"; None: they are not known, or it takes no ids.
static PyObject *grid_rule(const SchemaFile *file, const SchemaFunction *function)
{
  Arena arena = session_arena(file->session);
  StrBuf text = strbuf_new(&arena);
  bool is_known = function->dims > 0;
  for (uint32_t d = 0; d < function->dims; d++) {
    strbuf_puts(&text, d ? ", " : "");
    if (function->grid[d])
      schema_print_expression(function->grid[d], &text);
    is_known = is_known && function->grid[d];
  }
  PyObject *rule = is_known ? str_object(strbuf_str(&text)) : (Py_INCREF(Py_None), Py_None);
  arena_free(&arena);
  return rule;
}

static PyObject *describe_function(const SchemaFile *file, const SchemaFunction *function)
{
  PyObject *params = PyList_New((Py_ssize_t)function->params.count);
  for (size_t i = 0; params && i < function->params.count; i++) {
    const SchemaVar *param = function->params.items[i];
    PyList_SetItem(params, (Py_ssize_t)i, describe_param(param->name->str.data, param->type.scalar, param->type.is_array, param->direction));
  }
  return Py_BuildValue("{sNsNsNsIsIsNsN}", "name", str_object(function->name->str), "doc", str_object(function->doc), "path", text_of(file->path),
                       "line", (unsigned)function->place.line, "dims", (unsigned)function->dims, "params", params, "grid", grid_rule(file, function));
}

// kernels() -> [description], in the order of the file
static PyObject *document_kernels(PyObject *self, PyObject *none)
{
  (void)none;
  const SchemaFile *file = ((DocumentObject *)self)->file;
  PyObject *list = PyList_New(0);
  for (size_t i = 0; list && i < file->functions.count; i++) {
    PyObject *row = file->functions.items[i]->is_kernel ? describe_function(file, file->functions.items[i]) : NULL;
    if (row && PyList_Append(list, row) < 0)
      Py_CLEAR(list);
    Py_XDECREF(row);
  }
  return list;
}

// ---- launchers

static bool set_param(LauncherObject *launcher, uint32_t i, const char *name, unsigned dtype, bool is_array, unsigned direction)
{
  Param *param = &launcher->params[i];
  *param = (Param){PyUnicode_InternFromString(name), name, (uint8_t)dtype, is_array, (uint8_t)direction};
  return param->name != NULL;
}

static LauncherObject *new_launcher(PyObject *owner, const char *name, size_t count)
{
  LauncherObject *launcher = (LauncherObject *)PyType_GenericAlloc(launcher_type, 0);
  if (!launcher)
    return NULL;
  Py_INCREF(owner);
  launcher->owner = owner;
  launcher->name = text_of(name);
  launcher->params = PyMem_Calloc(count + 1, sizeof *launcher->params);
  launcher->count = launcher->params ? (uint32_t)count : 0;
  if (launcher->name && launcher->params)
    return launcher;
  Py_DECREF((PyObject *)launcher);
  PyErr_NoMemory();
  return NULL;
}

static void launcher_dealloc(PyObject *self)
{
  LauncherObject *launcher = (LauncherObject *)self;
  for (uint32_t i = 0; i < launcher->count; i++)
    Py_XDECREF(launcher->params[i].name);
  PyMem_Free(launcher->params);
  Py_XDECREF(launcher->name);
  Py_XDECREF(launcher->owner);
  free_object(self);
}

// launcher(name) -> Launcher that interprets, or None
static PyObject *document_launcher(PyObject *self, PyObject *args)
{
  const char *name;
  const SchemaFile *file = ((DocumentObject *)self)->file;
  const SchemaFunction *function = NULL;
  if (!PyArg_ParseTuple(args, "s", &name))
    return NULL;
  for (size_t i = 0; i < file->functions.count; i++)
    if (file->functions.items[i]->is_kernel && str_is(file->functions.items[i]->name->str, name))
      function = file->functions.items[i];
  if (!function)
    Py_RETURN_NONE;
  LauncherObject *launcher = new_launcher(self, name, function->params.count);
  for (uint32_t i = 0; launcher && i < launcher->count; i++) {
    const SchemaVar *param = function->params.items[i];
    if (!set_param(launcher, i, param->name->str.data, param->type.scalar, param->type.is_array, param->direction))
      Py_CLEAR(launcher);
  }
  if (launcher)
    launcher->function = function;
  return (PyObject *)launcher;
}

// find(name) -> Launcher, or None
static PyObject *registry_find(PyObject *self, PyObject *args)
{
  const char *name;
  KlrRegistry *registry = ((RegistryObject *)self)->registry;
  if (!PyArg_ParseTuple(args, "s", &name))
    return NULL;
  KlrKernelHandle handle = klr_registry_find(registry, name);
  Library *library = NULL;
  const KlrKernelInfo *info = handle ? registry_enter(registry, handle, &library) : NULL;
  if (!info)
    Py_RETURN_NONE;
  LauncherObject *launcher = new_launcher(self, name, info->param_count);
  for (uint32_t i = 0; launcher && i < launcher->count; i++) {
    const KlrKernelParam *param = &info->params[i];
    if (!set_param(launcher, i, param->name, param->dtype, param->is_array != 0, param->direction))
      Py_CLEAR(launcher);
  }
  registry_leave(registry, library);
  for (uint32_t i = 0; launcher && i < launcher->count; i++)  // the library's own text ends with it
    launcher->params[i].text = PyUnicode_AsUTF8AndSize(launcher->params[i].name, NULL);
  if (launcher) {
    launcher->registry = registry;
    launcher->handle = handle;
  }
  return (PyObject *)launcher;
}

// with_launch((x, y, z) or (), (x, y, z) or (), threads) -> Launcher: the same with these sizes
static PyObject *launcher_with(PyObject *self, PyObject *args)
{
  const LauncherObject *launcher = (LauncherObject *)self;
  PyObject *grid, *local;
  KlrLaunch launch = {0};
  unsigned threads;
  if (!PyArg_ParseTuple(args, "O!O!I", &PyTuple_Type, &grid, &PyTuple_Type, &local, &threads))
    return NULL;
  launch.threads = threads;
  bool is_empty = false;
  for (Py_ssize_t d = 0; d < 3 && d < PyTuple_Size(grid); d++) {
    launch.grid[d] = PyLong_AsUnsignedLongLong(PyTuple_GetItem(grid, d));
    is_empty |= launch.grid[d] == 0;
  }
  for (Py_ssize_t d = 0; d < 3 && d < PyTuple_Size(local); d++)
    launch.local[d] = PyLong_AsUnsignedLongLong(PyTuple_GetItem(local, d));
  if (PyErr_Occurred())
    return NULL;
  PyObject *name = PyUnicode_AsUTF8String(launcher->name);
  LauncherObject *other = name ? new_launcher(launcher->owner, PyBytes_AsString(name), launcher->count) : NULL;
  Py_XDECREF(name);
  for (uint32_t i = 0; other && i < launcher->count; i++) {
    other->params[i] = launcher->params[i];
    Py_INCREF(other->params[i].name);
  }
  if (other) {
    other->registry = launcher->registry;
    other->handle = launcher->handle;
    other->function = launcher->function;
    other->launch = launch;
    other->is_empty = is_empty;
  }
  return (PyObject *)other;
}

// info() -> a description, with `schema`, `hash`, `library` and `checked` of compiled kernels; raises for a stale kernel
static PyObject *launcher_info(PyObject *self, PyObject *none)
{
  (void)none;
  LauncherObject *launcher = (LauncherObject *)self;
  if (launcher->function)
    return describe_function(((DocumentObject *)launcher->owner)->file, launcher->function);
  Library *library = NULL;
  const KlrKernelInfo *info = registry_enter(launcher->registry, launcher->handle, &library);
  if (!info)
    return refuse("stale", klr_registry_error(launcher->registry), NULL);
  PyObject *params = PyList_New(launcher->count);
  for (uint32_t i = 0; params && i < launcher->count; i++)
    PyList_SetItem(params, i, describe_param(info->params[i].name, info->params[i].dtype, info->params[i].is_array != 0, info->params[i].direction));
  PyObject *result = Py_BuildValue("{sNsNsNsIsIsNsNsNsNsN}", "name", text_of(info->name), "doc", text_of(info->doc ? info->doc : ""), "path",
                                   text_of(info->path ? info->path : ""), "line", (unsigned)info->line, "dims", (unsigned)info->dims, "params", params,
                                   "schema", text_of(info->schema ? info->schema : ""), "hash", text_of(info->schema_hash ? info->schema_hash : ""),
                                   "library", text_of(library->path), "checked", PyBool_FromLong(info->is_checked != 0));
  registry_leave(launcher->registry, library);
  return result;
}

// ---- arguments of a launch

typedef struct Taken {
  KlrLaunchArgument argument;
  Py_buffer buffer;
  bool has_buffer;
} Taken;

typedef struct Launching {
  const LauncherObject *launcher;
  PyObject **given;  // by parameter, borrowed
  Taken *taken;
} Launching;

static const char *kernel_name(const LauncherObject *launcher)
{
  const char *name = PyUnicode_AsUTF8AndSize(launcher->name, NULL);
  return name ? name : "kernel";
}

// What the elements of a buffer are, by the letter of the struct module and their size; -1: nothing that kernels have.
static int element_type(const Py_buffer *buffer)
{
  static const struct { const char *letters; Scalar by_size[4]; } KINDS[] = {
      {"?", {SCALAR_BOOL, SCALAR_COUNT, SCALAR_COUNT, SCALAR_COUNT}},
      {"bhilqn", {SCALAR_I8, SCALAR_I16, SCALAR_I32, SCALAR_I64}},
      {"BHILQN", {SCALAR_U8, SCALAR_U16, SCALAR_U32, SCALAR_U64}},
      {"efd", {SCALAR_COUNT, SCALAR_F16, SCALAR_F32, SCALAR_F64}}};
  const char *format = buffer->format ? buffer->format : "B";
  format += *format == '@' || *format == '=' || *format == '<';  // machines here have the low byte first
  if (!format[0] || format[1])
    return -1;
  int size = buffer->itemsize == 1 ? 0 : buffer->itemsize == 2 ? 1 : buffer->itemsize == 4 ? 2 : buffer->itemsize == 8 ? 3 : -1;
  for (size_t i = 0; size >= 0 && i < sizeof KINDS / sizeof *KINDS; i++)
    if (strchr(KINDS[i].letters, format[0]))
      return KINDS[i].by_size[size] == SCALAR_COUNT ? -1 : (int)KINDS[i].by_size[size];
  return -1;
}

static bool is_contiguous(const Py_buffer *buffer)
{
  Py_ssize_t step = buffer->itemsize;
  for (int d = buffer->ndim; d-- > 0 && buffer->strides && buffer->len;) {
    if (buffer->shape[d] != 1 && buffer->strides[d] != step)
      return false;
    step *= buffer->shape[d];
  }
  return true;
}

static bool get_buffer(PyObject *object, Taken *taken)
{
  taken->has_buffer = PyObject_GetBuffer(object, &taken->buffer, PyBUF_STRIDES | PyBUF_FORMAT) == 0;
  return taken->has_buffer;
}

// The buffer of what is no plain array; `*dtype` is set where the buffer does not tell it. False after raising.
static bool get_other_buffer(const Launching *l, uint32_t i, Taken *taken, int *dtype)
{
  const Param *param = &l->launcher->params[i];
  PyObject *found = PyObject_CallFunction(take_array_hook, "OOOsO", l->launcher->name, l->given[i], param->name, scalar_name((Scalar)param->dtype),
                                          param->direction >= KLR_OUT ? Py_True : Py_False);
  PyObject *object = NULL;
  bool ok = found && PyArg_ParseTuple(found, "Oi", &object, dtype) && get_buffer(object, taken);
  Py_XDECREF(found);
  return ok;
}

static bool take_array(const Launching *l, uint32_t i)
{
  const Param *param = &l->launcher->params[i];
  const char *kernel = kernel_name(l->launcher);
  Taken *taken = &l->taken[i];
  int dtype = -1;
  if ((PyObject *)Py_TYPE(l->given[i]) != ndarray_type || !get_buffer(l->given[i], taken)) {
    PyErr_Clear();
    if (!get_other_buffer(l, i, taken, &dtype))
      return false;
  }
  const Py_buffer *buffer = &taken->buffer;
  const ScalarInfo *wanted = scalar_info((Scalar)param->dtype);
  dtype = dtype >= 0 ? dtype : element_type(buffer);
  if (dtype != param->dtype) {
    const char *found = dtype >= 0 ? scalar_info((Scalar)dtype)->numpy_name : buffer->format ? buffer->format : "no type";
    char help[96];
    snprintf(help, sizeof help, "%s.astype(%s%s%s) is a copy of its type", param->text, param->dtype == SCALAR_BF16 ? "ml_dtypes." : "\"", wanted->numpy_name,
             param->dtype == SCALAR_BF16 ? "" : "\"");
    REFUSE("type", help, "%s: argument `%s` is an array of %s%s%s, not %s (%s)", kernel, param->text, dtype >= 0 ? "" : "elements with format `", found,
           dtype >= 0 ? "" : "`", wanted->numpy_name, wanted->name);
    return false;
  }
  if (!is_contiguous(buffer)) {
    REFUSE("value", "numpy.ascontiguousarray(x) is a copy whose elements do", "%s: the elements of argument `%s` do not lie one after the other, row after row",
           kernel, param->text);
    return false;
  }
  if (buffer->readonly && param->direction >= KLR_OUT) {
    REFUSE("value", "pass a copy", "%s writes to argument `%s`, which may only be read", kernel, param->text);
    return false;
  }
  if (buffer->len && (uintptr_t)buffer->buf % wanted->bytes) {
    REFUSE("value", "pass a copy", "%s: the memory of argument `%s` does not begin at a multiple of %u bytes", kernel, param->text, wanted->bytes);
    return false;
  }
  taken->argument = klr_array(buffer->buf, (uint64_t)(buffer->len / buffer->itemsize), (KlrScalarType)dtype);
  return true;
}

static bool refuse_number(const Launching *l, uint32_t i, PyObject *number, const char *kind)
{
  const Param *param = &l->launcher->params[i];
  PyObject *shown = PyObject_Repr(number);
  const char *text = shown ? PyUnicode_AsUTF8AndSize(shown, NULL) : NULL;
  const ScalarInfo *wanted = scalar_info((Scalar)param->dtype);
  if (text)
    REFUSE(kind, NULL, "%s: argument `%s` is %.60s, which is no value of %s", kernel_name(l->launcher), param->text, text, wanted->name);
  Py_XDECREF(shown);
  return false;
}

static bool take_python_number(const Launching *l, uint32_t i, PyObject *number)
{
  const Scalar type = (Scalar)l->launcher->params[i].dtype;
  SchemaLiteral literal;
  if (!literal_of(number, &literal)) {  // an integer of more than 64 bits
    literal = (SchemaLiteral){.kind = LITERAL_FLOAT, .real = scalar_is_float(type) ? PyLong_AsDouble(number) : -1};
    if (!scalar_is_float(type) || PyErr_Occurred()) {
      PyErr_Clear();
      return refuse_number(l, i, number, "value");
    }
  }
  bool is_of_kind = literal.kind == LITERAL_BOOL ? type == SCALAR_BOOL : literal.kind == LITERAL_INT || scalar_is_float(type);
  if (!is_of_kind || !schema_literal_fits(&literal, type))
    return refuse_number(l, i, number, is_of_kind ? "value" : "type");
  KlrLaunchArgument *argument = &l->taken[i].argument;
  argument->dtype = (uint8_t)type;
  argument->value = schema_literal_value(&literal, type);
  return true;
}

static bool take_number(const Launching *l, uint32_t i)
{
  PyObject *given = l->given[i];
  if (PyLong_Check(given) || PyFloat_Check(given))
    return take_python_number(l, i, given);
  const Param *param = &l->launcher->params[i];
  PyObject *number = PyIndex_Check(given) ? PyNumber_Index(given) : NULL;  // NumPy's integers
  PyErr_Clear();
  if (!number)
    number = PyObject_CallFunction(take_number_hook, "OOOs", l->launcher->name, given, param->name, scalar_name((Scalar)param->dtype));
  bool ok = number && take_python_number(l, i, number);
  Py_XDECREF(number);
  return ok;
}

static bool share_memory(const Taken *x, const Taken *y)
{
  const uintptr_t x_first = (uintptr_t)x->argument.data, y_first = (uintptr_t)y->argument.data;
  if (x_first == y_first && x->argument.count == y->argument.count && x->argument.dtype == y->argument.dtype)
    return false;  // one array under two names
  return x->buffer.len && y->buffer.len && x_first < y_first + (uintptr_t)y->buffer.len && y_first < x_first + (uintptr_t)x->buffer.len;
}

static bool check_overlaps(const Launching *l)
{
  const LauncherObject *launcher = l->launcher;
  for (uint32_t a = 0; a < launcher->count; a++)
    for (uint32_t b = 0; b < launcher->count && launcher->params[a].direction >= KLR_OUT; b++)
      if (a != b && l->taken[a].has_buffer && l->taken[b].has_buffer && share_memory(&l->taken[a], &l->taken[b])) {
        REFUSE("value", "pass a copy of one, or the same array for both", "%s writes to argument `%s`, which shares memory with `%s`", kernel_name(launcher),
               launcher->params[a].text, launcher->params[b].text);
        return false;
      }
  return true;
}

// "x, y and n"
static void list_names(const LauncherObject *launcher, PyObject *const *given, char *out, size_t size)
{
  size_t used = 0;
  *out = 0;
  for (uint32_t i = 0; i < launcher->count && used < size; i++)
    if (!given || !given[i])
      used += (size_t)snprintf(out + used, size - used, "%s`%s`", used ? ", " : "", launcher->params[i].text);
}

static bool refuse_unknown(const LauncherObject *launcher, PyObject *args, PyObject *keywords)
{
  char names[256];
  PyObject *key, *value;
  Py_ssize_t at = 0;
  list_names(launcher, NULL, names, sizeof names);
  while (PyDict_Next(keywords, &at, &key, &value))
    for (uint32_t i = 0; i <= launcher->count; i++) {
      const char *text = PyUnicode_Check(key) ? PyUnicode_AsUTF8AndSize(key, NULL) : NULL;
      if (i == launcher->count) {
        REFUSE("type", "grid, group, threads, checked and interpret are options of kernel.launch(arguments, ...)", "%s has no parameter `%s`; it has %s",
               kernel_name(launcher), text ? text : "?", names);
        return false;
      }
      if (PyUnicode_Compare(launcher->params[i].name, key) == 0) {
        if (i >= PyTuple_Size(args))
          break;
        REFUSE("type", NULL, "%s: argument `%s` is given twice", kernel_name(launcher), launcher->params[i].text);
        return false;
      }
    }
  return true;
}

// Which object each parameter gets. False after raising.
static bool collect(const LauncherObject *launcher, PyObject *args, PyObject *keywords, PyObject **given)
{
  const Py_ssize_t count = PyTuple_Size(args), named = keywords ? PyDict_Size(keywords) : 0;
  char names[256];
  if (count + named > launcher->count && count > launcher->count) {
    list_names(launcher, NULL, names, sizeof names);
    REFUSE("type", NULL, "%s takes %u arguments, not %zd: %s", kernel_name(launcher), launcher->count, count + named, names);
    return false;
  }
  Py_ssize_t found = 0;
  for (Py_ssize_t i = 0; i < launcher->count; i++) {
    given[i] = i < count ? PyTuple_GetItem(args, i) : named ? PyDict_GetItem(keywords, launcher->params[i].name) : NULL;
    found += i >= count && given[i];
  }
  if (found < named)
    return refuse_unknown(launcher, args, keywords);
  if (count + found == launcher->count)
    return true;
  list_names(launcher, given, names, sizeof names);
  REFUSE("type", NULL, "%s: not given: %s", kernel_name(launcher), names);
  return false;
}

// ---- launching

static PyObject *tell_failure(const LauncherObject *launcher)
{
  const KlrKernelFault *fault = klr_registry_fault(launcher->registry);
  const char *text = klr_registry_error(launcher->registry);
  if (!fault)
    return refuse(strstr(text, "no longer, loaded") ? "stale" : "value", text,
                  strstr(text, "a grid") ? "kernel[1000](...) runs 1000 threads, kernel[640, 480](...) a plane" : NULL);
  const uint32_t line = fault->line;
  Library *library = NULL;
  const KlrKernelInfo *info = registry_enter(launcher->registry, launcher->handle, &library);
  PyObject *result = PyObject_CallFunction(refuse_hook, "sszzI", "index", text, NULL, info ? info->path : NULL, (unsigned)line);
  if (info)
    registry_leave(launcher->registry, library);
  Py_XDECREF(result);
  return NULL;
}

static PyObject *launch_compiled(const LauncherObject *launcher, const KlrLaunchArgument *arguments)
{
  bool ok;
  Py_BEGIN_ALLOW_THREADS
  ok = klr_launch(launcher->registry, launcher->handle, arguments, launcher->count, &launcher->launch);
  Py_END_ALLOW_THREADS
  if (!ok)
    return tell_failure(launcher);
  Py_RETURN_NONE;
}

typedef struct InterpretCall {
  const LauncherObject *launcher;
  const SchemaFile *file;
  const KlrKernelArgument *arguments;
} InterpretCall;

static bool interpret(void *context)
{
  InterpretCall *call = context;
  SchemaLaunch launch = {0};
  memcpy(launch.grid, call->launcher->launch.grid, sizeof launch.grid);
  memcpy(launch.local, call->launcher->launch.local, sizeof launch.local);
  return schema_interpret(call->file->session, call->file, call->launcher->function, call->arguments, &launch);
}

// The caller sees to it that nobody else uses the document meanwhile.
static PyObject *launch_interpreted(const LauncherObject *launcher, const KlrLaunchArgument *given)
{
  const DocumentObject *document = (DocumentObject *)launcher->owner;
  KlrKernelArgument *arguments = PyMem_Calloc(launcher->count + 1, sizeof *arguments);
  if (!arguments)
    return PyErr_NoMemory();
  for (uint32_t i = 0; i < launcher->count; i++)
    arguments[i] = (KlrKernelArgument){given[i].data, given[i].count, given[i].value};
  InterpretCall call = {launcher, document->file, arguments};
  Session *session = klr_core_session(document->session->klr);
  const size_t before = session->diags.count, errors = session->error_count, warnings = session->warning_count;
  Signals signals = {0};
  signals_watch(document->session->klr, &signals);
  signals.released = PyEval_SaveThread();
  bool ok = klr_guarded(document->session->klr, interpret, &call);
  PyEval_RestoreThread(signals.released);
  PyMem_Free(arguments);
  bool raised = signals_end(document->session->klr, &signals);
  if (ok && !raised)
    Py_RETURN_NONE;
  if (!raised) {
    PyObject *result = PyObject_CallFunction(report_hook, "On", (PyObject *)document->session, (Py_ssize_t)before);
    Py_XDECREF(result);
  }
  session->diags.count = before;  // told; the document lives on
  session->error_count = errors;
  session->warning_count = warnings;
  return NULL;
}

// launcher(*arguments, **arguments) -> None
static PyObject *launcher_call(PyObject *self, PyObject *args, PyObject *keywords)
{
  enum { FEW = 16 };
  LauncherObject *launcher = (LauncherObject *)self;
  Taken few_taken[FEW];
  PyObject *few_given[FEW];
  KlrLaunchArgument few_arguments[FEW];
  const uint32_t count = launcher->count;
  void *memory = count > FEW ? PyMem_Malloc(count * (sizeof *few_taken + sizeof *few_given + sizeof *few_arguments)) : NULL;
  if (count > FEW && !memory)
    return PyErr_NoMemory();
  Taken *taken = memory ? memory : few_taken;
  KlrLaunchArgument *arguments = memory ? (KlrLaunchArgument *)(void *)(taken + count) : few_arguments;
  PyObject **given = memory ? (PyObject **)(void *)(arguments + count) : few_given;
  Launching l = {launcher, given, taken};
  for (uint32_t i = 0; i < count; i++) {
    taken[i].argument = (KlrLaunchArgument){0};
    taken[i].has_buffer = false;
  }
  bool ok = collect(launcher, args, keywords, given);
  for (uint32_t i = 0; ok && i < count; i++)
    ok = launcher->params[i].is_array ? take_array(&l, i) : take_number(&l, i);
  ok = ok && check_overlaps(&l);
  for (uint32_t i = 0; ok && i < count; i++)
    arguments[i] = taken[i].argument;
  PyObject *result = !ok                  ? NULL
                     : launcher->is_empty ? (Py_INCREF(Py_None), Py_None)
                     : launcher->function ? launch_interpreted(launcher, arguments)
                                          : launch_compiled(launcher, arguments);
  for (uint32_t i = 0; i < count; i++)
    if (taken[i].has_buffer)
      PyBuffer_Release(&taken[i].buffer);
  PyMem_Free(memory);
  return result;
}

// ---- registries

static PyObject *registry_new_object(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
  (void)args, (void)keywords;
  RegistryObject *object = (RegistryObject *)PyType_GenericAlloc(type, 0);
  if (object && !(object->registry = klr_registry_new())) {
    Py_DECREF((PyObject *)object);
    return PyErr_NoMemory();
  }
  return (PyObject *)object;
}

static void registry_dealloc(PyObject *self)
{
  klr_registry_free(((RegistryObject *)self)->registry);  // no launch runs: each holds a launcher, which holds the registry
  free_object(self);
}

// load(path, replace, allow_writable); raises
static PyObject *registry_load(PyObject *self, PyObject *args)
{
  KlrRegistry *registry = ((RegistryObject *)self)->registry;
  const char *path;
  int replace, allow_writable;
  if (!PyArg_ParseTuple(args, "spp", &path, &replace, &allow_writable))
    return NULL;
  const KlrLoadOptions options = {replace != 0, allow_writable != 0};
  bool ok;
  Py_BEGIN_ALLOW_THREADS
  ok = klr_registry_load(registry, path, &options);
  Py_END_ALLOW_THREADS
  if (!ok)
    return refuse("library", klr_registry_error(registry), NULL);
  Py_RETURN_NONE;
}

// scan(folder, replace, allow_writable) -> [(path, kernels, error or None)]; raises when the folder cannot be read
static PyObject *registry_scan(PyObject *self, PyObject *args)
{
  KlrRegistry *registry = ((RegistryObject *)self)->registry;
  const char *folder;
  int replace, allow_writable;
  if (!PyArg_ParseTuple(args, "spp", &folder, &replace, &allow_writable))
    return NULL;
  const KlrLoadOptions options = {replace != 0, allow_writable != 0};
  const KlrLoadResult *results = NULL;
  size_t count = 0;
  bool ok;
  Py_BEGIN_ALLOW_THREADS
  ok = klr_registry_scan(registry, folder, &options, &results, &count);
  Py_END_ALLOW_THREADS
  if (!ok)
    return refuse("library", klr_registry_error(registry), NULL);
  PyObject *list = PyList_New((Py_ssize_t)count);
  for (size_t i = 0; list && i < count; i++) {
    PyObject *error = results[i].error ? text_of(results[i].error) : (Py_INCREF(Py_None), Py_None);
    PyList_SetItem(list, (Py_ssize_t)i, Py_BuildValue("NIN", PyUnicode_DecodeFSDefault(results[i].path), results[i].kernels, error));
  }
  return list;
}

// unload(path); raises
static PyObject *registry_unload(PyObject *self, PyObject *args)
{
  KlrRegistry *registry = ((RegistryObject *)self)->registry;
  const char *path;
  if (!PyArg_ParseTuple(args, "s", &path))
    return NULL;
  bool ok;
  Py_BEGIN_ALLOW_THREADS
  ok = klr_registry_unload(registry, path);
  Py_END_ALLOW_THREADS
  if (!ok)
    return refuse("library", klr_registry_error(registry), NULL);
  Py_RETURN_NONE;
}

// names() -> [name], ascending
static PyObject *registry_names(PyObject *self, PyObject *none)
{
  (void)none;
  KlrRegistry *registry = ((RegistryObject *)self)->registry;
  PyObject *list = PyList_New(0);
  KlrKernelHandle handle;
  for (size_t i = 0; list && (handle = klr_registry_at(registry, i)); i++) {
    Library *library = NULL;
    const KlrKernelInfo *info = registry_enter(registry, handle, &library);
    PyObject *name = info ? text_of(info->name) : NULL;
    if (info)
      registry_leave(registry, library);
    if (name && PyList_Append(list, name) < 0)
      Py_CLEAR(list);
    Py_XDECREF(name);
  }
  return list;
}

// schema_hooks(take_array, take_number, refuse, report, ndarray)
static PyObject *module_hooks(PyObject *self, PyObject *args)
{
  (void)self;
  if (!PyArg_ParseTuple(args, "OOOOO", &take_array_hook, &take_number_hook, &refuse_hook, &report_hook, &ndarray_type))
    return NULL;
  Py_INCREF(take_array_hook), Py_INCREF(take_number_hook), Py_INCREF(refuse_hook), Py_INCREF(report_hook), Py_INCREF(ndarray_type);
  Py_RETURN_NONE;
}

// ---- types

static PyMethodDef document_methods[] = {
    {"json", document_json, METH_NOARGS, "The document as text."},
    {"c_text", document_c_text, METH_NOARGS, "Its C."},
    {"build", document_build, METH_VARARGS, "build(path, checked, compiler, for_this_cpu)"},
    {"kernels", document_kernels, METH_NOARGS, "[description]"},
    {"launcher", document_launcher, METH_VARARGS, "launcher(name)"},
    {0},
};
static PyMethodDef registry_methods[] = {
    {"load", registry_load, METH_VARARGS, "load(path, replace, allow_writable)"},
    {"scan", registry_scan, METH_VARARGS, "scan(folder, replace, allow_writable)"},
    {"unload", registry_unload, METH_VARARGS, "unload(path)"},
    {"find", registry_find, METH_VARARGS, "find(name)"},
    {"names", registry_names, METH_NOARGS, "[name]"},
    {0},
};
static PyMethodDef launcher_methods[] = {
    {"info", launcher_info, METH_NOARGS, "A description of the kernel."},
    {"with_launch", launcher_with, METH_VARARGS, "with_launch(grid, group, threads)"},
    {0},
};
static PyMethodDef module_functions[] = {
    {"schema_read", module_read, METH_VARARGS, "schema_read(session, is_json, path, bytes)"},
    {"schema_trace", module_trace, METH_VARARGS, "schema_trace(session, meaning, function)"},
    {"schema_hooks", module_hooks, METH_VARARGS, "schema_hooks(take_array, take_number, refuse, report, ndarray)"},
    {0},
};
static PyType_Slot document_slots[] = {{Py_tp_dealloc, (void *)document_dealloc}, {Py_tp_methods, document_methods}, {0}};
static PyType_Slot registry_slots[] = {
    {Py_tp_new, (void *)registry_new_object}, {Py_tp_dealloc, (void *)registry_dealloc}, {Py_tp_methods, registry_methods}, {0}};
static PyType_Slot launcher_slots[] = {
    {Py_tp_dealloc, (void *)launcher_dealloc}, {Py_tp_call, (void *)launcher_call}, {Py_tp_methods, launcher_methods}, {0}};
static PyType_Spec document_spec = {"klr._native.Document", sizeof(DocumentObject), 0, Py_TPFLAGS_DEFAULT, document_slots};
static PyType_Spec registry_spec = {"klr._native.Registry", sizeof(RegistryObject), 0, Py_TPFLAGS_DEFAULT, registry_slots};
static PyType_Spec launcher_spec = {"klr._native.Launcher", sizeof(LauncherObject), 0, Py_TPFLAGS_DEFAULT, launcher_slots};

bool schema_init(PyObject *module)
{
  document_type = (PyTypeObject *)PyType_FromSpec(&document_spec);
  registry_type = (PyTypeObject *)PyType_FromSpec(&registry_spec);
  launcher_type = (PyTypeObject *)PyType_FromSpec(&launcher_spec);
  if (!document_type || !registry_type || !launcher_type)
    return false;
  Py_INCREF((PyObject *)document_type);
  Py_INCREF((PyObject *)registry_type);
  Py_INCREF((PyObject *)launcher_type);
  return PyModule_AddObject(module, "Document", (PyObject *)document_type) == 0 &&
         PyModule_AddObject(module, "Registry", (PyObject *)registry_type) == 0 &&
         PyModule_AddObject(module, "Launcher", (PyObject *)launcher_type) == 0 && PyModule_AddFunctions(module, module_functions) == 0;
}

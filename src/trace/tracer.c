#include "trace/module.h"
#include "trace/object.h"
#include "trace/ops.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { STACK_VALUES = 1 << 20 };  // frame slots: 16 MB of address space, touched as it is used

void builtins_init(Tracer *t);
void modules_init(Tracer *t);

// How much of the C stack calls may use: three quarters of it, 6 MB at most.
static size_t usable_stack_bytes(void)
{
  const size_t most = 6u << 20;
  struct rlimit limit;
  if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur / 4 * 3 > most)
    return most;
  return (size_t)(limit.rlim_cur / 4 * 3);
}

// Modules and builtins; false when memory runs out. Both arenas end where they did before.
static bool fill(Tracer *t)
{
  jmp_buf here, *outer = t->session->arena.on_exhausted;
  t->session->arena.on_exhausted = t->arena.on_exhausted = &here;
  bool ok = false;
  if (setjmp(here) == 0) {
    modules_init(t);
    builtins_init(t);
    ok = true;
  }
  t->session->arena.on_exhausted = t->arena.on_exhausted = outer;
  return ok;
}

Tracer *tracer_new(Session *session)
{
  Tracer *t = calloc(1, sizeof *t);
  Value *stack = malloc(STACK_VALUES * sizeof(Value));
  if (!t || !stack) {
    free(t);
    free(stack);
    arena_exhausted(&session->arena);
  }
  t->session = session;
  t->arena = session_arena(session);
  t->stack = t->stack_top = stack;
  t->stack_end = stack + STACK_VALUES;
  t->depth_limit = 1000;
  t->step_limit = 100u * 1000 * 1000;
  t->stack_base = (const char *)__builtin_frame_address(0);
  t->stack_limit_bytes = usable_stack_bytes();
  t->warned = map_new(&t->arena);
  t->native_classes = map_new(&t->arena);
  if (!fill(t)) {
    tracer_free(t);
    arena_exhausted(&session->arena);
  }
  return t;
}

void tracer_free(Tracer *t)
{
  if (!t)
    return;
  arena_free(&t->arena);
  free(t->stack);
  free(t);
}

Value *stack_reserve(Tracer *t, size_t count, Span span)
{
  Value *start = t->stack_top;
  if ((size_t)(t->stack_end - start) < count) {
    raise_error(t, E_RECURSION, span, "too many values are in use at once");
    return NULL;
  }
  for (size_t i = 0; i < count; i++)
    start[i].tag = VALUE_UNDEFINED;
  t->stack_top = start + count;
  return start;
}

static const char *frame_name(const Frame *frame)
{
  return frame && frame->code ? frame->code->qualname : "module";
}

bool check_stack(Tracer *t, Span span)
{
  const char *here = (const char *)__builtin_frame_address(0);
  if (t->depth == 0)
    t->stack_base = here;  // this thread's, at this entry
  size_t used = here < t->stack_base ? (size_t)(t->stack_base - here) : (size_t)(here - t->stack_base);
  bool deep = t->depth_limit && t->depth >= t->depth_limit;
  if (!deep && used < t->stack_limit_bytes)
    return true;
  uint32_t depth = t->depth, limit = t->depth_limit;
  t->depth_limit = 0;
  Diag *diag = raise_error(t, E_RECURSION, span, "maximum recursion depth exceeded");
  t->depth_limit = limit;
  diag_primary(diag, diag->primary.span, "in function `%s`, %u calls deep", frame_name(t->frame), depth);
  diag_help(diag, "functions are inlined while tracing: recursion must end at a depth known from compile-time values");
  return false;
}

// ---- raising

static const char *class_name_of(DiagCode code)
{
  switch (code) {
#define ERROR(code_, name) case code_: return name;
#include "trace/errors.def"
  default: return "RuntimeError";
  }
}

// 'x' as `x`, as diagnostics quote names.
static const char *in_backticks(Tracer *t, const char *text)
{
  char *copy = arena_strdup(&t->session->arena, text);
  char *open = NULL;
  for (char *at = copy; *at; at++) {
    if (*at != '\'')
      continue;
    bool starts = (at == copy || strchr(" (:=,", at[-1])) && at[1] && at[1] != ' ';
    if (open) {
      *open = *at = '`';
      open = NULL;
    } else if (starts) {
      open = at;
    }
  }
  return copy;
}

static void lower_first(char *text)
{
  if (text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z')
    text[0] = (char)(text[0] | 0x20);
}

// The place in the user's program that `span`, in code of `*frame`, works for: the NKI library is not what the user wrote.
static Span outside_library(const Frame **frame, Span span)
{
  const Frame *at = *frame;
  while (at && module_is_library(at->module) && span.source == at->module->source_id && !span_is_none(at->call_span)) {
    span = at->call_span;
    at = at->caller;
  }
  *frame = at;
  return span;
}

void diag_call_stack(Tracer *t, Diag *diag)
{
  int shown = 0;
  for (const Frame *frame = t->frame; frame; frame = frame->caller) {
    if (span_is_none(frame->call_span) || !frame->code || frame->code->kind != CODE_FUNCTION ||
        module_is_library(frame->module))
      continue;
    if (++shown > 20) {
      diag_note(diag, "further calls are not shown");
      break;
    }
    const Frame *caller = frame->caller;
    diag_call(diag, outside_library(&caller, frame->call_span), "in `%s`, called from here", frame_name(frame));
  }
}

// Says in which function of the library an error that is shown at its call came up.
static void note_library(Tracer *t, Diag *diag, Span inside)
{
  Source *source = session_source(t->session, inside.source);
  if (source)
    diag_note(diag, "in `%s` at %s:%u", frame_name(t->frame), source->path,
              source_place(source, &t->session->arena, inside.start).line);
}

void raise_diag(Tracer *t, const char *exception_name, Diag *diag)
{
  Value text = value_cstr(t, diag->message);
  Value exception = exception_new(t, exception_class(t, exception_name), &text, 1);
  exception.instance->diag = diag;
  t->exception = exception;
}

Diag *raise_error(Tracer *t, DiagCode code, Span span, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  char *text = arena_vprintf(&t->arena, format, args);
  va_end(args);
  Value message = value_cstr(t, text);
  char *shown = arena_strdup(&t->session->arena, in_backticks(t, text));
  lower_first(shown);
  Diag *diag = diag_error(t->session, code, "%s", shown);
  if (span_is_none(span))
    span = t->here;
  const Frame *frame = t->frame;
  Span place = outside_library(&frame, span);
  diag_primary(diag, place, "%s", "");
  if (frame != t->frame)
    note_library(t, diag, span);
  diag_call_stack(t, diag);
  t->exception = exception_new(t, exception_class(t, class_name_of(code)), &message, 1);
  t->exception.instance->diag = diag;
  return diag;
}

static void withdraw(Session *session, const Diag *diag)
{
  for (size_t i = session->diags.count; i-- > 0;) {
    if (session->diags.items[i] != diag)
      continue;
    memmove(&session->diags.items[i], &session->diags.items[i + 1],
            (session->diags.count - i - 1) * sizeof *session->diags.items);
    session->diags.count--;
    break;
  }
  session->error_count--;
}

Value catch_exception(Tracer *t)
{
  Value exception = t->exception;
  if (exception.tag == VALUE_INSTANCE && exception.instance->diag)
    withdraw(t->session, exception.instance->diag);
  t->exception = value_undefined();
  return exception;
}

bool raise_key_error(Tracer *t, Value key, Span span)
{
  StrBuf text = strbuf_new(&t->arena);
  if (!op_repr(t, key, span, &text))
    return false;
  Diag *diag = diag_error(t->session, E_KEY, "the dictionary has no key `%s`", strbuf_cstr(&text));
  diag_primary(diag, span_is_none(span) ? t->here : span, "%s", "");
  diag_call_stack(t, diag);
  t->exception = exception_new(t, exception_class(t, "KeyError"), &key, 1);
  t->exception.instance->diag = diag;
  return false;
}

// `raise exception`: reported under its class and text if nobody catches it.
bool raise_value(Tracer *t, Value exception, Span span)
{
  StrBuf text = strbuf_new(&t->arena);
  Instance *instance = exception.instance;
  instance->diag = NULL;
  Value *args = attr_find(&instance->attrs, t->builtins->args);
  bool has_text = args && args->tag == VALUE_TUPLE && args->tuple->count > 0;
  if (has_text && !op_str(t, exception, span, &text))
    return false;
  Str class_name = instance->class->name->str;
  DiagCode code = str_is(class_name, "AssertionError") ? E_ASSERT : str_is(class_name, "SystemExit") ? E_STOPPED : E_RAISED;
  Diag *diag = diag_error(t->session, code, "%s%s%s", instance->class->name->str.data, text.len ? ": " : "",
                          text.len ? strbuf_cstr(&text) : "");
  diag_primary(diag, span_is_none(span) ? t->here : span, "%s", "");
  diag_call_stack(t, diag);
  instance->diag = diag;
  t->exception = exception;
  return false;
}

Diag *warn_once(Tracer *t, DiagCode code, Span span, const char *format, ...)
{
  uint64_t key = ((uint64_t)span.source << 48) ^ ((uint64_t)code << 36) ^ span.start ^ 1u;
  Diag *known = map_get_number(&t->warned, key);
  if (known)
    return known;
  va_list args;
  va_start(args, format);
  char *text = arena_vprintf(&t->arena, format, args);
  va_end(args);
  Diag *diag = diag_warning(t->session, code, "%s", text);
  diag_primary(diag, span, "%s", "");
  map_set_number(&t->warned, key, diag);
  return diag;
}

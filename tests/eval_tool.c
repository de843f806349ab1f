// eval_tool.c -- runs Python files with the tracer's evaluator, as `python FILE...` would, one after the other.
//
//   eval_tool [--steps N] [--depth N] [--kernel] [--strict] FILE...
//   eval_tool [...] --call NAME FILE      loads the file as a kernel's module and calls a function without arguments
//
// Standard output gets what the files print, each followed by a line "-- exit 0" or, after an uncaught exception,
// "-- exit 1 ExceptionClass". Diagnostics go to standard error.

#include "trace/kernel.h"
#include "trace/object.h"
#include "trace/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t steps;
static uint32_t depth;
static bool kernel, strict;
static const char *function;

static bool load_and_call(Tracer *t, const char *path)
{
  ModuleObject *module = trace_load(t, path);
  KernelEntry entry;
  Value result;
  return module && trace_find_kernel(t, module, function, &entry) && trace_call(t, entry.value, NULL, NULL, 0, 0, &result);
}

static void run(const char *path)
{
  Session *session = session_new();
  Tracer *t = session ? tracer_new(session) : NULL;
  if (!t)
    abort();
  nki_install(t, NULL);
  t->prints_to_stdout = true;
  t->in_kernel = kernel;
  session->strict = strict;
  if (steps)
    t->step_limit = steps;
  if (depth)
    t->depth_limit = depth;
  bool ok = function ? load_and_call(t, path) : trace_run_script(t, path);
  fflush(stdout);
  StrBuf text = strbuf_new(&session->arena);
  diag_print_text(session, &text, false);
  if (text.len)
    fputs(strbuf_cstr(&text), stderr);
  const char *class = t->exception.tag == VALUE_INSTANCE ? t->exception.instance->class->name->str.data : "";
  printf("-- exit %d%s%s\n", !ok, ok ? "" : " ", ok ? "" : class);
  fflush(stdout);
  tracer_free(t);
  session_free(session);
}

int main(int argc, char **argv)
{
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--steps") == 0 && i + 1 < argc)
      steps = strtoull(argv[++i], NULL, 10);
    else if (strcmp(argv[i], "--depth") == 0 && i + 1 < argc)
      depth = (uint32_t)strtoul(argv[++i], NULL, 10);
    else if (strcmp(argv[i], "--call") == 0 && i + 1 < argc)
      function = argv[++i];
    else if (strcmp(argv[i], "--kernel") == 0)
      kernel = true;
    else if (strcmp(argv[i], "--strict") == 0)
      strict = true;
    else
      run(argv[i]);
  }
  return 0;
}

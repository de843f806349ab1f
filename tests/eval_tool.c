// eval_tool.c -- runs Python files with the tracer's evaluator, as `python FILE...` would, one after the other.
//
//   eval_tool [--steps N] [--kernel] FILE...
//
// Standard output gets what the files print, each followed by a line "-- exit 0" or, after an uncaught exception,
// "-- exit 1 ExceptionClass". Diagnostics go to standard error.

#include "trace/object.h"
#include "trace/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void run(const char *path, uint64_t steps, bool kernel)
{
  Session *session = session_new();
  Tracer *t = session ? tracer_new(session) : NULL;
  if (!t)
    abort();
  t->prints_to_stdout = true;
  t->in_kernel = kernel;
  if (steps)
    t->step_limit = steps;
  bool ok = trace_run_script(t, path);
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
  uint64_t steps = 0;
  bool kernel = false;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--steps") == 0 && i + 1 < argc)
      steps = strtoull(argv[++i], NULL, 10);
    else if (strcmp(argv[i], "--kernel") == 0)
      kernel = true;
    else
      run(argv[i], steps, kernel);
  }
  return 0;
}

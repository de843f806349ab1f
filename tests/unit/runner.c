#include "test.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static TestCase *first, **last = &first;
static bool failed;

void test_register(TestCase *test)
{
  *last = test;
  last = &test->next;
}

void test_fail(const char *file, int line, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  fprintf(stderr, "  %s:%d: ", file, line);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  failed = true;
}

int main(int argc, char **argv)
{
  const char *filter = "";
  bool list = false;
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--filter") == 0 && i + 1 < argc)
      filter = argv[++i];
    else if (strcmp(argv[i], "--list") == 0)
      list = true;
    else {
      fprintf(stderr, "usage: %s [--filter TEXT] [--list]\n", argv[0]);
      return 2;
    }
  }
  int passed_count = 0, failed_count = 0;
  for (TestCase *test = first; test; test = test->next) {
    if (!strstr(test->name, filter) && !strstr(test->file, filter))
      continue;
    if (list) {
      printf("%s  %s\n", test->name, test->file);
      continue;
    }
    failed = false;
    test->run();
    if (failed)
      fprintf(stderr, "FAILED %s (%s)\n", test->name, test->file);
    failed ? failed_count++ : passed_count++;
  }
  if (!list)
    printf("%d passed, %d failed\n", passed_count, failed_count);
  return failed_count || (!list && passed_count == 0) ? 1 : 0;
}

// embed.c -- files as a table in the program, at build time.
//
//   embed OUTPUT TABLE ROOT FILE...     FILE relative to ROOT: nki/isa/__init__.py
//
// Writes the definition of TABLE, an array of EmbeddedModule (src/trace/module.h) that ends with a NULL name.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, const char *path)
{
  fprintf(stderr, "embed: cannot %s %s\n", what, path);
  exit(1);
}

// "nki/isa/__init__.py" is package "nki.isa"; "nki/isa/constants.py" is module "nki.isa.constants"; "docs/core.md" is
// "docs.core".
static int is_package(const char *path)
{
  const char *slash = strrchr(path, '/');
  return strcmp(slash ? slash + 1 : path, "__init__.py") == 0;
}

static void put_module_name(FILE *out, const char *path)
{
  const char *dot = strrchr(path, '.');
  size_t len = is_package(path) ? strlen(path) - strlen("/__init__.py") : dot ? (size_t)(dot - path) : strlen(path);
  for (size_t i = 0; i < len; i++)
    fputc(path[i] == '/' ? '.' : path[i], out);
}

// The file's bytes as numbers: string literals may not be that long.
static size_t put_text(FILE *out, const char *path)
{
  FILE *in = fopen(path, "rb");
  size_t bytes = 0;
  int c;
  if (!in)
    fail("read", path);
  while ((c = fgetc(in)) != EOF)
    fprintf(out, "%s%d,", bytes++ % 32 == 0 ? "\n  " : "", c > 127 ? c - 256 : c);
  fclose(in);
  return bytes;
}

int main(int argc, char **argv)
{
  if (argc < 4)
    fail("do without", "OUTPUT TABLE ROOT FILE...");
  FILE *out = fopen(argv[1], "wb");
  if (!out)
    fail("write", argv[1]);
  size_t *bytes = calloc((size_t)argc, sizeof *bytes);
  if (!bytes)
    fail("allocate", "memory");
  fputs("// Made by tools/embed.c.\n\n#include \"trace/module.h\"\n", out);
  for (int i = 4; i < argc; i++) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", argv[3], argv[i]);
    fprintf(out, "\nstatic const signed char text_%d[] = {", i);
    bytes[i] = put_text(out, path);
    fputs("\n  0};\n", out);
  }
  fprintf(out, "\nconst EmbeddedModule %s[] = {\n", argv[2]);
  for (int i = 4; i < argc; i++) {
    fputs("  {\"", out);
    put_module_name(out, argv[i]);
    fprintf(out, "\", %s, {(const char *)text_%d, %zu}, \"%s\"},\n", is_package(argv[i]) ? "true" : "false", i,
            bytes[i], argv[i]);
  }
  fputs("  {0},\n};\n", out);
  free(bytes);
  return fclose(out) == 0 ? 0 : 1;
}

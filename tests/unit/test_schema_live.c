// test_schema_live.c -- kernels of a running program: what their names mean comes from the program, here a table.

#include "test.h"

#include "schema/check.h"
#include "schema/front.h"
#include "schema/json.h"

#include <string.h>

static const char KERNELS[] = "import x\n"
                              "class Group:\n"
                              "    try:\n"
                              "        pass\n"
                              "    except Exception:\n"
                              "        def scale(y: ks.DeviceArray[Real], n: u32):\n"
                              "            i = thread(0)\n"
                              "            if i < n:\n"
                              "                y[i] = mean(y[i] + lib.mean(y[i], 2.0), STEP) * lib.inner.WIDTH\n"
                              "def mean(a, b):\n"
                              "    return (a + b) / 2\n"
                              "def bad(y: DeviceArray[f32]):\n"
                              "    y[0] = table[0]\n"
                              "    y[0] = nowhere\n";
static const char HELPERS[] = "\n\ndef mean(a, b):\n    return min(a, LIMIT)\n";
static int kernel_identity, own_identity, other_identity;

static SchemaLive live(void *identity, const char *path, const char *name, uint32_t line, const char *text)
{
  return (SchemaLive){identity, path, name, line, str_from(text)};
}

static SchemaMeaning number(double value)
{
  return (SchemaMeaning){.kind = MEANING_NUMBER, .number = {.kind = LITERAL_FLOAT, .real = value}};
}

static SchemaMeaning meaning_of(void *context, const SchemaLive *function, const char *name)
{
  ++*(int *)context;
  const bool is_other = function->identity == &other_identity;
  if (strcmp(name, "Real") == 0)
    return (SchemaMeaning){.kind = MEANING_WORD, .word = STR("f32")};
  if (strcmp(name, "thread") == 0)
    return (SchemaMeaning){.kind = MEANING_WORD, .word = STR("get_global_id")};
  if (strcmp(name, "ks") == 0 || strcmp(name, "lib") == 0 || strcmp(name, "lib.inner") == 0)
    return (SchemaMeaning){.kind = MEANING_MODULE};
  if (strcmp(name, "mean") == 0 && !is_other)
    return (SchemaMeaning){.kind = MEANING_HELPER, .helper = live(&own_identity, "k.py", "mean", 10, KERNELS)};
  if (strcmp(name, "lib.mean") == 0)
    return (SchemaMeaning){.kind = MEANING_HELPER, .helper = live(&other_identity, "h.py", "mean", 3, HELPERS)};
  if (strcmp(name, "STEP") == 0 || strcmp(name, "LIMIT") == 0)
    return number(is_other ? 0.5 : 3);
  if (strcmp(name, "lib.inner.WIDTH") == 0)
    return number(8);
  if (strcmp(name, "table") == 0)
    return (SchemaMeaning){.kind = MEANING_REFUSED, .word = STR("an array"), .help = "pass it"};
  return (SchemaMeaning){.kind = MEANING_UNKNOWN};
}

static SchemaFile *read_live(Session *session, SchemaLive kernel)
{
  int asked = 0;
  const SchemaProgram program = {&asked, meaning_of};
  SchemaFile *file = schema_read_live(session, &session->arena, &program, &kernel);
  EXPECT(asked > 0 || !file);
  return file && schema_check(file) ? file : NULL;
}

TEST(names_mean_what_the_program_says)
{
  Session *session = session_new();
  SchemaFile *file = read_live(session, live(&kernel_identity, "k.py", "scale", 6, KERNELS));
  EXPECT(file && session->error_count == 0);
  EXPECT(file->functions.count == 3);
  StrBuf json = strbuf_new(&session->arena);
  schema_write_json(file, &json);
  SchemaFile *again = schema_read_json(session, &session->arena, strbuf_str(&json), "k.json");
  EXPECT(again && schema_check(again));
  StrBuf same = strbuf_new(&session->arena);
  schema_write_json(again, &same);
  EXPECT(str_equal(strbuf_str(&json), strbuf_str(&same)));
  uint32_t kernels = 0;
  for (size_t i = 0; i < file->functions.count; i++) {
    const SchemaFunction *function = file->functions.items[i];
    kernels += function->is_kernel;
    EXPECT(!function->is_kernel || function->place.line == 6);
    EXPECT(!function->is_kernel || function->grid[0]);
  }
  EXPECT(kernels == 1);
  session_free(session);
}

TEST(what_a_program_has_not_is_refused)
{
  Session *session = session_new();
  EXPECT(!read_live(session, live(&kernel_identity, "k.py", "bad", 12, KERNELS)));
  EXPECT(session->error_count == 1 && session->diags.items[0]->code == E_SCHEMA_NAME);
  EXPECT(!read_live(session, live(&kernel_identity, "k.py", "bad", 11, KERNELS)));
  EXPECT(!read_live(session, live(&kernel_identity, "k.py", "absent", 12, KERNELS)));
  EXPECT(!read_live(session, live(&kernel_identity, "k.py", "bad", 1, "def bad(:\n")));
  EXPECT(session->error_count >= 4);
  session_free(session);
}

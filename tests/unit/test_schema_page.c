// test_schema_page.c -- docs/schema.json is what the tables of scalar kernels say.

#include "test.h"

#include "base/session.h"
#include "schema/json.h"

#include <stdlib.h>

// `KLR_BLESS=1 build/tests/unit_tests --filter schema_page` writes it anew.
TEST(schema_page_is_current)
{
  Session *session = session_new();
  Arena arena = ARENA_INIT;
  StrBuf page = strbuf_new(&arena);
  schema_write_json_schema(&page);
  const char *path = KLR_SOURCE_ROOT "/docs/schema.json";
  if (getenv("KLR_BLESS"))
    EXPECT(file_write(session, path, strbuf_str(&page)));
  Str text = STR("");
  EXPECT(file_read(session, &arena, path, &text));
  if (!str_equal(text, strbuf_str(&page)))
    test_fail(__FILE__, __LINE__, "docs/schema.json is not what the tables say; bless it");
  arena_free(&arena);
  session_free(session);
}

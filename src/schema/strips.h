// strips.h -- which threads of a kernel can run side by side: what the C writer knows of a kernel whose threads are in rows.
//
// Rows are those of dimension 0, or, when ids are taken apart by `id // width` and `id % width`, of `width` ids: the quotient is the same in a row
// and the remainder counts. A loop that all threads take equally often and that sums up something of theirs is run for many threads at a
// time, so that the compiler sees one vector operation where a sum in order is none: the strip's threads are lanes. Where lanes read elements that lie
// anywhere a few of them still add faster than one, which waits for each of its sums.

#pragma once
#include "schema/schema.h"

// What a local name of a kernel is in a strip.
typedef enum StripLocal {
  STRIP_INNER,   // of one run of statements: a name in it
  STRIP_STEADY,  // the same for all lanes: computed once
  STRIP_AGAIN,   // cheap: computed anew in each run that needs it
  STRIP_LANES,   // an array of the lanes' values
} StripLocal;

typedef struct SchemaStrips {
  const SchemaFunction *function;
  SchemaList body;            // of the function, the guard's statements in its place
  SchemaNode *width;          // threads of a row, when ids are taken apart; NULL: they are not
  bool is_wide;               // some loop is run for many threads at a time,
  bool is_few;                // ... or for a few
  StripLocal *locals;         // by index
  const SchemaNode **values;  // by index: the `let` of a local that is assigned once and by all threads; else NULL
  const SchemaNode **turns;   // by index: the loop among `wide` that counts it now, while looking or writing
  Vec(const SchemaNode *) wide;  // the loops
  uint32_t *work;             // how many expressions were looked at: names of names may stand for more than there is time for
} SchemaStrips;

// Of a checked kernel. In the file's arena.
SchemaStrips *schema_find_strips(const SchemaFile *file, const SchemaFunction *function);

typedef enum StripPart { STRIP_NO_PART, STRIP_QUOTIENT, STRIP_REST } StripPart;
StripPart schema_strip_part(const SchemaStrips *strips, const SchemaNode *node);  // of the own id by the width
bool schema_is_wide(const SchemaStrips *strips, const SchemaNode *loop);
bool schema_is_own_id(const SchemaStrips *strips, const SchemaNode *node);       // get_global_id(), or a name for it

// Where the statements from `from` on that are no wide loops end: an index into `list`.
uint32_t schema_run_end(const SchemaStrips *strips, SchemaList list, uint32_t from);
// Which locals statements [from, to) of `list` name, and what must be computed anew for them: `used[local]`.
void schema_run_uses(const SchemaStrips *strips, SchemaList list, uint32_t from, uint32_t to, bool *used);

// groups.h -- how the C writer runs a kernel with groups: which statements all threads of a group run one after the other, and what local names are.
//
// Between barriers a thread runs alone, and may run before, after or side by side with any other. Statements in a row without a barrier are a region: a loop over the group's threads. Around regions stand the loops
// and conditions that have barriers in them, which all threads take alike.

#pragma once
#include "schema/schema.h"

typedef enum GroupLocal {
  GROUP_INNER,    // of one region: a name in it
  GROUP_ONE,      // the same for all threads, at any time: the group has one
  GROUP_AGAIN,    // cheap: computed anew in each region that needs it
  GROUP_THREADS,  // an array of the threads' values
} GroupLocal;

typedef struct SchemaGroups {
  Arena *arena;
  const SchemaFunction *function;
  GroupLocal *locals;         // by index
  const SchemaNode **values;  // by index: the `let` of a local that is assigned once; else NULL
  Vec(const SchemaNode *) wide;  // loops without barriers that all threads take alike and that carry a name of theirs: they stand around regions too
  uint8_t *known;             // by index: whether the value is cheap, CHEAP_* of groups.c
} SchemaGroups;

// Of a checked kernel that uses groups. In the file's arena.
SchemaGroups *schema_find_groups(const SchemaFile *file, const SchemaFunction *function);

// Whether a statement stands around or between regions: barriers, what has barriers in it, ways out of such loops, names of the group.
bool schema_is_around_regions(const SchemaGroups *groups, const SchemaNode *node);
// Where the region that begins at `from` ends: an index into `list`.
uint32_t schema_region_end(const SchemaGroups *groups, SchemaList list, uint32_t from);
// Which locals computed anew are needed for `node`: `used[local]`.
void schema_region_uses(const SchemaGroups *groups, const SchemaNode *node, bool *used);

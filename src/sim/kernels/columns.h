// columns.h -- LANES rows side by side: turned in registers, so that one vector holds one column of them.

#pragma once
#include "sim/kernels/lanes.h"

// Rows beyond the last are stood in for by the last.
typedef struct Group {
  const float *row[LANES];
  size_t count;  // rows that are really there
} Group;

KERNEL_INLINE Group group_of_rows(const float *at, size_t stride, size_t rows)
{
  Group group = {.count = rows < LANES ? rows : LANES};
  for (size_t i = 0; i < LANES; i++)
    group.row[i] = at + stride * (i < group.count ? i : group.count - 1);
  return group;
}

// Columns c to c + LANES of LANES rows: lane i of v[j] is row[i][c + j].
KERNEL_INLINE void load_columns(U32V v[LANES], const Group *group, size_t c)
{
  for (size_t i = 0; i < LANES; i++)
    v[i] = *(const U32V *)(group->row[i] + c);
  lanes_transpose(v);
}

// Column c of LANES rows.
KERNEL_INLINE F32V load_column(const Group *group, size_t c)
{
  F32V v = {0};
  for (size_t i = 0; i < LANES; i++)
    v[i] = group->row[i][c];
  return v;
}

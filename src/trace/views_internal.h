// views_internal.h -- what the files of the view algebra share: a view being worked on, and the checks of several
// operations.

#pragma once
#include "trace/views.h"

// Offset and pairs of a view, as wide numbers on the stack.
typedef struct Layout {
  int64_t offset;
  uint32_t rank;
  int64_t step[VIEW_RANK_MAX], num[VIEW_RANK_MAX];
} Layout;

// Sets views->fault; always NULL.
const View *view_fault(Views *views, DiagCode code, const char *help, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// For messages: "(128, 512)".
const char *view_shape_text(Views *views, const View *view);
const char *view_sizes_text(Views *views, const int64_t *sizes, uint32_t count);
extern const char *const view_partition_help;

// Elements of the view's dtype in the tensor, and in one partition of it.
int64_t view_storage_elements(const View *view);
int64_t view_partition_elements(const View *view);

Layout view_layout(const View *view);
// `proto` with another offset and pattern, kept once; NULL with a fault when the numbers do not fit the format.
const View *view_with_layout(Views *views, const View *proto, const Layout *layout);
const View *view_copy(Arena *arena, const View *view);

// Python's counting from the end; `limit` is the first number that is too large. False with a fault.
bool view_find_dim(Views *views, const View *view, int64_t dim, int64_t limit, uint32_t *out);
// Dimension `dim` may be touched by `what`: it is neither the partition nor gathered. False with a fault.
bool view_dim_is_free(Views *views, const View *view, uint32_t dim, const char *what);
bool view_rank_fits(Views *views, uint32_t rank);
// A column of indices: one element in each partition of SBUF.
bool view_is_index_column(Views *views, const View *index);
const Access *view_as_access(Views *views, const View *view);
// `view` addressed from a run-time index times `step` elements further on. `offset` is used as it is.
const View *view_with_runtime(Views *views, const View *view, int64_t step, const ScalarOffset *offset);

void layout_insert(Layout *layout, uint32_t dim, int64_t step, int64_t num);
void layout_remove(Layout *layout, uint32_t dim);

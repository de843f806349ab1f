// views.h -- the algebra of views: every way to index, slice, reshape or reinterpret a tensor gives one core View
// again.
//
// A view is an offset and [step, count] pairs over the row-major elements of a tensor (core/core.h). The functions here
// are pure: they take a view and give another, or NULL with the reason in `views->fault`, which whoever knows the
// source line reports. Tensors in SBUF and PSUM keep the partition as dimension 0 and at least two dimensions; tensors
// in HBM keep at least one.
//
//   const View *v = views_whole(&views, tensor);
//   v = views_permute(&views, v, (int64_t[]){0, 2, 1}, 3);
//   if (!v) report(views.fault.code, views.fault.message, views.fault.help);

#pragma once
#include "core/core.h"

enum { VIEW_RANK_MAX = 16 }; // of views; instructions allow fewer

// Why the last operation gave NULL. The texts live in the scratch arena of the Views.
typedef struct ViewFault {
  DiagCode code;
  const char *message, *help; // help may be NULL
} ViewFault;

// A tensor over the memory of `base` under another shape and dtype; for run-time offsets along a dimension that `base`
// does not have. The caller chooses its name.
typedef const Tensor *ViewAlias(void *context, const Tensor *base, DType dtype, const Shape *shape);

// Every view made here stands in a node, which has room for what its user knows of it: the value it is in the program.
typedef struct ViewNode {
  View view;
  void *object;
  ApPair pattern[];
} ViewNode;
static inline ViewNode *view_node(const View *view) { return (ViewNode *)(uintptr_t)view; }

typedef struct ViewSlot {
  uint64_t hash;
  ViewNode *node;
} ViewSlot;

typedef struct Views {
  Arena *arena, *scratch;
  ViewFault fault;
  const ViewFault *outside; // what the pattern of the last views_ap breaks when it is used; NULL: nothing
  ViewAlias *alias;
  void *alias_context;
  ViewSlot *slots; // every view made so far, once: open addressing, capacity a power of two
  size_t count, capacity;
} Views;

// Views live in `arena`; what is needed only to make them in `scratch`, which may be the same.
Views views_new(Arena *arena, Arena *scratch, ViewAlias *alias, void *alias_context);

// ---- attributes
bool memory_is_on_chip(Memory memory); // SBUF, PSUM: dimension 0 is the partition
bool view_is_on_chip(const View *view);
bool view_is_indirect(const View *view);   // carries a run-time offset
bool view_is_contiguous(const View *view); // row-major without gaps; on chip the partition does not count
uint32_t view_rank(const View *view);
int64_t view_dim(const View *view, uint32_t dim);
uint32_t tensor_rank(const Tensor *tensor);
uint64_t tensor_dim(const Tensor *tensor, uint32_t dim);
int64_t tensor_stride(const Tensor *tensor, uint32_t dim); // in elements
void view_add_shape(StrBuf *out, const View *view);        // "(128, 512)"

// ---- indexing
typedef enum ViewIndexKind {
  VIEW_INDEX_INT,   // `start`; negative counts from the end
  VIEW_INDEX_SLICE, // start:stop:step, each perhaps absent
  VIEW_INDEX_ELLIPSIS,
  VIEW_INDEX_NEW_AXIS,
  VIEW_INDEX_RUNTIME,       // one index known at run time
  VIEW_INDEX_RUNTIME_SLICE, // `size` elements from an index known at run time
} ViewIndexKind;

typedef struct ViewIndex {
  ViewIndexKind kind;
  bool has_start, has_stop;
  int64_t start, stop, step, size;
  const ScalarOffset *runtime;
} ViewIndex;

// The whole tensor, and `view[items]`.
const View *views_whole(Views *views, const Tensor *tensor);
const View *views_index(Views *views, const View *view, const ViewIndex *items, uint32_t count);

// ---- the methods of NkiTensor; dimensions may be negative
const View *views_slice(Views *views, const View *view, int64_t dim, int64_t start, int64_t end, int64_t step);
const View *views_select(Views *views, const View *view, int64_t dim, int64_t index);
const View *views_select_runtime(Views *views, const View *view, int64_t dim, const ScalarOffset *index);
const View *views_vector_select(Views *views, const View *view, int64_t dim, const View *index);
const View *views_permute(Views *views, const View *view, const int64_t *dims, uint32_t count);
const View *views_broadcast(Views *views, const View *view, int64_t dim, int64_t size);
const View *views_expand_dim(Views *views, const View *view, int64_t dim);
const View *views_squeeze_dim(Views *views, const View *view, int64_t dim);
const View *views_reshape_dim(Views *views, const View *view, int64_t dim, const int64_t *sizes, uint32_t count);
const View *views_flatten_dims(Views *views, const View *view, int64_t first, int64_t last);
const View *views_reshape(Views *views, const View *view, const int64_t *sizes, uint32_t count); // one may be -1
const View *views_cast(Views *views, const View *view, DType dtype);                             // NkiTensor.view
const View *views_indirect(Views *views, const View *view, const View *index, int64_t elements); // 0: all of index

// NumPy's broadcasting to a shape of the same rank: dimensions of size 1 are repeated.
const View *views_broadcast_to(Views *views, const View *view, const int64_t *sizes, uint32_t count);

// One partition (or row) read `count` times over, which only DMA can do on chip.
const View *views_repeat_partition(Views *views, const View *view, int64_t count);

// `pattern` over the storage, whatever `view` is; `offset` NULL keeps the view's. At most one of the run-time offsets.
// A pattern that reaches outside of its tensor may be made, and not be used: then `views->outside` says why not.
typedef struct ViewPattern {
  const int64_t (*pairs)[2]; // step, count
  uint32_t count;
  const int64_t *offset;
  const ScalarOffset *scalar;
  const View *vector;
  int64_t indirect_dim;
  const DType *dtype;
} ViewPattern;
const View *views_ap(Views *views, const View *view, const ViewPattern *pattern);

// Names of dimensions: `groups[i]` names make up dimension i.
typedef struct ViewNames {
  const Str *names;
  uint32_t name_count;
  const uint32_t *groups;
  uint32_t group_count;
} ViewNames;
typedef struct ViewSize {
  Str name;
  int64_t size;
} ViewSize;
const View *views_rearrange(Views *views, const View *view, const ViewNames *from, const ViewNames *to,
                            const ViewSize *sizes, uint32_t size_count);

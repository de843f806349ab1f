// test_views.c -- the view algebra against brute force: a reference view is the list of the byte addresses of its
// elements.

#include "trace/views.h"
#include "test.h"

enum { REF_RANK = 8, REF_MOST = 4096 };

// Shape and, in row-major order, the byte address of every element.
typedef struct RefView {
  uint32_t rank, bytes; // bytes of an element
  int64_t shape[REF_RANK];
  int64_t count, at[REF_MOST];
} RefView;

static uint64_t random_state = 88172645463325252u;

static uint32_t random_below(uint32_t limit)
{
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return (uint32_t)(random_state >> 11) % limit;
}

// ---- the reference

static void ref_unravel(const RefView *ref, int64_t flat, int64_t *index)
{
  for (uint32_t i = ref->rank; i-- > 0;) {
    index[i] = flat % ref->shape[i];
    flat /= ref->shape[i];
  }
}

static int64_t ref_ravel(const RefView *ref, const int64_t *index)
{
  int64_t flat = 0;
  for (uint32_t i = 0; i < ref->rank; i++)
    flat = flat * ref->shape[i] + index[i];
  return flat;
}

static int64_t product(const int64_t *sizes, uint32_t count)
{
  int64_t total = 1;
  for (uint32_t i = 0; i < count; i++)
    total *= sizes[i];
  return total;
}

static void ref_whole(RefView *ref, const Tensor *tensor)
{
  ref->rank = tensor_rank(tensor);
  ref->bytes = dtype_bytes(tensor->dtype);
  for (uint32_t i = 0; i < ref->rank; i++)
    ref->shape[i] = (int64_t)tensor_dim(tensor, i);
  ref->count = product(ref->shape, ref->rank);
  for (int64_t i = 0; i < ref->count; i++)
    ref->at[i] = i * ref->bytes;
}

// Slices one dimension: element i is old element start + i * step.
static void ref_slice(RefView *ref, uint32_t dim, int64_t start, int64_t num, int64_t step)
{
  RefView old = *ref;
  int64_t index[REF_RANK];
  ref->shape[dim] = num;
  ref->count = product(ref->shape, ref->rank);
  for (int64_t i = 0; i < ref->count; i++) {
    ref_unravel(ref, i, index);
    index[dim] = start + index[dim] * step;
    ref->at[i] = old.at[ref_ravel(&old, index)];
  }
}

static void ref_permute(RefView *ref, const int64_t *dims)
{
  RefView old = *ref;
  int64_t index[REF_RANK], from[REF_RANK];
  for (uint32_t i = 0; i < ref->rank; i++)
    ref->shape[i] = old.shape[dims[i]];
  for (int64_t i = 0; i < ref->count; i++) {
    ref_unravel(ref, i, index);
    for (uint32_t k = 0; k < ref->rank; k++)
      from[dims[k]] = index[k];
    ref->at[i] = old.at[ref_ravel(&old, from)];
  }
}

// ---- comparison

// Enumerates `view` pair by pair and compares with the reference, shape and addresses.
static bool same_elements(const View *view, const RefView *ref)
{
  int64_t bytes = dtype_bytes(view_dtype(view));
  if (view_rank(view) != ref->rank || bytes != ref->bytes || (int64_t)view_elements(view) != ref->count)
    return false;
  for (uint32_t i = 0; i < ref->rank; i++)
    if (view_dim(view, i) != ref->shape[i])
      return false;
  for (int64_t i = 0; i < ref->count; i++) {
    int64_t index[REF_RANK], at = (int64_t)view->offset;
    ref_unravel(ref, i, index);
    for (uint32_t k = 0; k < ref->rank; k++)
      at += index[k] * view->pattern.items[k].step;
    if (at * bytes != ref->at[i])
      return false;
  }
  return true;
}

static Tensor *make_tensor(Arena *arena, Memory memory, DType dtype, const int64_t *sizes, uint32_t rank)
{
  Address *address = arena_new(arena, Address);
  Tensor *tensor = arena_new(arena, Tensor);
  address->memory = memory;
  address->name = tensor->name = "t";
  tensor->dtype = dtype;
  tensor->address = address;
  tensor->shape.par_dim = (uint64_t)sizes[0];
  tensor->shape.free_dims.count = rank - 1;
  tensor->shape.free_dims.items = arena_array(arena, uint64_t, rank - 1);
  tensor->free_elements = 1;
  for (uint32_t i = 1; i < rank; i++) {
    tensor->shape.free_dims.items[i - 1] = (uint64_t)sizes[i];
    tensor->free_elements *= (uint64_t)sizes[i];
  }
  return tensor;
}

static const Tensor *test_alias(void *context, const Tensor *base, DType dtype, const Shape *shape)
{
  int64_t sizes[REF_RANK] = {(int64_t)shape->par_dim};
  for (uint32_t i = 0; i < shape->free_dims.count; i++)
    sizes[i + 1] = (int64_t)shape->free_dims.items[i];
  return make_tensor(context, base->address->memory, dtype, sizes, 1 + shape->free_dims.count);
}

// ---- random operations: each applies itself to both, or neither when the view says no

static const View *try_slice(Views *views, const View *view, RefView *ref)
{
  uint32_t dim = random_below(ref->rank);
  int64_t size = ref->shape[dim], start = random_below((uint32_t)size), stop = start + 1;
  stop += random_below((uint32_t)(size - start));
  int64_t step = 1 + random_below(3), num = (stop - start + step - 1) / step;
  ViewIndex items[REF_RANK + 1];
  uint32_t count = 0;
  if (random_below(2))
    items[count++] = (ViewIndex){.kind = VIEW_INDEX_ELLIPSIS};
  else
    while (count < dim)
      items[count++] = (ViewIndex){.kind = VIEW_INDEX_SLICE, .step = 1};
  bool negative = random_below(2) && stop < size;
  items[count++] = (ViewIndex){VIEW_INDEX_SLICE, true, true, start, negative ? stop - size : stop, step, 0, NULL};
  if (items[0].kind == VIEW_INDEX_ELLIPSIS)
    while (count < 1 + ref->rank - dim)
      items[count++] = (ViewIndex){.kind = VIEW_INDEX_SLICE, .step = 1};
  const View *made = views_index(views, view, items, count);
  ref_slice(ref, dim, start, num, step);
  return made;
}

// What an int index leaves: the dimension is gone unless the tensor needs it.
static const View *try_select(Views *views, const View *view, RefView *ref)
{
  uint32_t dim = random_below(ref->rank);
  int64_t index = random_below((uint32_t)ref->shape[dim]);
  const View *made = views_select(views, view, random_below(2) ? dim : (int64_t)dim - ref->rank,
                                  random_below(2) ? index : index - ref->shape[dim]);
  bool on_chip = view_is_on_chip(view);
  ref_slice(ref, dim, index, 1, 1);
  if (!(on_chip && dim == 0) && ref->rank > (on_chip ? 2u : 1u)) {
    ref->rank--;
    memmove(ref->shape + dim, ref->shape + dim + 1, (ref->rank - dim) * sizeof *ref->shape);
  }
  return made;
}

static const View *try_permute(Views *views, const View *view, RefView *ref)
{
  int64_t dims[REF_RANK];
  for (uint32_t i = 0; i < ref->rank; i++)
    dims[i] = i;
  for (uint32_t i = ref->rank; i-- > 1;) {
    uint32_t k = random_below(i + 1);
    int64_t kept = dims[i];
    dims[i] = dims[k];
    dims[k] = kept;
  }
  const View *made = views_permute(views, view, dims, ref->rank);
  if (!made) {
    EXPECT(view_is_on_chip(view) && dims[0] != 0 && views->fault.code == E_VIEW_PARTITION);
    return view;
  }
  ref_permute(ref, dims);
  return made;
}

static const View *try_unit_dim(Views *views, const View *view, RefView *ref)
{
  if (ref->rank + 2 >= REF_RANK)
    return view;
  uint32_t dim = random_below(ref->rank + 1);
  const View *made = views_expand_dim(views, view, dim);
  if (!made) {
    EXPECT(view_is_on_chip(view) && dim == 0);
    return view;
  }
  memmove(ref->shape + dim + 1, ref->shape + dim, (ref->rank - dim) * sizeof *ref->shape);
  ref->shape[dim] = 1;
  ref->rank++;
  EXPECT(views_squeeze_dim(views, made, dim) == view);
  return made;
}

static const View *try_broadcast(Views *views, const View *view, RefView *ref)
{
  uint32_t dim = random_below(ref->rank), size = 2 + random_below(3);
  const View *made = views_broadcast(views, view, dim, size);
  if (ref->shape[dim] != 1 || (dim == 0 && view_is_on_chip(view))) {
    EXPECT(!made);
    return view;
  }
  if (!made || ref->count * size > REF_MOST)
    return view;
  ref_slice(ref, dim, 0, size, 0);
  return made;
}

// A random factorisation of `total` into at most `most` sizes.
static uint32_t factors(int64_t total, uint32_t most, int64_t *sizes)
{
  uint32_t count = 0;
  while (count + 1 < most && random_below(4)) {
    int64_t divisor = 1 + random_below((uint32_t)total);
    while (total % divisor)
      divisor--;
    sizes[count++] = divisor;
    total /= divisor;
  }
  sizes[count++] = total;
  return count;
}

// When the answer is no, copying would be needed: some merged dimensions are not evenly spaced.
static bool is_expressible(const RefView *ref, uint32_t from, const int64_t *sizes, uint32_t count)
{
  RefView shaped = *ref;
  for (uint32_t i = 0; i < count; i++)
    shaped.shape[from + i] = sizes[i];
  shaped.rank = from + count;
  int64_t index[REF_RANK] = {0}, steps[REF_RANK];
  for (uint32_t i = 0; i < shaped.rank; i++) {
    index[i] = shaped.shape[i] > 1;
    steps[i] = shaped.at[ref_ravel(&shaped, index)] - shaped.at[0];
    index[i] = 0;
  }
  for (int64_t i = 0; i < shaped.count; i++) {
    int64_t at = shaped.at[0];
    ref_unravel(&shaped, i, index);
    for (uint32_t k = 0; k < shaped.rank; k++)
      at += index[k] * steps[k];
    if (at != shaped.at[i])
      return false;
  }
  return true;
}

static const View *try_reshape(Views *views, const View *view, RefView *ref)
{
  int64_t sizes[REF_RANK];
  uint32_t kept = view_is_on_chip(view) ? 1 : 0, count = kept;
  sizes[0] = ref->shape[0];
  count += factors(kept ? ref->count / ref->shape[0] : ref->count, 4, sizes + kept);
  bool possible = is_expressible(ref, kept, sizes + kept, count - kept);
  int64_t asked[REF_RANK];
  memcpy(asked, sizes, sizeof asked);
  if (random_below(3) == 0)
    asked[random_below(count)] = -1;
  const View *made = views_reshape(views, view, asked, count);
  EXPECT((made != NULL) == possible);
  if (!made) {
    EXPECT(views->fault.code == E_VIEW_LAYOUT);
    return view;
  }
  memcpy(ref->shape, sizes, count * sizeof *sizes);
  ref->rank = count;
  return made;
}

static const View *try_split_and_flatten(Views *views, const View *view, RefView *ref)
{
  uint32_t dim = random_below(ref->rank);
  int64_t sizes[REF_RANK];
  uint32_t count = factors(ref->shape[dim], 3, sizes);
  if (ref->rank + count > REF_RANK)
    return view;
  const View *made = views_reshape_dim(views, view, dim, sizes, count);
  if (!made) {
    EXPECT(view_is_on_chip(view) && dim == 0 && count > 1);
    return view;
  }
  if (count > 1 || dim != 0 || !view_is_on_chip(view)) {
    const View *back = views_flatten_dims(views, made, dim, dim + count - 1);
    EXPECT(back && same_elements(back, ref));
  }
  memmove(ref->shape + dim + count, ref->shape + dim + 1, (ref->rank - dim - 1) * sizeof *ref->shape);
  memcpy(ref->shape + dim, sizes, count * sizeof *sizes);
  ref->rank += count - 1;
  return made;
}

static const View *try_cast(Views *views, const View *view, RefView *ref)
{
  static const DType dtypes[] = {DTYPE_UINT8, DTYPE_BFLOAT16, DTYPE_FLOAT32, DTYPE_INT32};
  DType dtype = dtypes[random_below(4)];
  uint32_t bytes = dtype_bytes(dtype), last = ref->rank - 1;
  const View *made = views_cast(views, view, dtype);
  if (!made) {
    EXPECT(views->fault.code == E_VIEW_DTYPE);
    return view;
  }
  RefView old = *ref;
  int64_t index[REF_RANK];
  ref->shape[last] = old.shape[last] * old.bytes / bytes;
  ref->bytes = bytes;
  ref->count = product(ref->shape, ref->rank);
  if (ref->count > REF_MOST) {
    *ref = old;
    return view;
  }
  for (int64_t i = 0; i < ref->count; i++) {
    ref_unravel(ref, i, index);
    int64_t byte = index[last] * bytes;
    index[last] = byte / old.bytes;
    ref->at[i] = old.at[ref_ravel(&old, index)] + byte % old.bytes;
  }
  return made;
}

// The pattern that a view reports, given to `ap` of the whole tensor, is the same view.
static void check_ap(Views *views, const View *view)
{
  int64_t pairs[REF_RANK][2], offset = (int64_t)view->offset;
  DType dtype = view_dtype(view);
  for (uint32_t i = 0; i < view_rank(view); i++) {
    pairs[i][0] = view->pattern.items[i].step;
    pairs[i][1] = view->pattern.items[i].num;
  }
  ViewPattern pattern = {
      .pairs = (const int64_t(*)[2])pairs, .count = view_rank(view), .offset = &offset, .dtype = &dtype};
  EXPECT(views_ap(views, views_whole(views, view->tensor), &pattern) == view);
}

TEST(views_compose_like_their_elements)
{
  typedef const View *TryFn(Views *, const View *, RefView *);
  static TryFn *const tries[] = {try_slice,     try_select,  try_permute,           try_unit_dim,
                                 try_broadcast, try_reshape, try_split_and_flatten, try_cast};
  static const DType dtypes[] = {DTYPE_UINT8, DTYPE_BFLOAT16, DTYPE_FLOAT32};
  static RefView ref;
  Arena arena = ARENA_INIT;
  for (int round = 0; round < 4000; round++) {
    int64_t sizes[4];
    uint32_t rank = 2 + random_below(3);
    bool on_chip = random_below(2);
    for (uint32_t i = 0; i < rank; i++)
      sizes[i] = 1 + random_below(6);
    Views views = views_new(&arena, &arena, test_alias, &arena);
    const Tensor *tensor =
        make_tensor(&arena, on_chip ? MEMORY_SBUF : MEMORY_HBM, dtypes[random_below(3)], sizes, rank);
    const View *view = views_whole(&views, tensor);
    ref_whole(&ref, tensor);
    for (int step = 0; step < 6 && view; step++) {
      view = tries[random_below(sizeof tries / sizeof *tries)](&views, view, &ref);
      EXPECT(view && same_elements(view, &ref));
      if (view)
        check_ap(&views, view);
    }
    if (round % 64 == 0)
      arena_free(&arena), arena = (Arena)ARENA_INIT;
  }
  arena_free(&arena);
}

// ---- single points

typedef struct Fixture {
  Arena arena;
  Views views;
} Fixture;

static const View *fixture_view(Fixture *f, Memory memory, const int64_t *sizes, uint32_t rank)
{
  if (!f->views.arena)
    f->views = views_new(&f->arena, &f->arena, test_alias, &f->arena);
  return views_whole(&f->views, make_tensor(&f->arena, memory, DTYPE_FLOAT32, sizes, rank));
}
#define SIZES(...) (const int64_t[]){__VA_ARGS__}, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)

static const char *shape_of(Fixture *f, const View *view)
{
  if (!view)
    return f->views.fault.message;
  StrBuf text = strbuf_new(&f->arena);
  view_add_shape(&text, view);
  return strbuf_cstr(&text);
}

#define INT(i)                                                                                                         \
  {                                                                                                                    \
    .kind = VIEW_INDEX_INT, .start = (i)                                                                               \
  }
#define ALL                                                                                                            \
  {                                                                                                                    \
    .kind = VIEW_INDEX_SLICE, .step = 1                                                                                \
  }
#define TO(a, b)                                                                                                       \
  {                                                                                                                    \
    VIEW_INDEX_SLICE, true, true, (a), (b), 1, 0, NULL                                                                 \
  }
#define DOTS                                                                                                           \
  {                                                                                                                    \
    .kind = VIEW_INDEX_ELLIPSIS                                                                                        \
  }
#define NEW                                                                                                            \
  {                                                                                                                    \
    .kind = VIEW_INDEX_NEW_AXIS                                                                                        \
  }
#define INDEX(view, ...)                                                                                               \
  shape_of(&f, views_index(&f.views, (view), (const ViewIndex[]){__VA_ARGS__},                                         \
                           sizeof((const ViewIndex[]){__VA_ARGS__}) / sizeof(ViewIndex)))

TEST(int_indices_keep_the_partition_and_two_dimensions_on_chip)
{
  Fixture f = {.arena = ARENA_INIT};
  const View *t = fixture_view(&f, MEMORY_SBUF, SIZES(64, 64, 64)), *h = fixture_view(&f, MEMORY_HBM, SIZES(4, 5));
  EXPECT_TEXT(INDEX(t, INT(0), INT(0), INT(10)), "(1, 1)");
  EXPECT_TEXT(INDEX(t, ALL, INT(0)), "(64, 64)");
  EXPECT_TEXT(INDEX(t, ALL, INT(0), INT(10)), "(64, 1)");
  EXPECT_TEXT(INDEX(t, INT(0), DOTS, ALL), "(1, 64, 64)");
  EXPECT_TEXT(INDEX(t, ALL, NEW, TO(0, 8)), "(64, 1, 8, 64)");
  EXPECT_TEXT(INDEX(h, INT(1)), "(5,)");
  EXPECT_TEXT(INDEX(h, INT(1), INT(-1)), "(1,)");
  EXPECT_TEXT(INDEX(h, NEW, INT(1), DOTS, NEW), "(1, 5, 1)");
  arena_free(&f.arena);
}

TEST(view_errors_say_what_and_how_much)
{
  Fixture f = {.arena = ARENA_INIT};
  const View *t = fixture_view(&f, MEMORY_SBUF, SIZES(128, 64)), *h = fixture_view(&f, MEMORY_HBM, SIZES(4, 6, 8));
  EXPECT_TEXT(INDEX(t, TO(0, 200)), "slice 0:200 of dimension 0, which has size 128");
  EXPECT_TEXT(INDEX(t, INT(128)), "index 128 of dimension 0, which has size 128");
  EXPECT_TEXT(INDEX(t, INT(-129)), "index -129 of dimension 0, which has size 128");
  EXPECT_TEXT(INDEX(t, ALL, TO(8, 8)), "(128, 0)");  // emit.c refuses it
  EXPECT_TEXT(INDEX(h, TO(4, 4), TO(3, 2)), "(0, 0, 8)");
  EXPECT_TEXT(INDEX(t, ALL, ALL, ALL), "3 indices for a tensor of shape (128, 64)");
  EXPECT_TEXT(INDEX(t, NEW), "`None before` of the partition dimension of a tensor of shape (128, 64)");
  EXPECT_TEXT(shape_of(&f, views_permute(&f.views, t, SIZES(1, 0))),
              "`permute` of the partition dimension of a tensor of shape (128, 64)");
  EXPECT_TEXT(shape_of(&f, views_permute(&f.views, h, SIZES(1, 1, 0))), "`permute` names dimension 1 twice: (1, 1, 0)");
  EXPECT_TEXT(shape_of(&f, views_reshape(&f.views, t, SIZES(64, 128))),
              "`reshape` of a tensor of shape (128, 64) to (64, 128)");
  EXPECT_TEXT(shape_of(&f, views_reshape(&f.views, t, SIZES(128, 65))),
              "`reshape` of a tensor of shape (128, 64), 8192 elements, to (128, 65)");
  const View *swapped = views_permute(&f.views, h, SIZES(0, 2, 1));
  EXPECT_TEXT(shape_of(&f, views_flatten_dims(&f.views, swapped, 1, 2)),
              "dimensions 1 to 2 of this view of shape (4, 8, 6) do not follow each other in memory");
  EXPECT_INT(f.views.fault.code, ==, E_VIEW_LAYOUT);
  EXPECT_TEXT(shape_of(&f, views_broadcast(&f.views, t, 1, 3)),
              "`broadcast` of dimension 1 to 3, of a tensor of shape (128, 64)");
  arena_free(&f.arena);
}

// Why nothing may use the view that the pattern makes.
static const char *outside_of(Fixture *f, const View *t, const ViewPattern *pattern)
{
  EXPECT(views_ap(&f->views, t, pattern));
  return f->views.outside ? f->views.outside->message : "";
}

TEST(patterns_stay_in_their_tensor_and_partition)
{
  Fixture f = {.arena = ARENA_INIT};
  const View *t = fixture_view(&f, MEMORY_SBUF, SIZES(16, 32));
  int64_t offset = 0;
  ViewPattern wide = {.pairs = (const int64_t[][2]){{32, 16}, {1, 33}}, .count = 2, .offset = &offset};
  EXPECT_TEXT(outside_of(&f, t, &wide), "the pattern reaches element 512 of tensor `t`, which has 512");
  ViewPattern wrap = {.pairs = (const int64_t[][2]){{32, 2}, {1, 33}}, .count = 2, .offset = &offset};
  EXPECT_TEXT(outside_of(&f, t, &wrap), "the pattern reaches element 32 of a partition of tensor `t`, which has 32");
  ViewPattern skew = {.pairs = (const int64_t[][2]){{33, 2}, {1, 4}}, .count = 2, .offset = &offset};
  EXPECT_TEXT(outside_of(&f, t, &skew), "the first step is 33, but a partition of tensor `t` has 32 elements");
  DType bf16 = DTYPE_BFLOAT16;
  ViewPattern cast = {.pairs = (const int64_t[][2]){{64, 16}, {1, 64}}, .count = 2, .dtype = &bf16};
  EXPECT_TEXT(shape_of(&f, views_ap(&f.views, t, &cast)), "(16, 64)");
  EXPECT(!f.views.outside);
  offset = -1;
  EXPECT_TEXT(shape_of(&f, views_ap(&f.views, t, &wide)), "the pattern starts at element -1 of tensor `t`");
  arena_free(&f.arena);
}

TEST(run_time_offsets_count_in_a_dimension_of_the_tensor)
{
  Fixture f = {.arena = ARENA_INIT};
  const View *h = fixture_view(&f, MEMORY_HBM, SIZES(4, 6, 8)), *column = fixture_view(&f, MEMORY_SBUF, SIZES(5, 1));
  static const ScalarOffset reg = {.ctor = ScalarOffset_reg, .reg = "r"};
  const View *selected = views_select_runtime(&f.views, h, 1, &reg);
  EXPECT_TEXT(shape_of(&f, selected), "(4, 8)");
  EXPECT(selected->tensor == h->tensor && selected->indirect_dim == 1 && selected->scalar_offset == &reg);
  EXPECT_TEXT(shape_of(&f, views_select_runtime(&f.views, selected, 0, &reg)), "a second run-time index in one view");
  // Every second row of 8: no dimension of the tensor has step 16, so the view names an alias with rows of 16.
  const View *even = views_slice(&f.views, h, 1, 0, 6, 2);
  const View *stepped = views_select_runtime(&f.views, even, 1, &reg);
  EXPECT(stepped && stepped->tensor != h->tensor && stepped->indirect_dim == 0);
  EXPECT_INT(tensor_stride(stepped->tensor, 0), ==, 16);
  const View *gathered = views_vector_select(&f.views, h, 0, column);
  EXPECT_TEXT(shape_of(&f, gathered), "(5, 6, 8)");
  EXPECT(gathered->vector_offset && gathered->indirect_dim == 0);
  EXPECT_TEXT(shape_of(&f, views_slice(&f.views, gathered, 0, 0, 2, 1)), "`index` of the dimension that is gathered");
  EXPECT_TEXT(shape_of(&f, views_slice(&f.views, gathered, 2, 0, 2, 1)), "(5, 6, 2)");
  arena_free(&f.arena);
}

TEST(rearrange_splits_reorders_and_merges_by_name)
{
  Fixture f = {.arena = ARENA_INIT};
  const View *t = fixture_view(&f, MEMORY_SBUF, SIZES(128, 24));
  Str b = STR("b"), h = STR("h"), w = STR("w");
  ViewNames from = {(const Str[]){b, h, w}, 3, (const uint32_t[]){1, 2}, 2};
  ViewNames to = {(const Str[]){b, w, h}, 3, (const uint32_t[]){1, 1, 1}, 3};
  ViewSize four = {h, 4};
  const View *made = views_rearrange(&f.views, t, &from, &to, &four, 1);
  EXPECT_TEXT(shape_of(&f, made), "(128, 6, 4)");
  EXPECT(made && made->pattern.items[1].step == 1 && made->pattern.items[2].step == 6);
  ViewNames merged = {(const Str[]){b, h, w}, 3, (const uint32_t[]){1, 2}, 2};
  EXPECT(views_rearrange(&f.views, t, &from, &merged, &four, 1) == t);
  arena_free(&f.arena);
}

/* klr_body.h -- what the bodies of compiled kernels are made of. */

#define KLR_BODY static inline __attribute__((always_inline))
#define KLR_SPARE __attribute__((unused))
/* Before a loop whose turns leave each other alone, whichever arrays are the same memory. */
#if defined __clang__ || defined KLR_CHECKED
#define KLR_EVEN
#else
#define KLR_EVEN _Pragma("GCC ivdep")
#endif
#define KLR_LANES 64 /* threads of a strip */
#define KLR_FEW 8    /* of one whose threads read anywhere */
#if defined __x86_64__ && defined __GNUC__ && !defined KLR_ONE_CPU
#define KLR_X86 1
#else
#define KLR_X86 0
#endif
/* Of a kernel with groups: group `klr_group` of the grid, whose first thread is what names around its regions mean ... */
#define KLR_GROUP \
  const uint64_t klr_groups[2] = {(klr_grid->size[0] + klr_grid->local[0] - 1) / klr_grid->local[0], (klr_grid->size[1] + klr_grid->local[1] - 1) / klr_grid->local[1]}; \
  const int64_t klr_group0 = (int64_t)(klr_group % klr_groups[0]), klr_group1 = (int64_t)(klr_group / klr_groups[0] % klr_groups[1]), klr_group2 = (int64_t)(klr_group / klr_groups[0] / klr_groups[1]); \
  const int64_t klr_first0 = klr_group0 * (int64_t)klr_grid->local[0], klr_first1 = klr_group1 * (int64_t)klr_grid->local[1], klr_first2 = klr_group2 * (int64_t)klr_grid->local[2]; \
  const uint32_t klr_wide = KLR_EXTENT(0), klr_high = KLR_EXTENT(1), klr_deep = KLR_EXTENT(2), klr_count = klr_wide * klr_high * klr_deep; \
  KLR_SPARE const uint32_t klr_t = 0, klr_local0 = 0, klr_local1 = 0, klr_local2 = 0; \
  KLR_SPARE const int64_t klr_id0 = klr_first0, klr_id1 = klr_first1, klr_id2 = klr_first2; \
  KLR_SPARE const uint64_t klr_thread = ((uint64_t)klr_id2 * klr_grid->size[1] + (uint64_t)klr_id1) * klr_grid->size[0] + (uint64_t)klr_id0; \
  (void)klr_count;
#define KLR_EXTENT(d) (uint32_t)(klr_grid->size[d] - (uint64_t)klr_first##d < klr_grid->local[d] ? klr_grid->size[d] - (uint64_t)klr_first##d : klr_grid->local[d])
/* ... its threads, of all dimensions or of one, and what a thread is called. `even`: KLR_EVEN where there are no atomics, since threads may not look for each
 * other's elements but after a barrier. */
#define KLR_THREADS_OF_GROUP(even) \
  for (uint32_t klr_local2 = 0, klr_row = 0; klr_local2 < klr_deep; klr_local2++) \
    for (uint32_t klr_local1 = 0; klr_local1 < klr_high; klr_local1++, klr_row += klr_wide) \
      even for (uint32_t klr_local0 = 0; klr_local0 < klr_wide; klr_local0++)
#define KLR_THREADS_OF_LINE(even) even for (uint32_t klr_local0 = 0, klr_local1 = 0, klr_local2 = 0, klr_row = 0; klr_local0 < klr_wide; klr_local0++)
#define KLR_IDS_IN_GROUP \
  KLR_SPARE const uint32_t klr_t = klr_row + klr_local0; \
  KLR_SPARE const int64_t klr_id0 = klr_first0 + klr_local0, klr_id1 = klr_first1 + klr_local1, klr_id2 = klr_first2 + klr_local2; \
  KLR_SPARE const uint64_t klr_thread = ((uint64_t)klr_id2 * klr_grid->size[1] + (uint64_t)klr_id1) * klr_grid->size[0] + (uint64_t)klr_id0;
#define KLR_THREAD_PARAMS const KlrKernelArgument *klr_arguments, const KlrKernelGrid *klr_grid, uint64_t klr_thread, int64_t klr_id0, int64_t klr_id1, int64_t klr_id2, KlrKernelFault *klr_fault
#define KLR_THREAD klr_arguments, klr_grid, klr_thread, klr_id0, klr_id1, klr_id2, klr_fault
#define KLR_UNUSED_THREAD (void)klr_arguments, (void)klr_grid, (void)klr_thread, (void)klr_id0, (void)klr_id1, (void)klr_id2, (void)klr_fault;

#ifdef KLR_CHECKED
#define KLR_IS_CHECKED 1
/* The element, or one that nobody looks at after the first access outside was noted: that of the first thread. */
static inline void *klr_element(const void *array, size_t bytes, int64_t index, uint64_t count, uint32_t param, uint32_t line, uint64_t thread, KlrKernelFault *fault)
{
  static _Thread_local uint64_t nowhere;
  if (index >= 0 && (uint64_t)index < count)
    return (char *)array + (size_t)index * bytes;
  if (fault && (!fault->kind || thread < fault->thread))
    *fault = (KlrKernelFault){.kind = 1, .line = line, .param = param, .index = index, .count = count, .thread = thread};
  nowhere = 0;
  return &nowhere;
}
#define KLR_ELEMENT(type, array, index, count, param, line) (*(type *)klr_element(array, sizeof(type), index, count, param, line, klr_thread, klr_fault))
#define KLR_TOUCH(element) ((void)(element))
#else
#define KLR_IS_CHECKED 0
#define KLR_ELEMENT(type, array, index, count, param, line) (array)[index]
#define KLR_TOUCH(element) ((void)0)
#endif

/* Where a body may add to an array without atomics: the array itself when it runs all threads; zeros that are added to the array in the
 * end, when that pays and the order does not matter; else NULL. */
static inline KLR_SPARE void *klr_own(const KlrKernelArgument *array, size_t bytes, const KlrKernelGrid *grid, uint64_t begin, uint64_t end, int any_order)
{
  if (KLR_IS_CHECKED)
    return NULL;
  if (begin == 0 && end == grid->size[0] * grid->size[1] * grid->size[2])
    return array->data;
  return any_order && array->count <= 65536 && end - begin >= 4 * array->count ? calloc(array->count + 1, bytes) : NULL;
}

#include "core/core.h"
#include "test.h"

TEST(every_operator_has_its_own_wire_number)
{
  for (uint32_t number = 0; number < OP_FORMAT_COUNT; number++) {
    OpKind kind;
    EXPECT(op_from_wire(number, &kind));
    EXPECT_INT(op_info(kind)->number, ==, number);
  }
  OpKind kind;
  for (uint32_t i = OP_FORMAT_COUNT; i < OP_COUNT; i++)
    EXPECT(op_from_wire(128 + i - OP_FORMAT_COUNT, &kind) && kind == (OpKind)i);
  EXPECT(!op_from_wire(76, &kind));
  EXPECT(op_find(STR("nc_matmul"), &kind) && kind == OP_nc_matmul);
}

static bool count_operand(void *context, const FieldInfo *field, Role role, const TensorRef *ref)
{
  (void)field, (void)ref;
  ((int *)context)[role]++;
  return true;
}

TEST(operands_are_found_by_the_table)
{
  Arena arena = ARENA_INIT;
  Op *op = op_new(&arena, OP_nc_matmul);
  int counts[4] = {0};
  op_visit_tensors(op, count_operand, counts);
  EXPECT_INT(counts[ROLE_READ], ==, 2);
  EXPECT_INT(counts[ROLE_UPDATE], ==, 1);
  op = op_new(&arena, OP_tensor_scalar);
  op->tensor_scalar.imm0.ctor = Operand_tile;
  memset(counts, 0, sizeof counts);
  op_visit_tensors(op, count_operand, counts);
  EXPECT_INT(counts[ROLE_READ], ==, 2);
  EXPECT_INT(counts[ROLE_WRITE], ==, 1);
  arena_free(&arena);
}

TEST(a_basic_access_is_a_strided_view)
{
  Arena arena = ARENA_INIT;
  uint64_t dims[] = {8, 16};
  Tensor tensor = {.name = "t", .dtype = DTYPE_FLOAT32, .shape = {128, {dims, 2}}, .free_elements = 128};
  Index indexes[] = {{.ctor = Index_slice, .slice = {32, 64, 1}},
                     {.ctor = Index_coord, .coord = 3},
                     {.ctor = Index_slice, .slice = {1, 16, 4}}};
  AccessBasic basic = {&tensor, {indexes, 3}};
  Access access = {.ctor = Access_basic, .basic = &basic};
  const View *view = access_view(&arena, &access);
  EXPECT_INT(view->offset, ==, 32 * 128 + 3 * 16 + 1);
  EXPECT_INT(view->pattern.count, ==, 2);
  EXPECT_INT(view->pattern.items[0].step, ==, 128);
  EXPECT_INT(view->pattern.items[0].num, ==, 32);
  EXPECT_INT(view->pattern.items[1].step, ==, 4);
  EXPECT_INT(view->pattern.items[1].num, ==, 4);  // 1, 5, 9, 13: the last short step counts
  int64_t low, high;
  EXPECT(view_extent(view, &low, &high));
  EXPECT_INT(high, ==, 63 * 128 + 3 * 16 + 13);
  arena_free(&arena);
}

TEST(equal_content_is_equal_whatever_the_pointers)
{
  Arena arena = ARENA_INIT;
  Op *ops[2];
  for (int i = 0; i < 2; i++) {
    ops[i] = op_new(&arena, OP_register_move);
    ops[i]->register_move.dst = arena_strdup(&arena, "reg.1");
    ops[i]->register_move.imm = 7;
  }
  EXPECT(core_equal(&core_OPERATOR, &ops[0], &ops[1]));
  EXPECT_HEX(core_hash(&core_OPERATOR, &ops[0]), ==, core_hash(&core_OPERATOR, &ops[1]));
  ops[1]->register_move.imm = 8;
  EXPECT(!core_equal(&core_OPERATOR, &ops[0], &ops[1]));
  arena_free(&arena);
}

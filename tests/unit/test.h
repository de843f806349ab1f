// test.h -- unit tests that register themselves.
//
//   TEST(sum_of_an_empty_row_is_zero) { EXPECT_F32(tile_sum(0, NULL), ==, 0.0f); }
//
// `unit_tests [--filter TEXT] [--list]` runs them; the last line is `N passed, N failed`.

#pragma once
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

typedef struct TestCase {
  const char *name, *file;
  void (*run)(void);
  struct TestCase *next;
} TestCase;

void test_register(TestCase *test);
void test_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define TEST(test_name)                                                                                                \
  static void test_##test_name(void);                                                                                  \
  __attribute__((constructor)) static void register_##test_name(void)                                                  \
  {                                                                                                                    \
    static TestCase self = {#test_name, __FILE__, test_##test_name, NULL};                                             \
    test_register(&self);                                                                                              \
  }                                                                                                                    \
  static void test_##test_name(void)

#define EXPECT(condition)                                                                                              \
  do {                                                                                                                 \
    if (!(condition))                                                                                                  \
      test_fail(__FILE__, __LINE__, "expected: %s", #condition);                                                       \
  } while (0)

#define EXPECT_OF(type, format, left, relation, right)                                                                 \
  do {                                                                                                                 \
    type left_ = (left), right_ = (right);                                                                             \
    if (!(left_ relation right_))                                                                                      \
      test_fail(__FILE__, __LINE__, "expected: %s %s %s\n    left:  " format "\n    right: " format, #left, #relation, \
                #right, left_, right_);                                                                                \
  } while (0)

#define EXPECT_INT(left, relation, right) EXPECT_OF(int64_t, "%" PRId64, left, relation, right)
#define EXPECT_HEX(left, relation, right) EXPECT_OF(uint64_t, "%#" PRIx64, left, relation, right)
#define EXPECT_F32(left, relation, right) EXPECT_OF(double, "%a", (double)(left), relation, (double)(right))

#define EXPECT_TEXT(left, right)                                                                                       \
  do {                                                                                                                 \
    const char *left_ = (left), *right_ = (right);                                                                     \
    if (strcmp(left_, right_) != 0)                                                                                    \
      test_fail(__FILE__, __LINE__, "expected equal texts:\n--- left\n%s\n--- right\n%s", left_, right_);              \
  } while (0)

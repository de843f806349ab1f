#include "number/random.h"
#include "test.h"

TEST(xorwow_gives_the_published_sequence)
{
  // The initial state and generator of Marsaglia's paper; numbers from an independent implementation.
  Xorwow state = {{123456789, 362436069, 521288629, 88675123, 5783321, 6615241}};
  EXPECT_INT(xorwow_next(&state), ==, 246875399);
  EXPECT_INT(xorwow_next(&state), ==, 3690007200);
  EXPECT_INT(xorwow_next(&state), ==, 1264581005);
}

TEST(seeds_and_lanes_give_different_states)
{
  for (uint32_t lane = 1; lane < 128; lane++) {
    Xorwow a = xorwow_seeded(7, 0), b = xorwow_seeded(7, lane), c = xorwow_seeded(lane + 7, 0);
    EXPECT(memcmp(&a, &b, sizeof a) != 0 && memcmp(&a, &c, sizeof a) != 0 && memcmp(&b, &c, sizeof b) != 0);
  }
}

TEST(uniform_numbers_stay_in_range_and_spread)
{
  enum { COUNT = 20000 };
  static float numbers[COUNT];
  Xorwow state = xorwow_seeded(0, 0);
  xorwow_uniform_row(&state, COUNT, numbers, -1, 3);
  int counts[8] = {0};
  for (int i = 0; i < COUNT; i++) {
    EXPECT(numbers[i] >= -1 && numbers[i] < 3);
    counts[(int)((numbers[i] + 1) * 2)]++;
  }
  for (int i = 0; i < 8; i++)
    EXPECT(counts[i] > COUNT / 8 - 250 && counts[i] < COUNT / 8 + 250);  // five standard deviations
}

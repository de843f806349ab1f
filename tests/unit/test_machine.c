// test_machine.c -- the generations, their names, and that their figures agree with one another.

#include "machine/machine.h"
#include "test.h"

TEST(machine_names_find_their_generation)
{
  EXPECT_INT(machine_find("trn1")->generation, ==, 2);
  EXPECT_INT(machine_find("inf2")->generation, ==, 2);
  EXPECT_INT(machine_find("trn1n")->generation, ==, 2);
  EXPECT_INT(machine_find("gen3")->generation, ==, 3);
  EXPECT_INT(machine_find("TRN3")->generation, ==, 4);
  EXPECT(machine_find("trn9") == NULL);
  EXPECT(machine_find("") == NULL);
  EXPECT(machine_default() == machine_find("trn2"));
}

TEST(machine_list_of_names_is_what_find_takes)
{
  size_t count;
  const char *const *names = machine_names(&count);
  size_t expected = 0, machine_count;
  const Machine *const *machines = machine_all(&machine_count);
  for (size_t i = 0; i < machine_count; i++) {
    expected++;
    for (const char *const *alias = machines[i]->aliases; *alias; alias++)
      expected++;
  }
  EXPECT_INT(count, ==, expected);
  for (size_t i = 0; i < count; i++)
    EXPECT(machine_find(names[i]) != NULL);
}

TEST(machine_totals_are_the_documented_ones)
{
  const struct {
    const char *name;
    uint64_t sbuf_bytes;
  } rows[] = {{"trn1", 25165824}, {"trn2", 29360128}, {"trn3", 33554432}};  // 24, 28 and 32 MiB
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    const Machine *machine = machine_find(rows[i].name);
    EXPECT_INT(machine->partitions * machine->sbuf_partition_bytes, ==, rows[i].sbuf_bytes);
    EXPECT_INT(machine->partitions * machine->psum_banks * machine->psum_bank_bytes, ==, 2 * 1024 * 1024);
    EXPECT(machine->sbuf_usable_bytes < machine->sbuf_partition_bytes);
    EXPECT_INT(machine->gemm_moving_fmax * 4, ==, machine->psum_bank_bytes);
    EXPECT_INT(machine_of_generation(machine->generation) == machine, ==, 1);
  }
  EXPECT(machine_of_generation(1) == NULL);
}

TEST(machine_engines_reach_what_the_isa_says)
{
  const Machine *machine = machine_default();
  EXPECT_INT(machine_engine(machine, ENGINE_POOL)->writes & SPACE_PSUM, ==, 0);
  EXPECT_INT(machine_engine(machine, ENGINE_DMA)->reads & SPACE_PSUM, ==, 0);
  EXPECT_INT(machine_engine(machine, ENGINE_PE)->writes, ==, SPACE_PSUM);
  EXPECT_INT(machine_engine(machine, ENGINE_PE)->reads, ==, SPACE_SBUF);
  EXPECT(machine_engine(machine, ENGINE_UNASSIGNED)->nki_name == NULL);
}

// test_isa_rules.c -- the tables of rules agree with each other, and judge any operator at all.

#include "core/nki_names.h"
#include "core/random.h"
#include "core/verify.h"
#include "machine/isa_rules.h"
#include "machine/legal.h"
#include "machine/rule_list.h"
#include "test.h"

#include <string.h>

// Two rules of one name differ in their targets, or in what they look at: an engine of their own.
TEST(rules_have_names_of_their_own)
{
  Arena arena = ARENA_INIT;
  size_t count;
  const RuleInfo *rules = rule_list(&arena, &count);
  EXPECT(count > 500);
  for (size_t i = 0; i < count; i++)
    for (size_t k = i + 1; k < count; k++)
      if (strcmp(rules[i].id, rules[k].id) == 0 && (rules[i].generations & rules[k].generations) &&
          !strstr(rules[i].asks, "engine"))
        test_fail(__FILE__, __LINE__, "two rules are called %s", rules[i].id);
  arena_free(&arena);
}

TEST(every_rule_says_what_it_asks_and_why)
{
  Arena arena = ARENA_INIT;
  size_t count;
  const RuleInfo *rules = rule_list(&arena, &count);
  for (size_t i = 0; i < count; i++) {
    bool whole = rules[i].asks && *rules[i].asks && rules[i].source && *rules[i].source &&
                 rules[i].generations && diag_info(rules[i].code)->code[0] == 'E';
    if (!whole)
      test_fail(__FILE__, __LINE__, "%s lacks something", rules[i].id);
  }
  arena_free(&arena);
}

// A row about the fields of an operator names one; sets are not empty and ranges not upside down.
TEST(rows_of_instructions_can_be_met)
{
  size_t count;
  const IsaRow *rows = isa_rows(&count);
  for (size_t i = 0; i < count; i++) {
    const IsaRow *row = &rows[i];
    bool is_set = row->kind == ISA_DTYPES || row->kind == ISA_OPERATORS || row->kind == ISA_COMMANDS ||
                  row->kind == ISA_MEMORIES;
    bool is_size = row->kind == ISA_PARTITIONS || row->kind == ISA_COLUMNS;
    bool makes_sense = isa_row_field(row) && row->generations && (!is_set || row->set) && row->least <= row->most &&
                       (!is_size || (row->multiple && row->most % row->multiple == 0)) &&
                       (row->kind == ISA_SPECIAL) == (row->holds != NULL);
    if (!makes_sense)
      test_fail(__FILE__, __LINE__, "row %zu of isa.def, %s of %s", i, row->id, op_info(row->op)->name);
  }
}

// Random operators with random operands: each machine accepts or refuses them, and the verifier before it.
TEST(random_operators_are_judged_on_every_machine)
{
  size_t machine_count;
  const Machine *const *machines = machine_all(&machine_count);
  for (uint64_t seed = 1; seed <= 120; seed++)
    for (size_t m = 0; m < machine_count; m++) {
      Session *session = session_new();
      Arena arena = ARENA_INIT;
      RandomOptions options = {.raw = seed % 2, .extensions = true, .wide_numbers = seed % 3 == 0, .core_count = 1 + seed % 2};
      Kernel *kernel = random_kernel(&arena, seed, options);
      core_verify(session, kernel);
      machine_check(session, machines[m], kernel);
      EXPECT(session->diags.count > 0);
      StrBuf out = strbuf_new(&arena);
      diag_print_text(session, &out, false);
      EXPECT(strstr(strbuf_cstr(&out), "rule: "));
      arena_free(&arena);
      session_free(session);
    }
}

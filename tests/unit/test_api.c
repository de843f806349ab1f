#include "api/inside.h"
#include "test.h"

#include <stdio.h>
#include <string.h>

static const uint64_t SHAPE[] = {4, 3};

static KlrKernel *trace_add(KlrSession *session)
{
  KlrArgument arguments[] = {{.name = "a", .dtype = "float32", .rank = 2, .shape = SHAPE},
                             {.name = "b", .dtype = "float32", .rank = 2, .shape = SHAPE}};
  return klr_trace(session, KLR_SOURCE_ROOT "/examples/tensor_add.py", NULL, arguments, 2, NULL);
}

TEST(the_public_interface_traces_and_runs)
{
  KlrSession *session = klr_session_new();
  KlrKernel *kernel = trace_add(session);
  EXPECT(kernel != NULL);
  if (!kernel) {
    fputs(klr_diagnostics(session, false), stderr);
    klr_session_free(session);
    return;
  }
  EXPECT_TEXT(klr_kernel_name(kernel), "tensor_add");
  EXPECT_INT(klr_input_count(kernel), ==, 2);
  EXPECT_TEXT(klr_input(session, kernel, 1).name, "b");
  float a[12], b[12];
  for (int i = 0; i < 12; i++) {
    a[i] = (float)i;
    b[i] = 0.5f;
  }
  KlrArray inputs[] = {{"float32", 2, SHAPE, a, sizeof a}, {"float32", 2, SHAPE, b, sizeof b}}, output;
  EXPECT(klr_run(session, kernel, inputs, &output, NULL));
  EXPECT_INT(output.bytes, ==, sizeof a);
  for (int i = 0; i < 12 && output.data; i++)
    EXPECT_F32(((float *)output.data)[i], ==, (float)i + 0.5f);
  klr_session_free(session);
}

static bool give_up(void *context)
{
  ++*(int *)context;
  return true;
}

TEST(the_public_interface_can_be_interrupted)
{
  KlrSession *session = klr_session_new();
  int polled = 0;
  klr_set_poll(session, give_up, &polled);
  EXPECT(trace_add(session) == NULL);
  EXPECT_INT(polled, ==, 1);
  EXPECT(strstr(klr_diagnostics(session, false), "error[E0005]") != NULL);
  klr_set_poll(session, NULL, NULL);
  EXPECT(trace_add(session) != NULL);
  klr_session_free(session);
}

TEST(the_public_interface_runs_ranks)
{
  KlrSession *session = klr_session_new();
  KlrKernel *kernel = trace_add(session);
  enum { RANKS = 3 };
  float a[RANKS][12], b[RANKS][12];
  KlrArray inputs[2 * RANKS], outputs[RANKS];
  for (int r = 0; r < RANKS; r++) {
    for (int i = 0; i < 12; i++) {
      a[r][i] = (float)(i * r);
      b[r][i] = (float)r;
    }
    inputs[2 * r] = (KlrArray){"float32", 2, SHAPE, a[r], sizeof a[r]};
    inputs[2 * r + 1] = (KlrArray){"float32", 2, SHAPE, b[r], sizeof b[r]};
  }
  EXPECT(kernel && klr_run_ranks(session, kernel, RANKS, inputs, outputs, NULL));
  for (int r = 0; kernel && r < RANKS; r++)
    for (int i = 0; i < 12; i++)
      EXPECT_F32(((float *)outputs[r].data)[i], ==, (float)(i * r + r));
  EXPECT(kernel && !klr_run_ranks(session, kernel, 0, inputs, outputs, NULL));
  klr_session_free(session);
}

TEST(the_public_interface_walks_operators_and_reads_what_it_writes)
{
  KlrSession *session = klr_session_new();
  KlrKernel *kernel = trace_add(session);
  if (kernel) {
    EXPECT_INT(klr_operator_count(kernel, 0), ==, 4);
    const KlrOperator *op = klr_operator_at(kernel, 0, 2);
    EXPECT_TEXT(klr_operator_kind(op), "tensor_tensor");
    EXPECT_INT(klr_operator_line(op), ==, 20);
    EXPECT_INT(klr_field_count(op), ==, 6);
    KlrPlace place = klr_operator_place(session, op);
    EXPECT(strstr(place.file, ".py") != NULL);
    EXPECT_INT(place.line, ==, 20);
    EXPECT_INT(place.column, ==, 9);
    EXPECT_INT(klr_block_count(kernel, 0), ==, 1);
    EXPECT_INT(klr_block_operator_count(kernel, 0, 0), ==, 4);
    EXPECT_TEXT(klr_block_label(kernel, 0, 0), "main.1");
    size_t row = 0;
    while (strcmp(klr_table_operator(row).name, "tensor_tensor") != 0)
      row++;
    EXPECT_TEXT(klr_table_operator(row).engine, "any");
    EXPECT_INT(klr_table_operator(row).field_count, ==, 6);
    EXPECT_TEXT(klr_table_field(row, 1).place, "read");
    EXPECT(!klr_table_field(row, 3).is_optional && klr_table_field(row, 4).is_optional);
    EXPECT_TEXT(klr_field(session, op, 3).json, "\"add\"");
    for (int form = KLR_FORM_FILE; form <= KLR_FORM_SEXP; form++) {
      size_t len, again_len;
      const char *bytes = klr_kernel_write(session, kernel, (KlrForm)form, &len);
      KlrKernel *again = bytes ? klr_kernel_read(session, bytes, len, "memory") : NULL;
      EXPECT(again && klr_verify(session, again, "trn1"));
      const char *twice = again ? klr_kernel_write(session, again, (KlrForm)form, &again_len) : NULL;
      EXPECT(twice && again_len == len && memcmp(bytes, twice, len) == 0);
    }
  }
  EXPECT_INT(klr_error_count(session), ==, 0);
  klr_session_free(session);
}

TEST(the_public_interface_reports_instead_of_failing)
{
  KlrSession *session = klr_session_new();
  EXPECT(klr_trace(session, "nowhere.py", NULL, NULL, 0, NULL) == NULL);
  EXPECT(strstr(klr_diagnostics(session, false), "nowhere.py") != NULL);
  EXPECT(klr_kernel_read(session, "\xD9\xD9\xF7", 3, "cut.klr") == NULL);
  KlrArgument wrong = {.name = "a", .dtype = "float31"};
  EXPECT(klr_trace(session, KLR_SOURCE_ROOT "/examples/tensor_add.py", NULL, &wrong, 1, NULL) == NULL);
  EXPECT_INT(klr_error_count(session), ==, 3);
  klr_session_free(session);
}

// ---- memory that runs out

typedef struct Work {
  KlrKernel *kernel;
  const char *bytes;
  size_t len;
  bool ran;
} Work;

// Traces, writes, reads, verifies and runs; stops at the first that fails.
static bool work(KlrSession *session, Work *out)
{
  *out = (Work){0};
  float a[12] = {1}, b[12] = {2};
  KlrArray inputs[] = {{"float32", 2, SHAPE, a, sizeof a}, {"float32", 2, SHAPE, b, sizeof b}}, output;
  out->kernel = trace_add(session);
  out->bytes = out->kernel ? klr_kernel_write(session, out->kernel, KLR_FORM_FILE, &out->len) : NULL;
  KlrKernel *again = out->bytes ? klr_kernel_read(session, out->bytes, out->len, "memory") : NULL;
  out->ran = again && klr_verify(session, again, NULL) && klr_run(session, again, inputs, &output, NULL);
  return out->ran && ((float *)output.data)[0] == 3.0f;
}

static void set_failures(KlrSession *session, int64_t own, int64_t others)
{
  klr_core_session(session)->arena.fail_after = own;
  klr_core_session(session)->arenas_fail_after = others;
}

// The n-th allocation fails: of the session's arena or of the arenas beside it. The call says so, and the next one works.
TEST(memory_that_runs_out_anywhere_is_reported_and_survived)
{
  for (int others = 0; others <= 1; others++) {
    bool done = false;
    int64_t failures = 0;
    for (int64_t n = 0; !done; n += n < 40 ? 1 : n / 12) {
      KlrSession *session = klr_session_new();
      Work result;
      set_failures(session, others ? -1 : n, others ? n : -1);
      done = work(session, &result);
      set_failures(session, -1, -1);
      EXPECT((klr_error_count(session) == 0) == done);
      if (!done) {
        failures++;
        EXPECT(strstr(klr_diagnostics(session, false), "memory") != NULL);
        EXPECT(work(session, &result));
      }
      klr_session_free(session);
    }
    EXPECT_INT(failures, >, 40);
  }
}

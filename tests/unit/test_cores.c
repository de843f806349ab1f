// test_cores.c -- cores in turn: exchanges, barriers, deadlocks, and ranks that meet in collectives.

#include "sim_build.h"
#include "test.h"

enum { COLUMNS = 3, MOST_CORES = 8 };

// A kernel under construction whose cores have programs of their own; `x` and `out` have a row for each core.
typedef struct Cores {
  Build b;
  uint32_t count;
  const Tensor *x, *out, *shared;
  Tensor *mine, *theirs;  // of each core, in SBUF
  Core_LIST_BLOCK bodies[MOST_CORES];
} Cores;

static Cores cores_new(uint32_t count)
{
  Cores c = {.b = build_new(), .count = count};
  c.x = build_input(&c.b, "x", DTYPE_FLOAT32, count, COLUMNS);
  c.out = build_output(&c.b, "out", DTYPE_FLOAT32, count, COLUMNS);
  c.shared = build_2d(&c.b, "shared", MEMORY_SHARED_HBM, DTYPE_FLOAT32, count, COLUMNS);
  c.mine = build_2d(&c.b, "mine", MEMORY_SBUF, DTYPE_FLOAT32, 1, COLUMNS);
  c.theirs = build_2d(&c.b, "theirs", MEMORY_SBUF, DTYPE_FLOAT32, 1, COLUMNS);
  return c;
}

static TensorRef row(Cores *c, const Tensor *tensor, uint64_t core)
{
  return build_part(&c->b, tensor, core, 1, 0, COLUMNS, 1);
}

static void begin(Cores *c, uint64_t core)
{
  memset(&c->b.blocks, 0, sizeof c->b.blocks);
  build_dma(&c->b, build_whole(c->mine), row(c, c->x, core));
}

static void end(Cores *c, uint64_t core, const Tensor *result)
{
  build_dma(&c->b, row(c, c->out, core), build_whole(result));
  build_block(&c->b, "entry");
  c->bodies[core] = (Core_LIST_BLOCK){c->b.blocks.items, (uint32_t)c->b.blocks.count};
}

static Kernel *finish(Cores *c)
{
  Kernel *kernel = (Kernel *)(uintptr_t)build_kernel(&c->b);
  kernel->bodies.items = c->bodies;
  kernel->bodies.count = c->count;
  return kernel;
}

static Immediate number(int32_t value)
{
  return (Immediate){.ctor = Immediate_integer, .integer = value};
}

static void exchange(Cores *c, uint32_t to, uint32_t from, int32_t pipe)
{
  struct Op_send_recv *o = &build_op(&c->b, OP_send_recv)->send_recv;
  *o = (struct Op_send_recv){.dst = build_whole(c->theirs), .src = build_whole(c->mine),
                             .send_to_rank = number((int32_t)to), .recv_from_rank = number((int32_t)from),
                             .pipe_id = number(pipe)};
}

// A barrier of the cores whose bits are set.
static void barrier(Cores *c, const Tensor *data, uint32_t set)
{
  struct Op_core_barrier *o = &build_op(&c->b, OP_core_barrier)->core_barrier;
  o->data = build_whole(data);
  o->engine = ENGINE_POOL;
  o->cores.items = arena_array(c->b.arena, int64_t, MOST_CORES);
  for (uint32_t i = 0; i < MOST_CORES; i++)
    if (set >> i & 1)
      o->cores.items[o->cores.count++] = i;
}

static const float values[MOST_CORES * COLUMNS] = {1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12,
                                                   13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24};

static bool run(Cores *c, unsigned threads, float *result)
{
  Kernel *kernel = finish(c);
  Array input = build_array(c->x, values), output;
  SimOptions options = sim_default_options();
  options.threads = threads;
  bool ok = sim_run(c->b.session, kernel, &options, &input, &output, NULL);
  if (ok)
    memcpy(result, output.data, output.bytes);
  array_free(&output);
  array_free(&input);
  return ok;
}

static bool says(const Cores *c, const char *words)
{
  const Diag *diag = c->b.session->diags.items[c->b.session->diags.count - 1];
  for (size_t i = 0; i < diag->notes.count; i++)
    if (strstr(diag->notes.items[i], words))
      return true;
  return strstr(diag->message, words) != NULL;
}

TEST(cores_pass_tiles_around_a_ring_of_any_size)
{
  for (uint32_t count = 1; count <= MOST_CORES; count++) {
    Cores c = cores_new(count);
    float result[MOST_CORES * COLUMNS];
    for (uint32_t core = 0; core < count; core++) {
      begin(&c, core);
      exchange(&c, (core + 1) % count, (core + count - 1) % count, 3);
      end(&c, core, c.theirs);
    }
    EXPECT(run(&c, count, result));
    for (uint32_t core = 0; core < count; core++)
      for (uint32_t i = 0; i < COLUMNS; i++)
        EXPECT_F32(result[core * COLUMNS + i], ==, values[(core + count - 1) % count * COLUMNS + i]);
    build_free(&c.b);
  }
}

TEST(cores_combine_what_they_exchange)
{
  Cores c = cores_new(2);
  float result[MOST_CORES * COLUMNS];
  for (uint32_t core = 0; core < 2; core++) {
    begin(&c, core);
    struct Op_send_recv_compute *o = &build_op(&c.b, OP_send_recv_compute)->send_recv_compute;
    TensorRef *refs = arena_array(c.b.arena, TensorRef, 2);
    Immediate *peer = arena_array(c.b.arena, Immediate, 1);
    refs[0] = build_whole(c.mine);
    refs[1] = build_whole(c.theirs);
    peer[0] = number(1 - (int32_t)core);
    *o = (struct Op_send_recv_compute){.srcs = {refs, 1}, .dsts = {refs + 1, 1}, .send_to_ranks = {peer, 1},
                                       .recv_from_ranks = {peer, 1}, .pipe_id = number(0), .op = ALU_OP_SUBTRACT};
    end(&c, core, c.theirs);
  }
  EXPECT(run(&c, 1, result));
  for (uint32_t i = 0; i < COLUMNS; i++) {
    EXPECT_F32(result[i], ==, values[i] - values[COLUMNS + i]);
    EXPECT_F32(result[COLUMNS + i], ==, values[COLUMNS + i] - values[i]);
  }
  build_free(&c.b);
}

// Barriers of some cores each, in one order for all: everybody gets through. `skipped` leaves one core out of one.
static bool run_barriers(uint64_t seed, uint32_t count, uint32_t skipped)
{
  enum { EVENTS = 12 };
  Cores c = cores_new(count);
  uint32_t sets[EVENTS];
  for (uint32_t e = 0; e < EVENTS; e++) {
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    sets[e] = (uint32_t)(seed >> 40) & ((1u << count) - 1);
  }
  sets[0] = (1u << count) - 1;
  for (uint32_t core = 0; core < count; core++) {
    begin(&c, core);
    for (uint32_t e = 0; e < EVENTS; e++)
      if (sets[e] >> core & 1 && !(e == 0 && core == skipped))
        barrier(&c, c.shared, sets[e]);
    end(&c, core, c.mine);
  }
  float result[MOST_CORES * COLUMNS];
  bool ok = run(&c, 1, result);
  for (uint32_t i = 0; ok && i < count * COLUMNS; i++)
    EXPECT_F32(result[i], ==, values[i]);
  if (!ok)
    EXPECT(strcmp(build_code(&c.b), "E0620") == 0 || strcmp(build_code(&c.b), "E0621") == 0);
  build_free(&c.b);
  return ok;
}

TEST(barriers_of_some_cores_let_everybody_through_and_one_too_few_nobody)
{
  for (uint64_t seed = 0; seed < 40; seed++) {
    uint32_t count = 2 + (uint32_t)(seed % (MOST_CORES - 1));
    EXPECT(run_barriers(seed, count, UINT32_MAX));
    EXPECT(!run_barriers(seed, count, (uint32_t)seed % count));
  }
}

TEST(a_deadlock_names_every_core)
{
  Cores c = cores_new(3);
  float result[MOST_CORES * COLUMNS];
  for (uint32_t core = 0; core < 3; core++) {  // a circle: each waits for the next one
    begin(&c, core);
    if (core < 2)
      exchange(&c, core + 1, core + 1, 0);
    end(&c, core, c.mine);
  }
  EXPECT(!run(&c, 1, result));
  EXPECT_TEXT(build_code(&c.b), "E0620");
  EXPECT(says(&c, "core 0 waits for core 1"));
  EXPECT(says(&c, "core 1 waits at `send_recv` at kernel.py:2, instruction 1 of block `entry`, for core 2"));
  EXPECT(says(&c, "core 2 has ended"));
  build_free(&c.b);
}

TEST(exchanges_of_different_pipes_do_not_meet)
{
  Cores c = cores_new(2);
  float result[MOST_CORES * COLUMNS];
  for (uint32_t core = 0; core < 2; core++) {
    begin(&c, core);
    exchange(&c, 1 - core, 1 - core, (int32_t)core);
    end(&c, core, c.theirs);
  }
  EXPECT(!run(&c, 1, result));
  EXPECT_TEXT(build_code(&c.b), "E0621");
  EXPECT(says(&c, "one is on pipe 1, the other on pipe 0"));
  build_free(&c.b);
}

TEST(what_a_core_receives_from_itself_it_must_send)
{
  Cores c = cores_new(2);
  float result[MOST_CORES * COLUMNS];
  for (uint32_t core = 0; core < 2; core++) {
    begin(&c, core);
    exchange(&c, 1 - core, core, 0);
    end(&c, core, c.theirs);
  }
  EXPECT(!run(&c, 1, result));
  EXPECT_TEXT(build_code(&c.b), "E0621");
  EXPECT(says(&c, "core 0 receives from core 0, which does not send to it"));
  build_free(&c.b);
}

TEST(a_core_that_is_not_there_cannot_be_met)
{
  for (int kind = 0; kind < 2; kind++) {
    Cores c = cores_new(1);
    float result[MOST_CORES * COLUMNS];
    begin(&c, 0);
    if (kind)
      exchange(&c, 1, 1, 0);
    else
      barrier(&c, c.shared, 3);
    end(&c, 0, c.mine);
    EXPECT(!run(&c, 1, result));
    EXPECT_TEXT(build_code(&c.b), "E0621");
    EXPECT(says(&c, "core 1"));
    build_free(&c.b);
  }
}

// ---- ranks

// out = x of the rank `by` places before, after all ranks took as many steps around the ring.
static Kernel *ring(Cores *c, uint32_t steps, int64_t ranks)
{
  begin(c, 0);
  for (uint32_t s = 0; s < steps; s++) {
    struct Op_collective_permute_implicit *o =
        &build_op(&c->b, OP_collective_permute_implicit)->collective_permute_implicit;
    TensorRef *refs = arena_array(c->b.arena, TensorRef, 2);
    Core_LIST_INT *group = arena_array(c->b.arena, Core_LIST_INT, 1);
    *group = (Core_LIST_INT){arena_array(c->b.arena, int64_t, ranks), (uint32_t)ranks};
    for (int64_t r = 0; r < ranks; r++)
      group->items[r] = r;
    refs[0] = build_whole(s % 2 ? c->theirs : c->mine);
    refs[1] = build_whole(s % 2 ? c->mine : c->theirs);
    o->srcs = (Core_LIST_TENSOR_REF){refs, 1};
    o->dsts = (Core_LIST_TENSOR_REF){refs + 1, 1};
    o->replica_group.ctor = ReplicaGroup_literal;
    o->replica_group.literal = (Core_LIST_LIST_INT){group, 1};
  }
  end(c, 0, steps % 2 ? c->theirs : c->mine);
  return finish(c);
}

static bool run_ranks(Cores *c, Kernel *const *kernels, uint32_t ranks, uint64_t shift)
{
  SimRank *workers = arena_array(c->b.arena, SimRank, ranks);
  Array *arrays = arena_array(c->b.arena, Array, 2 * ranks);
  for (uint32_t r = 0; r < ranks; r++) {
    float x[COLUMNS] = {(float)r, (float)r + 0.25f, -(float)r};
    arrays[r] = build_array(c->x, x);
    workers[r] = (SimRank){kernels[r], &arrays[r], &arrays[ranks + r]};
  }
  SimOptions options = sim_default_options();
  SimStats stats;
  bool ok = sim_run_ranks(c->b.session, workers, ranks, &options, &stats);
  for (uint32_t r = 0; ok && r < ranks; r++)
    EXPECT_F32(*(const float *)arrays[ranks + r].data, ==, (float)((r + ranks - shift % ranks) % ranks));
  for (uint32_t i = 0; i < 2 * ranks; i++)
    array_free(&arrays[i]);
  return ok;
}

TEST(ranks_share_a_kernel_and_nothing_else)
{
  for (uint32_t ranks = 1; ranks <= 100; ranks += 33) {
    Cores c = cores_new(1);
    Kernel *kernel = ring(&c, 5, ranks), *kernels[100];
    for (uint32_t r = 0; r < ranks; r++)
      kernels[r] = kernel;
    EXPECT(run_ranks(&c, kernels, ranks, 5));
    build_free(&c.b);
  }
}

TEST(ranks_may_run_kernels_that_differ_but_must_meet)
{
  for (uint32_t more = 0; more < 2; more++) {
    Cores first = cores_new(1), second = cores_new(1);
    Kernel *kernels[] = {ring(&first, 2, 2), ring(&second, 2 + more, 2)};
    EXPECT(run_ranks(&first, kernels, 2, 2) == !more);
    if (more) {
      EXPECT_TEXT(build_code(&first.b), "E0620");
      EXPECT(says(&first, "rank 1 waits for rank 0"));
      EXPECT(says(&first, "rank 0 has ended"));
    }
    build_free(&first.b);
    build_free(&second.b);
  }
}

// cmd_run.c -- `klr run`: traces or reads a kernel, runs it, shows and saves what it computed.

#include "cli/program.h"
#include "cli/result.h"
#include "cli/running.h"
#include "cli/write.h"
#include "sim/dump.h"
#include "sim/shadow.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct RankRun {
  uint32_t number;
  Array *inputs, *outputs;
  Vec(Result) results;
} RankRun;

typedef struct Run {
  Cli *cli;
  Program program;
  SimOptions options;
  SimStats stats;
  RankRun *ranks;
  uint32_t rank_count, input_count, output_count;
  double seconds;
  StrBuf prints;  // JSON of what the kernel printed; empty: nothing
} Run;

// ---- inputs

static bool make_inputs(Run *run)
{
  const Kernel *kernel = run->program.kernel;
  run->input_count = kernel->inputs.count;
  bool ok = true;
  for (uint32_t r = 0; r < run->rank_count; r++) {
    RankRun *rank = &run->ranks[r];
    rank->inputs = arena_array(&run->cli->session->arena, Array, run->input_count);
    ok = program_make_inputs(run->cli, &run->program, rank->number, rank->inputs) && ok;
  }
  return program_knows_inputs(run->cli, &run->program) && ok;
}

// ---- results

static void collect_results(Run *run, RankRun *rank)
{
  const Kernel *kernel = run->program.kernel;
  Arena *arena = &run->cli->session->arena;
  for (uint32_t i = 0; i < run->output_count; i++)
    vec_push(arena, &rank->results, (Result){.name = kernel->outputs.items[i]->name, .role = "output", .array = &rank->outputs[i]});
  bool *written = arena_array(arena, bool, run->input_count);
  core_find_written(kernel, written);
  for (uint32_t i = 0; i < run->input_count; i++) {
    bool is_output = false;
    for (uint32_t j = 0; j < run->output_count; j++)
      is_output = is_output || strcmp(kernel->outputs.items[j]->name, kernel->inputs.items[i]->name) == 0;
    if (!is_output && written[i])
      vec_push(arena, &rank->results, (Result){.name = kernel->inputs.items[i]->name, .role = "input", .array = &rank->inputs[i]});
  }
}

// ---- --out

static bool cannot_make(Cli *cli, const char *path)
{
  diag_error(cli->session, E_FILE_WRITE, "cannot make the folder `%s`: %s", path, strerror(errno));
  return false;
}

// What --ranks makes of results: -1 without it.
static int64_t rank_shown(const Run *run, const RankRun *rank)
{
  return run->cli->options.ranks ? (int64_t)rank->number : -1;
}

static const char *rank_folder(Run *run, const RankRun *rank, const char *folder)
{
  return run->cli->options.ranks ? arena_printf(&run->cli->session->arena, "%s/rank%" PRIu32, folder, rank->number)
                                 : folder;
}

// Every rank's results into `folder`, which exists.
static bool write_files(Run *run, const char *folder)
{
  for (uint32_t r = 0; r < run->rank_count; r++) {
    const char *own = rank_folder(run, &run->ranks[r], folder);
    struct stat info;
    if (stat(own, &info) != 0 && mkdir(own, 0777) != 0)
      return cannot_make(run->cli, own);
    const RankRun *rank = &run->ranks[r];
    if (!results_write(run->cli, rank->results.items, rank->results.count, run->program.kernel->name, run->program.machine->name,
                       rank_shown(run, rank), own))
      return false;
  }
  return true;
}

static void remove_files(Run *run, const char *folder)
{
  Arena *arena = &run->cli->session->arena;
  for (uint32_t r = 0; r < run->rank_count; r++) {
    const RankRun *rank = &run->ranks[r];
    const char *own = rank_folder(run, rank, folder);
    for (size_t i = 0; i < rank->results.count; i++)
      if (rank->results.items[i].file)
        unlink(arena_printf(arena, "%s/%s", own, rank->results.items[i].file));
    unlink(arena_printf(arena, "%s/outputs.json", own));
    if (own != folder)
      rmdir(own);
  }
  rmdir(folder);
}

// A new folder is filled under another name and then renamed, so that it is whole or absent.
static bool write_out(Run *run)
{
  Cli *cli = run->cli;
  const char *folder = cli->options.out_dir;
  struct stat info;
  if (stat(folder, &info) == 0 && S_ISDIR(info.st_mode))
    return write_files(run, folder);
  const char *beside = arena_printf(&cli->session->arena, "%s.%ld.tmp", folder, (long)getpid());
  if (mkdir(beside, 0777) != 0)
    return cannot_make(cli, folder);
  if (write_files(run, beside) && rename(beside, folder) == 0)
    return true;
  if (cli->session->error_count == 0)
    cannot_make(cli, folder);
  remove_files(run, beside);
  return false;
}

// ---- --dump

typedef struct DumpFiles {
  Cli *cli;
  const char *folder;
} DumpFiles;

static bool save_tensor(void *context, const Tensor *tensor, const Array *array)
{
  const DumpFiles *files = context;
  Session *session = files->cli->session;
  ArenaMark mark = arena_mark(&session->arena);
  StrBuf npy = strbuf_new(&session->arena);
  array_to_npy(array, files->cli->options.raw, &npy);
  bool ok = file_write(session, arena_printf(&session->arena, "%s/%s.npy", files->folder, tensor->name), strbuf_str(&npy));
  if (ok)
    arena_rewind(&session->arena, mark);
  return ok;
}

static bool write_dump(Run *run)
{
  Cli *cli = run->cli;
  DumpFiles files = {cli, cli->options.dump};
  struct stat info;
  if (!(stat(files.folder, &info) == 0 && S_ISDIR(info.st_mode)) && mkdir(files.folder, 0777) != 0)
    return cannot_make(cli, files.folder);
  JsonWriter unheard = json_writer(&(StrBuf){.arena = &cli->session->arena}, 0);
  DiffSide side = {cli->session, run->program.kernel, run->options, run->ranks[0].inputs};
  side.options.prints = &unheard;  // said before
  side.options.shadow = NULL;
  json_begin_array(&unheard);
  return dump_tensors(&side, save_tensor, &files);
}

// ---- reports

static void seconds_json(JsonWriter *json, const char *key, double seconds)
{
  json_key(json, key);
  json_double(json, round(seconds * 1e7) / 1e7);
}

static uint32_t places_shown(const Cli *cli)
{
  enum { USUAL = 10 };
  return cli->options.top > 0 && cli->options.top < UINT32_MAX ? (uint32_t)cli->options.top : USUAL;
}

static void report_json(Run *run)
{
  Cli *cli = run->cli;
  const Program *program = &run->program;
  JsonWriter json = json_writer(&cli->out, 0);
  json_begin_object(&json);
  json_key(&json, "ok");
  json_bool(&json, true);
  json_key(&json, "command");
  json_text(&json, STR("run"));
  json_key(&json, "kernel");
  json_text(&json, str_from(program->kernel->name));
  json_key(&json, "target");
  json_text(&json, str_from(program->machine->name));
  json_key(&json, "cores");
  json_uint(&json, program->kernel->bodies.count);
  if (cli->options.ranks) {
    json_key(&json, "ranks");
    json_uint(&json, run->rank_count);
  }
  json_key(&json, "operators");
  json_uint(&json, kernel_operators(program->kernel));
  json_key(&json, "tensors");
  json_uint(&json, kernel_tensors(&cli->session->arena, program->kernel));
  json_key(&json, "threads");
  json_uint(&json, run->options.threads);
  json_key(&json, "instructions");
  json_uint(&json, run->stats.instruction_count);
  json_key(&json, "multiply_adds");
  json_uint(&json, run->stats.multiply_add_count);
  json_key(&json, "dma_bytes");
  json_uint(&json, run->stats.dma_bytes);
  json_key(&json, "seconds");
  json_begin_object(&json);
  seconds_json(&json, "parse", program->parse_seconds);
  seconds_json(&json, "trace", program->trace_seconds);
  seconds_json(&json, "verify", program->verify_seconds);
  seconds_json(&json, "run", run->seconds);
  json_end_object(&json);
  json_key(&json, "outputs");
  json_begin_array(&json);
  for (uint32_t r = 0; r < run->rank_count; r++)
    for (size_t i = 0; i < run->ranks[r].results.count; i++)
      result_json(&run->ranks[r].results.items[i], rank_shown(run, &run->ranks[r]), true, &json);
  json_end_array(&json);
  if (run->prints.len) {
    json_key(&json, "prints");
    json_raw(&json, strbuf_str(&run->prints));
  }
  if (run->options.shadow) {
    json_key(&json, "shadow");
    shadow_print_json(run->options.shadow, places_shown(cli), &json);
  }
  cli_end_document(cli, &json);
}

static void print_result(Run *run, const RankRun *rank, const Result *result)
{
  Cli *cli = run->cli;
  if (cli->options.ranks)
    strbuf_printf(&cli->out, "  rank %-3" PRIu32, rank->number);
  result_text(&cli->session->arena, result, rank_folder(run, rank, cli->options.out_dir), &cli->out);
}

static void report_text(Run *run)
{
  Cli *cli = run->cli;
  const Kernel *kernel = run->program.kernel;
  strbuf_printf(&cli->out, "%s on %s", kernel->name, run->program.machine->name);
  if (run->rank_count > 1)
    strbuf_printf(&cli->out, ", %" PRIu32 " ranks", run->rank_count);
  if (kernel->bodies.count > 1)
    strbuf_printf(&cli->out, ", %u logical cores", kernel->bodies.count);
  strbuf_printf(&cli->out, ": %" PRIu64 " instructions in %.1f ms\n", run->stats.instruction_count, run->seconds * 1e3);
  for (uint32_t r = 0; r < run->rank_count; r++)
    for (size_t i = 0; i < run->ranks[r].results.count; i++)
      print_result(run, &run->ranks[r], &run->ranks[r].results.items[i]);
  if (run->options.shadow)
    shadow_print(run->options.shadow, places_shown(cli), &cli->out);
}

// ---- the command

enum { MOST_RANKS = 1024 };

static bool read_options(Run *run)
{
  const Options *options = &run->cli->options;
  int64_t ranks = options->ranks ? options->ranks : 1;
  if (ranks < 1 || ranks > MOST_RANKS)
    cli_usage(run->cli, "--ranks is 1 to %d, found %" PRId64, MOST_RANKS, ranks);
  else
    run->rank_count = (uint32_t)ranks;
  if (options->dump && options->ranks)
    cli_usage(run->cli, "--dump is of a run without --ranks");
  if (options->shadow && strcmp(options->shadow, "f64") != 0)
    cli_usage(run->cli, "--shadow is f64, found `%s`", options->shadow);
  return program_sim_options(run->cli, &run->program, &run->options) && run->cli->session->error_count == 0;
}

static int execute(Run *run)
{
  Cli *cli = run->cli;
  Arena *arena = &cli->session->arena;
  run->output_count = run->program.kernel->outputs.count;
  run->ranks = arena_array(arena, RankRun, run->rank_count);
  SimRank *ranks = arena_array(arena, SimRank, run->rank_count);
  for (uint32_t r = 0; r < run->rank_count; r++) {
    run->ranks[r].number = r;
    run->ranks[r].outputs = arena_array(arena, Array, run->output_count);
  }
  if (!make_inputs(run))
    return EXIT_USER;
  if (cli->options.dump && !write_dump(run))
    return EXIT_USER;
  for (uint32_t r = 0; r < run->rank_count; r++)
    ranks[r] = (SimRank){run->program.kernel, run->ranks[r].inputs, run->ranks[r].outputs};
  if (cli->options.shadow)
    run->options.shadow = shadow_new(cli->session);
  double start = seconds_now();
  run->prints = strbuf_new(arena);
  JsonWriter prints = json_writer(&run->prints, 0);
  if (cli->options.json)
    run->options.prints = &prints;
  json_begin_array(&prints);
  size_t none = run->prints.len;
  if (!sim_run_ranks(cli->session, ranks, run->rank_count, &run->options, &run->stats))
    return EXIT_USER;
  if (run->prints.len == none)
    run->prints.len = 0;
  else
    json_end_array(&prints);
  run->seconds = seconds_now() - start;
  for (uint32_t r = 0; r < run->rank_count; r++)
    collect_results(run, &run->ranks[r]);
  return !cli->options.out_dir || write_out(run) ? EXIT_OK : EXIT_USER;
}

static void free_arrays(Run *run)
{
  for (uint32_t r = 0; run->ranks && r < run->rank_count; r++) {
    for (uint32_t i = 0; run->ranks[r].inputs && i < run->input_count; i++)
      array_free(&run->ranks[r].inputs[i]);
    for (uint32_t i = 0; i < run->output_count; i++)
      array_free(&run->ranks[r].outputs[i]);
  }
}

int cmd_run(Cli *cli)
{
  Run run = {.cli = cli};
  int status = program_load(cli, &run.program);
  if (status == EXIT_OK && !read_options(&run))
    status = EXIT_USAGE;
  if (status == EXIT_OK && cli->options.trace_only) {
    if (!cli->options.json)
      strbuf_printf(&cli->out, "%s on %s: %" PRIu64 " operators, traced and verified\n", run.program.kernel->name,
                    run.program.machine->name, kernel_operators(run.program.kernel));
  } else if (status == EXIT_OK) {
    status = execute(&run);
    if (status == EXIT_OK)
      cli->options.json ? report_json(&run) : report_text(&run);
  }
  if (status == EXIT_OK && cli->options.time)
    program_print_times(&run.program);
  shadow_free(run.options.shadow);
  free_arrays(&run);
  program_free(&run.program);
  return status;
}

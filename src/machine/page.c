// page.c -- docs/machine.md, made from the tables: the figures of each generation and the rules of legal.def.

#include "machine/legal.h"

#include <ctype.h>

typedef struct Row {
  const char *what, *unit;
  double (*value)(const Machine *machine);
} Row;

#define ROW(name, expression)                                                                                          \
  static double name(const Machine *machine)                                                                           \
  {                                                                                                                    \
    return (double)(expression);                                                                                       \
  }
ROW(row_cores, machine->device_cores)
ROW(row_logical, machine->logical_cores)
ROW(row_hbm, (double)machine->device_hbm_bytes / (1u << 30))
ROW(row_hbm_rate, machine->device_hbm_gbps)
ROW(row_partitions, machine->partitions)
ROW(row_sbuf, (double)machine->sbuf_partition_bytes / 1024)
ROW(row_usable, machine->sbuf_usable_bytes)
ROW(row_banks, machine->psum_banks)
ROW(row_bank, machine->psum_bank_bytes)
ROW(row_stationary, machine->gemm_stationary_fmax)
ROW(row_moving, machine->gemm_moving_limit)
ROW(row_array_tile, machine->gemm_tile_min)
ROW(row_bn, machine->bn_stats_fmax)
ROW(row_registers, machine->registers)
ROW(row_tensor, machine->engines[ENGINE_PE].clock_ghz)
ROW(row_vector, machine->engines[ENGINE_DVE].clock_ghz)
ROW(row_scalar, machine->engines[ENGINE_ACT].clock_ghz)
ROW(row_gpsimd, machine->engines[ENGINE_POOL].clock_ghz)
ROW(row_dma, machine->dma.engines)
ROW(row_dma_peak, machine->dma.peak_gbps)
ROW(row_dma_sustained, machine->dma.sustained_gbps)
ROW(row_dma_start, machine->dma.start_ns)
ROW(row_dge, machine->dma.hardware_dge)

static const Row rows[] = {
    {"NeuronCores of a chip", "", row_cores},
    {"logical cores a kernel can run on", "", row_logical},
    {"HBM of a chip", "GiB", row_hbm},
    {"HBM bandwidth of a chip", "GB/s", row_hbm_rate},
    {"partitions of SBUF and PSUM", "", row_partitions},
    {"SBUF in a partition", "KiB", row_sbuf},
    {"of it left to kernels by the public tracer", "bytes", row_usable},
    {"PSUM banks", "", row_banks},
    {"a bank in a partition", "bytes", row_bank},
    {"stationary columns of a matrix product", "", row_stationary},
    {"moving columns of a matrix product into float32", "", row_moving},
    {"smallest row or column tile of the array", "", row_array_tile},
    {"elements of a row for bn_stats", "", row_bn},
    {"registers of a sequencer", "", row_registers},
    {"tensor engine", "GHz", row_tensor},
    {"vector engine", "GHz", row_vector},
    {"scalar engine", "GHz", row_scalar},
    {"GpSimd", "GHz", row_gpsimd},
    {"DMA engines of a core", "", row_dma},
    {"a DMA engine, peak", "GB/s", row_dma_peak},
    {"a DMA engine, sustained", "GB/s", row_dma_sustained},
    {"start of a transfer", "ns", row_dma_start},
    {"hardware descriptor generators", "", row_dge},
};

static void add_figures(StrBuf *out)
{
  size_t count;
  const Machine *const *machines = machine_all(&count);
  strbuf_puts(out, "| |");
  for (size_t i = 0; i < count; i++)
    strbuf_printf(out, " %s (%s) |", machines[i]->name, machines[i]->nc_version);
  strbuf_puts(out, "\n|---|---|---|---|\n| other names |");
  for (size_t i = 0; i < count; i++) {
    for (const char *const *alias = machines[i]->aliases; *alias; alias++)
      strbuf_printf(out, " %s", *alias);
    strbuf_puts(out, " |");
  }
  strbuf_putc(out, '\n');
  for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
    strbuf_printf(out, "| %s%s%s |", rows[k].what, *rows[k].unit ? ", " : "", rows[k].unit);
    for (size_t i = 0; i < count; i++)
      strbuf_printf(out, " %.10g |", rows[k].value(machines[i]));
    strbuf_putc(out, '\n');
  }
}

static void add_rules(StrBuf *out)
{
  strbuf_puts(out, "\n| rule | code | what it asks | source |\n|---|---|---|---|\n");
#define LEGAL(name, id, diag, doc, source)                                                                             \
  strbuf_printf(out, "| `%s` | %s | %s | %s |\n", id, diag_info(diag)->code, doc, source);
#include "machine/legal.def"
}

// "DVE | POOL" as it stands in the table, for people: "dve, pool".
static void add_engines(StrBuf *out, const char *set)
{
  for (const char *at = set; *at; at++)
    if (at[0] == ' ' && at[1] == '|')
      strbuf_putc(out, ','), at++;
    else
      strbuf_putc(out, (char)tolower((unsigned char)*at));
  strbuf_puts(out, " |");
}

static void add_availability(StrBuf *out)
{
  strbuf_puts(out, "\nEngines of the instructions that have a choice, or that some generation lacks:\n\n"
                   "| operator | trn1 | trn2 | trn3 |\n|---|---|---|---|\n");
#define ENGINES(op, gen2, gen3, gen4)                                                                                  \
  strbuf_puts(out, "| `" #op "` | ");                                                                                  \
  add_engines(out, #gen2);                                                                                             \
  strbuf_putc(out, ' ');                                                                                               \
  add_engines(out, #gen3);                                                                                             \
  strbuf_putc(out, ' ');                                                                                               \
  add_engines(out, #gen4);                                                                                             \
  strbuf_putc(out, '\n');
#include "machine/legal.def"
}

void machine_print_markdown(StrBuf *out)
{
  strbuf_puts(out, "# Machines\n\nMade from src/machine/machine.c, which names the source of each figure, and "
                   "src/machine/legal.def; a "
                   "test keeps it current.\n\n## Figures\n\n");
  add_figures(out);
  strbuf_puts(out, "\n## Rules\n\nWhat a generation allows of a valid kernel. Only documented limits are checked.\n");
  add_rules(out);
  add_availability(out);
}

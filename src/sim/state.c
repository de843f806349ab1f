// state.c -- memories and registers, and how errors find their place.

#include "sim/bitmap.h"
#include "sim/psum.h"
#include "sim/races.h"
#include "sim/tenancy.h"

#include "base/bug.h"
#include "core/nki_names.h"
#include "number/convert.h"

#include <stdlib.h>
#include <string.h>

// ---- errors
const char *state_core_name(Sim *sim, const Core *core)
{
  if (sim->rank_count < 2)
    return arena_printf(&sim->session->arena, "core %u", core->number);
  if (core->rank->core_count < 2)
    return arena_printf(&sim->session->arena, "rank %u", core->rank->number);
  return arena_printf(&sim->session->arena, "core %u of rank %u", core->number, core->rank->number);
}

// Which of several cores or ranks it was, unless the message tells of them.
static void locate_core(Sim *sim, DiagCode code, Diag *diag)
{
  bool is_told = code == E_SIM_DEADLOCK || code == E_SIM_MEETING || code == W_SIM_RACE || code == E_SIM_RANKS;
  if (sim->core && !is_told && (sim->rank_count > 1 || sim->core->rank->core_count > 1))
    diag_note(diag, "on %s", state_core_name(sim, sim->core));
}

static void locate(Sim *sim, DiagCode code, Diag *diag)
{
  const Pos *pos = sim->instr ? sim->instr->pos : NULL;
  if (!pos)
    return;
  if (!span_is_none(pos->span)) {
    diag_primary(diag, pos->span, "%s", "");
    for (const CallSite *site = pos->caller; site; site = site->caller)
      diag_call(diag, site->span, "`%s` was called here", site->function ? site->function : "a function");
  } else if (pos->filename) {
    diag_where(diag, pos->filename, pos->line, pos->column);
  }
  if (sim->instr->name && !instr_is_traced(sim->instr))
    diag_note(diag, "instruction `%s`", sim->instr->name);
  locate_core(sim, code, diag);
}

Diag *sim_error(Sim *sim, DiagCode code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(&sim->session->arena, format, args);
  va_end(args);
  Diag *diag = diag_error(sim->session, code, "%s", text);
  locate(sim, code, diag);
  return diag;
}

// Whether this instruction was told of for the first time.
static bool is_first(Sim *sim, unsigned what)
{
  uint64_t key = (uint64_t)(uintptr_t)sim->instr * 1024 + what;
  if (map_get_number(&sim->told, key))
    return false;
  map_set_number(&sim->told, key, sim);
  return true;
}

Diag *sim_warning(Sim *sim, DiagCode code, const char *format, ...)
{
  if (!is_first(sim, (unsigned)code))
    return NULL;
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(&sim->session->arena, format, args);
  va_end(args);
  Diag *diag = diag_warning(sim->session, code, "%s", text);
  locate(sim, code, diag);
  return diag;
}

Diag *sim_warning_here(Sim *sim, DiagCode code, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(&sim->session->arena, format, args);
  va_end(args);
  Diag *diag = diag_warning(sim->session, code, "%s", text);
  locate(sim, code, diag);
  return diag;
}

void sim_unspecified(Sim *sim, Gap gap, const char *format, ...)
{
  bool is_error = !sim->session->lenient;
  if (!is_error && !is_first(sim, DIAG_CODE_COUNT + (unsigned)gap))
    return;
  va_list args;
  va_start(args, format);
  const char *text = arena_vprintf(&sim->session->arena, format, args);
  va_end(args);
  Diag *diag = is_error ? diag_error(sim->session, E_UNSPECIFIED, "%s", text)
                        : diag_warning(sim->session, W_UNSPECIFIED, "%s", text);
  locate(sim, is_error ? E_UNSPECIFIED : W_UNSPECIFIED, diag);
  gap_describe(diag, gap, is_error);
  if (is_error)
    sim_stop(sim);
}

void sim_stop(Sim *sim)
{
  longjmp(sim->stop, 1);
}

const char *sim_op_name(const Sim *sim)
{
  return sim->instr ? op_known_as(sim->instr) : "kernel";
}

// ---- what was written
static uint64_t bits_from(uint64_t bit)
{
  return ~UINT64_C(0) << (bit & 63);
}

static uint64_t bits_before(uint64_t end)  // of the word that holds bit end - 1
{
  return end & 63 ? ~bits_from(end) : ~UINT64_C(0);
}

// The number of ones; of none and of all, which are usual, without counting.
static uint64_t ones(uint64_t bits)
{
  return bits == ~UINT64_C(0) ? 64 : bits ? (uint64_t)__builtin_popcountll(bits) : 0;
}

void buffer_mark(Buffer *buffer, uint64_t start, uint64_t bytes)
{
  if (buffer->watch && bytes)
    races_write(buffer, start, bytes);
  if (!buffer->written || !bytes)
    return;
  uint64_t end = start + bytes, first = start / 64, last = (end - 1) / 64, fresh = 0;
  for (uint64_t w = first; w <= last; w++) {
    uint64_t mask = (w == first ? bits_from(start) : ~UINT64_C(0)) & (w == last ? bits_before(end) : ~UINT64_C(0));
    fresh += ones(mask & ~buffer->written[w]);
    buffer->written[w] |= mask;
  }
  buffer->unwritten_bytes -= fresh;
  if (!buffer->unwritten_bytes)
    buffer->written = NULL;
}

void buffer_unmark(Buffer *buffer, uint64_t start, uint64_t bytes)
{
  if (!buffer->bitmap || !bytes)
    return;
  buffer->written = buffer->bitmap;
  if (buffer->plain)
    bitmap_clear(buffer->plain, start, bytes);
  if (buffer->stale)
    bitmap_clear(buffer->stale, start, bytes);  // what they hold is of this tensor
  uint64_t end = start + bytes, first = start / 64, last = (end - 1) / 64;
  for (uint64_t w = first; w <= last; w++) {
    uint64_t mask = (w == first ? bits_from(start) : ~UINT64_C(0)) & (w == last ? bits_before(end) : ~UINT64_C(0));
    buffer->unwritten_bytes += ones(mask & buffer->written[w]);
    buffer->written[w] &= ~mask;
  }
}

// First bit of [start, start + bytes) that differs from those of `pattern`, all zeros or all ones.
static uint64_t find_other(const Buffer *buffer, uint64_t start, uint64_t bytes, uint64_t pattern)
{
  uint64_t end = start + bytes, first = start / 64, last = (end - 1) / 64;
  for (uint64_t w = first; w <= last; w++) {
    uint64_t other = buffer->written[w] ^ pattern;
    other &= (w == first ? bits_from(start) : ~UINT64_C(0)) & (w == last ? bits_before(end) : ~UINT64_C(0));
    if (other)
      return w * 64 + (uint64_t)__builtin_ctzll(other);
  }
  return UINT64_MAX;
}

uint64_t buffer_find_unwritten(const Buffer *buffer, uint64_t start, uint64_t bytes)
{
  return buffer->written && bytes ? find_other(buffer, start, bytes, ~UINT64_C(0)) : UINT64_MAX;
}

uint64_t buffer_find_written(const Buffer *buffer, uint64_t start, uint64_t bytes)
{
  if (!bytes)
    return UINT64_MAX;
  return buffer->written ? find_other(buffer, start, bytes, 0) : start;
}

void buffer_poison(const Sim *sim, Buffer *buffer, DType dtype)
{
  unsigned item = dtype_bytes(dtype);
  uint8_t unit[8] = {0};
  if (!buffer->written || dtype_is_packed(dtype))
    return;
  if (!sim->options.zeros)
    dtype_from_f32(dtype, dtype_is_float(dtype) ? f32_from_bits(F32_NAN_BITS) : 4, unit);
  bool is_empty = buffer->unwritten_bytes == buffer->rows * buffer->row_bytes;
  for (uint64_t i = 0; is_empty && i + item <= buffer->row_bytes; i += item)
    memcpy(buffer->data + i, unit, item);
  for (uint64_t row = 1; is_empty && row < buffer->rows; row++)
    memcpy(buffer->data + row * buffer->row_stride, buffer->data, buffer->row_bytes);
  for (uint64_t row = 0; row < buffer->rows && !is_empty; row++)
    for (uint64_t i = 0; i + item <= buffer->row_bytes; i += item)
      for (unsigned b = 0; b < item; b++) {
        uint64_t at = row * buffer->row_stride + i + b;
        if (!(buffer->written[at / 64] >> (at & 63) & 1))
          buffer->data[at] = unit[b];
      }
}

// ---- buffers
static _Noreturn void out_of_memory(Sim *sim, const char *name, uint64_t bytes)
{
  sim_error(sim, E_SIM_MEMORY, "no memory for `%s`, %.1f MiB", name, (double)bytes / (1 << 20));
  sim_stop(sim);
}

static bool is_on_chip(Memory memory)
{
  return memory == MEMORY_SBUF || memory == MEMORY_PSUM;
}

// Rows start at odd multiples of a cache line, so that columns do not fall into one cache set.
static uint64_t stride_of_row(uint64_t row_bytes)
{
  return (row_bytes + 63) / 64 * 64 | 64;
}

static bool poisons(const Sim *sim)
{
  return !sim->options.checks || state_forgives_unwritten(sim);
}

static uint64_t bitmap_words(const Buffer *buffer)
{
  return buffer->bytes / 64 + 1;
}

// Released memory of the same shape, as if it were new.
static Buffer *idle_buffer(Sim *sim, const Buffer *wanted)
{
  for (size_t i = sim->idle.count; i-- > 0;) {
    Buffer *buffer = sim->idle.items[i];
    if (buffer->rows != wanted->rows || buffer->row_bytes != wanted->row_bytes ||
        buffer->row_stride != wanted->row_stride)
      continue;
    sim->idle.items[i] = sim->idle.items[--sim->idle.count];
    buffer->name = wanted->name;
    buffer->memory = wanted->memory;
    buffer->written = buffer->bitmap;
    buffer->unwritten_bytes = buffer->rows * buffer->row_bytes;
    if (buffer->bitmap)
      memset(buffer->bitmap, 0, bitmap_words(buffer) * sizeof *buffer->bitmap);
    psum_renew(buffer);
    return buffer;
  }
  return NULL;
}

enum { CACHE_LINE = 64 };

static void allocate(Sim *sim, Buffer *buffer)
{
  // calloc hands out large zeroed blocks without touching them; rows that start at cache lines are read faster.
  buffer->unwritten_bytes = buffer->rows * buffer->row_bytes;
  buffer->block = calloc(1, buffer->bytes + CACHE_LINE);
  buffer->data = (uint8_t *)(((uintptr_t)buffer->block + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1));
  buffer->bitmap = buffer->written =
      buffer->unwritten_bytes ? calloc(bitmap_words(buffer), sizeof *buffer->written) : NULL;
  if (!buffer->block || (buffer->unwritten_bytes && !buffer->written)) {
    free(buffer->block);
    free(buffer->bitmap);
    out_of_memory(sim, buffer->name, buffer->bytes);
  }
  sim->stats.memory_bytes += buffer->bytes;
}

static Buffer *new_buffer(Sim *sim, const char *name, Memory memory, uint64_t rows, uint64_t row_bytes, DType dtype)
{
  Buffer wanted = {.name = name, .memory = memory, .rows = rows, .row_bytes = row_bytes};
  wanted.row_stride = is_on_chip(memory) ? stride_of_row(row_bytes) : row_bytes;
  if (__builtin_mul_overflow(rows, wanted.row_stride, &wanted.bytes) || wanted.bytes > PTRDIFF_MAX / 2)
    out_of_memory(sim, name, UINT64_MAX);
  Buffer *buffer = idle_buffer(sim, &wanted);
  if (!buffer) {
    allocate(sim, &wanted);
    buffer = arena_new(&sim->arena, Buffer);
    *buffer = wanted;
  }
  if (poisons(sim))
    buffer_poison(sim, buffer, dtype);
  return buffer;
}

static void free_buffer(Buffer *buffer)
{
  tenancy_free(buffer);
  psum_free(buffer);
  free(buffer->bitmap);
  if (!buffer->is_borrowed)
    free(buffer->block);
}

static void free_buffers(const Map *map)
{
  for (size_t i = 0; i < map->count; i++)
    if (map->entries[i].value)
      free_buffer(map->entries[i].value);
}

// What is kept for later is bounded, so that a kernel of many shapes does not keep them all.
enum { MAX_IDLE = 32 };

void state_release(Sim *sim, const char *address)
{
  Str name = str_from(address);
  Buffer *buffer = map_get(&sim->core->buffers, name);
  if (!buffer)
    return;
  map_set(&sim->core->buffers, name, NULL);
  if (sim->idle.count == MAX_IDLE)
    free_buffer(buffer);
  else
    vec_push(&sim->arena, &sim->idle, buffer);
}

DType state_stored_dtype(const Sim *sim, DType dtype)
{
  bool is_narrow = dtype_info(dtype)->kind == DTYPE_KIND_FLOAT && dtype != DTYPE_FLOAT32;
  return !sim->options.exact_fp && is_narrow ? DTYPE_FLOAT32 : dtype;
}

// Bytes per partition (on chip) or in all (HBM) that the tensor itself needs.
static uint64_t own_row_bytes(const Sim *sim, const Tensor *tensor)
{
  uint64_t bytes = dtype_bytes(state_stored_dtype(sim, tensor->dtype)), elements = 1;
  for (uint32_t i = 0; i < tensor->shape.free_dims.count; i++)
    elements *= tensor->shape.free_dims.items[i];
  return elements * bytes * (is_on_chip(tensor->address->memory) ? 1 : tensor->shape.par_dim);
}

// How many times larger memory is when narrow floats are stored as float32.
static uint64_t widening(const Sim *sim)
{
  return sim->options.exact_fp ? 1 : 4;
}

static Buffer *physical_buffer(Sim *sim, Memory memory, DType dtype)
{
  const Machine *machine = sim->machine;
  Buffer **buffer = memory == MEMORY_SBUF ? &sim->core->sbuf : &sim->core->psum;
  uint64_t bytes =
      memory == MEMORY_SBUF ? machine->sbuf_partition_bytes : (uint64_t)machine->psum_banks * machine->psum_bank_bytes;
  if (!*buffer)
    *buffer = new_buffer(sim, memory == MEMORY_SBUF ? "sbuf" : "psum", memory, machine->partitions, bytes, dtype);
  return *buffer;
}

static bool is_physical(const Sim *sim, const Buffer *buffer)
{
  return buffer == sim->core->sbuf || buffer == sim->core->psum;
}

static bool is_shared(const Address *address)
{
  return address->is_shared || address->memory == MEMORY_SHARED_HBM;
}

Buffer *state_shared_buffer(Sim *sim, const Tensor *tensor)
{
  return map_get(&sim->core->rank->buffers, str_from(tensor->address->name));
}

static Buffer *find_buffer(Sim *sim, const Address *address)
{
  Str name = str_from(address->name);
  Buffer *buffer = map_get(&sim->core->rank->buffers, name);
  return buffer ? buffer : map_get(&sim->core->buffers, name);
}

static Buffer *make_buffer(Sim *sim, const Tensor *tensor)
{
  const Address *address = tensor->address;
  bool on_chip = is_on_chip(address->memory);
  uint64_t rows = on_chip ? address->par_size : 1, bytes = address->free_size * widening(sim);
  if (on_chip && rows < tensor->shape.par_dim)
    rows = tensor->shape.par_dim;
  if (!on_chip && __builtin_mul_overflow(bytes, address->par_size, &bytes))
    out_of_memory(sim, address->name, UINT64_MAX);
  if (bytes < own_row_bytes(sim, tensor) || !sim->options.exact_fp)
    bytes = own_row_bytes(sim, tensor);
  return new_buffer(sim, address->name, address->memory, rows, bytes, state_stored_dtype(sim, tensor->dtype));
}

// Makes a buffer one that all cores of the rank see.
static void share_buffer(Sim *sim, const Tensor *tensor, Buffer *buffer)
{
  map_set(&sim->core->rank->buffers, str_from(tensor->address->name), buffer);
  if (sim->core->rank->core_count > 1 && sim->options.checks && !is_on_chip(buffer->memory))
    races_watch(sim, buffer, tensor);
}

static Buffer *address_buffer(Sim *sim, const Tensor *tensor)
{
  const Address *address = tensor->address;
  Buffer *buffer = find_buffer(sim, address);
  if (!buffer) {
    buffer = make_buffer(sim, tensor);
    if (is_shared(address))
      share_buffer(sim, tensor, buffer);
    else
      map_set(&sim->core->buffers, str_from(address->name), buffer);
  }
  return buffer;
}

void state_share(Sim *sim, const Tensor *tensor)
{
  if (!state_shared_buffer(sim, tensor))
    share_buffer(sim, tensor, make_buffer(sim, tensor));
}

// ---- places of tensors
static size_t place_slot(const Core *core, const Tensor *tensor)
{
  uint64_t hash = (uint64_t)(uintptr_t)tensor * UINT64_C(0x9E3779B97F4A7C15);
  size_t mask = core->place_capacity - 1, at = (size_t)(hash >> 32) & mask;
  while (core->places[at].tensor && core->places[at].tensor != tensor)
    at = (at + 1) & mask;
  return at;
}

static void grow_places(Sim *sim)
{
  Core *core = sim->core;
  TensorPlace *old = core->places;
  size_t old_capacity = core->place_capacity;
  core->place_capacity = old_capacity ? old_capacity * 2 : 64;
  core->places = arena_array(&sim->arena, TensorPlace, core->place_capacity);
  for (size_t i = 0; i < old_capacity; i++)
    if (old[i].tensor)
      core->places[place_slot(core, old[i].tensor)] = old[i];
}

static _Noreturn void contradiction(Sim *sim, const Tensor *tensor)
{
  sim_error(sim, E_SIM_KERNEL, "`%s` does not fit into the memory described by its address `%s`", tensor->name,
            tensor->address->name);
  sim_stop(sim);
}

static TensorPlace find_place(Sim *sim, const Tensor *tensor)
{
  const Address *address = tensor->address;
  bool on_chip = is_on_chip(address->memory);
  TensorPlace place = {.tensor = tensor, .dtype = state_stored_dtype(sim, tensor->dtype)};
  uint64_t rows = on_chip ? tensor->shape.par_dim : 1, first_row = 0, first_byte = 0;
  if (address->memory == MEMORY_REG || rows > sim->machine->partitions)
    contradiction(sim, tensor);
  if (on_chip && address->par_offset.some && address->free_offset.some && sim->options.exact_fp) {
    place.buffer = physical_buffer(sim, address->memory, place.dtype);
    first_row = address->par_offset.value;
    first_byte = address->free_offset.value;
  } else {
    place.buffer = address_buffer(sim, tensor);
  }
  const Buffer *buffer = place.buffer;
  if (first_row > buffer->rows || rows > buffer->rows - first_row || first_byte > buffer->row_bytes ||
      own_row_bytes(sim, tensor) > buffer->row_bytes - first_byte)
    contradiction(sim, tensor);
  place.start = first_row * buffer->row_stride + first_byte;
  return place;
}

bool state_is_placed(const Core *core, const Tensor *tensor)
{
  return core->place_capacity && core->places[place_slot(core, tensor)].tensor;
}

const TensorPlace *state_place(Sim *sim, const Tensor *tensor)
{
  Core *core = sim->core;
  if (core->place_count * 2 >= core->place_capacity)
    grow_places(sim);
  TensorPlace *place = &core->places[place_slot(core, tensor)];
  if (!place->tensor) {
    *place = find_place(sim, tensor);
    core->place_count++;
    if (is_physical(sim, place->buffer))
      tenancy_begin(sim, place, own_row_bytes(sim, tensor));
  }
  return place;
}

void state_begin(Sim *sim, const Tensor *tensor)
{
  (void)state_place(sim, tensor);
  TensorPlace *place = &sim->core->places[place_slot(sim->core, tensor)];
  if (is_physical(sim, place->buffer))
    tenancy_begin(sim, place, own_row_bytes(sim, tensor));
}

void state_renew(Sim *sim, const Tensor *tensor)
{
  const TensorPlace *place = state_place(sim, tensor);
  for (uint64_t row = 0; row < tensor->shape.par_dim; row++)
    buffer_unmark(place->buffer, place->start + row * place->buffer->row_stride, own_row_bytes(sim, tensor));
}

// ---- arrays
void state_bind_array(Sim *sim, const Tensor *tensor, Array *array)
{
  DType stored = state_stored_dtype(sim, tensor->dtype);
  Str name = str_from(tensor->address->name);
  Buffer *buffer;
  if (map_get(&sim->core->rank->buffers, name))
    contradiction(sim, tensor);
  if (stored == array->dtype) {
    buffer = arena_new(&sim->arena, Buffer);
    *buffer = (Buffer){.name = tensor->address->name,
                       .memory = tensor->address->memory,
                       .data = array->data,
                       .bytes = array->bytes,
                       .rows = 1,
                       .row_bytes = array->bytes,
                       .row_stride = array->bytes,
                       .is_borrowed = true};
  } else {
    uint64_t count = array_elements(array);
    buffer = new_buffer(sim, tensor->address->name, tensor->address->memory, 1, count * dtype_bytes(stored), stored);
    convert_row_to_f32(array->dtype, count, (float *)(void *)buffer->data, array->data, sim->number_mode);
    buffer_mark(buffer, 0, buffer->row_bytes);
  }
  share_buffer(sim, tensor, buffer);
}

void state_unbind_array(Sim *sim, const Tensor *tensor, Array *array)
{
  Buffer *buffer = state_shared_buffer(sim, tensor);
  if (buffer && !buffer->is_borrowed)
    convert_row_from_f32(array->dtype, array_elements(array), array->data, (const float *)(const void *)buffer->data,
                         sim->number_mode);
}

// ---- registers
Register *state_register(Sim *sim, const char *name)
{
  Register *reg = map_get(&sim->core->registers, str_from(name));
  if (reg)
    return reg;
  reg = arena_new(&sim->arena, Register);
  reg->name = name;
  map_set(&sim->core->registers, str_from(name), reg);
  return reg;
}

const Register *state_read_register(Sim *sim, const char *name)
{
  const Register *reg = state_register(sim, name);
  if (reg->is_set)
    return reg;
  Diag *diag = sim_error(sim, E_SIM_KERNEL, "register `%s` is read before it is set", name);
  diag_help(diag, "give it a value first with `nisa.register_move` or `nisa.register_load`");
  sim_stop(sim);
}

// ---- cores
void state_start_core(Sim *sim, Core *core)
{
  core->buffers = core->registers = map_new(&sim->arena);
  random_start(&core->random, (uint32_t)(sim->options.seed ^ sim->options.seed >> 32));
}

void state_end_core(Sim *sim, Core *core)
{
  free_buffers(&core->buffers);
  if (core->sbuf)
    free_buffer(core->sbuf);
  if (core->psum)
    free_buffer(core->psum);
  core->sbuf = core->psum = NULL;
  core->buffers = map_new(&sim->arena);
}

void state_free(Sim *sim)
{
  for (uint32_t r = 0; r < sim->rank_count; r++) {
    Rank *rank = &sim->ranks[r];
    for (uint32_t c = 0; c < rank->core_count; c++)
      state_end_core(sim, &rank->cores[c]);
    free_buffers(&rank->buffers);
  }
  for (size_t i = 0; i < sim->idle.count; i++)
    free_buffer(sim->idle.items[i]);
  arena_free(&sim->arena);
  arena_free(&sim->scratch);
}

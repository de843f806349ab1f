#include "serde/contents.h"

// Contents that are recognised and not read.
static const TypeInfo opaque_type = {.form = FORM_STRUCT, .wire = "unread"};

static const CtorInfo contents_ctors[] = {
    {.name = "python", .wire = "python", .number = KLR_CONTENTS_PYTHON, .type = &opaque_type, .field = "kernel"},
    {.name = "nki", .wire = "nki", .number = KLR_CONTENTS_NKI, .type = &opaque_type, .field = "kernel"},
    {.name = "kernel",
     .wire = "kernel",
     .number = KLR_CONTENTS_KERNEL,
     .type = &core_type_SingleKernel,
     .field = "kernel"},
    {.name = "lnc", .wire = "lnc", .number = KLR_CONTENTS_LNC, .type = &core_type_Kernel, .field = "kernel"},
    {.name = "hlo", .wire = "hlo", .number = KLR_CONTENTS_HLO, .type = &opaque_type, .field = "name"},
    {.name = "sources", .wire = "sources", .number = KLR_CONTENTS_SOURCES, .type = &gathered_type, .field = "sources"},
};

const TypeInfo contents_type = {.form = FORM_SUM,
                                .name = "Contents",
                                .wire = "Contents",
                                .tag = 236,
                                .member_count = sizeof contents_ctors / sizeof *contents_ctors,
                                .ctors = contents_ctors};

static SingleKernel single_of_kernel(const Kernel *kernel)
{
  return (SingleKernel){kernel->name, kernel->inputs, kernel->outputs, kernel->bodies.items[0]};
}

static const Kernel *kernel_of_single(Arena *arena, const SingleKernel *single)
{
  Kernel *kernel = arena_new(arena, Kernel);
  kernel->name = single->name;
  kernel->inputs = single->inputs;
  kernel->outputs = single->outputs;
  kernel->bodies.items = arena_new(arena, Core_LIST_BLOCK);
  kernel->bodies.items[0] = single->body;
  kernel->bodies.count = 1;
  return kernel;
}

static void write_inside(CoreWriter *writer, const KlrFile *file)
{
  if (file->contents == KLR_CONTENTS_SOURCES) {
    writer->uses_extensions = true;
    writer->text_limit = 0;
    core_write_value(writer, &gathered_type, file->sources);
  } else if (file->contents == KLR_CONTENTS_KERNEL) {
    SingleKernel single = single_of_kernel(file->kernel);
    core_write_value(writer, &core_type_SingleKernel, &single);
  } else {
    core_write_value(writer, &core_type_Kernel, file->kernel);
  }
}

void contents_write(CoreWriter *writer, const KlrFile *file)
{
  uint32_t choice;
  choice_of_number(&contents_type, file->contents, &choice);
  const CtorInfo *ctor = &contents_ctors[choice];
  Head head = {.type = "Contents",
               .ctor = ctor->wire,
               .tag = (uint8_t)contents_type.tag,
               .number = (uint8_t)ctor->number,
               .count = 1};
  writer->form->begin(writer, &head);
  writer->form->field(writer, ctor->field);
  write_inside(writer, file);
  writer->form->end_field(writer);
  writer->form->end(writer, &head);
}

static bool read_kernel(CoreReader *reader, KlrFile *file)
{
  if (file->contents == KLR_CONTENTS_LNC) {
    Kernel *kernel = arena_new(reader->arena, Kernel);
    file->kernel = kernel;
    return core_read_value(reader, &core_type_Kernel, kernel);
  }
  SingleKernel single = {0};
  if (!core_read_value(reader, &core_type_SingleKernel, &single))
    return false;
  file->kernel = kernel_of_single(reader->arena, &single);
  return true;
}

static bool read_sources(CoreReader *reader, KlrFile *file)
{
  if (!reader->allows_extensions)
    return read_error(reader, "gathered sources need a file of format `NKI+klr`");
  Gathered *sources = arena_new(reader->arena, Gathered);
  file->sources = sources;
  reader->text_limit = 0;
  reader->uses_extensions = true;
  return core_read_value(reader, &gathered_type, sources);
}

bool contents_is_read(KlrContents contents)
{
  return contents == KLR_CONTENTS_KERNEL || contents == KLR_CONTENTS_LNC || contents == KLR_CONTENTS_SOURCES;
}

bool contents_begin(CoreReader *reader, KlrFile *file)
{
  uint32_t choice;
  if (!reader->form->begin_sum(reader, &contents_type, &choice))
    return false;
  file->contents = (KlrContents)contents_ctors[choice].number;
  return reader->form->field(reader, contents_ctors[choice].field, 0, NULL);
}

bool contents_read_inside(CoreReader *reader, KlrFile *file)
{
  if (file->contents == KLR_CONTENTS_SOURCES)
    return read_sources(reader, file);
  if (contents_is_read(file->contents))
    return read_kernel(reader, file);
  uint32_t choice;
  choice_of_number(&contents_type, file->contents, &choice);
  return read_error_code(reader, E_KLR_CONTENTS, "the file holds `%s` contents, not a kernel or gathered sources",
                         contents_ctors[choice].wire);
}

bool contents_read(CoreReader *reader, KlrFile *file)
{
  return contents_begin(reader, file) && contents_read_inside(reader, file);
}

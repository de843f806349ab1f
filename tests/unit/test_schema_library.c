// test_schema_library.c -- files that may be libraries of kernels are looked at before the loader sees them: damaged ones must do no harm.

#include "test.h"

#include "schema/registry.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// The least file that passes: one segment, which holds all of it, and the symbols.
typedef struct Image {
  Elf64_Ehdr header;
  Elf64_Phdr segment;
  Elf64_Shdr sections[3];  // none, .dynsym, .dynstr
  Elf64_Sym symbols[2];
  char names[32];
  KlrKernelLibrary table;
} Image;

#if defined __x86_64__
enum { MACHINE = EM_X86_64 };
#elif defined __aarch64__
enum { MACHINE = EM_AARCH64 };
#else
enum { MACHINE = EM_RISCV };
#endif

static Image whole_image(void)
{
  static const uint16_t one = 1;
  Image image;
  memset(&image, 0, sizeof image);
  memcpy(image.header.e_ident, ELFMAG, SELFMAG);
  image.header.e_ident[EI_CLASS] = ELFCLASS64;
  image.header.e_ident[EI_DATA] = *(const uint8_t *)&one ? ELFDATA2LSB : ELFDATA2MSB;
  image.header.e_type = ET_DYN;
  image.header.e_machine = MACHINE;
  image.header.e_phoff = offsetof(Image, segment);
  image.header.e_shoff = offsetof(Image, sections);
  image.header.e_phentsize = sizeof image.segment;
  image.header.e_shentsize = sizeof *image.sections;
  image.header.e_phnum = 1;
  image.header.e_shnum = 3;
  image.segment = (Elf64_Phdr){.p_type = PT_LOAD, .p_filesz = sizeof image, .p_memsz = sizeof image};
  image.sections[1] = (Elf64_Shdr){.sh_type = SHT_DYNSYM, .sh_offset = offsetof(Image, symbols), .sh_size = sizeof image.symbols, .sh_link = 2};
  image.sections[2] = (Elf64_Shdr){.sh_type = SHT_STRTAB, .sh_offset = offsetof(Image, names), .sh_size = sizeof image.names};
  image.symbols[1] = (Elf64_Sym){.st_name = 1, .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), .st_shndx = 1,
                                 .st_value = offsetof(Image, table), .st_size = sizeof image.table};
  memcpy(image.names + 1, "klr_kernel_library", sizeof "klr_kernel_library");
  image.table = (KlrKernelLibrary){.magic = KLR_KERNEL_MAGIC, .abi = KLR_KERNEL_ABI, .bytes = sizeof image.table};
  return image;
}

// Whether `size` bytes of `image`, as a file, pass.
static bool passes(FILE *file, const Image *image, size_t size, FileText *why)
{
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fileno(file));
  if (ftruncate(fileno(file), 0) != 0 || pwrite(fileno(file), image, size, 0) != (ssize_t)size)
    return false;
  const int opened = library_file_open(path, false, why);
  if (opened >= 0)
    close(opened);
  return opened >= 0;
}

TEST(the_least_library_passes_and_none_of_its_beginnings)
{
  FILE *file = tmpfile();
  const Image image = whole_image();
  FileText why;
  EXPECT(passes(file, &image, sizeof image, &why));
  for (size_t size = 0; size < sizeof image; size++) {
    why.text[0] = 0;
    EXPECT(!passes(file, &image, size, &why));
    EXPECT(why.text[0] != 0);
  }
  fclose(file);
}

TEST(no_changed_byte_of_a_library_does_harm)
{
  FILE *file = tmpfile();
  const Image good = whole_image();
  FileText why;
  static const uint8_t VALUES[] = {0, 1, 0x7f, 0x80, 0xff};
  int refused = 0;
  for (size_t at = 0; at < sizeof good; at++)
    for (size_t v = 0; v < sizeof VALUES; v++) {
      Image image = good;
      ((uint8_t *)&image)[at] ^= VALUES[v] ? VALUES[v] : 0x10;
      refused += !passes(file, &image, sizeof image, &why);
    }
  EXPECT(refused > 500);
  fclose(file);
}

TEST(sizes_and_places_that_overflow_are_refused)
{
  FILE *file = tmpfile();
  FileText why;
  static const uint64_t WILD[] = {UINT64_MAX, UINT64_MAX - 7, UINT64_C(1) << 63, UINT64_C(1) << 32, sizeof(Image), sizeof(Image) - 1};
  for (size_t i = 0; i < sizeof WILD / sizeof *WILD; i++) {
    Image images[9];
    for (size_t k = 0; k < 9; k++)
      images[k] = whole_image();
    images[0].header.e_phoff = WILD[i];
    images[1].header.e_shoff = WILD[i];
    images[2].segment.p_offset = WILD[i];
    images[3].sections[1].sh_offset = WILD[i];
    images[4].sections[2].sh_offset = WILD[i];
    images[5].symbols[1].st_value = WILD[i];
    images[6].sections[1].sh_link = (uint32_t)WILD[i];
    images[7].symbols[1].st_name = (uint32_t)WILD[i];
    images[8].table.bytes = 7;
    for (size_t k = 0; k < 9; k++)
      EXPECT(!passes(file, &images[k], sizeof(Image), &why));
  }
  fclose(file);
}

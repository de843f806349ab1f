// library_file.c -- looks at the file of a library before the loader does.

#include "schema/registry.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGEST_FILE (UINT64_C(1) << 30)

#if defined __x86_64__
enum { MACHINE = EM_X86_64 };
#elif defined __aarch64__
enum { MACHINE = EM_AARCH64 };
#elif defined __riscv
enum { MACHINE = EM_RISCV };
#else
enum { MACHINE = EM_NONE };
#endif

typedef struct File {
  const uint8_t *bytes;
  uint64_t size;
  FileText *error;
} File;

__attribute__((format(printf, 2, 3))) static bool refuse(FileText *error, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(error->text, sizeof error->text, format, arguments);
  va_end(arguments);
  return false;
}

// Copies `size` bytes at `offset`; false when the file does not have them.
static bool read_at(const File *file, uint64_t offset, void *out, uint64_t size)
{
  if (offset > file->size || size > file->size - offset)
    return false;
  memcpy(out, file->bytes + offset, size);
  return true;
}

static bool look_at_header(const File *file, Elf64_Ehdr *header)
{
  static const uint16_t one = 1;
  const uint8_t order = *(const uint8_t *)&one ? ELFDATA2LSB : ELFDATA2MSB;
  if (file->size < SELFMAG || memcmp(file->bytes, ELFMAG, SELFMAG) != 0)
    return refuse(file->error, "it is no ELF file");
  if (!read_at(file, 0, header, sizeof *header))
    return refuse(file->error, "it is cut off");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != order || header->e_machine != MACHINE)
    return refuse(file->error, "it is for another machine (ELF machine %u; this is %u)", header->e_machine, (unsigned)MACHINE);
  if (header->e_type != ET_DYN)
    return refuse(file->error, "it is no shared library");
  if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_shentsize != sizeof(Elf64_Shdr))
    return refuse(file->error, "its ELF header is damaged");
  const uint64_t sections = header->e_shnum * (uint64_t)sizeof(Elf64_Shdr);
  if (header->e_shoff > file->size || sections > file->size - header->e_shoff)
    return refuse(file->error, "it is cut off");
  return true;
}

// The loader maps segments without looking at the file's size.
static bool look_at_segments(const File *file, const Elf64_Ehdr *header)
{
  for (uint64_t i = 0; i < header->e_phnum; i++) {
    Elf64_Phdr segment;
    if (!read_at(file, header->e_phoff + i * sizeof segment, &segment, sizeof segment))
      return refuse(file->error, "it is cut off");
    if (segment.p_type == PT_LOAD && (segment.p_offset > file->size || segment.p_filesz > file->size - segment.p_offset))
      return refuse(file->error, "it is cut off: a segment ends at byte %llu, the file at %llu",
                    (unsigned long long)(segment.p_offset + segment.p_filesz), (unsigned long long)file->size);
  }
  return true;
}

static bool name_is(const File *file, const Elf64_Shdr *names, uint64_t at, const char *wanted)
{
  const uint64_t length = strlen(wanted) + 1;
  return at <= names->sh_size && length <= names->sh_size - at && names->sh_offset <= file->size && at <= file->size - names->sh_offset &&
         length <= file->size - names->sh_offset - at && memcmp(file->bytes + names->sh_offset + at, wanted, length) == 0;
}

static bool find_symbol(const File *file, const Elf64_Ehdr *header, const char *wanted, Elf64_Sym *found)
{
  for (uint64_t i = 0; i < header->e_shnum; i++) {
    Elf64_Shdr section, names;
    if (!read_at(file, header->e_shoff + i * sizeof section, &section, sizeof section))
      return refuse(file->error, "it is cut off");
    if (section.sh_type != SHT_DYNSYM)
      continue;
    if (!read_at(file, header->e_shoff + section.sh_link * sizeof names, &names, sizeof names))
      return refuse(file->error, "its symbols are damaged");
    for (uint64_t k = 0; k < section.sh_size / sizeof *found; k++) {
      if (!read_at(file, section.sh_offset + k * sizeof *found, found, sizeof *found))
        return refuse(file->error, "its symbols are damaged");
      if (found->st_shndx != SHN_UNDEF && name_is(file, &names, found->st_name, wanted))
        return true;
    }
  }
  return refuse(file->error, "it has no symbol `%s`: it is no library of kernels", wanted);
}

// Where the file has the bytes of an address.
static bool find_offset(const File *file, const Elf64_Ehdr *header, uint64_t address, uint64_t *out)
{
  for (uint64_t i = 0; i < header->e_phnum; i++) {
    Elf64_Phdr segment;
    if (read_at(file, header->e_phoff + i * sizeof segment, &segment, sizeof segment) && segment.p_type == PT_LOAD &&
        address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz) {
      *out = segment.p_offset + (address - segment.p_vaddr);
      return true;
    }
  }
  return false;
}

static bool look(const File *file)
{
  Elf64_Ehdr header;
  Elf64_Sym symbol;
  uint64_t offset;
  uint32_t start[3];  // magic, abi, bytes
  if (!look_at_header(file, &header) || !look_at_segments(file, &header) || !find_symbol(file, &header, "klr_kernel_library", &symbol))
    return false;
  if (ELF64_ST_TYPE(symbol.st_info) != STT_OBJECT || symbol.st_size < sizeof(KlrKernelLibrary) ||
      !find_offset(file, &header, symbol.st_value, &offset) || !read_at(file, offset, start, sizeof start) || start[0] != KLR_KERNEL_MAGIC)
    return refuse(file->error, "its `klr_kernel_library` is no table of kernels");
  if (start[1] != KLR_KERNEL_ABI)
    return refuse(file->error, "it is of version %u of the interface, this reads version %u: build it again", start[1], KLR_KERNEL_ABI);
  if (start[2] < sizeof(KlrKernelLibrary))
    return refuse(file->error, "its table of kernels has %u bytes, which is too few", start[2]);
  return true;
}

static bool look_at_file(int descriptor, bool allow_writable, FileText *error)
{
  struct stat info;
  if (fstat(descriptor, &info) != 0)
    return refuse(error, "%s", strerror(errno));
  if (!S_ISREG(info.st_mode))
    return refuse(error, "it is no regular file");
  if ((info.st_mode & S_IWOTH) && !allow_writable)
    return refuse(error, "everyone may write to it: chmod o-w");
  if (info.st_size == 0 || (uint64_t)info.st_size > LARGEST_FILE)
    return refuse(error, info.st_size ? "it is larger than any library of kernels" : "it is empty");
  void *bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
  if (bytes == MAP_FAILED)
    return refuse(error, "%s", strerror(errno));
  bool ok = look(&(File){bytes, (uint64_t)info.st_size, error});
  munmap(bytes, (size_t)info.st_size);
  return ok;
}

int library_file_open(const char *path, bool allow_writable, FileText *error)
{
  int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not hold us up
  if (descriptor < 0) {
    refuse(error, "%s", strerror(errno));
    return -1;
  }
  if (look_at_file(descriptor, allow_writable, error))
    return descriptor;
  close(descriptor);
  return -1;
}

#include "syntax/unicode.h"

typedef struct Range {
  uint32_t first, last;
} Range;

static const Range start_ranges[] = {
#define RANGE_START(first, last) {first, last},
#include "syntax/unicode.def"
};

static const Range part_ranges[] = {
#define RANGE_PART(first, last) {first, last},
#include "syntax/unicode.def"
};

static const Range hidden_ranges[] = {
#define RANGE_HIDDEN(first, last) {first, last},
#include "syntax/unicode.def"
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool in_ranges(const Range *ranges, size_t count, uint32_t c)
{
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (c > ranges[middle].last)
      low = middle + 1;
    else
      high = middle;
  }
  return low < count && c >= ranges[low].first;
}

bool unicode_is_name_start(uint32_t c)
{
  return in_ranges(start_ranges, COUNT(start_ranges), c);
}

bool unicode_is_name_part(uint32_t c)
{
  return in_ranges(start_ranges, COUNT(start_ranges), c) || in_ranges(part_ranges, COUNT(part_ranges), c);
}

bool unicode_is_printable(uint32_t c)
{
  if (c < 0x80)
    return c >= 0x20 && c < 0x7F;
  return !in_ranges(hidden_ranges, COUNT(hidden_ranges), c);
}

static const UnicodeLookalike lookalikes[] = {
    {0xA0, "a no-break space", " "},
    {0xAB, "a typographic quote", "\""},
    {0xBB, "a typographic quote", "\""},
    {0xD7, "a multiplication sign", "*"},
    {0xF7, "a division sign", "/"},
    {0x200B, "a zero-width space", " "},
    {0x2010, "a hyphen", "-"},
    {0x2011, "a no-break hyphen", "-"},
    {0x2012, "a figure dash", "-"},
    {0x2013, "an en dash", "-"},
    {0x2014, "an em dash", "-"},
    {0x2018, "a typographic quote", "'"},
    {0x2019, "a typographic quote", "'"},
    {0x201A, "a typographic quote", "'"},
    {0x201C, "a typographic quote", "\""},
    {0x201D, "a typographic quote", "\""},
    {0x201E, "a typographic quote", "\""},
    {0x2026, "an ellipsis", "..."},
    {0x2039, "a typographic quote", "'"},
    {0x203A, "a typographic quote", "'"},
    {0x2044, "a fraction slash", "/"},
    {0x2190, "an arrow", "="},
    {0x2192, "an arrow", "->"},
    {0x2212, "a minus sign", "-"},
    {0x2215, "a division slash", "/"},
    {0x2217, "an asterisk operator", "*"},
    {0x2260, "a not-equal sign", "!="},
    {0x2264, "a less-or-equal sign", "<="},
    {0x2265, "a greater-or-equal sign", ">="},
    {0x3000, "an ideographic space", " "},
    {0x3001, "an ideographic comma", ","},
    {0xFEFF, "a byte order mark", " "},
    {0xFF08, "a full-width parenthesis", "("},
    {0xFF09, "a full-width parenthesis", ")"},
    {0xFF0C, "a full-width comma", ","},
    {0xFF1A, "a full-width colon", ":"},
    {0xFF1B, "a full-width semicolon", ";"},
    {0xFF1D, "a full-width equals sign", "="},
};

const UnicodeLookalike *unicode_lookalike(uint32_t c)
{
  for (size_t i = 0; i < COUNT(lookalikes); i++)
    if (lookalikes[i].code_point == c)
      return &lookalikes[i];
  return NULL;
}

Str unicode_normal_name(Arena *arena, Str name)
{
  (void)arena;
  return name;
}

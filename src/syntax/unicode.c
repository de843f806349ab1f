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

// ---- normal form KC

typedef struct Run {
  uint32_t first, last, to;
} Run;

static const Run runs[] = {
#define RUN(first, last, to) {first, last, to},
#define ONE(code, to) {code, code, to},
#include "syntax/unicode_normal.def"
};

typedef struct Mapping {
  uint32_t code, parts[4];
} Mapping;

static const Mapping mappings[] = {
#define TWO(code, a, b) {code, {a, b, 0, 0}},
#define MAP(code, a, b, c, d) {code, {a, b, c, d}},
#include "syntax/unicode_normal.def"
};

typedef struct Pair {
  uint32_t first, second, whole;
} Pair;

static const Pair pairs[] = {
#define PAIR(first, second, whole) {first, second, whole},
#include "syntax/unicode_normal.def"
};

static const Run combining[] = {
#define CLASS(first, last, number) {first, last, number},
#include "syntax/unicode_normal.def"
};

static const Run *find_run(const Run *table, size_t count, uint32_t c)
{
  size_t low = 0, high = count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (c > table[middle].last)
      low = middle + 1;
    else
      high = middle;
  }
  return low < count && c >= table[low].first ? &table[low] : NULL;
}

static uint32_t combining_class(uint32_t c)
{
  const Run *run = find_run(combining, COUNT(combining), c);
  return run ? run->to : 0;
}

enum {
  HANGUL_FIRST = 0xAC00, HANGUL_LAST = 0xD7A3, LEADING = 0x1100, VOWEL = 0x1161, TRAILING = 0x11A7,
  LEADING_COUNT = 19, VOWEL_COUNT = 21, TRAILING_COUNT = 28,
};

// Normal form KD of `c` into `out`; how many code points.
static size_t decompose(uint32_t c, uint32_t out[4])
{
  if (c >= HANGUL_FIRST && c <= HANGUL_LAST) {
    uint32_t index = c - HANGUL_FIRST, t = index % TRAILING_COUNT;
    out[0] = LEADING + index / (VOWEL_COUNT * TRAILING_COUNT);
    out[1] = VOWEL + index / TRAILING_COUNT % VOWEL_COUNT;
    out[2] = TRAILING + t;
    return t ? 3 : 2;
  }
  const Run *run = find_run(runs, COUNT(runs), c);
  out[0] = run ? run->to + (c - run->first) : c;
  if (run)
    return 1;
  size_t low = 0, high = COUNT(mappings);
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (mappings[middle].code < c)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == COUNT(mappings) || mappings[low].code != c)
    return 1;
  size_t count = 0;
  for (; count < 4 && mappings[low].parts[count]; count++)
    out[count] = mappings[low].parts[count];
  return count;
}

// What `first` and `second` become together; 0: nothing.
static uint32_t compose(uint32_t first, uint32_t second)
{
  if (first >= LEADING && first < LEADING + LEADING_COUNT && second >= VOWEL && second < VOWEL + VOWEL_COUNT)
    return HANGUL_FIRST + ((first - LEADING) * VOWEL_COUNT + second - VOWEL) * TRAILING_COUNT;
  if (first >= HANGUL_FIRST && first <= HANGUL_LAST && (first - HANGUL_FIRST) % TRAILING_COUNT == 0 &&
      second > TRAILING && second < TRAILING + TRAILING_COUNT)
    return first + second - TRAILING;
  size_t low = 0, high = COUNT(pairs);
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (pairs[middle].first < first || (pairs[middle].first == first && pairs[middle].second < second))
      low = middle + 1;
    else
      high = middle;
  }
  return low < COUNT(pairs) && pairs[low].first == first && pairs[low].second == second ? pairs[low].whole : 0;
}

typedef struct CodePoint {
  uint32_t code, class;
} CodePoint;

// Canonical order: marks by their class, stably. Runs of marks are sorted by counting, so long ones cost no more.
static void sort_marks(Arena *arena, CodePoint *marks, size_t count)
{
  if (count < 2)
    return;
  ArenaMark mark = arena_mark(arena);
  CodePoint *copy = arena_array(arena, CodePoint, count);
  size_t starts[256] = {0};
  for (size_t i = 0; i < count; i++) {
    copy[i] = marks[i];
    if (marks[i].class < 255)
      starts[marks[i].class + 1]++;
  }
  for (size_t i = 1; i < 256; i++)
    starts[i] += starts[i - 1];
  for (size_t i = 0; i < count; i++)
    marks[starts[copy[i].class]++] = copy[i];
  arena_rewind(arena, mark);
}

static void reorder(Arena *arena, CodePoint *points, size_t count)
{
  for (size_t i = 0; i < count;) {
    size_t end = i;
    while (end < count && points[end].class)
      end++;
    sort_marks(arena, points + i, end - i);
    i = end + 1;
  }
}

// Joins what can be joined, in place; the new count.
static size_t recompose(CodePoint *points, size_t count)
{
  size_t out = 0, starter = SIZE_MAX;
  for (size_t i = 0; i < count; i++) {
    CodePoint point = points[i];
    bool is_blocked = starter == SIZE_MAX ||
                      (out > starter + 1 && (points[out - 1].class == 0 || points[out - 1].class >= point.class));
    uint32_t whole = is_blocked ? 0 : compose(points[starter].code, point.code);
    if (whole) {
      points[starter].code = whole;
      continue;
    }
    if (point.class == 0)
      starter = out;
    points[out++] = point;
  }
  return out;
}

Str unicode_normal_name(Arena *arena, Str name)
{
  CodePoint *points = NULL;
  size_t count = 0;
  for (int pass = 0; pass < 2; pass++) {  // count, then fill
    if (pass)
      points = arena_array(arena, CodePoint, count);
    count = 0;
    for (size_t at = 0; at < name.len;) {
      uint32_t c = 0xFFFD, parts[4];
      size_t len = utf8_decode(name.data + at, name.data + name.len, &c);
      at += len ? len : 1;
      size_t n = decompose(c, parts);
      for (size_t i = 0; i < n; i++, count++)
        if (pass)
          points[count] = (CodePoint){parts[i], combining_class(parts[i])};
    }
  }
  reorder(arena, points, count);
  count = recompose(points, count);
  StrBuf out = strbuf_new(arena);
  for (size_t i = 0; i < count; i++) {
    char bytes[4];
    strbuf_add(&out, bytes, utf8_put(points[i].code, bytes));
  }
  return strbuf_str(&out);
}

#include "syntax/names.h"

#include <string.h>

static const uint64_t rows[] = {
#include "syntax/name_table.inc"
};

enum { ROW_COUNT = sizeof rows / sizeof *rows, CODE_BITS = 24, LONGEST_NAME = 120 };

static char upper(char c)
{
  return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool find_row(Str name, uint32_t *code_point)
{
  uint64_t hash = 0xCBF29CE484222325u;
  for (size_t i = 0; i < name.len; i++)
    hash = (hash ^ (unsigned char)upper(name.data[i])) * 0x100000001B3u;
  hash >>= CODE_BITS;
  size_t low = 0, high = ROW_COUNT;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (rows[middle] >> CODE_BITS < hash)
      low = middle + 1;
    else
      high = middle;
  }
  if (low == ROW_COUNT || rows[low] >> CODE_BITS != hash)
    return false;
  *code_point = (uint32_t)(rows[low] & ((1u << CODE_BITS) - 1));
  return true;
}

// The longest of `parts` that `*name` begins with is cut off; its index. `parts` has an empty one, so there always is.
static uint32_t take_part(Str *name, const char *const *parts, size_t count)
{
  size_t best = 0, best_len = 0;
  bool found = false;
  for (size_t i = 0; i < count; i++) {
    size_t len = strlen(parts[i]);
    if (str_starts_with(*name, parts[i]) && (!found || len > best_len)) {
      best = i;
      best_len = len;
      found = true;
    }
  }
  name->data += best_len;
  name->len -= best_len;
  return (uint32_t)best;
}

// HANGUL SYLLABLE and the names of its letters run together.
static bool find_hangul(Str rest, uint32_t *code_point)
{
  static const char *const leading[] = {"G", "GG", "N", "D",  "DD", "R", "M",  "B", "BB", "S",
                                        "SS", "", "J", "JJ", "C",  "K", "T",  "P", "H"};
  static const char *const vowels[] = {"A",  "AE", "YA", "YAE", "EO", "E",  "YEO", "YE", "O",  "WA", "WAE",
                                       "OE", "YO", "U",  "WEO", "WE", "WI", "YU",  "EU", "YI", "I"};
  static const char *const trailing[] = {"",   "G",  "GG", "GS", "N",  "NJ", "NH", "D",  "L",  "LG",
                                         "LM", "LB", "LS", "LT", "LP", "LH", "M",  "B",  "BS", "S",
                                         "SS", "NG", "J",  "C",  "K",  "T",  "P",  "H"};
  uint32_t l = take_part(&rest, leading, 19);
  bool has_vowel = rest.len && strchr("AEIOUWY", rest.data[0]);
  uint32_t v = take_part(&rest, vowels, 21), t = take_part(&rest, trailing, 28);
  *code_point = 0xAC00 + (l * 21 + v) * 28 + t;
  return has_vowel && rest.len == 0;
}

// CJK UNIFIED IDEOGRAPH- and the number in upper-case hexadecimal.
static bool find_ideograph(Str digits, uint32_t *code_point)
{
  static const uint32_t ranges[][2] = {{0x3400, 0x4DBF},   {0x4E00, 0x9FFF},   {0x20000, 0x2A6DF}, {0x2A700, 0x2B738},
                                       {0x2B740, 0x2B81D}, {0x2B820, 0x2CEA1}, {0x2CEB0, 0x2EBE0}, {0x30000, 0x3134A}};
  uint32_t c = 0;
  if (digits.len != 4 && digits.len != 5)
    return false;
  for (size_t i = 0; i < digits.len; i++) {
    char d = digits.data[i];
    if (!((d >= '0' && d <= '9') || (d >= 'A' && d <= 'F')))
      return false;
    c = c * 16 + (uint32_t)(d <= '9' ? d - '0' : d - 'A' + 10);
  }
  *code_point = c;
  for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
    if (c >= ranges[i][0] && c <= ranges[i][1])
      return true;
  return false;
}

bool unicode_find_name(Str name, uint32_t *code_point)
{
  static const char hangul[] = "HANGUL SYLLABLE ", ideograph[] = "CJK UNIFIED IDEOGRAPH-";
  if (name.len > LONGEST_NAME)
    return false;
  if (str_starts_with(name, hangul))
    return find_hangul((Str){name.data + sizeof hangul - 1, name.len - (sizeof hangul - 1)}, code_point);
  if (str_starts_with(name, ideograph))
    return find_ideograph((Str){name.data + sizeof ideograph - 1, name.len - (sizeof ideograph - 1)}, code_point);
  return find_row(name, code_point);
}

#include "base/number_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Lays out `digits` * 10^(exponent - len + 1) as Python's repr does: positional for -4 <= exponent < 16.
static void add_layout(StrBuf *out, const char *digits, int exponent)
{
  int len = (int)strlen(digits);
  if (exponent < -4 || exponent >= 16) {
    strbuf_putc(out, digits[0]);
    if (len > 1)
      strbuf_printf(out, ".%s", digits + 1);
    strbuf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
  } else if (exponent < 0) {
    strbuf_puts(out, "0.");
    strbuf_repeat(out, '0', (size_t)(-exponent - 1));
    strbuf_puts(out, digits);
  } else if (len <= exponent + 1) {
    strbuf_puts(out, digits);
    strbuf_repeat(out, '0', (size_t)(exponent + 1 - len));
    strbuf_puts(out, ".0");
  } else {
    strbuf_add(out, digits, (size_t)exponent + 1);
    strbuf_printf(out, ".%s", digits + exponent + 1);
  }
}

static bool add_special(StrBuf *out, double value)
{
  if (isnan(value))
    strbuf_puts(out, "nan");
  else if (isinf(value))
    strbuf_puts(out, value < 0 ? "-inf" : "inf");
  else if (value == 0)
    strbuf_puts(out, signbit(value) ? "-0.0" : "0.0");
  else
    return false;
  return true;
}

static bool reads_back(const char *text, double value, bool is_f32)
{
  return is_f32 ? strtof(text, NULL) == (float)value : strtod(text, NULL) == value;
}

// The next decimal away from zero with as many digits; false when it needs one more.
static bool bump_last_digit(char *text)
{
  for (char *at = strchr(text, 'e'); at-- > text;) {
    if (*at < '0' || *at > '9')
      continue;
    if (*at < '9') {
      ++*at;
      return true;
    }
    *at = '0';
  }
  return false;
}

// Tries ever more digits. Below a power of two numbers lie closer than above it, so there the decimal that reads back may
// be the one above the nearest.
static void add_shortest(StrBuf *out, double value, bool is_f32)
{
  if (add_special(out, value))
    return;
  char text[40];
  int most = is_f32 ? 9 : 17;
  for (int precision = 1; precision <= most; precision++) {
    snprintf(text, sizeof text, "%.*e", precision - 1, value);
    if (reads_back(text, value, is_f32))
      break;
    int exponent;
    if (fabs(frexp(value, &exponent)) == 0.5 && bump_last_digit(text) && reads_back(text, value, is_f32))
      break;
  }
  char digits[24], *end = strchr(text, 'e');
  int count = 0;
  for (const char *at = text; at < end; at++)
    if (*at >= '0' && *at <= '9')
      digits[count++] = *at;
  while (count > 1 && digits[count - 1] == '0')
    count--;
  digits[count] = '\0';
  if (text[0] == '-')
    strbuf_putc(out, '-');
  add_layout(out, digits, atoi(end + 1));
}

void number_add_repr(StrBuf *out, double value)
{
  add_shortest(out, value, false);
}

void number_add_repr_f32(StrBuf *out, float value)
{
  add_shortest(out, (double)value, true);
}

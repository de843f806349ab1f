#include "base/source.h"

bool span_is_none(Span span)
{
  return span.source == 0;
}

Span span_join(Span first, Span last)
{
  if (span_is_none(first))
    return last;
  if (span_is_none(last) || first.source != last.source)
    return first;
  return (Span){first.source, first.start, last.end};
}

static void find_lines(Source *source, Arena *arena)
{
  const char *text = source->text.data;
  size_t len = source->text.len;
  size_t count = 1;
  for (int pass = 0; pass < 2; pass++) {  // count, then fill
    if (pass) {
      source->lines = arena_array(arena, uint32_t, count);
      source->line_count = (uint32_t)count;
    }
    count = 1;
    for (size_t i = 0; i < len; i++) {
      if (text[i] != '\n' && text[i] != '\r')
        continue;
      if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n')
        i++;
      if (pass)
        source->lines[count] = (uint32_t)i + 1;
      count++;
    }
  }
}

Place source_place(Source *source, Arena *arena, uint32_t offset)
{
  if (!source->lines)
    find_lines(source, arena);
  uint32_t low = 0, high = source->line_count;  // lines[low] <= offset < lines[high]
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    if (source->lines[middle] <= offset)
      low = middle;
    else
      high = middle;
  }
  return (Place){source->first_line + low, offset - source->lines[low]};
}

Str source_line(Source *source, Arena *arena, uint32_t line)
{
  if (!source->lines)
    find_lines(source, arena);
  uint32_t index = line - source->first_line;
  if (index >= source->line_count)
    return STR("");
  size_t start = source->lines[index];
  size_t end = index + 1 < source->line_count ? source->lines[index + 1] : source->text.len;
  while (end > start && (source->text.data[end - 1] == '\n' || source->text.data[end - 1] == '\r'))
    end--;
  return (Str){source->text.data + start, end - start};
}

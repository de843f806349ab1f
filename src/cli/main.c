// main.c -- the `klr` program.

#include <stdio.h>

int main(void)
{
  puts("klr 0.1.0");
  return 0;
}

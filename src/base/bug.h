// bug.h -- the door for our own mistakes.

#pragma once

// Reports a broken invariant of ours and exits with status 70. Never for what a user or a file can cause.
_Noreturn void bug(const char *format, ...) __attribute__((format(printf, 1, 2)));

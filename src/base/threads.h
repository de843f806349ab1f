// threads.h -- a few threads that wait for loops to share.

#pragma once
#include "base/arena.h"

typedef struct ThreadPool ThreadPool;

// A pool of `count` threads, the caller's included, which start with its first loop. NULL when `count` is below 2 or there is no
// memory; where threads cannot be started there are fewer, and the caller's does the work.
ThreadPool *threads_new(unsigned count);
void threads_free(ThreadPool *pool);  // NULL is fine

// Splits [0, count) into one range a thread and returns when `work` has run on all of them. The ranges depend on
// `count` and the pool's size only. `work` must not call back into the pool.
typedef void ThreadWork(void *context, uint64_t first, uint64_t last);
void threads_run(ThreadPool *pool, uint64_t count, ThreadWork *work, void *context);

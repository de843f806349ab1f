#include "base/threads.h"

#include <pthread.h>
#include <stdlib.h>

struct ThreadPool {
  pthread_mutex_t lock;
  pthread_cond_t start, done;
  unsigned wanted_count, helper_count;  // threads besides the caller's: asked for, and started
  pthread_t *helpers;
  bool ends;
  ThreadWork *work;
  void *context;
  uint64_t count;
  unsigned share_count, next_share, unfinished_count;  // of the loop that runs: its parts, the first that nobody has taken
};

// Takes parts of the loop until none is left. The lock is held on entry and exit, not in between.
static void take_shares(ThreadPool *pool)
{
  while (pool->next_share < pool->share_count) {
    uint64_t share = pool->next_share++, first = pool->count * share / pool->share_count,
             last = pool->count * (share + 1) / pool->share_count;
    ThreadWork *work = pool->work;
    void *context = pool->context;
    pthread_mutex_unlock(&pool->lock);
    if (first < last)
      work(context, first, last);
    pthread_mutex_lock(&pool->lock);
    if (--pool->unfinished_count == 0)
      pthread_cond_signal(&pool->done);
  }
}

static void *help(void *argument)
{
  ThreadPool *pool = argument;
  pthread_mutex_lock(&pool->lock);
  while (!pool->ends) {
    take_shares(pool);
    if (!pool->ends)
      pthread_cond_wait(&pool->start, &pool->lock);
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

static bool start_helper(ThreadPool *pool)
{
  if (pthread_create(&pool->helpers[pool->helper_count], NULL, help, pool) != 0)
    return false;
  pool->helper_count++;
  return true;
}

ThreadPool *threads_new(unsigned count)
{
  if (count < 2)
    return NULL;
  ThreadPool *pool = calloc(1, sizeof *pool);
  pthread_t *helpers = calloc(count - 1, sizeof *helpers);
  if (!pool || !helpers) {
    free(pool);
    free(helpers);
    return NULL;
  }
  pool->helpers = helpers;
  pool->wanted_count = count - 1;
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->start, NULL);
  pthread_cond_init(&pool->done, NULL);
  return pool;
}

void threads_free(ThreadPool *pool)
{
  if (!pool)
    return;
  pthread_mutex_lock(&pool->lock);
  pool->ends = true;
  pthread_cond_broadcast(&pool->start);
  pthread_mutex_unlock(&pool->lock);
  for (unsigned i = 0; i < pool->helper_count; i++)
    pthread_join(pool->helpers[i], NULL);
  pthread_mutex_destroy(&pool->lock);
  pthread_cond_destroy(&pool->start);
  pthread_cond_destroy(&pool->done);
  free(pool->helpers);
  free(pool);
}

void threads_run(ThreadPool *pool, uint64_t count, ThreadWork *work, void *context)
{
  while (pool->helper_count < pool->wanted_count && start_helper(pool))
    ;
  pool->wanted_count = pool->helper_count;
  pthread_mutex_lock(&pool->lock);
  pool->work = work;
  pool->context = context;
  pool->count = count;
  pool->share_count = pool->unfinished_count = pool->helper_count + 1;
  pool->next_share = 0;
  pthread_cond_broadcast(&pool->start);
  take_shares(pool);  // those too of helpers that do not wake up in time
  while (pool->unfinished_count)
    pthread_cond_wait(&pool->done, &pool->lock);
  pthread_mutex_unlock(&pool->lock);
}

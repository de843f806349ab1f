#include "base/threads.h"

#include <pthread.h>
#include <stdlib.h>

struct ThreadPool {
  pthread_mutex_t lock;
  pthread_cond_t start, done;
  unsigned helper_count;  // threads besides the caller's
  pthread_t *helpers;
  uint64_t round;  // grows by one with each loop
  unsigned busy_count;
  bool ends;
  ThreadWork *work;
  void *context;
  uint64_t count;
};

typedef struct Helper {
  ThreadPool *pool;
  unsigned index;  // from 1
} Helper;

static void run_share(const ThreadPool *pool, unsigned index)
{
  uint64_t threads = pool->helper_count + 1;
  uint64_t first = pool->count * index / threads, last = pool->count * (index + 1) / threads;
  if (first < last)
    pool->work(pool->context, first, last);
}

static void *help(void *argument)
{
  Helper helper = *(Helper *)argument;
  free(argument);
  ThreadPool *pool = helper.pool;
  uint64_t seen = 0;
  pthread_mutex_lock(&pool->lock);
  for (;;) {
    while (pool->round == seen && !pool->ends)
      pthread_cond_wait(&pool->start, &pool->lock);
    if (pool->ends)
      break;
    seen = pool->round;
    pthread_mutex_unlock(&pool->lock);
    run_share(pool, helper.index);
    pthread_mutex_lock(&pool->lock);
    if (--pool->busy_count == 0)
      pthread_cond_signal(&pool->done);
  }
  pthread_mutex_unlock(&pool->lock);
  return NULL;
}

static bool start_helper(ThreadPool *pool)
{
  Helper *helper = malloc(sizeof *helper);
  if (!helper)
    return false;
  *helper = (Helper){pool, pool->helper_count + 1};
  if (pthread_create(&pool->helpers[pool->helper_count], NULL, help, helper) != 0) {
    free(helper);
    return false;
  }
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
  pthread_mutex_init(&pool->lock, NULL);
  pthread_cond_init(&pool->start, NULL);
  pthread_cond_init(&pool->done, NULL);
  while (pool->helper_count < count - 1 && start_helper(pool))
    ;
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
  pthread_mutex_lock(&pool->lock);
  pool->work = work;
  pool->context = context;
  pool->count = count;
  pool->busy_count = pool->helper_count;
  pool->round++;
  pthread_cond_broadcast(&pool->start);
  pthread_mutex_unlock(&pool->lock);
  run_share(pool, 0);
  pthread_mutex_lock(&pool->lock);
  while (pool->busy_count)
    pthread_cond_wait(&pool->done, &pool->lock);
  pthread_mutex_unlock(&pool->lock);
}

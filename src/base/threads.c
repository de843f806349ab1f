#include "base/threads.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

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

// Wakes two for what is left besides the share that the waking thread takes itself; they wake others. So the caller begins soon, and
// all have begun after as many turns as the count has binary digits. The lock is held.
static void wake_others(ThreadPool *pool)
{
  for (unsigned i = 1; i <= 2 && pool->next_share + i < pool->share_count; i++)
    pthread_cond_signal(&pool->start);
}

static void *help(void *argument)
{
  ThreadPool *pool = argument;
#ifdef __linux__
  prctl(PR_SET_NAME, "klr helper");
#endif
  pthread_mutex_lock(&pool->lock);
  while (!pool->ends) {
    wake_others(pool);
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

// Signals are for the program's own threads, but for those that a helper's work causes or that are sent to find out where it is.
static void start_helpers(ThreadPool *pool)
{
  static const int OWN[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGPROF};
  if (pool->helper_count == pool->wanted_count)
    return;
  sigset_t blocked, before;
  sigfillset(&blocked);
  for (size_t i = 0; i < sizeof OWN / sizeof *OWN; i++)
    sigdelset(&blocked, OWN[i]);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  while (pool->helper_count < pool->wanted_count && start_helper(pool))
    ;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pool->wanted_count = pool->helper_count;
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
  start_helpers(pool);
  pthread_mutex_lock(&pool->lock);
  pool->work = work;
  pool->context = context;
  pool->count = count;
  pool->share_count = pool->unfinished_count = count < pool->helper_count + 1u ? (unsigned)count : pool->helper_count + 1;
  pool->next_share = 0;
  wake_others(pool);
  take_shares(pool);  // those too of helpers that do not wake up in time
  while (pool->unfinished_count)
    pthread_cond_wait(&pool->done, &pool->lock);
  pthread_mutex_unlock(&pool->lock);
}

// The part that `kqueue.c` and `event_ports.c` share: a lock, a clock, and a notification for each descriptor that is closed.
// Define `_GNU_SOURCE` before you include this.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static void lock(void) { pthread_mutex_lock(&mutex); }
static void unlock(void) { pthread_mutex_unlock(&mutex); }
static int real_close(int fd) { return syscall(SYS_close, fd); }

static int fail(int error) {
    errno = error;
    return -1;
}

static const int64_t SECOND = 1000000000;

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

// The number `fd` is about to be closed.
static void forget(int fd);

int close(int fd) {
    forget(fd);
    return real_close(fd);
}

int dup2(int from, int to) {
    if (from != to && fcntl(from, F_GETFD) != -1) forget(to);
    return from == to ? fcntl(from, F_GETFD) == -1 ? -1 : to : syscall(SYS_dup3, from, to, 0);
}

int dup3(int from, int to, int flags) {
    if (from != to && fcntl(from, F_GETFD) != -1) forget(to);
    return syscall(SYS_dup3, from, to, flags);
}

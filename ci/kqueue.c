// A double of kqueue(2) and kevent(2) on Linux, with which `ci/kqueue` runs the tests of the kqueue backend. It is linked into
// each test program. Its behaviour follows the manual pages and what the kernels are seen to do, and it is as unkind as they
// are. Where they differ, the environment variable KQUEUE_PERSONALITY chooses one of the rows of `personalities`.
//
// A kqueue is an epoll of one epoll for each filter, so that the filters of a descriptor fire independently and other queues
// can watch the kqueue's own descriptor. Those epolls only report that something has happened (edge-triggered). The knotes to
// look at then wait in a queue, and only when an event is about to be returned does this find out whether the filter is true.
#define _GNU_SOURCE
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "double.h"

// This is the same as in src/sys/kqueue/linux_double.rs.
struct kevent {
    uintptr_t ident;
    int16_t filter;
    uint16_t flags;
    uint32_t fflags;
    int64_t data;
    void *udata;
};

enum { EVFILT_READ = -1, EVFILT_WRITE = -2, EVFILT_PROC = -5, EVFILT_TIMER = -7, EVFILT_USER = -11, EVFILT_EXCEPT = -15 };
enum {
    EV_ADD = 0x1, EV_DELETE = 0x2, EV_ENABLE = 0x4, EV_DISABLE = 0x8, EV_ONESHOT = 0x10, EV_CLEAR = 0x20, EV_RECEIPT = 0x40,
    EV_DISPATCH = 0x80, EV_NODATA = 0x1000, EV_ERROR = 0x4000, EV_EOF = 0x8000,
};
enum { NOTE_LOWAT = 0x1, NOTE_OOB = 0x2, NOTE_TRIGGER = 0x1000000 };
#define NOTE_EXIT 0x80000000

static const struct personality {
    const char *name;
    // If this is not 0, attaching EVFILT_WRITE to a pipe whose other end is closed fails with this error.
    int no_peer;
    // The filter is attached all the same.
    bool attached_all_the_same;
    // The last event of a pipe's EVFILT_WRITE is the one that reports the end: FreeBSD's `knlist_clear`.
    bool last_write;
    // When its reader goes, EVFILT_WRITE of a full pipe is not looked at, because only later is the pipe marked as ended.
    bool full_is_deaf;
    // The last event of a terminal is the one that reports the end: XNU's `revoke`, OpenBSD's `klist_invalidate`.
    bool last_of_tty;
    // A pipe goes both ways; or the filter of the wrong end is refused with EINVAL; or that filter is silent until the pipe
    // ends.
    enum { BOTH_WAYS, REFUSED, SILENT_UNTIL_THE_END } wrong_end;
    // EVFILT_EXCEPT does not exist; or it fires for urgent data; or it also fires for anything that EVFILT_READ fires for.
    enum { NOTHING, URGENT, ANYTHING } except;
    bool has_user;
    // Some time-outs return the error ETIMEDOUT: golang/go#59679.
    bool etimedout;
    // If this is not 0, a time-out of more seconds is the error EINVAL: `itimerfix` in XNU until macOS 10.13.
    int longest;
    // EV_NODATA is set if no data precedes the end.
    bool nodata;
    // Events keep EV_ADD and the like, and receipts keep the flags of their change.
    bool keeps_flags;
    // A child that has exited can be watched, and reports that at once. Elsewhere this is the error ESRCH.
    bool zombies;
} personalities[] = {
    {"apple", .wrong_end = SILENT_UNTIL_THE_END, .except = ANYTHING, .has_user = true, .last_of_tty = true, .etimedout = true,
     .keeps_flags = true},
    {"apple-10.10", .no_peer = EPIPE, .attached_all_the_same = true, .except = ANYTHING, .has_user = true, .last_of_tty = true,
     .longest = 100000000, .keeps_flags = true},
    {"freebsd", .no_peer = EPIPE, .last_write = true, .has_user = true, .zombies = true},
    {"netbsd", .no_peer = EBADF, .full_is_deaf = true, .has_user = true},
    {"netbsd-9", .no_peer = EBADF, .full_is_deaf = true},
    {"netbsd-current", .no_peer = EBADF, .full_is_deaf = true, .wrong_end = REFUSED, .has_user = true},
    {"openbsd", .full_is_deaf = true, .except = URGENT, .has_user = true, .last_of_tty = true},
    {"openbsd-6", .no_peer = EPIPE, .full_is_deaf = true, .except = URGENT, .last_of_tty = true},
    {"dragonfly", .no_peer = EPIPE, .except = URGENT, .has_user = true, .nodata = true, .zombies = true},
};
static const struct personality *is;

enum kind { PIPE, SOCKET, TTY, FILE_, OTHER };

struct knote {
    TAILQ_ENTRY(knote) queue;
    struct knote *next; // of this descriptor, or of those knotes of this kqueue that have no descriptor
    struct kqueue *kq;
    uintptr_t ident;
    int16_t filter;
    uint16_t flags;
    uint32_t sfflags; // as the program gave them
    int64_t sdata;
    void *udata;
    enum kind kind;
    int fd; // what is really watched
    bool queued, disabled, triggered;
};

struct kqueue {
    struct kqueue *next;
    int fd;
    int filters[3]; // the epolls
    int queued;     // an eventfd, readable while the queue is not empty
    TAILQ_HEAD(queue, knote) queue;
    struct knote *others; // of processes, timers and users
};

// What is known of a descriptor's number. As in the kernels, knotes belong to the number in the process's table: closing it
// deletes them, even if a duplicate is still open.
struct slot {
    struct knote *knotes;
    ino_t ino;
    int shut; // 1 for reading, 2 for writing
};

// Children that have exited, and until when they cannot be waited for. A kernel reports an exit while the process is still
// ending.
static struct ending {
    struct ending *next;
    pid_t child;
    int64_t until;
} *endings;

static struct kqueue *kqueues;
static struct slot *slots;
static int slot_count;

// A child does not inherit a kqueue.
static void forget_all(void) {
    pthread_mutex_init(&mutex, NULL);
    for (struct kqueue *kq = kqueues; kq; kq = kq->next) {
        real_close(kq->fd);
        real_close(kq->queued);
        for (int i = 0; i < 3; i++) real_close(kq->filters[i]);
    }
    kqueues = NULL;
    slots = NULL;
    slot_count = 0;
    endings = NULL;
}

__attribute__((constructor)) static void start(void) {
    const char *name = getenv("KQUEUE_PERSONALITY");
    size_t count = sizeof personalities / sizeof *personalities;
    for (is = personalities; name && strcmp(is->name, name); is++) {
        if (is == personalities + count - 1) abort();
    }
    pthread_atfork(lock, unlock, forget_all);
}

static struct slot *slot_of(int fd) {
    if (fd >= slot_count) {
        int count = fd + 1 > 2 * slot_count ? fd + 1 : 2 * slot_count;
        struct slot *more = realloc(slots, count * sizeof *slots);
        if (!more) return NULL;
        memset(more + slot_count, 0, (count - slot_count) * sizeof *slots);
        slots = more;
        slot_count = count;
    }
    return slots + fd;
}

static bool has_descriptor(int16_t filter) { return filter != EVFILT_PROC && filter != EVFILT_TIMER && filter != EVFILT_USER; }

static struct knote **knotes_of(struct kqueue *kq, int16_t filter, uintptr_t ident) {
    return has_descriptor(filter) ? &slots[ident].knotes : &kq->others;
}

static int epoll_of(const struct knote *kn) {
    return kn->kq->filters[kn->filter == EVFILT_READ ? 0 : kn->filter == EVFILT_WRITE ? 1 : 2];
}

static void enqueue(struct knote *kn) {
    if (kn->queued || kn->disabled) return;
    kn->queued = true;
    TAILQ_INSERT_TAIL(&kn->kq->queue, kn, queue);
    eventfd_write(kn->kq->queued, 1);
}

static void dequeue(struct knote *kn) {
    if (!kn->queued) return;
    kn->queued = false;
    TAILQ_REMOVE(&kn->kq->queue, kn, queue);
}

static void drop(struct knote *kn) {
    dequeue(kn);
    if (kn->fd != -1) epoll_ctl(epoll_of(kn), EPOLL_CTL_DEL, kn->fd, NULL);
    if (kn->fd != -1 && !has_descriptor(kn->filter)) real_close(kn->fd);
    struct knote **link = knotes_of(kn->kq, kn->filter, kn->ident);
    while (*link != kn) link = &(*link)->next;
    *link = kn->next;
    free(kn);
}

static void free_kqueue(struct kqueue *kq) {
    while (kq->others) drop(kq->others);
    for (int fd = 0; fd < slot_count; fd++) {
        for (struct knote *kn = slots[fd].knotes, *next; kn; kn = next) {
            next = kn->next;
            if (kn->kq == kq) drop(kn);
        }
    }
    real_close(kq->queued);
    for (int i = 0; i < 3; i++) real_close(kq->filters[i]);
    free(kq);
}

static void forget(int fd) {
    lock();
    if (fd >= 0 && fd < slot_count) {
        while (slots[fd].knotes) drop(slots[fd].knotes);
        slots[fd] = (struct slot){0};
    }
    for (struct kqueue **link = &kqueues; *link; link = &(*link)->next) {
        if ((*link)->fd == fd) {
            struct kqueue *kq = *link;
            *link = kq->next;
            free_kqueue(kq);
            break;
        }
    }
    unlock();
}

// Returns whether the filter is for this end's own direction.
static bool is_of_own_end(const struct knote *kn) {
    int mode = fcntl(kn->ident, F_GETFL) & O_ACCMODE;
    return mode == O_RDWR || (mode == O_RDONLY) == (kn->filter == EVFILT_READ);
}

// Returns whether the filter belongs to a full pipe whose reader is gone.
static bool is_deaf(const struct knote *kn) {
    struct pollfd fd = {kn->ident, POLLOUT, 0};
    return is->full_is_deaf && kn->kind == PIPE && kn->filter == EVFILT_WRITE && poll(&fd, 1, 0) == 1 && fd.revents == POLLERR;
}

static bool pipe_is_ready(struct knote *kn, int revents, uint16_t *flags) {
    bool mine = is_of_own_end(kn);
    *flags &= ~EV_EOF; // another program may open a FIFO again
    if (revents & (POLLHUP | POLLERR)) {
        *flags |= EV_EOF;
        if (kn->filter == EVFILT_WRITE && is->last_write) *flags |= EV_ONESHOT;
        return true;
    }
    if (!mine) return kn->filter == EVFILT_WRITE && is->wrong_end == BOTH_WAYS;
    return revents & (POLLIN | POLLOUT);
}

static bool socket_is_ready(struct knote *kn, int revents, uint16_t *flags, uint32_t *fflags) {
    int listens = 0;
    getsockopt(kn->ident, SOL_SOCKET, SO_ACCEPTCONN, &listens, &(socklen_t){sizeof listens});
    if (listens) return kn->filter != EVFILT_WRITE && revents & POLLIN;
    // The socket has never been connected, which Linux calls a hang-up.
    if (revents & POLLHUP && !(revents & POLLRDHUP)) return false;
    int shut = slots[kn->ident].shut;
    bool end;
    if (kn->filter == EVFILT_WRITE) {
        end = shut & 2 || revents & POLLHUP;
    } else {
        end = shut & 1 || revents & POLLRDHUP;
    }
    *fflags = 0;
    if (kn->filter == EVFILT_EXCEPT) {
        *fflags = revents & POLLPRI ? NOTE_OOB : 0;
        if (revents & POLLPRI) return true;
        if (is->except == URGENT) return false;
    }
    if (end) {
        *flags |= EV_EOF;
        // This cannot tell the error itself without taking it.
        if (revents & POLLERR) *fflags = 54; // this is ECONNRESET there, and has the bit of NOTE_OOB set
        return true;
    }
    if (revents & POLLERR) return true; // this is a datagram's error, which passes
    if (kn->filter == EVFILT_READ && kn->sfflags & NOTE_LOWAT) {
        int count = 0;
        ioctl(kn->ident, FIONREAD, &count);
        return count >= kn->sdata;
    }
    return revents & (POLLIN | POLLOUT);
}

static bool has_exited(pid_t child, int pidfd) {
    struct pollfd fd = {pidfd, POLLIN, 0};
    if (poll(&fd, 1, 0) != 1) return false;
    struct ending *ending = endings;
    while (ending && ending->child != child) ending = ending->next;
    if (!ending && (ending = calloc(1, sizeof *ending))) {
        *ending = (struct ending){endings, child, now() + SECOND / 200};
        endings = ending;
    }
    return true;
}

// Returns how long it takes until `child` can be waited for.
static int64_t still_ending(pid_t child) {
    lock();
    struct ending *ending = endings;
    while (ending && ending->child != child) ending = ending->next;
    int64_t left = ending ? ending->until - now() : 0;
    unlock();
    return left;
}

static void was_waited_for(pid_t child) {
    lock();
    for (struct ending **link = &endings; *link; link = &(*link)->next) {
        if ((*link)->child != child) continue;
        struct ending *ending = *link;
        *link = ending->next;
        free(ending);
        break;
    }
    unlock();
}

// Returns whether the filter is true now, and what it reports.
static bool is_ready(struct knote *kn, struct kevent *event) {
    uint32_t fflags = 0;
    if (kn->filter == EVFILT_USER) {
        *event = (struct kevent){kn->ident, kn->filter, kn->flags, kn->sfflags & 0xffffff, 0, kn->udata};
        return kn->triggered;
    }
    if (!has_descriptor(kn->filter)) {
        uint64_t expirations = 0;
        // A timer that has expired stays expired until its event is returned, although its expirations were read.
        if (kn->filter == EVFILT_TIMER) kn->triggered |= read(kn->fd, &expirations, 8) == 8;
        bool ready = kn->filter == EVFILT_PROC ? has_exited(kn->ident, kn->fd) : kn->triggered;
        if (ready && kn->filter == EVFILT_PROC) kn->flags |= EV_EOF | EV_ONESHOT;
        *event = (struct kevent){kn->ident, kn->filter, kn->flags, kn->sfflags, expirations, kn->udata};
        return ready;
    }
    struct pollfd fd = {kn->ident, kn->filter == EVFILT_WRITE ? POLLOUT | POLLRDHUP : POLLIN | POLLRDHUP, 0};
    if (kn->filter == EVFILT_EXCEPT) fd.events |= POLLPRI;
    poll(&fd, 1, 0);
    bool ready;
    int data = 0;
    struct stat file;
    switch (kn->kind) {
    case PIPE: ready = pipe_is_ready(kn, fd.revents, &kn->flags); break;
    case SOCKET: ready = socket_is_ready(kn, fd.revents, &kn->flags, &fflags); break;
    case FILE_:
        fstat(kn->ident, &file);
        ready = kn->filter == EVFILT_WRITE || file.st_size > lseek(kn->ident, 0, SEEK_CUR);
        break;
    default:
        if (fd.revents & (POLLHUP | POLLERR)) kn->flags |= EV_EOF;
        if (fd.revents & POLLHUP && kn->kind == TTY && is->last_of_tty) kn->flags |= EV_ONESHOT;
        ready = fd.revents & (POLLIN | POLLOUT | POLLHUP | POLLERR);
    }
    if (kn->filter == EVFILT_READ) ioctl(kn->ident, FIONREAD, &data);
    uint16_t flags = kn->flags;
    if (flags & EV_EOF && is->nodata && data == 0) flags |= EV_NODATA;
    *event = (struct kevent){kn->ident, kn->filter, flags, fflags, data, kn->udata};
    return ready;
}

static int attach_process(struct knote *kn) {
    if (!(kn->sfflags & NOTE_EXIT)) return EINVAL;
    kn->flags |= EV_CLEAR;
    kn->fd = syscall(SYS_pidfd_open, (pid_t)kn->ident, 0);
    if (kn->fd == -1) return errno;
    return !is->zombies && has_exited(kn->ident, kn->fd) ? ESRCH : 0;
}

static int attach_timer(struct knote *kn) {
    kn->flags |= EV_CLEAR;
    kn->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (kn->fd == -1) return errno;
    struct timespec time = {kn->sdata / 1000, kn->sdata % 1000 * 1000000};
    struct itimerspec period = {kn->flags & EV_ONESHOT ? (struct timespec){0, 0} : time, time};
    return timerfd_settime(kn->fd, 0, &period, NULL) ? errno : 0;
}

// Attaches a knote that has no descriptor in the program.
static int attach_other(struct knote *kn) {
    kn->fd = -1;
    int error = kn->filter == EVFILT_PROC ? attach_process(kn) : kn->filter == EVFILT_TIMER ? attach_timer(kn) : 0;
    struct epoll_event event = {EPOLLIN | EPOLLET, {kn}};
    if (!error && kn->fd != -1 && epoll_ctl(epoll_of(kn), EPOLL_CTL_ADD, kn->fd, &event)) error = errno;
    if (error) {
        if (kn->fd != -1) real_close(kn->fd);
        return error;
    }
    kn->next = kn->kq->others;
    kn->kq->others = kn;
    return 0;
}

static int attach(struct knote *kn) {
    kn->fd = kn->ident;
    struct stat stat;
    if (fstat(kn->ident, &stat)) return errno;
    kn->kind = S_ISFIFO(stat.st_mode)  ? PIPE
             : S_ISSOCK(stat.st_mode)  ? SOCKET
             : S_ISREG(stat.st_mode)   ? FILE_
             : isatty(kn->ident)       ? TTY
                                       : OTHER;
    if (kn->filter == EVFILT_EXCEPT && kn->kind != SOCKET) return EINVAL;
    if (kn->kind == PIPE && is->wrong_end == REFUSED && !is_of_own_end(kn)) return EINVAL;
    int error = 0;
    if (kn->kind == PIPE && kn->filter == EVFILT_WRITE && is->no_peer) {
        struct pollfd fd = {kn->ident, 0, 0};
        poll(&fd, 1, 0);
        if (fd.revents & (POLLERR | POLLHUP)) error = is->no_peer;
        if (error && !is->attached_all_the_same) return error;
    }
    uint32_t events = kn->filter == EVFILT_WRITE ? EPOLLOUT : EPOLLIN | EPOLLRDHUP;
    if (kn->filter == EVFILT_EXCEPT) events |= EPOLLPRI;
    struct epoll_event event = {events | EPOLLET, {kn}};
    if (epoll_ctl(epoll_of(kn), EPOLL_CTL_ADD, kn->ident, &event) && kn->kind != FILE_) return errno;
    struct slot *slot = slots + kn->ident;
    kn->next = slot->knotes;
    slot->knotes = kn;
    return error;
}

// A failure on demand, for tests/kqueue_faults.rs: of a call, or of a change that needs memory.
static struct fault {
    int calls, changes, error; // how many succeed before the failure
    bool happened;
} fault = {-1, -1, 0, false};

void fail_kevent(int calls, int changes, int error) {
    lock();
    fault = (struct fault){calls, changes, error, false};
    unlock();
}

bool kevent_has_failed(void) {
    lock();
    bool happened = fault.happened;
    fault = (struct fault){-1, -1, 0, false};
    unlock();
    return happened;
}

static int fails(int *left) {
    if (*left < 0 || (*left)--) return 0;
    fault.happened = true;
    return fault.error;
}

static struct knote *find(struct kqueue *kq, const struct kevent *change) {
    struct knote *kn = *knotes_of(kq, change->filter, change->ident);
    while (kn && (kn->kq != kq || kn->filter != change->filter || kn->ident != change->ident)) kn = kn->next;
    return kn;
}

static int apply(struct kqueue *kq, const struct kevent *change) {
    int error = 0;
    switch (change->filter) {
    case EVFILT_EXCEPT:
        if (is->except == NOTHING) return EINVAL;
        // fall through
    case EVFILT_READ:
    case EVFILT_WRITE: {
        struct stat stat;
        if (change->ident > INT_MAX || fstat(change->ident, &stat)) return EBADF;
        if (change->ident == (uintptr_t)kq->fd) return EINVAL;
        struct slot *slot = slot_of(change->ident);
        if (!slot) return ENOMEM;
        if (slot->ino != stat.st_ino) { // a call that this file does not see has closed it
            while (slot->knotes) drop(slot->knotes);
            *slot = (struct slot){.ino = stat.st_ino};
        }
        break;
    }
    case EVFILT_PROC:
    case EVFILT_TIMER: break;
    case EVFILT_USER:
        if (is->has_user) break;
        // fall through
    default: return EINVAL;
    }

    struct knote *kn = find(kq, change);
    if (!kn) {
        if (!(change->flags & EV_ADD)) return ENOENT;
        if ((error = fails(&fault.changes))) return error;
        if (!(kn = calloc(1, sizeof *kn))) return ENOMEM;
        kn->kq = kq;
        kn->ident = change->ident;
        kn->filter = change->filter;
        // These flags never change.
        kn->flags = is->keeps_flags ? change->flags : change->flags & ~(EV_ADD | EV_DELETE | EV_ENABLE | EV_DISABLE);
        kn->sfflags = change->fflags;
        kn->sdata = change->data;
        error = has_descriptor(kn->filter) ? attach(kn) : attach_other(kn);
        if (error && !(is->attached_all_the_same && has_descriptor(kn->filter))) {
            free(kn);
            return error;
        }
    } else if (change->flags & EV_DELETE) {
        drop(kn);
        return 0;
    } else if (kn->filter == EVFILT_USER && change->fflags & NOTE_TRIGGER) {
        kn->triggered = true; // a new event is not triggered, because the kernels empty `fflags` before they look at it
    }
    kn->udata = change->udata;
    kn->sfflags = change->fflags;
    kn->sdata = change->data;
    if (change->flags & EV_ENABLE) kn->disabled = false;
    if (change->flags & EV_DISABLE) {
        kn->disabled = true;
        dequeue(kn);
    }
    struct kevent event;
    if (is_ready(kn, &event)) enqueue(kn);
    return error;
}

static int scan(struct kqueue *kq, struct kevent *events, int room) {
    for (int i = 0; i < 3; i++) {
        struct epoll_event happened[64];
        int count;
        do {
            count = epoll_wait(kq->filters[i], happened, 64, 0);
            for (int j = 0; j < count; j++) {
                if (!is_deaf(happened[j].data.ptr)) enqueue(happened[j].data.ptr);
            }
        } while (count == 64);
    }
    // Knotes that stay queued go to the end, so that this looks at each only once.
    int count = 0;
    struct knote *kn, *last = TAILQ_LAST(&kq->queue, queue);
    for (bool more = last; more && count < room;) {
        kn = TAILQ_FIRST(&kq->queue);
        more = kn != last;
        dequeue(kn);
        if (!is_ready(kn, &events[count])) continue;
        count++;
        if (kn->flags & EV_ONESHOT) {
            drop(kn);
        } else if (kn->flags & (EV_CLEAR | EV_DISPATCH)) {
            if (kn->flags & EV_CLEAR) kn->triggered = false;
            if (kn->flags & EV_DISPATCH) kn->disabled = true;
        } else {
            kn->queued = true;
            TAILQ_INSERT_TAIL(&kq->queue, kn, queue);
        }
    }
    eventfd_t none;
    if (TAILQ_EMPTY(&kq->queue)) eventfd_read(kq->queued, &none);
    return count;
}

static struct kqueue *find_kqueue(int fd) {
    struct kqueue *kq = kqueues;
    while (kq && kq->fd != fd) kq = kq->next;
    return kq;
}

int kqueue(void) {
    struct kqueue *kq = calloc(1, sizeof *kq);
    if (!kq) return fail(ENOMEM);
    int all[5];
    for (int i = 0; i < 5; i++) {
        all[i] = i < 4 ? epoll_create1(i ? EPOLL_CLOEXEC : 0) : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (all[i] == -1) {
            int error = errno;
            while (i--) real_close(all[i]);
            free(kq);
            return fail(error);
        }
    }
    kq->fd = all[0];
    memcpy(kq->filters, all + 1, sizeof kq->filters);
    kq->queued = all[4];
    for (int i = 1; i < 5; i++) epoll_ctl(kq->fd, EPOLL_CTL_ADD, all[i], &(struct epoll_event){EPOLLIN, {0}});
    TAILQ_INIT(&kq->queue);
    lock();
    kq->next = kqueues;
    kqueues = kq;
    unlock();
    return kq->fd;
}

int kevent(int fd, const struct kevent *changes, int nchanges, struct kevent *events, int nevents, const struct timespec *timeout) {
    if (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= SECOND)) return fail(EINVAL);
    if (timeout && is->longest && timeout->tv_sec > is->longest) return fail(EINVAL);
    int64_t deadline = timeout ? now() + timeout->tv_sec * SECOND + timeout->tv_nsec : 0;
    int answers = 0;
    lock();
    struct kqueue *kq = find_kqueue(fd);
    int error = fails(&fault.calls);
    // A signal arrives after the changes are made.
    for (int i = 0; kq && (!error || error == EINTR) && i < nchanges; i++) {
        struct kevent change = changes[i]; // an answer may overwrite the original
        int failure = apply(kq, &change);
        if (!failure && !(change.flags & EV_RECEIPT)) continue;
        if (answers == nevents) {
            unlock();
            return failure ? fail(failure) : answers;
        }
        change.flags = is->keeps_flags ? change.flags | EV_ERROR : EV_ERROR;
        change.data = failure;
        events[answers++] = change;
    }
    if (error) {
        unlock();
        return fail(error);
    }
    while (kq && !answers && nevents > 0 && !(answers = scan(kq, events, nevents))) {
        unlock();
        int64_t left = timeout ? deadline - now() : INT64_MAX;
        if (left <= 0) {
            static int time_outs;
            bool is_error = is->etimedout && (timeout->tv_sec || timeout->tv_nsec) && __atomic_fetch_add(&time_outs, 1, 0) % 2;
            return is_error ? fail(ETIMEDOUT) : 0;
        }
        struct epoll_event event;
        struct timespec wait = {left / SECOND, left % SECOND};
        if (epoll_pwait2(fd, &event, 1, timeout ? &wait : NULL, NULL) == -1) return -1;
        lock();
        kq = find_kqueue(fd);
    }
    unlock();
    return kq ? answers : fail(EBADF);
}

// These calls do something to watched descriptors without kevent(2).

// Sets off the filters of one kind that are true now.
static void set_off(int fd, int16_t filter) {
    struct kevent event;
    for (struct knote *kn = fd >= 0 && fd < slot_count ? slots[fd].knotes : NULL; kn; kn = kn->next) {
        if (kn->filter == filter && is_ready(kn, &event)) enqueue(kn);
    }
}

int shutdown(int fd, int how) {
    int result = syscall(SYS_shutdown, fd, how);
    struct stat stat;
    if (result || fstat(fd, &stat)) return result;
    lock();
    struct slot *slot = slot_of(fd);
    if (slot) {
        if (slot->ino != stat.st_ino && !slot->knotes) *slot = (struct slot){.ino = stat.st_ino};
        slot->shut |= how == SHUT_RD ? 1 : how == SHUT_WR ? 2 : 3;
        if (how != SHUT_WR) set_off(fd, EVFILT_READ);
        if (how != SHUT_RD) set_off(fd, EVFILT_WRITE);
    }
    unlock();
    return 0;
}

// Each acknowledgement of sent data makes room. That is news to EVFILT_WRITE, even where there was room before.
static ssize_t sent(int fd, ssize_t result) {
    int type = 0, error = errno;
    if (result > 0 && !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &(socklen_t){sizeof type}) && type == SOCK_STREAM) {
        // This may be the handler of a signal that has interrupted the holder of the lock.
        if (!pthread_mutex_trylock(&mutex)) {
            set_off(fd, EVFILT_WRITE);
            unlock();
        }
    }
    errno = error;
    return result;
}

ssize_t write(int fd, const void *data, size_t size) { return sent(fd, syscall(SYS_write, fd, data, size)); }
ssize_t writev(int fd, const struct iovec *data, int count) { return sent(fd, syscall(SYS_writev, fd, data, count)); }
ssize_t send(int fd, const void *data, size_t size, int flags) {
    return sent(fd, syscall(SYS_sendto, fd, data, size, flags, NULL, 0));
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) { return sent(fd, syscall(SYS_sendmsg, fd, message, flags)); }

// These calls tell a program about its children.

pid_t waitpid(pid_t child, int *status, int options) {
    int64_t left = still_ending(child);
    if (left > 0 && options & WNOHANG) return 0;
    if (left > 0) nanosleep(&(struct timespec){0, left}, NULL);
    pid_t result = syscall(SYS_wait4, child, status, options, NULL);
    if (result > 0) was_waited_for(result);
    return result;
}

int waitid(idtype_t type, id_t child, siginfo_t *info, int options) {
    int64_t left = type == P_PID ? still_ending(child) : 0;
    if (left > 0 && options & WNOHANG) return 0;
    if (left > 0) nanosleep(&(struct timespec){left / SECOND, left % SECOND}, NULL);
    return syscall(SYS_waitid, type, child, info, options, NULL);
}

// A double of event ports, port_create(3C), on Linux, with which `ci/event_ports` runs the tests of that backend. It is linked
// into each test program. Its behaviour follows Solaris's manual pages and illumos's documentation.
//
// A port is an epoll of two things: an epoll in which the associations are one-shot, and an eventfd that is readable while
// events are queued. An event of a descriptor says what was ready when it was queued, and may be out of date when the program
// gets it. As on illumos, the association of something that is already ready does not end a sleep on the port's descriptor,
// which is readable from the next look at it on.
#define _GNU_SOURCE
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/stat.h>

#include "double.h"

// This is the same as in src/sys/event_ports/linux_double.rs.
typedef struct {
    int portev_events;
    unsigned short portev_source;
    unsigned short portev_pad;
    uintptr_t portev_object;
    void *portev_user;
} port_event_t;

enum { PORT_SOURCE_USER = 3, PORT_SOURCE_FD = 4, PORT_MAX_LIST = 8192 };

// There can be so many associations and packets: process.max-port-events.
enum { MOST_SLOTS = 65536 };

// This is Solaris's number for it.
#undef EBADFD
enum { EBADFD = 81 };

struct event {
    TAILQ_ENTRY(event) queue;
    port_event_t event;
    bool is_quiet; // it was ready when it was associated, and nobody has looked since
};

// An association exists from port_associate(3C) until the program gets its event.
struct association {
    bool is_there;
    struct event *queued;
    ino_t ino;
    int events;
    void *user;
};

struct port {
    struct port *next;
    int fd, watched, has_queued; // the outer epoll, the inner one, and the eventfd
    TAILQ_HEAD(, event) queue;
    int queued, slots, sleeping; // sleeping: the threads in port_getn(3C)
    struct association *by_fd;
    int fd_count;
};

static struct port *ports;

static struct port *find(int fd) {
    struct port *port = ports;
    while (port && port->fd != fd) port = port->next;
    return port;
}

static void tell(struct port *port) { eventfd_write(port->has_queued, 1); }

static void enqueue(struct port *port, struct event *event) {
    TAILQ_INSERT_TAIL(&port->queue, event, queue);
    port->queued++;
}

static void enqueue_fd(struct port *port, int fd, int ready) {
    struct association *it = &port->by_fd[fd];
    if (it->queued) it->queued->event.portev_events |= ready;
    struct event *event = it->is_there && !it->queued ? calloc(1, sizeof *event) : NULL;
    if (!event) return;
    event->event = (port_event_t){ready, PORT_SOURCE_FD, 0, fd, it->user};
    it->queued = event;
    enqueue(port, event);
}

static void dequeue(struct port *port, struct event *event) {
    TAILQ_REMOVE(&port->queue, event, queue);
    if (event->event.portev_source == PORT_SOURCE_FD) port->by_fd[event->event.portev_object].queued = NULL;
    eventfd_t count;
    if (!--port->queued) eventfd_read(port->has_queued, &count);
    free(event);
}

// Ends an association, and removes the event that is queued for it.
static void end(struct port *port, int fd) {
    struct association *it = &port->by_fd[fd];
    if (it->queued) dequeue(port, it->queued);
    if (it->is_there) port->slots--;
    it->is_there = false;
    epoll_ctl(port->watched, EPOLL_CTL_DEL, fd, NULL);
}

static void free_port(struct port *port) {
    while (!TAILQ_EMPTY(&port->queue)) dequeue(port, TAILQ_FIRST(&port->queue));
    real_close(port->watched);
    real_close(port->has_queued);
    free(port->by_fd);
    free(port);
}

static void forget(int fd) {
    lock();
    for (struct port **link = &ports, *port; (port = *link);) {
        if (fd >= 0 && fd < port->fd_count && port->by_fd[fd].ino) {
            end(port, fd);
            port->by_fd[fd].ino = 0;
        }
        if (port->fd == fd) {
            *link = port->next;
            free_port(port);
        } else {
            link = &port->next;
        }
    }
    unlock();
}

// A child has the ports of its parent, but none of their associations.
static void forget_all(void) {
    pthread_mutex_init(&mutex, NULL);
    for (struct port *port = ports; port; port = port->next) {
        real_close(port->watched);
        real_close(port->has_queued);
    }
    ports = NULL;
}

__attribute__((constructor)) static void start(void) { pthread_atfork(lock, unlock, forget_all); }

int port_create(void) {
    struct port *port = calloc(1, sizeof *port);
    if (!port) return fail(ENOMEM);
    TAILQ_INIT(&port->queue);
    port->fd = epoll_create1(0);
    port->watched = epoll_create1(EPOLL_CLOEXEC);
    port->has_queued = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (port->fd == -1 || port->watched == -1 || port->has_queued == -1) {
        int error = errno;
        real_close(port->fd);
        free_port(port);
        return fail(error);
    }
    epoll_ctl(port->fd, EPOLL_CTL_ADD, port->watched, &(struct epoll_event){EPOLLIN, {0}});
    epoll_ctl(port->fd, EPOLL_CTL_ADD, port->has_queued, &(struct epoll_event){EPOLLIN, {0}});
    lock();
    port->next = ports;
    ports = port;
    unlock();
    return port->fd;
}

static int associate(struct port *port, int fd, int events, void *user) {
    struct stat stat;
    if (fstat(fd, &stat)) return EBADFD;
    if (fd == port->fd) return EINVAL;
    if (fd >= port->fd_count) {
        int count = fd + 1 > 2 * port->fd_count ? fd + 1 : 2 * port->fd_count;
        struct association *more = reallocarray(port->by_fd, count, sizeof *more);
        if (!more) return ENOMEM;
        for (int i = port->fd_count; i < count; i++) more[i] = (struct association){0};
        port->by_fd = more;
        port->fd_count = count;
    }
    struct association *it = &port->by_fd[fd];
    if (it->ino && it->ino != stat.st_ino) { // a call that this file does not see has closed it
        end(port, fd);
        it->ino = 0;
    }
    if (!it->is_there && port->slots == MOST_SLOTS) return EAGAIN;
    if (it->queued) dequeue(port, it->queued);
    struct port *inner = find(fd);
    if (inner && inner->queued) tell(inner);
    struct epoll_event event = {EPOLLONESHOT, {.fd = fd}};
    if (epoll_ctl(port->watched, EPOLL_CTL_MOD, fd, &event)) {
        if (errno != ENOENT || epoll_ctl(port->watched, EPOLL_CTL_ADD, fd, &event)) return errno;
    }
    if (!it->is_there) port->slots++;
    *it = (struct association){.is_there = true, .ino = stat.st_ino, .events = events, .user = user};
    struct pollfd now = {fd, events, 0};
    if (poll(&now, 1, 0) == 1) {
        enqueue_fd(port, fd, now.revents);
        if (it->queued) it->queued->is_quiet = true;
        if (port->sleeping) tell(port);
    }
    event.events |= events & ~now.revents; // what comes while the event is queued is added to it
    return epoll_ctl(port->watched, EPOLL_CTL_MOD, fd, &event) ? errno : 0;
}

int port_associate(int fd, int source, uintptr_t object, int events, void *user) {
    if (source != PORT_SOURCE_FD) return fail(EINVAL);
    lock();
    struct port *port = find(fd);
    int error = port ? associate(port, object, events, user) : EBADF;
    unlock();
    return error ? fail(error) : 0;
}

int port_dissociate(int fd, int source, uintptr_t object) {
    if (source != PORT_SOURCE_FD) return fail(EINVAL);
    lock();
    struct port *port = find(fd);
    bool is_there = port && object < (uintptr_t)port->fd_count && port->by_fd[object].is_there;
    if (is_there) end(port, object);
    unlock();
    return !port ? fail(EBADF) : is_there ? 0 : fail(ENOENT);
}

int port_send(int fd, int events, void *user) {
    lock();
    struct port *port = find(fd);
    struct event *event = NULL;
    int error = !port ? EBADF : port->slots == MOST_SLOTS ? EAGAIN : (event = calloc(1, sizeof *event)) ? 0 : ENOMEM;
    if (event) {
        event->event = (port_event_t){events, PORT_SOURCE_USER, 0, fd, user};
        port->slots++;
        enqueue(port, event);
        tell(port);
    }
    unlock();
    return error ? fail(error) : 0;
}

// Queues the events of descriptors that have become ready, and takes back those of descriptors that are no longer ready.
static void scan(struct port *port) {
    for (int fd = 0; fd < port->fd_count; fd++) {
        struct association *it = &port->by_fd[fd];
        if (!it->queued || !it->queued->is_quiet) continue;
        struct pollfd now = {fd, it->events, 0};
        it->queued->is_quiet = false;
        if (poll(&now, 1, 0) == 1) {
            it->queued->event.portev_events = now.revents;
            continue;
        }
        dequeue(port, it->queued);
        epoll_ctl(port->watched, EPOLL_CTL_MOD, fd, &(struct epoll_event){it->events | EPOLLONESHOT, {.fd = fd}});
    }
    struct epoll_event ready[64];
    int count;
    do {
        count = epoll_wait(port->watched, ready, 64, 0);
        for (int i = 0; i < count; i++) enqueue_fd(port, ready[i].data.fd, ready[i].events);
        if (count > 0 && port->queued) tell(port);
    } while (count == 64);
}

// Waits until there are `*count` events, and gets those that there are, at most `room`, even with ETIME and EINTR. If it gets
// none with these errors, it does not write the count.
int port_getn(int fd, port_event_t *events, unsigned room, unsigned *count, const struct timespec *timeout) {
    if (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= SECOND)) return fail(EINVAL);
    if (room > PORT_MAX_LIST || (room && (*count == 0 || *count > room))) return fail(EINVAL);
    int64_t deadline = timeout ? now() + timeout->tv_sec * SECOND + timeout->tv_nsec : 0;
    int error = 0;
    lock();
    struct port *port;
    for (;;) {
        port = find(fd);
        if (port) scan(port);
        if (!port || room == 0 || port->queued >= (int)*count || error) break;
        port->sleeping++;
        unlock();
        int64_t left = timeout ? deadline - now() : INT64_MAX;
        struct epoll_event event;
        struct timespec wait = {left / SECOND, left % SECOND};
        if (left <= 0) error = ETIME;
        else if (epoll_pwait2(fd, &event, 1, timeout ? &wait : NULL, NULL) == -1) error = errno;
        usleep(20); // so that this also gets what the thread that has woken it sends next
        lock();
        if ((port = find(fd))) port->sleeping--;
    }
    if (!port) {
        unlock();
        return fail(EBADF);
    }
    if (room == 0) {
        *count = port->queued;
        unlock();
        return 0;
    }
    unsigned got = 0;
    while (got < room && !TAILQ_EMPTY(&port->queue)) {
        struct event *event = TAILQ_FIRST(&port->queue);
        events[got++] = event->event;
        port->slots--;
        if (event->event.portev_source == PORT_SOURCE_FD) port->by_fd[event->event.portev_object].is_there = false;
        dequeue(port, event);
    }
    if (port->queued) tell(port);
    unlock();
    if (got || !error) *count = got;
    return error ? fail(error) : 0;
}

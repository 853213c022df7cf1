// What Swift's Glibc module does not import. No _GNU_SOURCE: its fd_set would not be Glibc's.
#ifndef REILETA_LINUX_H
#define REILETA_LINUX_H

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// A `static inline` function has an address of its own in each module, so `errno` is read here,
// next to the call that set it, and never in an async function.
static inline int reileta_errno(void) { return errno; }

static inline int reileta_gettid(void) { return (int)syscall(SYS_gettid); }

int accept4(int, struct sockaddr *, socklen_t *, int);

// The thread we are on, as a number. `pthread_self` is declared const, so that a compiler may keep
// its value across an await; volatile assembly is read anew each time, and costs a nanosecond.
static inline uintptr_t reileta_thread(void) {
    uintptr_t thread;
#if defined(__x86_64__)
    __asm__ volatile("mov %%fs:0, %0" : "=r"(thread));
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(thread));
#else
    thread = (uintptr_t)reileta_gettid();
#endif
    return thread;
}

// System calls that return what they return, or -errno; interrupted ones are tried again. They are
// never inlined: `__errno_location` is const too, and a caller may be an async function that has
// changed threads.
#define REILETA_CALL static __attribute__((noinline, unused))
#define REILETA_RETRY(type, call)                      \
    type result;                                       \
    do { result = (call); } while (result < 0 && errno == EINTR); \
    return result < 0 ? -errno : result

// A socket address as plain numbers in the machine's byte order; v4 in the low half.
struct reileta_address {
    uint64_t high;
    uint64_t low;
    uint16_t port;
    uint8_t v6;
};

static inline socklen_t reileta_fill(struct reileta_address from, struct sockaddr_storage *to) {
    memset(to, 0, sizeof *to);
    if (from.v6) {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
        uint64_t high = __builtin_bswap64(from.high), low = __builtin_bswap64(from.low);
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(from.port);
        memcpy(&v6->sin6_addr, &high, 8);
        memcpy((char *)&v6->sin6_addr + 8, &low, 8);
        return sizeof *v6;
    }
    struct sockaddr_in *v4 = (struct sockaddr_in *)to;
    v4->sin_family = AF_INET;
    v4->sin_port = htons(from.port);
    v4->sin_addr.s_addr = htonl((uint32_t)from.low);
    return sizeof *v4;
}

// Of another family than the two: all zero.
static inline struct reileta_address reileta_read_address(const struct sockaddr *from) {
    struct reileta_address to = {0, 0, 0, 0};
    if (from->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)from;
        memcpy(&to.high, &v6->sin6_addr, 8);
        memcpy(&to.low, (const char *)&v6->sin6_addr + 8, 8);
        to.high = __builtin_bswap64(to.high);
        to.low = __builtin_bswap64(to.low);
        to.port = ntohs(v6->sin6_port);
        to.v6 = 1;
    } else if (from->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)from;
        to.low = ntohl(v4->sin_addr.s_addr);
        to.port = ntohs(v4->sin_port);
    }
    return to;
}

REILETA_CALL int reileta_socket(int v6) {
    REILETA_RETRY(int, socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
}

REILETA_CALL int reileta_bind(int fd, struct reileta_address address) {
    struct sockaddr_storage storage;
    socklen_t length = reileta_fill(address, &storage);
    REILETA_RETRY(int, bind(fd, (struct sockaddr *)&storage, length));
}

REILETA_CALL int reileta_connect(int fd, struct reileta_address address) {
    struct sockaddr_storage storage;
    socklen_t length = reileta_fill(address, &storage);
    // Not tried again: an interrupted connect goes on by itself, as one that would block does.
    int result = connect(fd, (struct sockaddr *)&storage, length);
    return result < 0 ? (errno == EINTR ? -EINPROGRESS : -errno) : result;
}

REILETA_CALL int reileta_listen(int fd, int backlog) { REILETA_RETRY(int, listen(fd, backlog)); }

REILETA_CALL int reileta_accept(int fd, struct reileta_address *peer) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    int result;
    do {
        result = accept4(fd, (struct sockaddr *)&storage, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return -errno;
    *peer = reileta_read_address((struct sockaddr *)&storage);
    return result;
}

REILETA_CALL int reileta_local_address(int fd, struct reileta_address *address) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    if (getsockname(fd, (struct sockaddr *)&storage, &length) < 0) return -errno;
    *address = reileta_read_address((struct sockaddr *)&storage);
    return 0;
}

REILETA_CALL int reileta_peer_address(int fd, struct reileta_address *address) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    if (getpeername(fd, (struct sockaddr *)&storage, &length) < 0) return -errno;
    *address = reileta_read_address((struct sockaddr *)&storage);
    return 0;
}

REILETA_CALL int reileta_set_option(int fd, int level, int name, int value) {
    return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

// The error that a non-blocking connect ended with, 0 for none.
REILETA_CALL int reileta_socket_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
    return error;
}

REILETA_CALL ssize_t reileta_recv(int fd, void *buffer, size_t length) {
    REILETA_RETRY(ssize_t, recv(fd, buffer, length, 0));
}

REILETA_CALL ssize_t reileta_send(int fd, const void *buffer, size_t length) {
    REILETA_RETRY(ssize_t, send(fd, buffer, length, MSG_NOSIGNAL));
}

REILETA_CALL ssize_t reileta_send_vector(int fd, struct iovec *parts, size_t count) {
    struct msghdr message;
    memset(&message, 0, sizeof message);
    message.msg_iov = parts;
    message.msg_iovlen = count;
    REILETA_RETRY(ssize_t, sendmsg(fd, &message, MSG_NOSIGNAL));
}

REILETA_CALL ssize_t reileta_sendfile(int to, int from, int64_t offset, size_t length) {
    off_t start = offset;
    REILETA_RETRY(ssize_t, sendfile(to, from, &start, length));
}

REILETA_CALL ssize_t reileta_pread(int fd, void *buffer, size_t length, int64_t offset) {
    REILETA_RETRY(ssize_t, pread(fd, buffer, length, offset));
}

REILETA_CALL int reileta_open_to_read(const char *path) {
    REILETA_RETRY(int, open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
}

// The size of a regular file; negative for anything else.
REILETA_CALL int64_t reileta_file_size(int fd) {
    struct stat status;
    if (fstat(fd, &status) < 0) return -errno;
    return S_ISREG(status.st_mode) ? (int64_t)status.st_size : -EINVAL;
}

REILETA_CALL int reileta_shutdown_writing(int fd) { return shutdown(fd, SHUT_WR) < 0 ? -errno : 0; }

// Has `close` reset the connection.
REILETA_CALL int reileta_reset_on_close(int fd) {
    struct linger linger = {1, 0};
    return setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger) < 0 ? -errno : 0;
}

REILETA_CALL int reileta_close(int fd) { return close(fd) < 0 ? -errno : 0; }

REILETA_CALL int reileta_epoll_create(void) {
    REILETA_RETRY(int, epoll_create1(EPOLL_CLOEXEC));
}

REILETA_CALL int reileta_epoll_control(int epoll, int operation, int fd, uint32_t events, uint64_t data) {
    struct epoll_event event;
    event.events = events;
    event.data.u64 = data;
    return epoll_ctl(epoll, operation, fd, &event) < 0 ? -errno : 0;
}

REILETA_CALL int reileta_epoll_wait(int epoll, struct epoll_event *events, int count, int timeout) {
    int result = epoll_wait(epoll, events, count, timeout);
    return result < 0 ? -errno : result;
}

REILETA_CALL int reileta_eventfd(void) { REILETA_RETRY(int, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }

REILETA_CALL int reileta_eventfd_signal(int fd) {
    uint64_t one = 1;
    REILETA_RETRY(ssize_t, write(fd, &one, sizeof one));
}

REILETA_CALL uint64_t reileta_monotonic(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

REILETA_CALL void reileta_name_thread(const char *name) { prctl(PR_SET_NAME, name, 0, 0, 0); }

// Raises the soft limit of open files to the hard one and returns it.
REILETA_CALL uint64_t reileta_raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return 0;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur;
}

REILETA_CALL void reileta_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

// The stream addresses of a name, at most `limit`; how many, or the negative code of getaddrinfo.
REILETA_CALL int reileta_resolve(const char *name, uint16_t port, struct reileta_address *found, int limit) {
    struct addrinfo hints, *all = NULL;
    memset(&hints, 0, sizeof hints);
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    // EAI_ codes are negative already.
    int result = getaddrinfo(name, NULL, &hints, &all);
    if (result != 0) return result < 0 ? result : -result;
    int count = 0;
    for (struct addrinfo *one = all; one != NULL && count < limit; one = one->ai_next) {
        if (one->ai_family != AF_INET && one->ai_family != AF_INET6) continue;
        found[count] = reileta_read_address(one->ai_addr);
        found[count].port = port;
        count += 1;
    }
    freeaddrinfo(all);
    return count;
}

// The next of the blocked signals `set` within so many milliseconds, or -1.
static inline int reileta_wait_signal(const sigset_t *set, int milliseconds) {
    struct timespec limit = {milliseconds / 1000, (milliseconds % 1000) * 1000000L};
    return sigtimedwait(set, NULL, &limit);
}

#endif

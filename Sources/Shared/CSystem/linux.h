// What Swift's Glibc module does not import. No _GNU_SOURCE: its fd_set would not be Glibc's.
#ifndef REILETA_LINUX_H
#define REILETA_LINUX_H

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

// A `static inline` function has an address of its own in each module, so `errno` is read here,
// next to the call that set it, and never in an async function.
static inline int reileta_errno(void) { return errno; }

static inline int reileta_gettid(void) { return (int)syscall(SYS_gettid); }

int accept4(int, struct sockaddr *, socklen_t *, int);

#endif

/* asynchat - Python's asynchat programming model on standalone Asio
 * SPDX-License-Identifier: BSL-1.0
 *
 * The floor of the benchmark: the least that a server on epoll can do. */
#define _GNU_SOURCE
#include "echo.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

struct connection {
    int fd;
    int writing; /* waits for EPOLLOUT only */
    struct echo echo;
    char* rest; /* what the socket did not take */
    size_t rest_at, rest_size;
    char* rest_owned;
};

static char buffer[BUFFER], scratch[SCRATCH];
static int poller;

static void end(struct connection* c)
{
    close(c->fd);
    echo_free(&c->echo);
    free(c->rest_owned);
    free(c);
}

static void wait_for(struct connection* c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
    c->writing = events == EPOLLOUT;
}

static void readable(struct connection* c)
{
    size_t size;
    char* const into = echo_target(&c->echo, buffer, &size);
    const ssize_t got = recv(c->fd, into, size, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            end(c);
        return;
    }
    const char* reply;
    char* owned;
    const size_t answer = echo_feed(&c->echo, into, (size_t)got, scratch, &reply, &owned);
    if (answer == 0)
        return;
    ssize_t sent = send(c->fd, reply, answer, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        free(owned);
        end(c);
        return;
    }
    if (sent < 0)
        sent = 0;
    if ((size_t)sent == answer) {
        free(owned);
        return;
    }
    c->rest_size = answer - (size_t)sent;
    c->rest_at = 0;
    if (owned) {
        c->rest_owned = owned;
        c->rest = owned + sent;
    } else {
        c->rest = c->rest_owned = malloc(c->rest_size);
        memcpy(c->rest, reply + sent, c->rest_size);
    }
    wait_for(c, EPOLLOUT);
}

static void writable(struct connection* c)
{
    const ssize_t sent =
        send(c->fd, c->rest + c->rest_at, c->rest_size - c->rest_at, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN)
            end(c);
        return;
    }
    c->rest_at += (size_t)sent;
    if (c->rest_at < c->rest_size)
        return;
    free(c->rest_owned);
    c->rest = c->rest_owned = NULL;
    wait_for(c, EPOLLIN);
}

int main(int argc, char** argv)
{
    const int counted = echo_mode(argc, argv);
    const int listener = echo_listen();
    poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    static struct epoll_event events[128]; /* as many as Asio takes */
    for (;;) {
        const int ready = epoll_wait(poller, events, 128, -1);
        for (int i = 0; i < ready; ++i) {
            struct connection* c = events[i].data.ptr;
            if (c && c->writing)
                writable(c);
            else if (c)
                readable(c);
            else {
                const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0)
                    continue;
                c = calloc(1, sizeof *c);
                c->fd = fd;
                c->echo.counted = counted;
                event.data.ptr = c;
                epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
            }
        }
    }
}

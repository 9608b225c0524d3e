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
    const char* rest; /* what the socket did not take */
    size_t rest_size;
    char* copy; /* of the rest, unless it lies in the frame */
    struct connection *next, *previous;
};

static char buffer[BUFFER], scratch[SCRATCH];
static int poller;
static struct connection* all;

static void end(struct connection* c)
{
    if (c->previous)
        c->previous->next = c->next;
    else
        all = c->next;
    if (c->next)
        c->next->previous = c->previous;
    close(c->fd);
    echo_free(&c->echo);
    free(c->copy);
    free(c);
}

static void begin(int fd, int counted)
{
    struct connection* const c = calloc(1, sizeof *c);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    c->fd = fd;
    c->echo.counted = counted;
    c->next = all;
    if (all)
        all->previous = c;
    all = c;
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static void wait_for(struct connection* c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
    c->writing = events == EPOLLOUT;
}

/* Sends, and keeps what is left. */
static void deliver(struct connection* c, const char* data, size_t size)
{
    ssize_t sent = send(c->fd, data, size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        end(c);
        return;
    }
    if (sent < 0)
        sent = 0;
    if ((size_t)sent == size)
        return;
    c->rest = data + sent;
    c->rest_size = size - (size_t)sent;
    if (data == scratch) {
        c->copy = malloc(c->rest_size);
        c->rest = memcpy(c->copy, c->rest, c->rest_size);
    }
    wait_for(c, EPOLLOUT);
}

/* To everyone; who is still busy with the message before has lost the connection. */
static void broadcast(const char* data, size_t size)
{
    for (struct connection *c = all, *next; c; c = next) {
        next = c->next;
        if (c->writing)
            end(c);
        else
            deliver(c, data, size);
    }
}

static void readable(struct connection* c, int to_all)
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
    const size_t answer = echo_feed(&c->echo, into, (size_t)got, scratch, &reply);
    if (answer > 0 && to_all)
        broadcast(reply, answer);
    else if (answer > 0)
        deliver(c, reply, answer);
}

static void writable(struct connection* c)
{
    const ssize_t sent = send(c->fd, c->rest, c->rest_size, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN)
            end(c);
        return;
    }
    c->rest += sent;
    c->rest_size -= (size_t)sent;
    if (c->rest_size > 0)
        return;
    free(c->copy);
    c->copy = NULL;
    wait_for(c, EPOLLIN);
}

int main(int argc, char** argv)
{
    const int to_all = argc == 2 && !strcmp(argv[1], "broadcast");
    const int counted = to_all ? 0 : echo_mode(argc, argv);
    const int listener = echo_listen();
    poller = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
    static struct epoll_event events[128]; /* as many as Asio takes */
    for (;;) {
        const int ready = epoll_wait(poller, events, 128, -1);
        for (int i = 0; i < ready; ++i) {
            struct connection* const c = events[i].data.ptr;
            if (c && c->writing)
                writable(c);
            else if (c)
                readable(c, to_all);
            else {
                const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd >= 0)
                    begin(fd, counted);
            }
        }
    }
}

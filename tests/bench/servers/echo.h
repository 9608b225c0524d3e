/* asynchat - Python's asynchat programming model on standalone Asio
 * SPDX-License-Identifier: BSL-1.0
 *
 * The protocol of the benchmark, for the servers that get their input from a read or a callback:
 * lines are answered by themselves, "ECHO n\n" and n bytes by the n bytes. Written as one would
 * for one's own event loop: the answers to all messages of one receive are put together and leave
 * in one send; a counted frame that does not lie in the receive buffer as a whole is received
 * straight into memory of the connection, which is kept: a megabyte that is allocated and freed for
 * each frame costs 256 page faults, whenever malloc has given the last one back to the system. */
#ifndef ASYNCHAT_BENCH_ECHO_H
#define ASYNCHAT_BENCH_ECHO_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER = 65536, SCRATCH = 2 * BUFFER };

struct echo {
    int counted;
    char* part; /* of a line or header that is not complete */
    size_t part_size;
    char* frame; /* of a counted frame that did not come as a whole */
    size_t frame_room;
    size_t frame_size, frame_have; /* the size is 0 when there is none */
};

static inline void echo_free(struct echo* e)
{
    free(e->part);
    free(e->frame);
}

static inline void echo_keep(struct echo* e, const char* data, size_t size)
{
    e->part = (char*)realloc(e->part, e->part_size + size);
    memcpy(e->part + e->part_size, data, size);
    e->part_size += size;
}

static inline size_t echo_lines(struct echo* e, const char* data, size_t size, char* scratch)
{
    const char* const end = data + size;
    const char* newline;
    size_t answer = 0;
    while (data < end && (newline = (const char*)memchr(data, '\n', (size_t)(end - data)))) {
        const size_t line = (size_t)(newline + 1 - data);
        if (e->part_size > 0) {
            memcpy(scratch, e->part, e->part_size);
            answer = e->part_size;
            e->part_size = 0;
            free(e->part);
            e->part = NULL;
        }
        memcpy(scratch + answer, data, line);
        answer += line;
        data += line;
    }
    if (data < end)
        echo_keep(e, data, (size_t)(end - data));
    return answer;
}

static inline size_t echo_counted(struct echo* e, const char* data, size_t size, char* scratch)
{
    const char* const end = data + size;
    size_t answer = 0;
    while (data < end) {
        const char* const newline = (const char*)memchr(data, '\n', (size_t)(end - data));
        if (!newline) {
            echo_keep(e, data, (size_t)(end - data));
            break;
        }
        size_t count;
        if (e->part_size > 0) {
            echo_keep(e, data, (size_t)(newline + 1 - data));
            count = strtoul(e->part + 5, NULL, 10);
            e->part_size = 0;
            free(e->part);
            e->part = NULL;
        } else {
            count = strtoul(data + 5, NULL, 10);
        }
        data = newline + 1;
        const size_t there = (size_t)(end - data);
        if (count > there) {
            if (count > e->frame_room) {
                free(e->frame);
                e->frame = (char*)malloc(count);
                e->frame_room = count;
            }
            e->frame_size = count;
            e->frame_have = there;
            memcpy(e->frame, data, there);
            break;
        }
        memcpy(scratch + answer, data, count);
        answer += count;
        data += count;
    }
    return answer;
}

/* Where the next bytes are to be received: a frame, or the shared buffer. */
static inline char* echo_target(struct echo* e, char* buffer, size_t* size)
{
    if (e->frame_size == 0) {
        *size = BUFFER;
        return buffer;
    }
    *size = e->frame_size - e->frame_have;
    return e->frame + e->frame_have;
}

/* What to answer to `size` bytes that were received where echo_target() said: in the scratch, or in
 * the connection's own memory, until the next call. */
static inline size_t echo_feed(struct echo* e, const char* data, size_t size, char* scratch,
                               const char** reply)
{
    *reply = scratch;
    if (e->frame_size == 0)
        return (e->counted ? echo_counted : echo_lines)(e, data, size, scratch);
    e->frame_have += size;
    if (e->frame_have < e->frame_size)
        return 0;
    *reply = e->frame;
    e->frame_size = 0;
    return e->frame_have;
}

/* A listening socket on a port of the system's choice, which is printed. */
static inline int echo_listen(void)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in where;
    memset(&where, 0, sizeof where);
    where.sin_family = AF_INET;
    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof where;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* Linux: inherited by accept() */
    if (fd < 0 || bind(fd, (struct sockaddr*)&where, size) || listen(fd, 4096) ||
        getsockname(fd, (struct sockaddr*)&where, &size)) {
        perror("listen");
        exit(1);
    }
    printf("%d\n", ntohs(where.sin_port));
    fflush(stdout);
    return fd;
}

static inline int echo_mode(int argc, char** argv)
{
    if (argc == 2 && (!strcmp(argv[1], "lines") || !strcmp(argv[1], "counted")))
        return argv[1][0] == 'c';
    fprintf(stderr, "usage: %s lines|counted\n", argv[0]);
    exit(2);
}

#endif

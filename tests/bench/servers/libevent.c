/* asynchat - Python's asynchat programming model on standalone Asio
 * SPDX-License-Identifier: BSL-1.0
 *
 * libevent: bufferevents, lines by evbuffer_readln(), counted bytes moved from one evbuffer to the
 * other without a copy. */
#include "echo.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

struct connection {
    size_t missing; /* of a counted frame */
};

static int counted;

static void echo_lines_of(struct evbuffer* input, struct evbuffer* output)
{
    char* line;
    size_t size;
    while ((line = evbuffer_readln(input, &size, EVBUFFER_EOL_LF)) != NULL) {
        line[size] = '\n'; /* instead of the end of the string */
        evbuffer_add(output, line, size + 1);
        free(line);
    }
}

static void echo_frames_of(struct connection* c, struct evbuffer* input, struct evbuffer* output)
{
    for (;;) {
        char* header;
        if (c->missing == 0) {
            if ((header = evbuffer_readln(input, NULL, EVBUFFER_EOL_LF)) == NULL)
                return;
            c->missing = strtoul(header + 5, NULL, 10);
            free(header);
        }
        if (evbuffer_get_length(input) < c->missing)
            return;
        evbuffer_remove_buffer(input, output, c->missing);
        c->missing = 0;
    }
}

static void readable(struct bufferevent* channel, void* connection)
{
    struct evbuffer* const input = bufferevent_get_input(channel);
    struct evbuffer* const output = bufferevent_get_output(channel);
    if (counted)
        echo_frames_of(connection, input, output);
    else
        echo_lines_of(input, output);
}

static void ended(struct bufferevent* channel, short what, void* connection)
{
    (void)what;
    bufferevent_free(channel);
    free(connection);
}

static void accepted(struct evconnlistener* listener, evutil_socket_t fd, struct sockaddr* from,
                     int size, void* nothing)
{
    (void)from, (void)size, (void)nothing;
    struct bufferevent* const channel =
        bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(channel, readable, NULL, ended, calloc(1, sizeof(struct connection)));
    bufferevent_set_max_single_read(channel, BUFFER);
    bufferevent_set_max_single_write(channel, SCRATCH);
    bufferevent_enable(channel, EV_READ | EV_WRITE);
}

int main(int argc, char** argv)
{
    counted = echo_mode(argc, argv);
    struct event_base* const base = event_base_new();
    if (!evconnlistener_new(base, accepted, NULL, LEV_OPT_CLOSE_ON_FREE, -1, echo_listen()))
        return 1;
    return event_base_dispatch(base) < 0;
}

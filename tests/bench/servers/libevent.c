/* asynchat - Python's asynchat programming model on standalone Asio
 * SPDX-License-Identifier: BSL-1.0
 *
 * libevent's bufferevent and evbuffer, lines by evbuffer_search_eol(), answers moved without
 * copying. */
#include "echo.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

static int counted;

static void readable(struct bufferevent* connection, void* state)
{
    size_t* const missing = state;
    struct evbuffer* const in = bufferevent_get_input(connection);
    struct evbuffer* const out = bufferevent_get_output(connection);
    for (;;) {
        if (*missing > 0) {
            if (evbuffer_get_length(in) < *missing)
                return;
            evbuffer_remove_buffer(in, out, *missing);
            *missing = 0;
        }
        const struct evbuffer_ptr end = evbuffer_search_eol(in, NULL, NULL, EVBUFFER_EOL_LF);
        if (end.pos < 0)
            return;
        if (counted) {
            char header[64];
            const size_t size = (size_t)end.pos + 1;
            evbuffer_remove(in, header, size < sizeof header ? size : sizeof header);
            *missing = strtoul(header + 5, NULL, 10);
        } else {
            evbuffer_remove_buffer(in, out, (size_t)end.pos + 1);
        }
    }
}

static void ended(struct bufferevent* connection, short what, void* state)
{
    (void)what;
    free(state);
    bufferevent_free(connection);
}

static void accepted(struct evconnlistener* listener, evutil_socket_t fd, struct sockaddr* peer,
                     int size, void* base)
{
    (void)listener, (void)peer, (void)size;
    struct bufferevent* const connection =
        bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_setcb(connection, readable, NULL, ended, calloc(1, sizeof(size_t)));
    bufferevent_enable(connection, EV_READ | EV_WRITE);
}

int main(int argc, char** argv)
{
    counted = echo_mode(argc, argv);
    struct event_base* const base = event_base_new();
    evconnlistener_new(base, accepted, base, 0, -1, echo_listen());
    return event_base_dispatch(base);
}

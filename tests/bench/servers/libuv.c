/* asynchat - Python's asynchat programming model on standalone Asio
 * SPDX-License-Identifier: BSL-1.0
 *
 * libuv: one receive buffer for all, uv_try_write() first, uv_write() for what is left. */
#include "echo.h"

#include <uv.h>

struct connection {
    uv_tcp_t tcp;
    struct echo echo;
};

struct rest {
    uv_write_t request;
    char* copy; /* NULL if it lies in the frame */
};

static char buffer[BUFFER], scratch[SCRATCH];
static int counted;

static void closed(uv_handle_t* handle)
{
    struct connection* const c = (struct connection*)handle;
    echo_free(&c->echo);
    free(c);
}

static void allocate(uv_handle_t* handle, size_t suggested, uv_buf_t* into)
{
    (void)suggested;
    into->base = echo_target(&((struct connection*)handle)->echo, buffer, &into->len);
}

static void received(uv_stream_t* stream, ssize_t got, const uv_buf_t* from);

static void written(uv_write_t* request, int status)
{
    struct rest* const rest = (struct rest*)request;
    if (status == 0)
        uv_read_start(request->handle, allocate, received);
    free(rest->copy);
    free(rest);
}

static void received(uv_stream_t* stream, ssize_t got, const uv_buf_t* from)
{
    struct connection* const c = (struct connection*)stream;
    if (got < 0)
        uv_close((uv_handle_t*)stream, closed);
    if (got <= 0)
        return;
    const char* reply;
    const size_t answer = echo_feed(&c->echo, from->base, (size_t)got, scratch, &reply);
    if (answer == 0)
        return;
    uv_buf_t out = uv_buf_init((char*)reply, (unsigned)answer);
    int sent = uv_try_write(stream, &out, 1);
    if (sent < 0)
        sent = 0; /* an error shows again in uv_write() */
    if ((size_t)sent == answer)
        return;
    struct rest* const rest = malloc(sizeof *rest);
    out = uv_buf_init((char*)reply + sent, (unsigned)(answer - (size_t)sent));
    rest->copy = NULL;
    if (reply == scratch)
        out.base = rest->copy = memcpy(malloc(out.len), out.base, out.len);
    uv_read_stop(stream);
    uv_write(&rest->request, stream, &out, 1, written);
}

static void accepted(uv_stream_t* listener, int status)
{
    if (status < 0)
        return;
    struct connection* const c = calloc(1, sizeof *c);
    c->echo.counted = counted;
    uv_tcp_init(listener->loop, &c->tcp);
    if (uv_accept(listener, (uv_stream_t*)&c->tcp) == 0)
        uv_read_start((uv_stream_t*)&c->tcp, allocate, received);
    else
        uv_close((uv_handle_t*)&c->tcp, closed);
}

int main(int argc, char** argv)
{
    counted = echo_mode(argc, argv);
    uv_tcp_t listener;
    uv_tcp_init(uv_default_loop(), &listener);
    uv_tcp_open(&listener, echo_listen());
    if (uv_listen((uv_stream_t*)&listener, 4096, accepted) != 0)
        return 1;
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}

/* asynchat - Python's asynchat programming model on standalone Asio
 * SPDX-License-Identifier: BSL-1.0
 *
 * libuv: one buffer for all reads, uv_try_write() and uv_write() for what is left. */
#include "echo.h"

#include <uv.h>

struct connection {
    uv_tcp_t tcp; /* first */
    struct echo echo;
};

struct rest {
    uv_write_t request; /* first */
    char* memory;
};

static char buffer[BUFFER], scratch[SCRATCH];
static int counted;

static void allocate(uv_handle_t* handle, size_t suggested, uv_buf_t* to)
{
    (void)suggested;
    size_t size;
    to->base = echo_target(&((struct connection*)handle)->echo, buffer, &size);
    to->len = size;
}

static void closed(uv_handle_t* handle)
{
    echo_free(&((struct connection*)handle)->echo);
    free(handle);
}

static void written(uv_write_t* request, int status)
{
    struct rest* const rest = (struct rest*)request;
    uv_stream_t* const stream = request->handle;
    free(rest->memory);
    free(rest);
    if (status < 0 && !uv_is_closing((uv_handle_t*)stream))
        uv_close((uv_handle_t*)stream, closed);
}

static void readable(uv_stream_t* stream, ssize_t size, const uv_buf_t* from)
{
    if (size == 0)
        return;
    if (size < 0) {
        uv_close((uv_handle_t*)stream, closed);
        return;
    }
    const char* reply;
    char* owned;
    const size_t answer = echo_feed(&((struct connection*)stream)->echo, from->base, (size_t)size,
                                    scratch, &reply, &owned);
    if (answer == 0)
        return;
    uv_buf_t out = uv_buf_init((char*)reply, (unsigned)answer);
    int sent = uv_try_write(stream, &out, 1);
    if (sent == UV_EAGAIN)
        sent = 0;
    if (sent < 0 || (size_t)sent == answer) {
        free(owned);
        return;
    }
    struct rest* const rest = malloc(sizeof *rest);
    const size_t left = answer - (size_t)sent;
    if (owned) {
        rest->memory = owned;
        out = uv_buf_init(owned + sent, (unsigned)left);
    } else {
        rest->memory = malloc(left);
        memcpy(rest->memory, reply + sent, left);
        out = uv_buf_init(rest->memory, (unsigned)left);
    }
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
        uv_read_start((uv_stream_t*)&c->tcp, allocate, readable);
    else
        uv_close((uv_handle_t*)&c->tcp, closed);
}

int main(int argc, char** argv)
{
    counted = echo_mode(argc, argv);
    uv_loop_t* const loop = uv_default_loop();
    uv_tcp_t listener;
    uv_tcp_init(loop, &listener);
    uv_tcp_open(&listener, echo_listen());
    uv_listen((uv_stream_t*)&listener, 4096, accepted);
    return uv_run(loop, UV_RUN_DEFAULT);
}

/* asynchat - Python's asynchat programming model on standalone Asio
 * SPDX-License-Identifier: BSL-1.0
 *
 * uSockets, which has the receive buffer for all to itself; over TLS with ASYNCHAT_BENCH_TLS. */
#include "echo.h"

#include <libusockets.h>

#ifdef ASYNCHAT_BENCH_TLS
enum { TLS = 1 };
#else
enum { TLS = 0 };
#endif

struct connection {
    struct echo echo;
    char* rest; /* what the socket did not take */
    size_t rest_at, rest_size;
};

static char scratch[SCRATCH + (1 << 20)]; /* it receives up to 512 KiB */
static int counted;

static struct connection* of(struct us_socket_t* socket)
{
    return us_socket_ext(TLS, socket);
}

static struct us_socket_t* opened(struct us_socket_t* socket, int client, char* ip, int size)
{
    (void)client, (void)ip, (void)size;
    memset(of(socket), 0, sizeof(struct connection));
    of(socket)->echo.counted = counted;
    return socket;
}

static void deliver(struct us_socket_t* socket, const char* data, size_t size)
{
    struct connection* const c = of(socket);
    const int sent = c->rest_size ? 0 : us_socket_write(TLS, socket, data, (int)size, 0);
    const size_t left = size - (size_t)sent;
    if (left > 0) {
        c->rest = realloc(c->rest, c->rest_size + left);
        memcpy(c->rest + c->rest_size, data + sent, left);
        c->rest_size += left;
    }
}

static struct us_socket_t* received(struct us_socket_t* socket, char* data, int length)
{
    struct echo* const e = &of(socket)->echo;
    size_t size = (size_t)length;
    while (size > 0) {
        const char* from = data;
        size_t piece = size;
        if (e->frame_size > 0) {
            size_t missing;
            char* const into = echo_target(e, NULL, &missing);
            piece = size < missing ? size : missing;
            memcpy(into, data, piece);
            from = into;
        }
        const char* reply;
        const size_t answer = echo_feed(e, from, piece, scratch, &reply);
        if (answer > 0)
            deliver(socket, reply, answer);
        data += piece;
        size -= piece;
    }
    return socket;
}

static struct us_socket_t* writable(struct us_socket_t* socket)
{
    struct connection* const c = of(socket);
    if (c->rest_size == 0)
        return socket;
    const size_t left = c->rest_size - c->rest_at;
    c->rest_at += (size_t)us_socket_write(TLS, socket, c->rest + c->rest_at, (int)left, 0);
    if (c->rest_at == c->rest_size) {
        free(c->rest);
        c->rest = NULL;
        c->rest_at = c->rest_size = 0;
    }
    return socket;
}

static struct us_socket_t* ended(struct us_socket_t* socket)
{
    return us_socket_close(TLS, socket, 0, NULL);
}

static struct us_socket_t* closed(struct us_socket_t* socket, int code, void* reason)
{
    (void)code, (void)reason;
    echo_free(&of(socket)->echo);
    free(of(socket)->rest);
    return socket;
}

static void nothing(struct us_loop_t* loop)
{
    (void)loop;
}

int main(int argc, char** argv)
{
    const struct us_socket_context_options_t options = {
        .cert_file_name = TLS && argc == 4 ? argv[2] : NULL,
        .key_file_name = TLS && argc == 4 ? argv[3] : NULL,
        .ssl_prefer_low_memory_usage = 1}; /* SSL_MODE_RELEASE_BUFFERS */
    counted = echo_mode(TLS ? argc - 2 : argc, argv);
    struct us_loop_t* const loop = us_create_loop(NULL, nothing, nothing, nothing, 0);
    struct us_socket_context_t* const context = us_create_socket_context(TLS, loop, 0, options);
    us_socket_context_on_open(TLS, context, opened);
    us_socket_context_on_data(TLS, context, received);
    us_socket_context_on_writable(TLS, context, writable);
    us_socket_context_on_end(TLS, context, ended);
    us_socket_context_on_close(TLS, context, closed);
    struct us_listen_socket_t* const listener =
        us_socket_context_listen(TLS, context, "127.0.0.1", 0, 0, sizeof(struct connection));
    if (!listener)
        return 1;
    printf("%d\n", us_socket_local_port(TLS, (struct us_socket_t*)listener));
    fflush(stdout);
    us_loop_run(loop);
    return 0;
}

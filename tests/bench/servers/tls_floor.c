/* asynchat - Python's asynchat programming model on standalone Asio
 * SPDX-License-Identifier: BSL-1.0
 *
 * The floor of the benchmark with TLS: epoll and OpenSSL, with one BIO over one shared buffer. One
 * receive for an event, one send for what it brought; OpenSSL keeps no buffer between events. */
#define _GNU_SOURCE
#include "echo.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { RECEIVED = 131072, PIECE = 65536, ENCRYPTED = 2 * PIECE };

struct connection {
    int fd;
    int writing; /* waits for EPOLLOUT only */
    SSL* ssl;
    struct echo echo;
    const char* rest; /* of the answer, not encrypted */
    size_t rest_size;
    char* copy;   /* of the rest, unless it lies in the frame */
    char* cipher; /* encrypted, and not taken by the socket */
    size_t cipher_at, cipher_size;
};

static char received[RECEIVED], plain[BUFFER], scratch[SCRATCH], encrypted[ENCRYPTED];
static const char* input; /* what OpenSSL has not read */
static size_t input_size, encrypted_size;
static int poller;
static SSL_CTX* context;
static BIO* shared;

static void end(struct connection* c)
{
    close(c->fd);
    SSL_free(c->ssl);
    echo_free(&c->echo);
    free(c->copy);
    free(c->cipher);
    free(c);
    encrypted_size = 0;
}

static void begin(int fd, int counted)
{
    struct connection* const c = calloc(1, sizeof *c);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    c->fd = fd;
    c->echo.counted = counted;
    c->ssl = SSL_new(context);
    BIO_up_ref(shared);
    BIO_up_ref(shared);
    SSL_set_bio(c->ssl, shared, shared);
    SSL_set_accept_state(c->ssl);
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
}

static void wait_for(struct connection* c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &event);
    c->writing = events == EPOLLOUT;
}

static int bio_read(BIO* bio, char* into, int size)
{
    if (input_size == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    if ((size_t)size > input_size)
        size = (int)input_size;
    memcpy(into, input, (size_t)size);
    input += size;
    input_size -= (size_t)size;
    return size;
}

static int bio_write(BIO* bio, const char* from, int size)
{
    (void)bio;
    if ((size_t)size > sizeof encrypted - encrypted_size)
        return -1;
    memcpy(encrypted + encrypted_size, from, (size_t)size);
    encrypted_size += (size_t)size;
    return size;
}

static long bio_control(BIO* bio, int command, long number, void* pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

/* Sends what was encrypted, and keeps what is left. Returns whether the connection is there. */
static int flush(struct connection* c)
{
    if (encrypted_size == 0)
        return 1;
    ssize_t sent = c->cipher ? 0 : send(c->fd, encrypted, encrypted_size, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        end(c);
        return 0;
    }
    if (sent < 0)
        sent = 0;
    const size_t left = encrypted_size - (size_t)sent;
    if (left > 0) {
        c->cipher = realloc(c->cipher, c->cipher_size + left);
        memcpy(c->cipher + c->cipher_size, encrypted + sent, left);
        c->cipher_size += left;
        if (!c->writing)
            wait_for(c, EPOLLOUT);
    }
    encrypted_size = 0;
    return 1;
}

/* Encrypts and sends, and keeps what is left. */
static int deliver(struct connection* c, const char* data, size_t size)
{
    while (size > 0 && !c->cipher) {
        const size_t piece = size < PIECE ? size : PIECE;
        size_t written;
        if (SSL_write_ex(c->ssl, data, piece, &written) != 1) {
            end(c);
            return 0;
        }
        if (!flush(c))
            return 0;
        data += written;
        size -= written;
    }
    c->rest = data;
    c->rest_size = size;
    if (size > 0 && data >= scratch && data < scratch + sizeof scratch) {
        c->copy = malloc(size);
        c->rest = memcpy(c->copy, data, size);
    }
    return 1;
}

/* Decrypts the input of an event, and answers it. Returns whether the connection is there. */
static int take_input(struct connection* c)
{
    while (input_size > 0 || SSL_pending(c->ssl) > 0) {
        size_t size, have = 0, got;
        char* const into = echo_target(&c->echo, plain, &size);
        while (have < size && (input_size > 0 || SSL_pending(c->ssl) > 0) &&
               SSL_read_ex(c->ssl, into + have, size - have, &got) == 1)
            have += got;
        if (have == 0) {
            const int why = SSL_get_error(c->ssl, 0);
            if (why == SSL_ERROR_WANT_READ && input_size == 0)
                break;
            if (why == SSL_ERROR_WANT_READ)
                continue;
            ERR_clear_error();
            end(c);
            return 0;
        }
        const char* reply;
        const size_t answer = echo_feed(&c->echo, into, have, scratch, &reply);
        if (answer == 0)
            continue;
        if (c->writing) { /* it asks on and does not read: no load does so */
            end(c);
            return 0;
        }
        if (!deliver(c, reply, answer))
            return 0;
    }
    return 1;
}

static void readable(struct connection* c)
{
    const ssize_t got = recv(c->fd, received, sizeof received, 0);
    if (got <= 0) {
        if (got == 0 || errno != EAGAIN)
            end(c);
        return;
    }
    input = received;
    input_size = (size_t)got;
    if (take_input(c))
        flush(c); /* of the handshake */
}

static void writable(struct connection* c)
{
    const ssize_t sent =
        send(c->fd, c->cipher + c->cipher_at, c->cipher_size - c->cipher_at, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN)
            end(c);
        return;
    }
    c->cipher_at += (size_t)sent;
    if (c->cipher_at < c->cipher_size)
        return;
    free(c->cipher);
    c->cipher = NULL;
    c->cipher_at = c->cipher_size = 0;
    if (!deliver(c, c->rest, c->rest_size) || c->cipher)
        return;
    free(c->copy);
    c->copy = NULL;
    wait_for(c, EPOLLIN);
}

static void set_up_tls(const char* certificate, const char* key)
{
    BIO_METHOD* const method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "shared");
    BIO_meth_set_read(method, bio_read);
    BIO_meth_set_write(method, bio_write);
    BIO_meth_set_ctrl(method, bio_control);
    shared = BIO_new(method);
    BIO_set_init(shared, 1);
    context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
}

int main(int argc, char** argv)
{
    if (argc != 4)
        return fprintf(stderr, "usage: tls_floor lines|counted CERTIFICATE KEY\n"), 2;
    const int counted = echo_mode(2, argv);
    set_up_tls(argv[2], argv[3]);
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
                readable(c);
            else {
                const int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd >= 0)
                    begin(fd, counted);
            }
        }
    }
}

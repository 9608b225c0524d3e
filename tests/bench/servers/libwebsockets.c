/* asynchat - Python's asynchat programming model on standalone Asio
 * SPDX-License-Identifier: BSL-1.0
 *
 * libwebsockets: messages wait until it says that it can write, then all of them leave. */
#include <libwebsockets.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct message {
    struct message* next;
    size_t size;
    unsigned char data[]; /* behind LWS_PRE bytes, in which the library writes the header */
};

struct session {
    struct message *first, **end;
    struct message* coming; /* of which not all pieces are there */
};

static void keep(struct session* s, const void* piece, size_t size)
{
    struct message* const m = s->coming;
    const size_t before = m ? m->size : 0;
    s->coming = realloc(m, sizeof *m + LWS_PRE + before + size);
    memcpy(s->coming->data + LWS_PRE + before, piece, size);
    s->coming->size = before + size;
}

static void queue(struct session* s)
{
    s->coming->next = NULL;
    *s->end = s->coming;
    s->end = &s->coming->next;
    s->coming = NULL;
}

static int send_all(struct session* s, struct lws* wsi)
{
    while (s->first && !lws_partial_buffered(wsi)) {
        struct message* const m = s->first;
        const int sent = lws_write(wsi, m->data + LWS_PRE, m->size, LWS_WRITE_TEXT);
        s->first = m->next;
        if (!s->first)
            s->end = &s->first;
        free(m);
        if (sent < 0)
            return -1;
    }
    if (s->first)
        lws_callback_on_writable(wsi);
    return 0;
}

static void clear(struct session* s)
{
    free(s->coming);
    while (s->first) {
        struct message* const next = s->first->next;
        free(s->first);
        s->first = next;
    }
}

static int echo(struct lws* wsi, enum lws_callback_reasons why, void* user, void* in, size_t size)
{
    struct session* const s = user;
    switch (why) {
    case LWS_CALLBACK_ESTABLISHED: s->end = &s->first; return 0;
    case LWS_CALLBACK_RECEIVE:
        keep(s, in, size);
        if (lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0) {
            queue(s);
            lws_callback_on_writable(wsi);
        }
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE: return send_all(s, wsi);
    case LWS_CALLBACK_CLOSED: clear(s); return 0;
    default: return lws_callback_http_dummy(wsi, why, user, in, size);
    }
}

int main(int argc, char** argv)
{
    static const struct lws_protocols protocols[] = {
        {"echo", echo, sizeof(struct session), 65536, 0, NULL, 0},
        {NULL, NULL, 0, 0, 0, NULL, 0},
    };
    struct lws_context_creation_info info;
    if (argc != 2 || strcmp(argv[1], "websocket") != 0) {
        fprintf(stderr, "usage: %s websocket\n", argv[0]);
        return 2;
    }
    lws_set_log_level(LLL_ERR, NULL);
    memset(&info, 0, sizeof info);
    info.iface = "127.0.0.1";
    info.protocols = protocols;
    info.vhost_name = "echo";
    info.pt_serv_buf_size = 65536;
    struct lws_context* const context = lws_create_context(&info);
    if (!context)
        return 1;
    printf("%d\n", lws_get_vhost_listen_port(lws_get_vhost_by_name(context, "echo")));
    fflush(stdout);
    while (lws_service(context, 0) >= 0) {
    }
    return 0;
}

/* asynchat - Python's asynchat programming model on standalone Asio
 * SPDX-License-Identifier: BSL-1.0
 *
 * A client of test_resp_server.py: hiredis_client PORT. Prints what was wrong. */
#include <hiredis.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static redisContext *context;

static void fail(const char *what)
{
    printf("%s: %s\n", what, context && context->err ? context->errstr : "another reply");
    exit(1);
}

static redisReply *expect(const char *what, void *reply, int type)
{
    if (!reply || ((redisReply *)reply)->type != type)
        fail(what);
    return reply;
}

/* A value with all bytes comes back as it was. */
static void bytes(void)
{
    static char value[100000];
    redisReply *reply;
    size_t i;
    for (i = 0; i < sizeof value; ++i)
        value[i] = (char)(i * 7);
    freeReplyObject(expect("SET", redisCommand(context, "SET %b %b", "a\0b", (size_t)3, value,
                                               sizeof value), REDIS_REPLY_STATUS));
    reply = expect("GET", redisCommand(context, "GET %b", "a\0b", (size_t)3), REDIS_REPLY_STRING);
    if (reply->len != sizeof value || memcmp(reply->str, value, sizeof value) != 0)
        fail("the value");
    freeReplyObject(reply);
    freeReplyObject(expect("GET a", redisCommand(context, "GET a"), REDIS_REPLY_NIL));
}

/* Ten thousand requests at once; the replies come in their order. */
static void pipeline(void)
{
    void *reply;
    int i;
    for (i = 0; i < 10000; ++i)
        redisAppendCommand(context, i % 2 ? "INCR count" : "ECHO %d", i);
    for (i = 0; i < 10000; ++i) {
        if (redisGetReply(context, &reply) != REDIS_OK)
            fail("a reply");
        if (i % 2) {
            if (expect("INCR", reply, REDIS_REPLY_INTEGER)->integer != i / 2 + 1)
                fail("the count");
        } else if (atoi(expect("ECHO", reply, REDIS_REPLY_STRING)->str) != i) {
            fail("the echo");
        }
        freeReplyObject(reply);
    }
}

#ifdef REDIS_REPLY_MAP /* since hiredis 1.0, which knows RESP3 */
#define VERSION "3"
#else
#define VERSION "2"
#define REDIS_REPLY_MAP REDIS_REPLY_ARRAY
#endif

static void hello(void)
{
    redisReply *reply = expect("HELLO", redisCommand(context, "HELLO " VERSION), REDIS_REPLY_MAP);
    if (reply->elements != 6 || strcmp(reply->element[0]->str, "server") != 0)
        fail("the map");
    freeReplyObject(reply);
    freeReplyObject(expect("GET", redisCommand(context, "GET none"), REDIS_REPLY_NIL));
    freeReplyObject(expect("SET", redisCommand(context, "SET"), REDIS_REPLY_ERROR));
}

int main(int count, char **arguments)
{
    struct timeval patience = {60, 0};
    context = redisConnectWithTimeout("127.0.0.1", count > 1 ? atoi(arguments[1]) : 0, patience);
    if (!context || context->err || redisSetTimeout(context, patience) != REDIS_OK)
        fail("connect");
    bytes();
    pipeline();
    hello();
    redisFree(context);
    return 0;
}

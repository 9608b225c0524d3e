"""A client of test_resp_server.py: redis_py_client.py PORT. Needs redis-py."""

import sys

import redis


def expect(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: {got!r} instead of {wanted!r}")


def refused(what, call, text):
    try:
        call()
    except redis.ResponseError as error:
        expect(what, text in str(error), True)
    else:
        raise AssertionError(f"{what}: not refused")


def values(client):
    everything = bytes(range(256)) * 100
    expect("set", client.set(b"\r\n\0", everything), True)
    expect("get", client.get(b"\r\n\0"), everything)
    expect("mget", client.mget([b"\r\n\0", "none"]), [everything, None])
    expect("incr", [client.incr("n"), client.incr("n")], [1, 2])
    expect("delete", client.delete("n", "none"), 1)
    expect("lpush", client.lpush("list", "a", "b", "c"), 3)
    expect("lrange", client.lrange("list", 0, -1), [b"c", b"b", b"a"])
    expect("a part", client.lrange("list", -2, 100), [b"b", b"a"])
    expect("expire", (client.expire("list", 100), client.expire("none", 1)), (True, False))
    expect("expire at once", client.expire("list", 0), True)
    expect("lrange", client.lrange("list", 0, -1), [])
    expect("ping", client.ping(), True)
    expect("echo", client.echo("x"), b"x")
    expect("keys in info", client.info()["db0"], {"keys": 1, "expires": 0})
    client.lpush("list", "x")
    refused("get of a list", lambda: client.get("list"), "wrong kind of value")
    expect("mget of a list", client.mget(["list"]), [None])
    client.set("text", "x")
    refused("incr of a text", lambda: client.incr("text"), "not an integer")


def pipelines(client):
    with client.pipeline(transaction=False) as pipe:
        for i in range(5000):
            pipe.set(f"key {i}", i * "x")
        for i in range(5000):
            pipe.get(f"key {i}")
        expect("a pipeline", pipe.execute(),
               [True] * 5000 + [(i * "x").encode() for i in range(5000)])


def messages(client):
    with client.pubsub() as heard:
        heard.subscribe("news", "other")
        expect("subscribed", [heard.get_message(timeout=60)["data"] for _ in range(2)], [1, 2])
        expect("publish", client.publish("news", b"\0hello\r\n"), 1)
        message = heard.get_message(timeout=60)
        expect("message", (message["type"], message["channel"], message["data"]),
               ("message", b"news", b"\0hello\r\n"))
        heard.unsubscribe()
        expect("unsubscribed", sorted(heard.get_message(timeout=60)["data"] for _ in range(2)),
               [0, 1])
    expect("publish for nobody", client.publish("news", "x"), 0)


with redis.Redis(port=int(sys.argv[1]), socket_timeout=60) as connected:
    values(connected)
    pipelines(connected)
    messages(connected)

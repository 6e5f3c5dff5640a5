"""The main job as a user's program does it, by a websocket implementation that
is not the server's own: Python's websockets.

Its one argument names a file with where the server is and two users, as JSON. The
first thing that is wrong ends it with a line that says so, and exit status 1.
"""

import asyncio
import json
import random
import string
import sys
import urllib.error
import urllib.request

import websockets
from websockets.legacy.client import connect  # by its full name it is the same in newer versions
from websockets.version import version

# How long anything may take before it has failed, in seconds.
LIMIT = 20

# The largest frame that the server reads, in bytes after decompression.
MAX_FRAME = 16 * 1024

READY_KEYS = {
    "cmd", "session_id", "user", "chats", "following", "blocked", "infractions", "time_taken",
    "account", "application", "unread", "listener",
}


class Wrong(Exception):
    """The server did not do what its documentation says."""


def check(what, got, want):
    if got != want:
        raise Wrong(f"{what}: got {got!r}, want {want!r}")


async def within(what, awaitable):
    """Waits, but not for ever: a hang should say where it hung."""
    try:
        return await asyncio.wait_for(awaitable, LIMIT)
    except asyncio.TimeoutError:
        raise Wrong(f"{what}: nothing within {LIMIT} s") from None
    except websockets.ConnectionClosed as closed:
        raise Wrong(f"{what}: {closed}") from closed


class Client:
    """One connection, and what a program does with it."""

    def __init__(self, ws):
        self.ws = ws

    async def send(self, **packet):
        await within("send", self.ws.send(json.dumps(packet)))

    async def receive(self, what):
        """Returns the next packet that is not about who comes and goes, which
        may be told at any time."""
        while True:
            packet = json.loads(await within(what, self.ws.recv()))
            if packet["cmd"] != "ulist" or packet.get("mode") == "set":
                return packet

    async def expect(self, what, want):
        check(what, await self.receive(what), want)

    async def request(self, what, code, text, **packet):
        """Sends a request with a listener and expects its status and no more."""
        await self.send(**packet, listener=what)
        await self.expect(what, status(code, text, what))

    async def authenticate(self, user):
        await self.send(cmd="authenticate", token=user["token"], listener="me")
        await self.expect("authenticate", status(100, "OK", "me"))
        ready = await self.receive("ready")
        check("the packet after authenticate", ready["cmd"], "ready")
        missing = READY_KEYS - ready.keys()
        check("the keys that ready lacks", missing, set())
        check("ready's listener", ready["listener"], "me")
        check("ready's user", (ready["user"]["id"], ready["user"]["username"]), (user["id"], user["username"]))
        for key in ("chats", "following", "blocked", "infractions"):
            check(f"ready's {key}", ready[key], [])
        if not isinstance(ready["session_id"], str) or not isinstance(ready["time_taken"], int):
            raise Wrong(f"ready's session_id and time_taken: {ready!r}")

    async def handshake(self, motd, users):
        await self.send(cmd="handshake", listener=1)
        for cmd, val in (("client_ip", "127.0.0.1"), ("server_version", "0.1.9.2"), ("motd", motd)):
            await self.expect(cmd, {"cmd": cmd, "val": val, "listener": 1})
        listed = [{"id": user["id"], "username": user["username"]} for user in users]
        await self.expect("ulist", {"cmd": "ulist", "mode": "set", "val": listed, "rooms": "default", "listener": 1})
        await self.expect("handshake", status(100, "OK", 1))

    async def expect_post(self, content, author):
        packet = await self.receive("post_created")
        check("the packet after a post", packet["cmd"], "post_created")
        check("the post's content", packet["val"]["content"], content)
        check("the post's author", packet["val"]["author"]["id"], author["id"])

    async def close(self):
        await within("close", self.ws.close(1000, "done"))
        check("the answer to close", self.ws.close_rcvd and self.ws.close_rcvd.code, 1000)
        check("who closed", self.ws.close_rcvd_then_sent, False)


def status(code, text, listener):
    kind = "I" if code == 100 else "E"
    return {"cmd": "statuscode", "code": f"{kind}:{code} | {text}", "code_id": code, "listener": listener}


class Job:
    """The main job against one server."""

    def __init__(self, config):
        self.rest, self.cl4, self.motd = config["rest"], config["cl4"], config["motd"]
        self.compression = config["compression"]
        self.me, self.other = config["me"], config["other"]
        # No proxy of the environment: the server is on this machine.
        self.http = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    async def connect(self):
        """Connects with permessage-deflate offered, which the server takes up
        only where it was told to."""
        ws = await within("connect", connect(f"ws://{self.cl4}/", compression="deflate", open_timeout=None))
        negotiated = [extension.name for extension in ws.extensions]
        check("the extensions agreed on", negotiated, ["permessage-deflate"] if self.compression else [])
        return Client(ws)

    async def post(self, user, content):
        request = urllib.request.Request(
            f"http://{self.rest}/v1/home",
            data=json.dumps({"content": content}).encode(),
            headers={"Authorization": user["token"], "Content-Type": "application/json"},
        )
        try:
            answer = await asyncio.to_thread(self.http.open, request, timeout=LIMIT)
        except urllib.error.URLError as failed:
            raise Wrong(f"post: {failed}") from failed
        with answer:
            check("the status of post", answer.status, 200)

    async def run(self):
        mine, theirs = await self.connect(), await self.connect()
        await mine.handshake(self.motd, users=[])
        await mine.request("ping", 100, "OK", cmd="ping")
        await mine.request("unknown command", 109, "Invalid command", cmd="nonsense")
        await mine.authenticate(self.me)
        await mine.handshake(self.motd, users=[self.me])
        await self.hear_of_posts(mine, theirs)
        await self.send_to_itself(mine)
        await self.send_fragments(mine)
        await self.ping(mine)
        await self.send_large_frames()
        await mine.close()
        await theirs.close()

    async def hear_of_posts(self, mine, theirs):
        await mine.request("subscribe", 100, "OK", cmd="subscribe", type="new_posts")
        await self.post(self.other, "Hello, wörld! 🐱")
        await mine.expect_post("Hello, wörld! 🐱", self.other)

        # Once the other connection has heard of a post, this one would have, too.
        await theirs.authenticate(self.other)
        await theirs.request("subscribe", 100, "OK", cmd="subscribe", type="new_posts")
        await mine.request("unsubscribe", 100, "OK", cmd="unsubscribe", type="new_posts")
        await self.post(self.other, "not for everyone")
        await theirs.expect_post("not for everyone", self.other)
        await mine.request("ping after unsubscribe", 100, "OK", cmd="ping")

    async def send_to_itself(self, client):
        val = {"text": "1", "list": [1, None, {"ä": "…"}]}
        await client.send(cmd="direct", id=self.me["id"], val=val, listener="direct")
        origin = {"id": self.me["id"], "username": self.me["username"]}
        # The answer and the event are not ordered among each other.
        missing = [status(100, "OK", "direct"), {"cmd": "direct", "val": val, "origin": origin}]
        while missing:
            packet = await client.receive("direct")
            if packet not in missing:
                raise Wrong(f"direct: got {packet!r}, want one of {missing!r}")
            missing.remove(packet)

    async def send_fragments(self, client):
        """Sends a message in fragments, with a ping among them, which the server
        answers before it has seen the message's end."""
        async def fragments():
            yield '{"cmd":"pi'
            yield 'ng",'
            await self.ping(client)
            yield '"listener":"frag'
            yield 'ments"}'

        await within("send fragments", client.ws.send(fragments()))
        await client.expect("fragments", status(100, "OK", "fragments"))

    async def ping(self, client):
        await within("pong", await client.ws.ping(b"are you there?"))

    async def send_large_frames(self):
        """Sends the largest frame, then ones that are a byte too large, of which
        one compresses to almost nothing and one hardly at all."""
        noise = "".join(random.Random(1).choices(string.ascii_letters, k=MAX_FRAME + 1))
        for name, text in (("repetitive", "x" * (MAX_FRAME + 1)), ("random", noise)):
            client = await self.connect()
            packet = '{"cmd":"ping","listener":"large","val":"%s"}'
            largest = packet % text[:MAX_FRAME - len(packet % "")]
            check("the largest frame's length", len(largest), MAX_FRAME)
            await within("send the largest frame", client.ws.send(largest))
            await client.expect("the largest frame", status(100, "OK", "large"))

            await within("send too large a frame", client.ws.send(text))
            await within("the end of the connection", client.ws.wait_closed())
            received = client.ws.close_rcvd
            check(f"the close after too large a {name} frame", received and received.code, 1009)
            check("who closed", client.ws.close_rcvd_then_sent, True)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        config = json.load(file)
    try:
        asyncio.run(Job(config).run())
    except (Wrong, websockets.WebSocketException, OSError) as wrong:
        sys.exit(f"wrong: {wrong}")
    print(f"all is as documented, says websockets {version}")


if __name__ == "__main__":
    main()

"""What CloudLink's own clients do, by a websocket implementation that is not the
server's own: handshake, setid, link, and then messages and variables.

Its one argument names a file with where the server is, as JSON.
"""

import asyncio
import json
import sys

import websockets
from websockets.legacy.client import connect

from client import Wrong, check, status, within


class Player:
    """One client, which finds its packets by listener as CloudLink's do."""

    def __init__(self, ws):
        self.ws, self.object = ws, None

    async def send(self, **packet):
        await within("send", self.ws.send(json.dumps(packet)))

    async def receive(self, what):
        return json.loads(await within(what, self.ws.recv()))

    async def expect(self, what, want):
        check(what, await self.receive(what), want)

    async def handshake(self, motd):
        await self.send(
            cmd="handshake", listener="handshake_cfg",
            val={"language": "Scratch", "version": {"editorType": "TurboWarp", "versionNumber": 2}},
        )
        for cmd, val in (("client_ip", "127.0.0.1"), ("server_version", "0.1.9.2"), ("motd", motd)):
            await self.expect(cmd, {"cmd": cmd, "val": val, "listener": "handshake_cfg"})
        await self.expect("ulist", {
            "cmd": "ulist", "mode": "set", "val": [], "rooms": "default", "listener": "handshake_cfg",
        })
        await self.expect("handshake", status(100, "OK", "handshake_cfg"))

    async def set_name(self, name):
        await self.send(cmd="setid", val=name, listener="username_cfg")
        users = await self.receive("the list after setid")
        answer = await self.receive("setid")
        self.object = answer.pop("val")
        check("setid", answer, status(100, "OK", "username_cfg"))
        check("the keys of a client object", sorted(self.object), ["id", "username", "uuid"])
        check("the name", self.object["username"], name)
        check("the list after setid", users, self.listed("set", [self.object], "default"))

    async def link(self, room, users, *held):
        await self.send(cmd="link", val=[room], listener="link")
        listed = await self.receive("the list after link")
        listed["val"].sort(key=lambda user: user["id"])
        check("the list after link", listed, self.listed("set", users, room))
        for packet in held:
            await self.expect("what the room holds", packet)
        await self.expect("link", status(100, "OK", "link"))

    @staticmethod
    def listed(mode, val, room):
        return {"cmd": "ulist", "mode": mode, "val": val, "rooms": room}


async def run(config):
    ada, bob = [
        Player(await within("connect", connect(f"ws://{config['cl4']}/", open_timeout=None))) for _ in range(2)
    ]
    await ada.handshake(config["motd"])
    await ada.set_name("ada")
    await ada.link("game", [ada.object])

    val = {"text": "1", "list": [1, None, {"ä": "…"}]}
    said = {"cmd": "gmsg", "val": val, "rooms": "game"}
    await ada.send(cmd="gmsg", val=val, listener="said")
    await ada.expect("my own message", {**said, "listener": "said"})
    variable = {"cmd": "gvar", "name": "☁ score", "val": 10, "rooms": "game"}
    await ada.send(cmd="gvar", name="☁ score", val=10)
    await ada.expect("my own variable", variable)

    await bob.handshake(config["motd"])
    await bob.set_name("bob")
    await bob.link("game", sorted([ada.object, bob.object], key=lambda user: user["id"]), said, variable)
    await ada.expect("bob comes", bob.listed("add", bob.object, "game"))

    await bob.send(cmd="pmsg", val="psst", id="ada", listener="psst")
    await bob.expect("pmsg", status(100, "OK", "psst"))
    await ada.expect("bob's message", {"cmd": "pmsg", "val": "psst", "origin": bob.object, "rooms": "game"})
    await ada.send(cmd="pvar", name="x", val=1, id=bob.object, listener=1)
    await ada.expect("pvar", status(100, "OK", 1))
    await bob.expect("ada's variable", {"cmd": "pvar", "name": "x", "val": 1, "origin": ada.object, "rooms": "game"})

    await bob.send(cmd="unlink", val="", listener="unlink")
    await bob.expect("the list after unlink", bob.listed("set", [bob.object], "default"))
    await bob.expect("unlink", status(100, "OK", "unlink"))
    await ada.expect("bob goes", bob.listed("remove", bob.object, "game"))
    for player in (ada, bob):
        await within("close", player.ws.close(1000, "done"))
        check("the answer to close", player.ws.close_rcvd and player.ws.close_rcvd.code, 1000)


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        config = json.load(file)
    try:
        asyncio.run(run(config))
    except (Wrong, websockets.WebSocketException, OSError) as wrong:
        sys.exit(f"wrong: {wrong}")
    print("rooms are as documented")


if __name__ == "__main__":
    main()

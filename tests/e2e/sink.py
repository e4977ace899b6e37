#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""An SMTP and LMTP server for tests, that does as a file says.

usage: sink.py DIR [--port N | --unix PATH] [--lmtp] [--cert FILE --key FILE]

DIR/address   "127.0.0.1:PORT" or "unix:PATH", written when it listens
DIR/log       a JSON object per line: transactions ("kind": "transaction",
              when they have ended, however), and sessions ("kind":
              "session", when they have ended)
DIR/control   a JSON object that says how to behave; looked at anew at each
              command, replace it by rename.  Keys, all optional:

  offer       list of EHLO words; default PIPELINING 8BITMIME SMTPUTF8 DSN
              SIZE, and STARTTLS where there is a certificate
  greeting, ehlo, helo, starttls, auth, mail, data, dot, rset
              a reply in place of the good one ("451 4.3.0 later")
  rcpt        the same per address; "*" stands for all others
  dots        LMTP: per address, after the final dot
  drop        close without a word at: greeting ehlo mail rcpt data content
              dot (content: when a part has come; dot: when all has)
  stall       say nothing more at one of these
  drop_once   like drop, for the first session that comes so far
  always_354  answer DATA with 354 even where every RCPT was refused
  most        421 to the MAIL after so many transactions of a session
  wait_dot    seconds before the reply to the final dot
  users       {name: password}: who may AUTH
  messages    false: their bytes are not logged
"""
import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import os
import ssl
import time

OFFER = ["PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 100000000"]


class Gone(Exception):
    """The session is over."""


class Sink:
    def __init__(self, options):
        self.options = options
        self.folder = options.dir
        self.stamp = None
        self.control = {}
        self.sessions = 0
        self.dropped = False
        self.tls = None
        self.log = open(os.path.join(self.folder, "log"), "a", buffering=1)
        if options.cert:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(options.cert, options.key)

    def rule(self, key, default=None):
        path = os.path.join(self.folder, "control")
        try:
            st = os.stat(path)
            stamp = (st.st_mtime_ns, st.st_ino)
            if stamp != self.stamp:
                with open(path) as file:
                    self.control = json.load(file)
                self.stamp = stamp
        except FileNotFoundError:
            self.control, self.stamp = {}, None
        return self.control.get(key, default)

    def write(self, record):
        self.log.write(json.dumps(record) + "\n")

    async def serve(self):
        if self.options.unix:
            server = await asyncio.start_unix_server(self.client,
                                                     self.options.unix)
            address = "unix:" + self.options.unix
        else:
            server = await asyncio.start_server(
                self.client, "127.0.0.1", self.options.port, backlog=512)
            address = "127.0.0.1:%d" % server.sockets[0].getsockname()[1]
        path = os.path.join(self.folder, "address")
        with open(path + ".tmp", "w") as file:
            file.write(address)
        os.rename(path + ".tmp", path)
        async with server:
            await server.serve_forever()

    async def client(self, reader, writer):
        self.sessions += 1
        session = Session(self, self.sessions, reader, writer)
        try:
            await session.run()
        except (Gone, ConnectionError, asyncio.IncompleteReadError,
                ssl.SSLError):
            pass
        finally:
            session.end()
            writer.close()


class Session:
    def __init__(self, sink, number, reader, writer):
        self.sink = sink
        self.number = number
        self.reader = reader
        self.writer = writer
        self.input = b""
        self.output = b""
        self.secure = False
        self.user = None
        self.hello = None
        self.done = 0
        self.quit = False
        self.pipelined = False
        self.transaction = None

    # -- bytes -------------------------------------------------------------

    async def more(self):
        # Only here can one wait for the client: all that was said goes out.
        await self.flush()
        data = await self.reader.read(65536)
        if not data:
            raise Gone
        self.input += data

    async def flush(self):
        if self.output:
            self.writer.write(self.output)
            self.output = b""
            await self.writer.drain()

    async def line(self):
        while b"\n" not in self.input:
            await self.more()
        line, self.input = self.input.split(b"\n", 1)
        return line.rstrip(b"\r")

    def say(self, reply):
        self.output += reply.encode() + b"\r\n"

    async def at(self, stage):
        """What is to happen here other than an answer."""
        if self.sink.rule("drop_once") == stage and not self.sink.dropped:
            self.sink.dropped = True
            await self.flush()
            raise Gone
        if self.sink.rule("drop") == stage:
            await self.flush()
            raise Gone
        while self.sink.rule("stall") == stage:
            await self.flush()
            await asyncio.sleep(0.05)

    # -- session -------------------------------------------------------------

    async def run(self):
        await self.at("greeting")
        self.say(self.sink.rule("greeting", "220 sink.example.net ready"))
        while True:
            line = (await self.line()).decode("utf-8", "replace")
            verb, _, rest = line.partition(" ")
            name = "on_" + verb.lower()
            if not hasattr(self, name):
                self.say("500 5.5.2 unknown")
                continue
            await getattr(self, name)(rest)
            if self.quit:
                await self.flush()
                return

    def end(self):
        if self.transaction:
            self.close_transaction(None)
        self.sink.write({"kind": "session", "session": self.number,
                         "transactions": self.done, "quit": self.quit,
                         "pipelined": self.pipelined, "tls": self.secure})

    async def on_ehlo(self, rest):
        await self.at("ehlo")
        self.hello = rest
        reply = self.sink.rule("ehlo")
        if reply:
            self.say(reply)
            return
        offer = list(self.sink.rule("offer", OFFER + (
            ["STARTTLS"] if self.sink.tls else [])))
        if self.secure:
            offer = [word for word in offer if word != "STARTTLS"]
        lines = ["sink.example.net"] + offer
        for word in lines[:-1]:
            self.say("250-" + word)
        self.say("250 " + lines[-1])

    on_lhlo = on_ehlo

    async def on_helo(self, rest):
        self.hello = rest
        self.say(self.sink.rule("helo", "250 sink.example.net"))

    async def on_starttls(self, rest):
        reply = self.sink.rule("starttls", "220 2.0.0 go")
        self.say(reply)
        await self.flush()
        if reply.startswith("220"):
            if self.input:
                raise Gone
            await self.writer.start_tls(self.sink.tls)
            self.secure = True

    async def on_quit(self, rest):
        self.quit = True
        self.say("221 2.0.0 bye")

    async def on_rset(self, rest):
        if self.transaction:
            self.close_transaction(None)
        self.say(self.sink.rule("rset", "250 2.0.0 ok"))

    async def on_noop(self, rest):
        self.say("250 2.0.0 ok")

    # -- AUTH ------------------------------------------------------------------

    async def ask(self, data):
        self.say("334 " + base64.b64encode(data).decode())
        return base64.b64decode(await self.line())

    async def on_auth(self, rest):
        mechanism, _, first = rest.partition(" ")
        users = self.sink.rule("users", {})
        method = {"PLAIN": self.plain, "LOGIN": self.login,
                  "SCRAM-SHA-256": self.scram}.get(mechanism.upper())
        if self.sink.rule("auth"):
            self.say(self.sink.rule("auth"))
        elif method is None:
            self.say("504 5.5.4 no such mechanism")
        elif await method(base64.b64decode(first), users):
            self.say("235 2.7.0 welcome")
        else:
            self.say("535 5.7.8 no")

    async def plain(self, first, users):
        _, user, password = first.decode().split("\0")
        self.user = user
        return users.get(user) == password

    async def login(self, first, users):
        user = (await self.ask(b"User Name\0")).decode()
        password = (await self.ask(b"Password\0")).decode()
        self.user = user
        return users.get(user) == password

    async def scram(self, first, users):
        bare = first.split(b",", 2)[2]
        fields = dict(f.split(b"=", 1) for f in bare.split(b","))
        user, salt, count = fields[b"n"].decode(), os.urandom(12), 4096
        if user not in users:
            return False
        nonce = fields[b"r"] + base64.b64encode(os.urandom(9))
        challenge = b"r=%s,s=%s,i=%d" % (nonce, base64.b64encode(salt), count)
        answer = await self.ask(challenge)
        fields = dict(f.split(b"=", 1) for f in answer.split(b","))
        whole = b",".join((bare, challenge, answer.rsplit(b",p=", 1)[0]))
        salted = hashlib.pbkdf2_hmac("sha256", users[user].encode(), salt,
                                     count)

        def mac(key, text):
            return hmac.new(key, text, "sha256").digest()

        client = mac(salted, b"Client Key")
        signature = mac(hashlib.sha256(client).digest(), whole)
        proof = bytes(a ^ b for a, b in zip(client, signature))
        if fields[b"r"] != nonce or base64.b64decode(fields[b"p"]) != proof:
            return False
        server = mac(mac(salted, b"Server Key"), whole)
        await self.ask(b"v=" + base64.b64encode(server))
        self.user = user
        return True

    # -- transactions ----------------------------------------------------------

    @staticmethod
    def path(rest):
        """Address and parameters of "FROM:<a@b> X=y"."""
        path, _, words = rest.partition(":")[2].partition(">")
        return path.strip()[1:], words.split()

    async def on_mail(self, rest):
        await self.at("mail")
        self.pipelined = self.pipelined or bool(self.input)
        most = self.sink.rule("most")
        if most is not None and self.done >= most:
            self.say("421 4.7.0 enough for one session")
            await self.flush()
            raise Gone
        reply = self.sink.rule("mail", "250 2.1.0 ok")
        self.say(reply)
        if not reply.startswith("2"):
            return
        if self.transaction:
            self.say("503 5.5.1 nested")
            raise Gone
        sender, words = self.path(rest)
        self.transaction = {
            "kind": "transaction", "session": self.number, "sender": sender,
            "mail": words, "rcpts": [], "accepted": [], "tls": self.secure,
            "user": self.user, "helo": self.hello}

    async def on_rcpt(self, rest):
        await self.at("rcpt")
        if not self.transaction:
            self.say("503 5.5.1 MAIL first")
            return
        address, words = self.path(rest)
        rules = self.sink.rule("rcpt", {})
        reply = rules.get(address, rules.get("*", "250 2.1.5 ok"))
        self.transaction["rcpts"].append([address, words])
        if reply.startswith("2"):
            self.transaction["accepted"].append(address)
        self.say(reply)

    async def on_data(self, rest):
        await self.at("data")
        if not self.transaction:
            self.say("503 5.5.1 MAIL first")
            return
        reply = self.sink.rule("data", "354 go on")
        if not self.transaction["accepted"] \
                and not self.sink.rule("always_354"):
            reply = "554 5.5.1 no valid recipients"
        self.say(reply)
        if reply.startswith("354"):
            await self.content()

    async def content(self):
        # The first line may be the dot already.
        while not (self.input.startswith(b".\r\n")
                   or b"\r\n.\r\n" in self.input):
            if self.input:
                await self.at("content")
            await self.more()
        if self.input.startswith(b".\r\n"):
            message, self.input = b"", self.input[3:]
        else:
            message, self.input = self.input.split(b"\r\n.\r\n", 1)
            message += b"\r\n"
        await self.at("dot")
        wait = self.sink.rule("wait_dot")
        if wait:
            await self.flush()
            await asyncio.sleep(wait)
        transaction = self.transaction
        transaction["size"] = len(message)
        if self.sink.rule("messages", True):
            lines = message.split(b"\r\n")
            transaction["message"] = b"\r\n".join(
                line[1:] if line.startswith(b".") else line
                for line in lines).decode("latin-1")
            transaction["stuffed"] = any(
                line.startswith(b".") for line in lines)
        if self.sink.options.lmtp:
            self.answer_each(transaction)
        else:
            good = "250 2.0.0 ok" if transaction["accepted"] else \
                "554 5.5.1 no valid recipients"
            reply = self.sink.rule("dot", good)
            self.say(reply)
            self.close_transaction(reply)

    def answer_each(self, transaction):
        rules = self.sink.rule("dots", {})
        got = []
        for address in transaction["accepted"]:
            reply = rules.get(address, rules.get("*", "250 2.0.0 ok"))
            self.say(reply)
            if reply.startswith("2"):
                got.append(address)
        transaction["accepted"] = got
        self.close_transaction("250" if got else "4")

    def close_transaction(self, reply):
        self.transaction["reply"] = reply
        self.transaction["time"] = time.time()
        if not reply or not reply.startswith("2"):
            self.transaction["accepted"] = []
        self.sink.write(self.transaction)
        self.transaction = None
        self.done += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dir")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--unix")
    parser.add_argument("--lmtp", action="store_true")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    options = parser.parse_args()
    os.makedirs(options.dir, exist_ok=True)
    try:
        asyncio.run(Sink(options).serve())
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: BSD-2-Clause
#
# outbound_site - a throw-away site with nothing but the queue outbound, entries
# put into it by hand, and a sink for what goes out

import fcntl
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BIN = os.environ.get("SEPTET_BIN", os.path.join(ROOT, "build", "bin"))
OUTBOUND = os.path.join(BIN, "septet-outbound")
SINK = os.path.join(HERE, "sink.py")
PATIENCE = 30
DOMAIN = "lists.example.org"
HEADER = b"From: Ann <ann@example.net>\nSubject: one\n\n"
BODY = b"Hello,\n.\n..dots\n"
PLACES = ("tmp", "new", "cur", "later", "held", "dead", "status")


def read(path):
    with open(path, "rb") as file:
        return file.read()


def put(path, data):
    with open(path + ".part", "wb") as file:
        file.write(data)
    os.rename(path + ".part", path)


def wait_for(what, told, patience=PATIENCE):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        got = told()
        if got:
            return got
        time.sleep(0.01)
    raise AssertionError("never came: " + what)


def block(fields, queue, to, when="2026-11-20T09:00:00.000Z", first=False):
    text = "Septet-Envelope: 1\n" if first else ""
    text += "".join("%s: %s\n" % field for field in fields)
    return text + ("Trail: %s host=a queue=%s exit=accept to=%s lines=%d "
                   "crc32=-\n" % (when, queue, to, text.count("\n")))


class Sink:
    """A sink of its own process; `control` says how it behaves."""

    def __init__(self, root, name="sink", arguments=(), **control):
        self.folder = os.path.join(root, name)
        os.mkdir(self.folder)
        self.arguments = arguments
        self.process = None
        self.address = None
        self.control(**control)
        self.start()

    def start(self, *more):
        self.process = subprocess.Popen(
            [sys.executable, SINK, self.folder, *self.arguments, *more],
            stdin=subprocess.DEVNULL)
        path = os.path.join(self.folder, "address")
        wait_for("sink", lambda: os.path.exists(path))
        self.address = read(path).decode()

    def control(self, **rules):
        put(os.path.join(self.folder, "control"), json.dumps(rules).encode())

    def log(self, kind="transaction"):
        path = os.path.join(self.folder, "log")
        if not os.path.exists(path):
            return []
        lines = read(path).decode().split("\n")[:-1]
        return [r for r in map(json.loads, lines) if r["kind"] == kind]

    def got(self):
        """Who has got how many messages."""
        count = {}
        for transaction in self.log():
            for address in transaction["accepted"]:
                count[address] = count.get(address, 0) + 1
        return count

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
            os.unlink(os.path.join(self.folder, "address"))

    def smtp(self, words=""):
        """Its place in a site file."""
        if self.address.startswith("unix:"):
            return "{host: \"%s\"%s}" % (self.address, words)
        host, port = self.address.rsplit(":", 1)
        return "{host: %s, port: %s%s}" % (host, port, words)


class Site:
    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="septet-outbound.")
        self.spool = os.path.join(self.root, "spool")
        self.file = os.path.join(self.root, "septet.yaml")
        self.log_path = os.path.join(self.root, "log")
        self.process = None
        self.sinks = []
        self.count = 0
        self.offset = 0
        for part in ("msg", "head", "rcpt", "result", "journal"):
            os.makedirs(os.path.join(self.spool, part))
        for queue in ("outbound", "bounce"):
            for place in PLACES:
                os.makedirs(os.path.join(self.spool, queue, place))
        os.makedirs(os.path.join(self.root, "lists"))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.kill()
        for sink in self.sinks:
            sink.stop()
        if kind is None:
            shutil.rmtree(self.root)
        else:
            print("# kept: " + self.root)

    def sink(self, name="sink", arguments=(), **control):
        self.sinks.append(Sink(self.root, name, arguments, **control))
        return self.sinks[-1]

    def write(self, outbound, more=""):
        with open(self.file, "w") as file:
            file.write("site: %s\nhost: a\nspool: spool\nlists: lists\n"
                       "run: run\nowner: owner@example.org\n%s"
                       "queues:\n  outbound: %s\n" % (DOMAIN, more, outbound))

    def relay(self, sink, words="", more=""):
        self.write("{smtp: %s}" % sink.smtp(words), more)

    # -- entries -------------------------------------------------------------

    def entry(self, recipients, header=HEADER, body=BODY, identity=None,
              when="2026-11-20T09:00:00.000Z", role="post", state="T",
              **fields):
        """Put an entry into outbound/new: its ID.  A recipient is an address
        or (address, words)."""
        self.count += 1
        identity = identity or "0k3v9q%04d-a-01" % self.count
        message = header + body
        lines = ["Septet-Rcpt: 1"]
        for number, recipient in enumerate(recipients, 1):
            if isinstance(recipient, str):
                user, _, domain = recipient.rpartition("@")
                recipient = (recipient, "id=%d\tverp=%s=%s=mac%d" % (
                    number, user, domain, number))
            lines.append("%s\t%s\t%s" % ((state,) + recipient))
        put(self.path("msg", identity), message)
        put(self.path("rcpt", identity), ("\n".join(lines) + "\n").encode())
        given = {"Send_From": "<dev-bounces+{verp}@%s>" % DOMAIN,
                 "Verp": "each", "Recipients": str(len(recipients))}
        given.update(fields)
        envelope = block([("Id", identity), ("Kind", "post"),
                          ("Mail-From", "<ann@example.net>"),
                          ("Size", len(message)),
                          ("Body-Offset", len(header))], "lmtp", "inbound",
                         when, True)
        envelope += block([("List", "dev@" + DOMAIN), ("Role", role)],
                          "inbound", "pending", when)
        envelope += block([(k.replace("_", "-"), v) for k, v in given.items()
                           if v is not None], "pending", "outbound", when)
        put(self.path("outbound", "tmp", identity), envelope.encode())
        os.rename(self.path("outbound", "tmp", identity),
                  self.path("outbound", "new", identity))
        return identity

    def path(self, *parts):
        return os.path.join(self.spool, *parts)

    def names(self, *parts):
        """Files below a folder, whatever minute or owner they stand in."""
        return sorted(name for _, _, names in os.walk(self.path(*parts))
                      for name in names)

    def states(self, identity):
        lines = read(self.path("rcpt", identity)).decode().splitlines()
        return "".join(line[0] for line in lines[1:])

    def results(self, identity):
        """Result lines as [line, state, relay, code, status, reply]."""
        lines = read(self.path("result", identity)).decode().splitlines()
        return [line.split("\t")[:1] + line.split("\t")[2:] for line in lines]

    def reports(self, identity):
        """Lists of the entries for bounce, oldest first."""
        return [read(self.path("rcpt", name)).decode()
                for name in self.names("bounce", "new")
                if name.startswith(identity + ".b")]

    def journal(self):
        return b"".join(read(self.path("journal", name))
                        for name in self.names("journal")).decode()

    def envelope(self, identity, queue="outbound"):
        for folder, _, names in os.walk(self.path(queue)):
            if identity in names:
                return read(os.path.join(folder, identity)).decode()
        raise AssertionError(identity + " is not in " + queue)

    def make_due(self):
        """Bring what is deferred back: the clock of the next runner."""
        self.offset += 2 * 60 * 60

    # -- the runner -------------------------------------------------------------

    def environment(self):
        return dict(os.environ, SEPTET_CLOCK_OFFSET=str(self.offset))

    def drain(self):
        with open(self.log_path, "ab") as log:
            code = subprocess.run(
                [OUTBOUND, "--site", self.file, "--drain"],
                stdin=subprocess.DEVNULL, stderr=log, timeout=120,
                env=self.environment()).returncode
        assert code == 0, "exit code %d: %s" % (code, self.log())

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [OUTBOUND, "--site", self.file], stdin=subprocess.PIPE,
                stderr=log, env=self.environment())
        self.ring()

    def ring(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def is_bell_read(self):
        waiting = fcntl.ioctl(self.process.stdin, termios.FIONREAD, b"1234")
        return struct.unpack("i", waiting)[0] == 0

    def stop(self):
        """The bell ends: seconds until the runner has."""
        started = time.monotonic()
        self.process.stdin.close()
        code = self.process.wait(PATIENCE)
        self.process = None
        assert code == 0, "exit code %d: %s" % (code, self.log())
        return time.monotonic() - started

    def kill(self):
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.stdin.close()
            self.process.wait()
            self.process = None

    def put_back(self):
        """What recovery does with undecided claims of the dead."""
        for folder, _, names in os.walk(self.path("outbound", "cur")):
            for name in names:
                os.rename(os.path.join(folder, name),
                          self.path("outbound", "new", name))

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        return read(self.log_path).decode()

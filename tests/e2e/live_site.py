# SPDX-License-Identifier: BSD-2-Clause
#
# live_site - a throw-away site made by septet(1) and run by the supervisor,
# an LMTP client that pipelines, and an account of what became of every message
#
#     with LiveSite() as site:
#         site.make_list("dev", ["ann@example.net"])
#         site.start()
#         replies = site.post([("ann@example.net", ["dev@" + DOMAIN], data)])
#         site.settle()
#         site.account(replies[0].ids[0])
#
# Nothing sleeps blindly: what is waited for is watched, with a deadline.

import ctypes
import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import zlib

from septet_test import (BIN, DOMAIN, PARTS, PATIENCE, PLACES, ROOT, STAGES,
                         Envelope, Site, Skip, names, put, read, wait_for)

SANITIZED = bool(os.environ.get("SEPTET_SANITIZED"))
QUIET = ["inbound", "auth", "moderation", "pending", "bounce", "command",
         "outbound"]          # in the order that entries go


def end_with_parent():
    """A test that is killed leaves no supervisor behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)      # PR_SET_PDEATHSIG


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def corpora():
    """The folder of the corpora; Skip where there is none."""
    folder = os.environ.get("SEPTET_CORPORA",
                            os.path.join(ROOT, "..", "shared", "corpora"))
    if not os.path.isdir(folder):
        raise Skip("no corpora: SEPTET_CORPORA names none")
    return os.path.abspath(folder)


def unpack(bundle, folder):
    """Unpack a bundle of the corpora: the paths of its files, sorted."""
    os.makedirs(folder, exist_ok=True)
    subprocess.run(["tar", "xJf",
                    os.path.join(corpora(), bundle + ".tar.xz")],
                   cwd=folder, check=True)
    return sorted(os.path.join(where, name)
                  for where, _, files in os.walk(folder) for name in files)


# ---- LMTP -----------------------------------------------------------------

def to_wire(message):
    """CRLF line ends and stuffed dots, with the final dot."""
    text = message.replace(b"\r\n", b"\n")
    if not text.endswith(b"\n"):
        text += b"\n"
    text = re.sub(rb"(?m)^\.", b"..", text)
    return text.replace(b"\n", b"\r\n") + b".\r\n"


class Reply:
    """What LMTP said: of each recipient that was taken after the message, else
    of the command that ended it."""

    def __init__(self, lines):
        self.lines = lines
        self.ids = [line.split()[-1] for line in lines
                    if line.startswith("250 2.0.0 Accepted as ")]

    def __repr__(self):
        return "Reply(%r)" % self.lines


class Lmtp:
    """One connection, pipelined: a message's commands go out with the text of
    the message before it."""

    def __init__(self, port, patience=PATIENCE):
        self.socket = socket.create_connection(("127.0.0.1", port), patience)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")
        self.expect("220")
        self.socket.sendall(b"LHLO mx.example.net\r\n")
        self.expect("250")

    def close(self):
        self.file.close()
        self.socket.close()

    def line(self):
        while True:
            line = self.file.readline()
            if not line.endswith(b"\r\n"):
                raise ConnectionError("hung up")
            if line[3:4] != b"-":
                return line.decode("utf-8", "replace").rstrip("\r\n")

    def expect(self, want):
        line = self.line()
        if not line.startswith(want):
            raise ConnectionError("have %r, want %r" % (line, want))
        return line

    @staticmethod
    def commands(sender, recipients, message):
        text = "MAIL FROM:<%s>%s\r\n" % (
            sender, "" if message.isascii() else " BODY=8BITMIME")
        for recipient in recipients:
            text += "RCPT TO:<%s>\r\n" % recipient
        return text.encode() + b"DATA\r\n"

    def answers(self, recipients, message):
        """Up to the answer to DATA: (lines that refuse, n taken, is_data)."""
        refused = [line for line in [self.line()] if line[0] != "2"]
        lines = [self.line() for _ in recipients]
        data = self.line()
        taken = sum(line[0] == "2" for line in lines)
        refused += [line for line in lines if line[0] != "2"]
        if data[0] != "3":
            refused.append(data)
        return refused, taken, data[0] == "3"

    def send(self, posts):
        """posts: (sender, recipients, message).  Yields a Reply for each."""
        posts = list(posts)
        if posts:
            self.socket.sendall(self.commands(*posts[0]))
        for n, (_, recipients, message) in enumerate(posts):
            refused, taken, is_data = self.answers(recipients, message)
            out = b""
            if is_data:
                out = to_wire(message) if taken else b".\r\n"
            if n + 1 < len(posts):
                out += self.commands(*posts[n + 1])
            if out:
                self.socket.sendall(out)
            ends = [self.line() for _ in range(taken)] if is_data else []
            yield Reply(refused + ends)


# ---- the journal ----------------------------------------------------------

class Journal:
    """Records by ID, read on from where the last look ended."""

    HEAD = re.compile(rb"Septet-Journal: 1 id=(\S+) time=\S+ envelope=(\d+) "
                      rb"rcpt=(\d+) result=(\d+) crc32=(\S+)\n")

    def __init__(self, folder):
        self.folder = folder
        self.at = {}
        self.records = {}       # ID: (envelope, rcpt, result), bytes
        self.times = {}         # ID: how often it stands there

    def look(self):
        for day in names(self.folder):
            with open(os.path.join(self.folder, day), "rb") as file:
                file.seek(self.at.get(day, 0))
                data = file.read()
            self.at[day] = self.at.get(day, 0) + self.take(data)
        return self.records

    def take(self, data):
        """Take the whole records; how many bytes these are.  What a writer
        that was killed left of one is passed over."""
        at = 0
        while True:
            head = self.HEAD.match(data, at)
            sizes = [int(head.group(n)) for n in (2, 3, 4)] if head else []
            end = head.end() + sum(sizes) if head else 0
            # The sum is over the line up to it, and the parts.
            if head and len(data) > end and head.group(5) == b"%08x" % \
                    zlib.crc32(data[head.end():end], zlib.crc32(
                        data[at:head.start(5) - len(" crc32=")])):
                self.keep(head, sizes, data)
                at = end + 1
                continue
            there = data.find(b"\nSeptet-Journal: 1 id=", at)
            if there == -1:
                return at
            at = there + 1

    def keep(self, head, sizes, data):
        ident, parts, at = head.group(1).decode(), [], head.end()
        for size in sizes:
            parts.append(data[at:at + size])
            at += size
        self.records[ident] = tuple(parts)
        self.times[ident] = self.times.get(ident, 0) + 1


# ---- a site ---------------------------------------------------------------

class LiveSite(Site):
    """A site as `septet init --maildir` makes it.  `more` is put at the end of
    the site file, below its queues:."""

    def __init__(self, more=""):
        # Not Site's: that one makes everything by hand.
        self.root = tempfile.mkdtemp(prefix="septet-live.")
        self.home = os.path.join(self.root, "site")
        self.file = os.path.join(self.home, "septet.yaml")
        self.spool = os.path.join(self.home, "spool")
        self.lists = os.path.join(self.home, "lists")
        self.env = dict(os.environ, SEPTET_SITE=self.file, SEPTET_PROGRAMS=BIN,
                        SEPTET_TEMPLATES=os.path.join(ROOT, "config",
                                                      "templates"))
        self.env.pop("NOTIFY_SOCKET", None)
        self.queues = STAGES
        self.processes = []
        self.supervisor = None
        self.log = ""
        self.dropped = 0
        self.port = free_port()
        self.run("septet", "init", self.home, "--domain", DOMAIN, "--owner",
                 "postmaster@example.org", "--maildir", "--lmtp-port",
                 str(self.port))
        if more:
            put(self.file, read(self.file) + more.encode())
        self.finished = Journal(self.path("journal"))

    def __exit__(self, kind, value, trace):
        try:
            if self.supervisor and self.supervisor.poll() is None:
                self.stop()
        except Exception:
            # The first error is the one to tell of.
            if kind is None:
                kind = Exception
                raise
        finally:
            self.kill_all()
            if kind is not None:
                self.log = self.read_log()
                print("# " + repr(self.where()))
            super().__exit__(kind, value, trace)

    def kill_all(self):
        """Runners whose supervisor was killed end by themselves; none of them
        is to write into a folder that is being removed."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
                process.wait()
        end = time.monotonic() + PATIENCE
        while self.pids() and time.monotonic() < end:
            time.sleep(0.02)
        for pid in self.pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def pids(self):
        """Processes that work on this site file."""
        out = []
        mine = os.fsencode(self.file)
        for pid in os.listdir("/proc"):
            if pid.isdigit() and int(pid) != os.getpid():
                try:
                    words = read("/proc/%s/cmdline" % pid, b"").split(b"\0")
                except (ProcessLookupError, PermissionError):
                    continue
                if mine in words:
                    out.append(int(pid))
        return sorted(out)

    # -- lists

    def make_list(self, name, members=(), silent=(), **keys):
        """A list with members; `silent` ones may post and get nothing."""
        address = name if "@" in name else name + "@" + DOMAIN
        self.run("septet", "list", "create", address, "--owner",
                 "owner@example.org")
        path = os.path.join(self.lists, address, "list.yaml")
        put(path, read(path) + "".join(
            "%s: %s\n" % item for item in keys.items()).encode())
        people = list(members) + [a for a in silent if a not in members]
        if people:
            self.run("septet", "member", "add", address, "-",
                     stdin="".join(a + "\n" for a in people).encode())
        for member in silent:
            if member not in members:
                self.run("septet", "member", "set", address, member,
                         "mode=none")
        return address

    # -- the supervisor

    def start(self, **env):
        read_end, write_end = os.pipe()
        self.supervisor = subprocess.Popen(
            [os.path.join(BIN, "septet-supervisor"), "--site", self.file,
             "--ready-fd", str(write_end)], env=dict(self.env, **env),
            pass_fds=[write_end], stdin=subprocess.DEVNULL,
            preexec_fn=end_with_parent,
            stderr=open(os.path.join(self.root, "stderr"), "ab"))
        self.processes.append(self.supervisor)
        os.close(write_end)
        got = os.read(read_end, 10)
        os.close(read_end)
        assert got == b"\n", "the supervisor is not ready: %s" % (
            read(os.path.join(self.root, "stderr")).decode()[-2000:])
        # LMTP listens a moment after its process was started.
        wait_for("LMTP", self.is_listening)

    def is_listening(self):
        try:
            Lmtp(self.port).close()
        except OSError:
            return False
        return True

    def stop(self):
        self.supervisor.send_signal(signal.SIGTERM)
        code = self.supervisor.wait(timeout=PATIENCE * 2)
        assert code == 0, "the supervisor: exit %d" % code
        # A sanitizer that found a leak says so as its program ends.
        said = self.read_log() + read(os.path.join(self.root, "stderr")
                                      ).decode("utf-8", "replace")
        ends = re.findall(r"state=down was=stopping exit=(?!0\n).*", said)
        assert not ends and "Sanitizer" not in said and \
            "runtime error" not in said, "did not end well: %r" % ends

    def read_log(self):
        return read(os.path.join(self.home, "log", "septet.log"),
                    b"").decode("utf-8", "replace")

    def status(self):
        """{instance: {word: value}} of the supervisor's status file."""
        out = {}
        text = read(self.path("supervisor.status"), b"").decode()
        for line in text.splitlines():
            name, *rest = line.split()
            out[name] = dict(word.split("=", 1) for word in rest)
        return out

    def has_restarted(self):
        """Instances that ended unasked."""
        return {name: (w["restarts"], w["exit"])
                for name, w in self.status().items()
                if w.get("restarts", "0") != "0"}

    # -- mail

    def post(self, posts, connections=4):
        """Send (sender, recipients, message) by LMTP: a Reply for each."""
        replies, errors = [None] * len(posts), []

        def work(first):
            mine = range(first, len(posts), connections)
            try:
                client = Lmtp(self.port)
                for n, reply in zip(mine, client.send(posts[i]
                                                      for i in mine)):
                    replies[n] = reply
                client.close()
            except Exception as error:
                errors.append("after %d replies: %r" % (
                    sum(r is not None for r in replies), error))

        threads = [threading.Thread(target=work, args=(n,))
                   for n in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors, "; ".join(errors)
        return replies

    def maildir(self, address):
        return os.path.join(self.home, "mail", address, "new")

    def mail(self, address):
        """{name: bytes} of what a member got."""
        folder = self.maildir(address)
        return {name: read(os.path.join(folder, name))
                for name in names(folder)}

    # -- what came of it

    def busy(self):
        """{"auth/new": 2, ...}: entries that are on their way.  Looked at in
        the order that entries go, so that none slips past."""
        out = {}
        for queue in QUIET:
            for place in ["new", "cur"]:
                n = len(self.names(queue, place))
                if n:
                    out[queue + "/" + place] = n
        return out

    def settle(self, patience=PATIENCE * 4):
        """Until nothing is on its way; time begins anew with each finished
        entry, so that a slow machine is no failure."""
        last, end, calm = None, time.monotonic() + patience, 0
        while calm < 3:
            busy = self.busy()
            calm = 0 if busy else calm + 1
            now = (busy, len(self.finished.look()))
            if now != last:
                last, end = now, time.monotonic() + patience
            assert time.monotonic() < end, "stands still: %r" % busy
            time.sleep(0.05)

    def fates(self):
        """{ID: fate} of every entry there is: ("done", Envelope, rcpt,
        result), ("held", queue, Envelope), and with the envelope's bytes, that
        may be of any kind: ("dead", queue, bytes), ("later", queue, bytes)."""
        out = {}
        for ident, (envelope, rcpt, result) in self.finished.look().items():
            out[ident] = ("done", Envelope(envelope, ident), rcpt, result)
        for queue in self.queues:
            for name in self.names(queue, "dead"):
                if "+" not in name:
                    out[name] = ("dead", queue,
                                 read(self.path(queue, "dead", name)))
            for name in self.names(queue, "held"):
                out[name] = ("held", queue, Envelope(
                    read(self.path(queue, "held", name)), name))
            for minute in names(self.path(queue, "later")):
                for name in names(self.path(queue, "later", minute)):
                    out[name] = ("later", queue, read(
                        self.path(queue, "later", minute, name)))
        return out

    def leftovers(self):
        """Parts that no entry needs any more."""
        live = {name.split("+")[0] for queue in self.queues
                for place in PLACES for name in self.names(queue, place)}
        return [part + "/" + name for part in PARTS[:-1]
                for name in names(self.path(part))
                if name not in live]

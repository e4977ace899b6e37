#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_lmtp - the LMTP server on a loopback port and a unix socket
#
# Output is TAP; arguments choose among the tests.  SEPTET_BIN: the folder of
# the binaries, else build/bin.  SEPTET_SANITIZED: memory is not measured.

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import zlib

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BIN = os.environ.get("SEPTET_BIN", os.path.join(ROOT, "build", "bin"))
LMTP = os.path.join(BIN, "septet-lmtp")
PATIENCE = 20
DOMAIN = "lists.example.org"
DEV = "dev@" + DOMAIN
OPS = "ops@" + DOMAIN
MESSAGE = (b"From: Ann <ann@example.net>\r\nSubject: one\r\n\r\n"
           b"Hello.\r\n.\r\n")


def equal(got, want):
    assert got == want, "got %r, want %r" % (got, want)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def wait_for(what, told):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if told():
            return
        time.sleep(0.01)
    raise AssertionError("never came: " + what)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Client:
    """One connection; every answer is waited for."""

    def __init__(self, address, greet=True):
        kind = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self.socket = socket.socket(kind)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(address)
        self.file = self.socket.makefile("rb")
        if greet:
            equal(self.reply(), "220 %s LMTP" % DOMAIN)
            self.say("LHLO mx.example.net", "250 SIZE")

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def reply(self):
        """The last line of the next reply; "" at the end of file."""
        while True:
            line = self.file.readline().decode()
            if line[3:4] != "-":
                assert line == "" or line.endswith("\r\n"), repr(line)
                return line.rstrip("\r\n")

    def expect(self, *wants):
        for want in wants:
            got = self.reply()
            assert got.startswith(want) and (got or not want), \
                "got %r, want %r" % (got, want)
        return got

    def say(self, command, want):
        self.send(command.encode() + b"\r\n")
        return self.expect(want)

    def start(self, *recipients, sender="ann@example.net"):
        self.say("MAIL FROM:<%s>" % sender, "250 2.1.0")
        for recipient in recipients:
            self.say("RCPT TO:<%s>" % recipient, "250 2.1.5")
        self.say("DATA", "354")

    def post(self, *recipients, data=MESSAGE, sender="ann@example.net"):
        """The IDs under which it was accepted."""
        self.start(*recipients, sender=sender)
        self.send(data)
        return [self.expect("250 2.0.0 Accepted as ").split()[-1]
                for _ in recipients]


class Server:
    """A throw-away site and a server on it."""

    def __init__(self, lmtp="", start=True):
        self.root = tempfile.mkdtemp(prefix="septet-lmtp.")
        self.spool = os.path.join(self.root, "spool")
        self.lists = os.path.join(self.root, "lists")
        self.path = os.path.join(self.root, "lmtp.sock")
        self.file = os.path.join(self.root, "septet.yaml")
        self.log_path = os.path.join(self.root, "log")
        self.tcp = ("127.0.0.1", free_port())
        for part in ("msg", "head", "rcpt", "result", "journal"):
            os.makedirs(os.path.join(self.spool, part))
        for place in ("tmp", "new", "cur", "later", "held", "dead", "status"):
            os.makedirs(os.path.join(self.spool, "inbound", place))
        for address in (DEV, OPS):
            os.makedirs(os.path.join(self.lists, address))
            with open(self.list_file(address), "w") as file:
                file.write("addresses: %s\nowners: owner@example.org\n" %
                           address)
        with open(self.file, "w") as file:
            file.write("site: %s\nhost: a\nspool: spool\nlists: lists\n"
                       "run: run\nowner: owner@example.org\nlow_space: 1M\n"
                       "lmtp:\n  listen: [\"%s:%d\", \"unix:lmtp.sock\"]\n%s"
                       "queues:\n  inbound: {size_limit: 40M}\n" %
                       ((DOMAIN,) + self.tcp + (lmtp,)))
        self.process = None
        if start:
            self.start()

    def list_file(self, address):
        return os.path.join(self.lists, address, "list.yaml")

    def spawn(self):
        with open(self.log_path, "ab") as log:
            return subprocess.Popen([LMTP, "--site", self.file],
                                    stdin=subprocess.PIPE, stderr=log)

    def start(self):
        self.process = self.spawn()
        wait_for("listening", lambda: self.log().count("listen=") == 2 or
                 self.process.poll() is not None)
        equal(self.process.poll(), None)

    def log(self):
        return read(self.log_path).decode()

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.stdin.close()
            self.process.wait()
        if kind is None:
            shutil.rmtree(self.root)
        else:
            print("# kept: " + self.root)

    def stop(self):
        self.process.stdin.close()
        equal(self.process.wait(PATIENCE), 0)

    def names(self, *path):
        return sorted(os.listdir(os.path.join(self.spool, *path)))

    def envelope(self, entry):
        """Fields of the first block, and its Trail."""
        text = read(os.path.join(self.spool, "inbound", "new", entry))
        lines = text.decode().splitlines()
        equal(lines[0], "Septet-Envelope: 1")
        return dict(line.split(": ", 1) for line in lines)

    def message(self, entry):
        return read(os.path.join(self.spool, "msg", entry))

    def expect_empty(self):
        equal(self.names("msg"), [])
        equal(self.names("inbound", "tmp"), [])
        equal(self.names("inbound", "new"), [])

    def memory(self, key="VmRSS"):
        text = read("/proc/%d/status" % self.process.pid).decode()
        return int(re.search(key + r":\s+(\d+)", text).group(1))


def is_measured():
    return not os.environ.get("SEPTET_SANITIZED")


# ---- what is accepted -----------------------------------------------------

def test_a_message_becomes_an_entry():
    with Server() as server, Client(server.tcp) as client:
        client.say("MAIL FROM:<ann@example.net> BODY=8BITMIME SIZE=100",
                   "250 2.1.0")
        client.say("RCPT TO:<%s>" % DEV, "250 2.1.5")
        client.say("DATA", "354")
        client.send(b"A: b\r\nC: d\r\n e\r\n\r\n..x\r\ny\nz\xff\r\n.\r\n")
        entry = client.expect("250 2.0.0").split()[-1]
        equal(server.names("inbound", "new"), [entry])
        equal(server.names("inbound", "tmp"), [])
        equal(server.names("msg"), [entry])
        body = b"A: b\nC: d\n e\n\n.x\ny\nz\xff\n"
        equal(server.message(entry), body)
        fields = server.envelope(entry)
        for name, value in {
                "Id": entry, "Kind": "post", "Size": str(len(body)),
                "Crc32": "%08x" % zlib.crc32(body), "Body-Offset": "14",
                "Mail-From": "<ann@example.net>", "Rcpt-To": "<%s>" % DEV,
                "Mail-Options": "BODY=8BITMIME",
                "Client": "127.0.0.1 helo=mx.example.net proto=LMTP",
        }.items():
            equal((name, fields[name]), (name, value))
        assert " host=a queue=lmtp exit=accept to=inbound " in \
            fields["Trail"], fields["Trail"]
        assert "id=%s accepted rcpt=%s from=ann@example.net size=%d client=" \
            % (entry, DEV, len(body)) in server.log(), server.log()
        client.say("QUIT", "221 2.0.0")
        equal(client.reply(), "")


def test_unix_socket():
    with Server() as server, Client(server.path) as client:
        equal(os.stat(server.path).st_mode & 0o777, 0o660)
        entry, = client.post(DEV)
        equal(server.envelope(entry)["Client"],
              "unix uid=%d helo=mx.example.net proto=LMTP" % os.getuid())


def test_null_sender_and_roles():
    with Server() as server, Client(server.tcp) as client:
        for role in ("", "-request", "-join", "-leave", "-owner",
                     "-confirm+token", "-bounces+ann=example.net=mac"):
            entry, = client.post("dev%s@%s" % (role, DOMAIN), sender="")
            equal(server.envelope(entry)["Mail-From"], "<>")
        entry, = client.post("Postmaster")
        equal(server.envelope(entry)["Rcpt-To"], "<Postmaster@%s>" % DOMAIN)


def test_each_recipient_has_an_entry():
    with Server() as server, Client(server.tcp) as client:
        client.say("MAIL FROM:<ann@example.net>", "250")
        client.say("RCPT TO:<%s>" % DEV, "250")
        client.say("RCPT TO:<nobody@%s>" % DOMAIN, "550 5.1.1")
        client.say("RCPT TO:<dev@elsewhere.example>", "550 5.1.1")
        client.say("RCPT TO:<%s>" % OPS, "250")
        client.say("DATA", "354")
        client.send(MESSAGE)
        ids = [client.expect("250").split()[-1] for _ in range(2)]
        equal([server.envelope(i)["Rcpt-To"] for i in ids],
              ["<%s>" % DEV, "<%s>" % OPS])
        equal(server.message(ids[0]), server.message(ids[1]))
        equal(os.stat(os.path.join(server.spool, "msg", ids[0])).st_nlink, 2)
        equal(len(server.names("inbound", "new")), 2)
        log = server.log()
        assert "refused rcpt=nobody@%s from=ann@example.net" % DOMAIN in log
        client.say("NOOP", "250")


def test_pipelined_at_once():
    with Server() as server, Client(server.tcp) as client:
        one = (b"MAIL FROM:<ann@example.net>\r\nRCPT TO:<%s>\r\nDATA\r\n%s" %
               (DEV.encode(), MESSAGE))
        client.send(one * 50 + b"QUIT\r\n")
        client.expect(*["250", "250", "354", "250 2.0.0"] * 50, "221", "")
        equal(len(server.names("inbound", "new")), 50)


def test_smtputf8():
    with Server() as server, Client(server.tcp) as client:
        client.say("MAIL FROM:<\u00e5sa@example.net>", "553 5.6.7")
        client.say("MAIL FROM:<\u00e5sa@example.net> SMTPUTF8", "250")
        client.say("RCPT TO:<%s>" % DEV, "250")
        client.say("DATA", "354")
        client.send(MESSAGE)
        entry = client.expect("250").split()[-1]
        equal(server.envelope(entry)["Mail-From"], "<\u00e5sa@example.net>")
        equal(server.envelope(entry)["Mail-Options"], "SMTPUTF8")


def test_xforward():
    with Server() as server:
        with Client(server.tcp, greet=False) as client:
            client.expect("220")
            client.send(b"LHLO relay\r\n")
            lines = [client.file.readline() for _ in range(7)]
            assert b"250-XFORWARD NAME ADDR PROTO HELO PORT SOURCE\r\n" in \
                lines, lines
            client.say("XFORWARD NAME=mx.example.net ADDR=192.0.2.7 "
                       "HELO=mx PROTO=ESMTPS", "250")
            entry, = client.post(DEV)
            equal(server.envelope(entry)["Client"],
                  "192.0.2.7 name=mx.example.net helo=mx proto=ESMTPS")
    with Server(lmtp="  xforward: [192.0.2.1]\n") as server:
        for address in (server.tcp, server.path):
            with Client(address) as client:
                client.say("XFORWARD NAME=mx.example.net", "550 5.7.0")


def test_long_lines_and_large_messages():
    with Server() as server, Client(server.tcp) as client:
        before = server.memory("VmHWM")
        data = b"A: b\r\n\r\n" + b"x" * 30000000 + b"\r\n.\r\n"
        entry, = client.post(DEV, data=data)
        equal(os.stat(os.path.join(server.spool, "msg", entry)).st_size,
              len(data) - 6)
        if is_measured():
            grown = server.memory("VmHWM") - before
            assert grown < 2048, "%d KB for a message" % grown


def test_many_clients_at_once():
    def talk(server, n):
        try:
            with Client(server.tcp) as client:
                for _ in range(n):
                    ids.extend(client.post(DEV, OPS))
        except Exception as error:
            ids.append(error)

    ids = []
    with Server() as server:
        threads = [threading.Thread(target=talk, args=(server, 10))
                   for _ in range(40)]
        begin = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("# %.0f messages a second" %
              (400 / (time.monotonic() - begin)))
        equal(sorted(ids, key=str), server.names("inbound", "new"))
        equal(len(ids), 800)
        server.stop()


# ---- what is refused ------------------------------------------------------

def test_refused_messages_leave_nothing():
    with Server(lmtp="  recipients: 1\n") as server, \
            Client(server.tcp) as client:
        client.say("MAIL FROM:<> SIZE=41943041", "552 5.3.4")
        client.start(DEV)
        client.send(b"a: b\r\n\r\n\0\r\n.\r\n")
        client.expect("554 5.6.0")
        client.start(DEV)
        client.send(b"a: bcdef\r\n" * 120000 + b"\r\n.\r\n")
        client.expect("552 5.3.4")
        client.start(DEV)
        client.send(b"\r\n" + (b"x" * 998 + b"\r\n") * 42000 + b".\r\n")
        client.expect("552 5.3.4")
        client.say("MAIL FROM:<>", "250")
        client.say("RCPT TO:<%s>" % DEV, "250")
        client.say("RCPT TO:<%s>" % OPS, "452 4.5.3")
        client.say("RSET", "250")
        server.expect_empty()


def test_smuggling():
    """No other sequence than CRLF.CRLF lets a second message through."""
    for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r\n.\r",
                b"\r\n\0.\r\n", b"\r\n.\r\r\n"):
        with Server() as server, Client(server.tcp) as client:
            client.start(DEV)
            client.send(b"a: b\r\n\r\nc" + end +
                        b"MAIL FROM:<bob@example.net>\r\nRCPT TO:<%s>\r\n"
                        b"DATA\r\nd: e\r\n.\r\n" % DEV.encode())
            client.expect("554" if b"\0" in end else "250")
            client.say("NOOP", "250")
            equal(len(server.names("inbound", "new")),
                  0 if b"\0" in end else 1)


def test_lists_that_cannot_be_read():
    with Server() as server, Client(server.tcp) as client:
        client.say("MAIL FROM:<ann@example.net>", "250")
        os.rename(server.list_file(DEV), server.list_file(DEV) + ".away")
        client.say("RCPT TO:<%s>" % DEV, "451 4.3.0")
        os.rename(server.list_file(DEV) + ".away", server.list_file(DEV))
        client.say("RCPT TO:<%s>" % DEV, "250")
        client.say("RSET", "250")
        os.rename(server.lists, server.lists + ".away")
        client.say("MAIL FROM:<ann@example.net>", "250")
        client.say("RCPT TO:<%s>" % OPS, "451 4.3.0")
        client.say("RCPT TO:<nobody@%s>" % DOMAIN, "451 4.3.0")


def test_storage_trouble_is_temporary():
    with Server() as server, Client(server.tcp) as client:
        tmp = os.path.join(server.spool, "inbound", "tmp")
        msg = os.path.join(server.spool, "msg")
        client.start(DEV)
        os.rename(tmp, tmp + ".away")
        client.send(MESSAGE)
        client.expect("451 4.3.0")
        os.rename(tmp + ".away", tmp)
        client.say("MAIL FROM:<>", "250")
        client.say("RCPT TO:<%s>" % DEV, "250")
        os.rename(msg, msg + ".away")
        client.say("DATA", "451 4.3.0")
        os.rename(msg + ".away", msg)
        client.say("RSET", "250")
        server.expect_empty()
        client.post(DEV)


def test_low_space():
    with Server(start=False) as server:
        text = read(server.file).decode()
        with open(server.file, "w") as file:
            file.write(text.replace("low_space: 1M", "low_space: 900T"))
        server.start()
        with Client(server.tcp) as client:
            client.say("MAIL FROM:<ann@example.net>", "452 4.3.1")
            client.say("RCPT TO:<%s>" % DEV, "503")
        server.expect_empty()


# ---- connections ----------------------------------------------------------

def test_too_many_connections():
    with Server(lmtp="  connections: 2\n") as server:
        first, second = Client(server.tcp), Client(server.path)
        for address in (server.tcp, server.path):
            with Client(address, greet=False) as third:
                third.expect("421 4.3.2", "")
        first.close()
        second.say("QUIT", "221")
        second.close()

        def is_let_in():
            with Client(server.tcp, greet=False) as client:
                return client.reply().startswith("220")
        wait_for("room for one more", is_let_in)


def test_silent_clients_are_told():
    with Server(lmtp="  timeout: 300ms\n") as server:
        with Client(server.tcp) as silent, Client(server.tcp) as client:
            client.start(DEV)
            client.send(b"a: b\r\n")
            silent.expect("421 4.4.2", "")
            client.expect("421 4.4.2", "")
        server.expect_empty()


def test_clients_that_vanish():
    with Server() as server:
        for last in (b"", b"a: b\r\n", b"a: b\r\n\r\nc\r\n."):
            with Client(server.tcp) as client:
                client.start(DEV)
                client.send(last)
            with Client(server.path) as client:
                client.start(DEV, OPS)
                client.send(last)
        wait_for("an empty spool", lambda: server.names("msg") == [])
        server.expect_empty()


def test_half_closed_clients_are_answered():
    with Server() as server, Client(server.tcp) as client:
        client.send(b"MAIL FROM:<>\r\nRCPT TO:<%s>\r\nDATA\r\n%sNOOP\r\n" %
                    (DEV.encode(), MESSAGE))
        client.socket.shutdown(socket.SHUT_WR)
        client.expect("250", "250", "354", "250 2.0.0", "250", "")


def test_slow_readers():
    """Who reads no answers is not read either."""
    with Server() as server:
        with Client(server.tcp) as client:
            client.socket.settimeout(1)
            sent = 0
            noops = b"NOOP\r\n" * 10000
            try:
                while sent < 200000000:
                    sent += client.socket.send(noops)
            except socket.timeout:
                pass
            assert sent < 200000000, "all taken"
            if is_measured():
                assert server.memory() < 16384, server.memory()
            # The others are served meanwhile.
            with Client(server.tcp) as other:
                other.post(DEV)
            client.socket.settimeout(PATIENCE)
            replies = 0
            while replies < sent // 6:
                equal(client.file.readline(), b"250 2.0.0 Ok\r\n")
                replies += 1


def test_idle_costs_nothing():
    def switches():
        return server.memory("voluntary_ctxt_switches")

    def descriptors():
        return len(os.listdir("/proc/%d/fd" % server.process.pid))

    with Server() as server:
        alone = descriptors()
        with Client(server.tcp) as client:
            client.post(DEV)
            assert descriptors() > alone
        wait_for("the connection's end", lambda: descriptors() == alone)
        time.sleep(0.1)
        before = switches()
        time.sleep(1)
        equal(switches(), before)
        server.process.stdin.write(b"\n\n\n")
        server.process.stdin.flush()
        wait_for("a wake-up", lambda: switches() > before)
        time.sleep(0.1)
        before = switches()
        time.sleep(0.5)
        equal(switches(), before)


def test_idle_connections_are_small():
    with Server() as server:
        with Client(server.tcp) as client:
            client.post(DEV)
        before = server.memory()
        clients = [Client(server.tcp) for _ in range(150)]
        for client in clients:
            client.say("NOOP", "250")
        grown = server.memory() - before
        for client in clients:
            client.close()
        if is_measured():
            assert grown <= 150 * 4 + 64, "%d KB for 150" % grown


# ---- start and end --------------------------------------------------------

def stop_with_open_work(stop):
    with Server() as server:
        done, undone, idle, behind = (Client(server.tcp) for _ in range(4))
        undone.start(DEV)
        undone.send(b"a: b\r\n\r\nc\r\n")
        done.start(DEV)
        behind.start(OPS)
        os.kill(server.process.pid, signal.SIGSTOP)
        done.send(MESSAGE)
        behind.send(MESSAGE + b"MAIL FROM:<>\r\nRCPT TO:<%s>\r\nDATA\r\na" %
                    DEV.encode())
        stop(server)
        os.kill(server.process.pid, signal.SIGCONT)
        done.expect("250 2.0.0", "421 4.3.2", "")
        behind.expect("250 2.0.0", "250", "250", "354", "421 4.3.2", "")
        undone.expect("421 4.3.2", "")
        idle.expect("421 4.3.2", "")
        for client in (done, undone, idle, behind):
            client.close()
        equal(server.process.wait(PATIENCE), 0)
        equal(len(server.names("inbound", "new")), 2)
        equal(len(server.names("msg")), 2)
        equal(server.names("inbound", "tmp"), [])
        assert not os.path.exists(server.path)
        try:
            socket.create_connection(server.tcp).close()
            raise AssertionError("still listening")
        except ConnectionRefusedError:
            pass


def test_end_of_the_bell():
    stop_with_open_work(lambda server: server.process.stdin.close())


def test_sigterm():
    stop_with_open_work(lambda server: server.process.terminate())


def test_clients_that_stay_do_not_hold_it_up():
    with Server() as server:
        clients = [Client(server.tcp), Client(server.path)]
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 5
        for client in clients:
            client.expect("421 4.3.2", "")
            client.close()


def without_a_bell(end):
    with Server(start=False) as server:
        with open(server.log_path, "ab") as log:
            process = subprocess.Popen([LMTP, "--site", server.file],
                                       stdin=subprocess.DEVNULL, stderr=log)
        try:
            wait_for("listening", lambda: server.log().count("listen=") == 2)
            with Client(server.tcp) as client:
                client.post(DEV)
            assert "no doorbell" in server.log()
            process.send_signal(end)
            equal(process.wait(PATIENCE), 0)
        finally:
            process.kill()
            process.wait()


def test_without_a_bell():
    without_a_bell(signal.SIGTERM)
    without_a_bell(signal.SIGINT)


def test_ctrl_c_is_for_who_has_the_bell():
    with Server() as server:
        server.process.send_signal(signal.SIGINT)
        with Client(server.tcp) as client:
            client.post(DEV)
        equal(server.process.poll(), None)
        assert "stopping" not in server.log(), server.log()
        server.stop()


def test_address_in_use():
    with Server() as server:
        before = server.log()
        second = server.spawn()
        equal(second.wait(PATIENCE), 75)
        second.stdin.close()
        told = server.log()[len(before):]
        assert "cannot listen at 127.0.0.1:%d: address in use" % \
            server.tcp[1] in told, told
        # Nor is a socket that somebody answers at taken away.
        text = read(server.file).decode()
        with open(server.file, "w") as file:
            file.write(text.replace("\"%s:%d\", " % server.tcp, ""))
        second = server.spawn()
        equal(second.wait(PATIENCE), 75)
        second.stdin.close()
        assert "lmtp.sock: address in use" in server.log()
        with Client(server.path) as client:
            client.post(DEV)


def test_after_a_kill():
    with Server() as server:
        with Client(server.tcp) as client:
            client.start(DEV)
            server.process.kill()
            server.process.wait()
            server.process.stdin.close()
        assert os.path.exists(server.path)
        os.truncate(server.log_path, 0)
        server.start()
        with Client(server.path) as client:
            client.post(DEV)
        server.stop()


def test_a_file_in_the_way_stays():
    with Server(start=False) as server:
        with open(server.path, "w") as file:
            file.write("precious")
        process = server.spawn()
        equal(process.wait(PATIENCE), 75)
        process.stdin.close()
        equal(read(server.path), b"precious")


def test_options():
    def run(*arguments):
        return subprocess.run([LMTP, *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True)

    with Server(start=False) as server:
        got = run("--help")
        equal(got.returncode, 0)
        for option in ("--queue", "--instance", "--drain"):
            assert option not in got.stdout, option + " says nothing to it"
        assert "--log-level" in got.stdout and "--site" in got.stdout
        equal(run("--version").returncode, 0)
        for arguments, code, text in (
                (("--drain", "--site", server.file), 64, "--drain"),
                (("--site", server.file, "more"), 64, "arguments"),
                (("--nonsense",), 64, "nonsense"),
                (("--site", server.root + "/none"), 78, "none")):
            got = run(*arguments)
            equal((arguments, got.returncode), (arguments, code))
            assert text in got.stderr, got.stderr
        shutil.rmtree(server.spool)
        got = run("--site", server.file)
        equal(got.returncode, 75)
        assert server.spool in got.stderr, got.stderr
        page = read(os.path.join(ROOT, "runners", "lmtp",
                                 "septet-lmtp.8")).decode()
        for option in re.findall(r"--([a-z-]+)", run("--help").stdout):
            assert ("Fl -" + option) in page, option + " has no description"


def main():
    wanted = sys.argv[1:]
    tests = [(n[5:], f) for n, f in globals().items()
             if n.startswith("test_") and (not wanted or n[5:] in wanted)]
    failed = 0
    print("1..%d" % len(tests))
    for number, (name, test) in enumerate(tests, 1):
        try:
            test()
            print("ok %d - %s" % (number, name.replace("_", " ")))
        except Exception as error:
            failed += 1
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            print("not ok %d - %s: %s" % (number, name.replace("_", " "),
                                          str(error).splitlines()[:1]))
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

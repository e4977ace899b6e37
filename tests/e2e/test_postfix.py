#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_postfix - a whole site behind a real Postfix: SMTP in, LMTP to us, SMTP
# out, bounces back, virtual(8) into SPOOL/inbound
#
# The Postfix is one of its own: own configuration, queue and data below a
# temporary folder, free ports on loopback; the system's is not touched.  Needs
# root (Postfix does) and skips without.

import glob
import json
import os
import re
import shutil
import smtplib
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
from live_site import LiveSite, end_with_parent, free_port  # noqa: E402
from septet_test import (DOMAIN, PATIENCE, Envelope, Skip,  # noqa: E402
                         equal, main, names, put, read, wait_for)

DEV = "dev@" + DOMAIN
DROP = "drop@maildir.example.org"
# Domains of the members, by what Postfix does with mail for them.
SINK = "example.com"            # as all others: handed on to smtp-sink
LOCAL = "box.example.net"       # local(8), where nobody has an account
BOXES = "boxes.example.net"     # virtual(8), known at RCPT
REMOTE = "remote.example.net"   # handed on to a server that refuses

MAIN_CF = """
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = {daemons}
mail_owner = postfix
setgid_group = postdrop
maillog_file = {root}/log
maillog_file_prefixes = {root}
myhostname = mx.example.net
mydomain = example.net
myorigin = example.net
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
biff = no
alias_maps =
alias_database =
notify_classes =
maximal_backoff_time = 300s
smtp_host_lookup = native
disable_dns_lookups = yes
smtpd_peername_lookup = no
default_database_type = texthash

# To the lists: what `septet maps postfix` wrote is both maps.
recipient_delimiter = +
relay_domains = {domain}
transport_maps = texthash:{root}/septet, texthash:{root}/transport
default_transport = smtp:[127.0.0.1]:{sink}
relay_recipient_maps = texthash:{root}/septet
lmtp_send_xforward_command = yes
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions =
    reject_unlisted_recipient, permit_mynetworks, reject

# Local accounts: all are taken at RCPT, and bounce as there are none.
mydestination = {local}
local_recipient_maps =

# virtual(8): a member's Maildir, and SPOOL/inbound.
virtual_mailbox_domains = {boxes}, maildir.example.org
virtual_mailbox_base = /
virtual_mailbox_maps = texthash:{root}/mailboxes
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_mailbox_limit = 0
"""

MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix  n - n 60    1 pickup
cleanup   unix  n - n -     0 cleanup
qmgr      unix  n - n 300   1 qmgr
rewrite   unix  - - n -     - trivial-rewrite
bounce    unix  - - n -     0 bounce
defer     unix  - - n -     0 bounce
trace     unix  - - n -     0 bounce
verify    unix  - - n -     1 verify
proxymap  unix  - - n -     - proxymap
anvil     unix  - - n -     1 anvil
scache    unix  - - n -     1 scache
flush     unix  n - n 1000? 0 flush
showq     unix  n - n -     - showq
error     unix  - - n -     - error
retry     unix  - - n -     - error
discard   unix  - - n -     - discard
smtp      unix  - - n -     - smtp
relay     unix  - - n -     - smtp
lmtp      unix  - - n -     - lmtp
local     unix  - n n -     - local
virtual   unix  - n n -     - virtual
postlog   unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A Postfix instance of the test's own."""

    def __init__(self):
        self.root = tempfile.mkdtemp(prefix="septet-postfix.")
        os.chmod(self.root, 0o755)
        self.etc = os.path.join(self.root, "etc")
        self.port = free_port()
        self.is_started = False
        for folder in ("etc", "queue", "data", "boxes"):
            os.mkdir(os.path.join(self.root, folder), 0o755)
        shutil.chown(os.path.join(self.root, "data"), "postfix")
        os.chown(os.path.join(self.root, "boxes"), 65534, 65534)
        # What it is made of, as the package says; the rest is ours.
        for name in ("dynamicmaps.cf", "postfix-files"):
            if os.path.exists("/etc/postfix/" + name):
                shutil.copy("/etc/postfix/" + name, self.etc)

    def configure(self, site, sink, refusing):
        words = {"root": self.root, "domain": DOMAIN, "local": LOCAL,
                 "boxes": BOXES, "port": self.port, "sink": sink,
                 "daemons": subprocess.run(
                     ["postconf", "-dh", "daemon_directory"], text=True,
                     check=True, capture_output=True).stdout.strip()}
        self.write("etc/main.cf", MAIN_CF.format(**words))
        self.write("etc/master.cf", MASTER_CF.format(**words))
        self.write("transport", "%s smtp:[127.0.0.1]:%d\n" % (REMOTE,
                                                              refusing))
        self.write("mailboxes", "%s %s/\ncyd@%s %s/boxes/cyd/\n" % (
            DROP, site.path("inbound"), BOXES, self.root))
        self.map(site)

    def map(self, site):
        """The table, without the list that virtual(8) delivers to."""
        lines = site.run("septet", "maps", "postfix").stdout.decode()
        self.write("septet", "".join(
            line + "\n" for line in lines.splitlines()
            if "@maildir.example.org " not in line))

    def write(self, name, text):
        put(os.path.join(self.root, name), text)

    def command(self, *arguments):
        got = subprocess.run(["postfix", "-c", self.etc, *arguments],
                             capture_output=True, text=True, timeout=60,
                             stdin=subprocess.DEVNULL)
        assert got.returncode == 0, "postfix %s: %s%s%s" % (
            arguments, got.stdout, got.stderr, self.log())

    def start(self):
        self.command("start")
        self.is_started = True
        wait_for("Postfix", lambda: self.client(True))

    def stop(self):
        if self.is_started:
            self.command("stop")
            self.is_started = False

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)

    def client(self, is_try=False):
        try:
            return smtplib.SMTP("127.0.0.1", self.port, timeout=PATIENCE)
        except OSError:
            if not is_try:
                raise

    def send(self, sender, to, data):
        """One message by SMTP."""
        with self.client() as client:
            client.sendmail(sender, to, data.replace(b"\n", b"\r\n"),
                            ["BODY=8BITMIME"])

    def log(self):
        return read(os.path.join(self.root, "log"), b"").decode(
            "utf-8", "replace")

    def queue(self):
        """Messages that it has."""
        return [path for place in ("maildrop", "incoming", "active",
                                   "deferred", "hold")
                for path in glob.glob(os.path.join(
                    self.root, "queue", place, "**"), recursive=True)
                if os.path.isfile(path)]

    def bounces(self):
        """Lines about reports that it has written."""
        return re.findall(r"sender non-delivery notification", self.log())


class SmtpSink:
    """Postfix's smtp-sink; each message is a file."""

    def __init__(self, root, name, *options):
        self.folder = os.path.join(root, name)
        os.mkdir(self.folder)
        os.chmod(self.folder, 0o777)
        self.port = free_port()
        self.process = subprocess.Popen(
            ["smtp-sink", "-u", "nobody", "-d", "m.", "-R", self.folder,
             *options, "127.0.0.1:%d" % self.port, "100"],
            stdin=subprocess.DEVNULL, preexec_fn=end_with_parent)

    def stop(self):
        self.process.kill()
        self.process.wait()

    def got(self):
        """[(sender, [recipients], message)]"""
        out = []
        for name in names(self.folder):
            data = read(os.path.join(self.folder, name)).replace(b"\r\n",
                                                                 b"\n")
            sender = re.search(rb"^X-Mail-Args: <(.*?)>", data, re.M)
            to = re.findall(rb"^X-Rcpt-Args: <(.*?)>", data, re.M)
            message = re.split(rb"^Received: .*\n(?:[ \t].*\n)+", data,
                               maxsplit=1, flags=re.M)
            # A blank line ends each: until then it is being written.
            if sender and len(message) == 2 and data.endswith(b"\n\n"):
                out.append((sender.group(1).decode(),
                            [t.decode() for t in to], message[1][:-1]))
        return out

    def for_(self, address):
        return [(s, m) for s, to, m in self.got() if address in to]


class World:
    """The site, Postfix and the sinks; made when the first test asks."""

    def __init__(self):
        self.site = None
        self.postfix = None
        self.sinks = []

    def get(self):
        if self.postfix is None:
            if os.getuid() != 0:
                raise Skip("Postfix needs root")
            if not shutil.which("postfix") or not shutil.which("smtp-sink"):
                raise Skip("no Postfix")
            self.postfix = Postfix()
            self.make()
        if not self.postfix.is_started:
            raise AssertionError("Postfix or the site did not start")
        return self

    def make(self):
        postfix, root = self.postfix, self.postfix.root
        self.sink = SmtpSink(root, "sink")
        self.refusing = SmtpSink(root, "refusing", "-f", "RCPT", "-B",
                                 "550 5.1.1 no such user")
        self.sinks = [self.sink, self.refusing]
        self.site = site = LiveSite()
        text = read(site.file).decode()
        assert "maildir: mail" in text, text
        put(site.file, text.replace(
            "maildir: mail", "smtp: {host: 127.0.0.1, port: %d}" %
            postfix.port))
        site.make_list("dev", ["ann@" + SINK, "bob@" + SINK, "cyd@" + BOXES],
                       bounce_threshold="0")
        site.make_list("dead", ["ann@" + SINK, "gone@" + LOCAL,
                                "unknown@" + BOXES, "refused@" + REMOTE])
        site.make_list(DROP, ["ann@" + SINK])
        self.open_inbound()
        postfix.configure(site, self.sink.port, self.refusing.port)
        site.start()
        postfix.start()

    def open_inbound(self):
        """virtual(8) writes as nobody here; a real site has it write as the
        site's own user."""
        os.chmod(self.site.root, 0o711)
        for folder in ("", "tmp", "new", "cur"):
            path = self.site.path("inbound", folder)
            os.chown(path, -1, 65534)
            os.chmod(path, 0o2770)
        for folder in (self.site.home, self.site.spool):
            os.chmod(folder, os.stat(folder).st_mode | 0o001)

    def settle(self):
        """Until neither Postfix nor the site has anything to do."""
        for _ in range(100):
            wait_for("Postfix to be done", lambda: not self.postfix.queue(),
                     PATIENCE * 2)
            self.site.settle()
            if not self.postfix.queue() and not self.site.busy():
                return
        raise AssertionError("mail goes round")

    def score(self, address, of="dead@" + DOMAIN):
        found = json.loads(self.site.run("septet", "member", "ls", of,
                                         "--json").stdout)
        return {m["address"]: int(m.get("score") or 0)
                for m in found}[address]

    def end(self, is_good):
        for sink in self.sinks:
            sink.stop()
        if self.postfix:
            try:
                self.postfix.stop()
            finally:
                if is_good:
                    self.postfix.remove()
                else:
                    print("# kept: " + self.postfix.root)
        if self.site:
            self.site.__exit__(None if is_good else Exception, None, None)


world = World()


def message(subject, to=DEV, author="ann@" + SINK, body=b"Hello.\n"):
    return ("From: %s\nTo: %s\nSubject: %s\nMessage-ID: <%s@example.com>\n"
            "Date: Fri, 20 Nov 2026 09:00:00 +0000\n\n" % (
                author, to, subject, subject)).encode() + body


def test_smtp_in_and_out_with_verp_senders():
    w = world.get()
    body = "Grüße\n.\n..two\nFrom here\n".encode() + b"long" * 200 + b"\n"
    w.postfix.send("ann@" + SINK, [DEV], message("whole", body=body))
    w.settle()
    for address in ("ann@" + SINK, "bob@" + SINK):
        found = [(s, m) for s, m in w.sink.for_(address)
                 if b"Subject: whole" in m]
        equal(len(found), 1, address)
        sender, data = found[0]
        user, domain = address.split("@")
        assert re.match(r"dev-bounces\+%s=%s=[a-z2-7]{10}@%s$" % (
            user, domain, re.escape(DOMAIN)), sender), sender
        assert b"\nList-Id: <dev.lists.example.org>\n" in data, data
        equal(data.partition(b"\n\n")[2], body)
    folder = os.path.join(w.postfix.root, "boxes", "cyd", "new")
    (name,) = names(folder)
    data = read(os.path.join(folder, name))
    assert data.startswith(b"Return-Path: <dev-bounces+cyd=boxes.example.net="
                           ), data
    equal(data.partition(b"\n\n")[2], body)
    equal(w.postfix.bounces(), [])
    # XFORWARD has said who Postfix had it from.
    (client,) = {Envelope(e).get("Client") for e, _, _ in
                 w.site.finished.look().values()}
    assert re.match(r"127\.0\.0\.1 .*proto=ESMTP\b", client), client


def test_dead_addresses_come_back_and_score_the_right_member():
    w = world.get()
    before = len(w.postfix.bounces())
    to = "dead@" + DOMAIN
    w.postfix.send("ann@" + SINK, [to], message("dead", to))
    wait_for("the scores", lambda: all(
        w.score(a) for a in ("gone@" + LOCAL, "unknown@" + BOXES,
                             "refused@" + REMOTE)))
    w.settle()
    # One point each, however it was refused; Ann has her copy.
    equal({a: w.score(a) for a in (
        "ann@" + SINK, "gone@" + LOCAL, "unknown@" + BOXES,
        "refused@" + REMOTE)},
        {"ann@" + SINK: 0, "gone@" + LOCAL: 1, "unknown@" + BOXES: 1,
         "refused@" + REMOTE: 1})
    # Two were taken by Postfix and came back as reports to their senders;
    # one it refused at RCPT.
    equal(len(w.postfix.bounces()) - before, 2)
    log = w.postfix.log()
    for address in ("gone@" + LOCAL, "refused@" + REMOTE):
        user, domain = address.split("@")
        assert re.search(r"lmtp\[.*to=<dead-bounces\+%s=%s=[a-z2-7]{10}@.*"
                         r"status=sent" % (user, re.escape(domain)), log), \
            "no report to the sender for " + address
    assert re.search(r"NOQUEUE: reject: RCPT.*550 5\.1\.1 <unknown@", log)
    journal = b"".join(envelope for envelope, _, _ in
                       w.site.finished.look().values()).decode()
    assert re.search(r"^Bounce: <gone@box.example.net> .*status=5\.1\.1",
                     journal, re.M), "no Bounce field"


def test_virtual_delivers_into_inbound_as_into_any_maildir():
    w = world.get()
    body = b"By way of virtual(8).\n"
    w.postfix.send("ann@" + SINK, [DROP], message("drop", DROP, body=body))
    w.settle()
    found = [(s, m) for s, m in w.sink.for_("ann@" + SINK)
             if b"Subject: drop" in m]
    equal(len(found), 1)
    sender, data = found[0]
    assert sender.startswith("drop-bounces+ann="), sender
    equal(data.partition(b"\n\n")[2], body)
    # What virtual(8) puts on top does not go out.
    for name in (b"Return-Path", b"Delivered-To", b"X-Original-To"):
        assert b"\n" + name + b":" not in data, data
    assert re.search(r"virtual\[.*to=<%s>.*status=sent" % re.escape(DROP),
                     w.postfix.log())
    equal(names(w.site.path("inbound", "new")), [])
    for envelope, _, _ in w.site.finished.look().values():
        if b"\nRcpt-To: <drop@" in envelope:
            assert b"\nSource: drop " in envelope, envelope
            assert b"\nMail-From: <ann@example.com>\n" in envelope, envelope


def test_an_unknown_list_is_refused_at_rcpt_and_no_dsn_is_sent():
    w = world.get()
    before = (len(w.postfix.bounces()), len(w.sink.got()),
              len(w.site.fates()))
    with w.postfix.client() as client:
        client.ehlo("client.example.net")
        for sender in ("ann@" + SINK, ""):
            equal(client.mail(sender)[0], 250)
            for local in ("nobody", "nobody-request", "devel", "dev-nobody",
                          "nobody-bounces+ann=example.com=abcdefghij"):
                code, text = client.rcpt("%s@%s" % (local, DOMAIN))
                equal((code, text[:5]), (550, b"5.1.1"), local)
            code, _ = client.rcpt(DEV)
            equal(code, 250)
            client.rset()
    w.settle()
    equal((len(w.postfix.bounces()), len(w.sink.got()),
           len(w.site.fates())), before)
    assert "status=bounced (unknown" not in "".join(
        line for line in w.postfix.log().splitlines()
        if "to=<nobody" in line)


def test_every_role_address_is_taken_at_rcpt():
    w = world.get()
    with w.postfix.client() as client:
        client.ehlo("client.example.net")
        client.mail("ann@" + SINK)
        for local in ("dev", "dev+x", "dev-request", "dev-join",
                      "dev-subscribe", "dev-leave", "dev-unsubscribe",
                      "dev-confirm+abc", "dev-owner", "postmaster",
                      "dev-bounces+ann=example.com=abcdefghij",
                      "dev-bounces+~17=abcdefghij"):
            code, text = client.rcpt("%s@%s" % (local, DOMAIN))
            equal(code, 250, "%s: %s" % (local, text))
        client.rset()


def test_joining_by_mail_through_postfix():
    w = world.get()
    new = "new@" + SINK
    w.postfix.send(new, ["dev-join@" + DOMAIN],
                   message("join", "dev-join@" + DOMAIN, new))
    w.settle()
    ((sender, data),) = w.sink.for_(new)
    equal(sender, "")
    token = re.search(rb"dev-confirm\+[a-z2-7]{26}@lists\.example\.org",
                      data).group(0).decode()
    w.postfix.send(new, [token], message("yes", token, new))
    w.settle()
    equal(w.score(new, DEV), 0)
    # And mail for the owners goes on, from the site.
    w.postfix.send("x@" + SINK, ["dev-owner@" + DOMAIN],
                   message("hi", "dev-owner@" + DOMAIN, "x@" + SINK))
    wait_for("mail for the owner", lambda: re.search(
        r"from=<postmaster@%s>" % re.escape(DOMAIN), w.postfix.log()))


if __name__ == "__main__":
    is_good = False
    try:
        main(globals())
    except SystemExit as code:
        is_good = code.code == 0
        raise
    finally:
        world.end(is_good)

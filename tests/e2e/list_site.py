# SPDX-License-Identifier: BSD-2-Clause
#
# list_site - a throw-away site with lists and members, whose real runners are
# run one after the other until nothing moves any more
#
# So a test can say "and nobody got a mail" without waiting for mail that never
# comes.  What goes out lands in a Maildir for each address, or in a sink.

import email
import email.policy
import json
import os
import time

from outbound_site import Sink
from septet_test import BIN, DOMAIN, Skip, Site, names, read

HOUR = 60 * 60
DAY = 24 * HOUR
OWNER = "owner@example.org"
# Runs of all queues, one after the other, before mail counts as going round.
ROUNDS_MAX = 40


def message(author="ann@example.net", to="dev@" + DOMAIN, body=b"Hello.\n",
            ident=None, extra=b"", subject="one"):
    """A post.  Each has a Message-ID of its own unless one is given."""
    message.count += 1
    ident = ident or "m%d@example.net" % message.count
    head = "From: %s\nTo: %s\nSubject: %s\n" % (author, to, subject)
    if ident:
        head += "Message-ID: <%s>\n" % ident
    head += "Date: Fri, 20 Nov 2026 09:00:00 +0000\n"
    return head.encode() + extra + b"\n" + body


message.count = 0


class Mail:
    """A message that came out at somebody's."""

    def __init__(self, data):
        self.data = data
        self.head, _, self.body = data.partition(b"\n\n")
        self.parsed = email.message_from_bytes(
            data, policy=email.policy.compat32)

    def get(self, name):
        return self.parsed.get(name)

    def all(self, name):
        return self.parsed.get_all(name) or []

    @property
    def sender(self):
        """Of the envelope, without brackets."""
        return self.get("Return-Path").strip("<>")

    def header(self):
        """The header without the two fields of the delivery itself."""
        return self.head.split(b"\n", 2)[2] + b"\n"

    def is_automatic(self):
        return self.sender == ""


class ListSite(Site):
    """Keys are those of the site file.  sink: rules of a sink that takes the
    place of the Maildirs."""

    def __init__(self, queues="", sink=None, relay="", **keys):
        if not os.path.exists(os.path.join(BIN, "septet")):
            raise Skip("no septet in " + BIN)
        self.sink = None
        self.offset = 0
        super().__init__(**keys)
        self.keys, self.more, self.relay = keys, queues, relay
        if sink is not None:
            self.sink = Sink(self.root, **sink)
        self.configure()

    def configure(self):
        out = "maildir: mail" if self.sink is None else \
            "smtp: " + self.sink.smtp(self.relay)
        self.write("  outbound: {%s}\n%s" % (out, self.more), **self.keys)

    def __exit__(self, kind, value, trace):
        if self.sink:
            self.sink.stop()
        super().__exit__(kind, value, trace)

    # -- lists and members

    def create(self, name="dev", members=(), **policy):
        """A list; policy is what its list.yaml says beside the defaults."""
        address = name if "@" in name else name + "@" + DOMAIN
        self.run("septet", "list", "create", address, "--owner", OWNER)
        if policy:
            self.list(address, **policy)
        if members:
            self.run("septet", "member", "add", address, "-",
                     stdin="".join(m + "\n" for m in members).encode())
        return address

    def members(self, address="dev@" + DOMAIN):
        """{address: {"id": ..., "score": ..., ...}}"""
        text = self.run("septet", "member", "ls", address,
                        "--json").stdout.decode()
        try:
            found = json.loads(text or "[]")
        except ValueError:
            found = [json.loads(line) for line in text.splitlines()]
        if isinstance(found, dict):
            found = found.get("members", [found])
        return {member["address"]: member for member in found}

    def score(self, address, of="dev@" + DOMAIN):
        return int(self.members(of)[address].get("score") or 0)

    # -- mail

    def mail(self, data, sender="ann@example.net", to="dev@" + DOMAIN):
        """As virtual(8) and its like deliver into a Maildir.  sender None:
        unknown."""
        to = to if "@" in to else to + "@" + DOMAIN
        top = "Delivered-To: %s\n" % to
        if sender is not None:
            top = "Return-Path: <%s>\n" % sender + top
        self.drop(top.encode() + data)

    def post(self, data=None, sender="ann@example.net", to="dev@" + DOMAIN):
        """Mail, and all that comes of it."""
        self.mail(message() if data is None else data, sender, to)
        self.settle()

    def settle(self):
        """Run the stages until none has anything to do now."""
        for _ in range(ROUNDS_MAX):
            busy = [queue for queue in dict.fromkeys(self.queues)
                    if self.has_work(queue)]
            if not busy:
                return
            self.drain(*busy)
        raise AssertionError("mail goes round: %r" % self.where())

    def has_work(self, queue):
        minute = (time.time() + self.offset) / 60 - 1
        return bool(names(self.path(queue, "new"))) or any(
            int(name) <= minute and names(self.path(queue, "later", name))
            for name in names(self.path(queue, "later")) if name.isdigit())

    def wait(self, seconds):
        """Let time go by for programs that start from now on, and do what
        then is due."""
        self.offset += seconds
        self.env["SEPTET_CLOCK_OFFSET"] = str(self.offset)
        self.settle()

    def got(self, address):
        """What an address has got, oldest first."""
        folder = os.path.join(self.root, "mail", address, "new")
        return [Mail(read(os.path.join(folder, n))) for n in names(folder)]

    def take(self, address):
        """The same, and it is gone from there."""
        folder = os.path.join(self.root, "mail", address, "new")
        out = self.got(address)
        for name in names(folder):
            os.unlink(os.path.join(folder, name))
        return out

    def takers(self):
        """{address: number of messages} of all who have got any."""
        found = {a: len(self.got(a))
                 for a in names(os.path.join(self.root, "mail"))}
        return {a: n for a, n in found.items() if n}

    def answers(self, address):
        return [m for m in self.got(address) if m.is_automatic()]

    def posts(self, address):
        return [m for m in self.got(address) if not m.is_automatic()]

    def buried(self, queue="inbound"):
        """Why: of all in dead/."""
        return [e.get("Error") for e in self.entries(queue, "dead")]

    def sent(self):
        """Transactions that the sink has seen: {recipient: transaction}."""
        return {rcpt[0]: t for t in self.sink.log() for rcpt in t["rcpts"]}

    def control(self, **rules):
        self.sink.control(**rules)

    def status(self):
        """What the runners say of themselves."""
        return b"".join(
            read(os.path.join(folder, name))
            for queue in self.queues
            for folder, _, found in os.walk(self.path(queue, "status"))
            for name in found).decode("utf-8", "replace")

#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_mailrules - what mail itself demands of a list: coming in, loops,
# duplicates, automatic mail, answers, the header, whose post it is
#
# Each test is a rule.  What goes out is in test_mailrules_out.

import base64
import os
import re
import shutil
import socket
import subprocess
import sys
from email.header import decode_header, make_header

sys.dont_write_bytecode = True
from live_site import Journal  # noqa: E402
from list_site import (DAY, DOMAIN, HOUR, ListSite, OWNER,  # noqa: E402
                       message)
from septet_test import (BIN, Envelope, Skip, equal,  # noqa: E402
                         main, read, wait_for)

DEV = "dev@" + DOMAIN
ANN, BEN, EVE = "ann@example.net", "ben@example.net", "eve@example.com"
REPORT = b"Content-Type: multipart/report; report-type=delivery-status; " \
    b"boundary=b\n"
REPORT_BODY = b"""--b

Nobody lives here.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; %s
Action: %s
Status: %s

--b--
"""


def site_with_list(members=(ANN, BEN), keys=None, **policy):
    site = ListSite(**(keys or {}))
    site.create(members=members, **policy)
    return site


# ---- coming in by LMTP ------------------------------------------------------

class Lmtp:
    """A connection to a server of the site's own."""

    def __init__(self, site, under=()):
        path = os.path.join(site.root, "lmtp")
        read_end, self.bell = os.pipe()
        site.processes.append(subprocess.Popen(
            [*under, os.path.join(BIN, "septet-lmtp")], stdin=read_end,
            stderr=subprocess.DEVNULL, env=site.env))
        os.close(read_end)
        wait_for("the server", lambda: os.path.exists(path))
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        wait_for("listening",
                 lambda: self.socket.connect_ex(path) == 0)
        self.file = self.socket.makefile("rb")
        self.reply()
        self.say("LHLO mx.example.net")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()
        os.close(self.bell)

    def reply(self):
        while True:
            line = self.file.readline().decode().rstrip("\r\n")
            if line[3:4] != "-":
                return line

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n")
        return self.reply()

    def post(self, data, *to, sender=ANN):
        """The answers after the final dot."""
        self.say("MAIL FROM:<%s>" % sender)
        good = [self.say("RCPT TO:<%s>" % a)[:3] for a in to].count("250")
        equal(self.say("DATA")[:3], "354")
        self.socket.sendall(data + b"\r\n.\r\n")
        return [self.reply() for _ in range(good)]


def lmtp_site(**keys):
    return ListSite(lmtp='{listen: ["unix:lmtp"]}', **keys)


def test_lmtp_ends_data_at_crlf_dot_crlf_and_bare_lf_is_a_line_end():
    with lmtp_site() as site:
        site.create(members=[BEN], nonmember_action="accept")
        with Lmtp(site) as lmtp:
            data = b"Subject: x\n\none\n.\ntwo\r\n.\nthree\r.\rfour"
            equal([r[:3] for r in lmtp.post(data, DEV)], ["250"])
            equal(lmtp.say("NOOP")[:3], "250")
        site.settle()
        # After CRLF the dot is one that a client put there.
        equal(site.got(BEN)[0].body,
              b"one\n.\ntwo\n\nthree\r.\rfour\n")


def test_lmtp_refuses_nul_unknown_lists_and_what_it_cannot_read():
    with lmtp_site() as site:
        site.create(members=[BEN])
        site.create("broken")
        site.list("broken", nonsense="yes")
        with Lmtp(site) as lmtp:
            reply = lmtp.post(b"Subject: x\r\n\r\n\0", DEV)[0]
            assert reply.startswith("554 5.6.0"), reply
            lmtp.say("MAIL FROM:<>")
            for local in ("dev", "dev-request", "dev-bounces+x", "dev-owner",
                          "dev-confirm+x", "dev-join", "dev-leave"):
                equal(lmtp.say("RCPT TO:<%s@%s>" % (local, DOMAIN))[:3],
                      "250", local)
            reply = lmtp.say("RCPT TO:<broken@%s>" % DOMAIN)
            equal(reply[:3], "451")
            os.unlink(os.path.join(site.lists, "broken@" + DOMAIN,
                                   "list.yaml"))
            reply = lmtp.say("RCPT TO:<broken@%s>" % DOMAIN)
            equal(reply[:3], "451")
            shutil.rmtree(os.path.join(site.lists, "broken@" + DOMAIN))
            # Within a second the look at all lists is still the old one.
            wait_for("550 5.1.1", lambda: lmtp.say(
                "RCPT TO:<nobody@%s>" % DOMAIN).startswith("550 5.1.1"))
            os.rename(site.lists, site.lists + ".gone")
            equal(lmtp.say("RCPT TO:<%s>" % DEV)[:3], "451")
            os.rename(site.lists + ".gone", site.lists)
            equal(lmtp.say("RCPT TO:<%s>" % DEV)[:3], "250")


def flushed(trace, of):
    """What was done durably before a line that has `of`: short names."""
    out = []
    for line in trace.splitlines():
        if of in line:
            return out
        m = re.match(r"\d+ +(fsync|syncfs|renameat2?)\((.*)", line)
        if m and m.group(1) == "fsync":
            path = re.search(r"<.*/spool/([^>]*)>", line)
            out.append("fsync " + re.sub(r"/[0-9a-z.-]{12,}", "/ID",
                                         path.group(1)) if path else "")
        elif m:
            out.append(m.group(1).rstrip("2"))
    raise AssertionError("never said: " + of)


def test_lmtp_says_250_only_when_durable():
    if not shutil.which("strace") or subprocess.run(
            ["strace", "-o", "/dev/null", "true"]).returncode != 0:
        raise Skip("no strace")
    for what in ("auto", "fsync"):
        with lmtp_site(flush=what) as site:
            site.create(members=[BEN])
            trace = os.path.join(site.root, "trace")
            with Lmtp(site, ["strace", "-y", "-s", "200", "-f", "-o", trace,
                             "-e", "trace=fsync,fdatasync,syncfs,renameat,"
                             "renameat2,sendto,sendmsg,write"]) as lmtp:
                (reply,) = lmtp.post(message(), DEV)
                equal(reply[:3], "250")
            done = flushed(read(trace).decode("latin-1"), reply)
            equal(done, ["fsync msg/ID", "fsync inbound/tmp/ID", "fsync msg",
                         "renameat", "fsync inbound/new"], what)


def test_lmtp_takes_xforward():
    with lmtp_site() as site:
        site.create(members=[BEN])
        with Lmtp(site) as lmtp:
            equal(lmtp.say("XFORWARD NAME=mx.example.net ADDR=192.0.2.7 "
                           "HELO=mx.example.net PROTO=ESMTP")[:3], "250")
            lmtp.post(b"From: ann@example.net\r\n\r\nx", DEV)
        client = site.one("inbound").get("Client")
        assert client.startswith("192.0.2.7 "), client
        assert "name=mx.example.net" in client, client


def test_results_of_own_id_are_stripped_unless_trusted():
    own = b"Authentication-Results: lists.example.org; dmarc=pass " \
        b"header.from=example.net\n"
    others = b"Authentication-Results: mx.example.com; spf=pass\n"
    with site_with_list() as site:
        site.post(message(extra=own + others))
        (got,) = site.got(BEN)
        equal(got.all("Authentication-Results"),
              ["mx.example.com; spf=pass"])
        assert "Assurance: claimed\n" in site.journal()


def test_trusted_results_count_above_the_first_foreign_received_only():
    own = b"Authentication-Results: mx.example.org; dkim=pass " \
        b"header.d=example.net\n"
    received = b"Received: from x by mx.example.org id 1; date\n"
    foreign = b"Received: from x by elsewhere.example.com id 1; date\n"
    for head, is_trusted in ((own, True), (received + own, True),
                             (received + own + foreign, True),
                             (foreign + own, False),
                             (received + foreign + own, False)):
        with site_with_list(keys={"trusted_authserv":
                                  "[mx.example.org]"}) as site:
            site.post(head + message())
            (got,) = site.got(BEN)
            equal(len(got.all("Authentication-Results")), int(is_trusted),
                  head)
            want = "verified" if is_trusted else "claimed"
            assert "Assurance: %s\n" % want in site.journal(), head


# ---- dropped files ----------------------------------------------------------

def test_a_leading_mbox_from_line_is_removed_and_is_the_sender():
    with site_with_list(identity="[envelope]") as site:
        site.drop(b"From ann@example.net Fri Nov 20 09:00:00 2026\n"
                  b"Return-Path: <eve@example.com>\n" + message(EVE))
        site.settle()
        (got,) = site.got(BEN)
        assert b"\nFrom ann" not in got.data, got.data
        assert "Mail-From: <ann@example.net>\n" in site.journal()


def test_else_the_topmost_return_path_is_the_sender():
    with site_with_list(identity="[envelope]") as site:
        site.drop(b"Return-Path: <ann@example.net>\n"
                  b"Return-Path: <eve@example.com>\n" + message(EVE))
        site.settle()
        equal(len(site.got(BEN)), 1)
        assert "Mail-From: <ann@example.net>\n" in site.journal()


def test_else_the_sender_is_unknown_and_not_null():
    with site_with_list() as site:
        site.drop(message())
        site.settle()
        # As mail with a null sender it would be bounce's.
        equal(len(site.got(BEN)), 1)
        assert "Mail-From:" not in site.journal()


def test_candidates_for_the_list_in_their_order():
    def to(name):
        return b"%s: " + name.encode() + b"@lists.example.org\n"

    resent = b"Resent-From: x@example.com\n"
    cases = [
        (to("a") % b"Delivered-To" + to("b") % b"Resent-To", "a"),
        (to("a") % b"X-Original-To" + to("b") % b"Resent-To", "a"),
        # Only the topmost counts, and only this site's.
        (b"Delivered-To: x@example.com\n" + to("b") % b"Resent-To", "b"),
        (b"Delivered-To: x@example.com\n" + to("a") % b"Delivered-To", "c"),
        (to("b") % b"Resent-To" + resent + b"Received: x\n" +
         to("a") % b"Resent-To" + resent, "b"),
        (to("b") % b"Resent-Cc", "b"), (to("b") % b"Resent-Bcc", "b"),
        (b"Resent-To: x@example.com\n", "c"),
        (b"", "c"),
    ]
    with ListSite() as site:
        for name in "abc":
            site.create(name, members=["%s@example.net" % name],
                        nonmember_action="accept")
        for head, want in cases:
            for field in (b"To", b"Cc", b"Bcc"):
                site.drop(head + b"From: ann@example.net\n" +
                          to("c") % field + b"\nHello.\n")
                site.settle()
                equal({a for a, n in site.takers().items() if n},
                      {want + "@example.net"}, repr(head + field))
                site.take(want + "@example.net")


def test_several_lists_are_one_entry_each():
    with ListSite() as site:
        for name in ("dev", "ops", "ann"):
            site.create(name, members=["%s@example.com" % name],
                        nonmember_action="accept")
        site.drop(message(to="dev@lists.example.org, x@example.com, "
                          "OPS@lists.example.org, dev@lists.example.org"))
        site.settle()
        equal(site.takers(), {"dev@example.com": 1, "ops@example.com": 1})


def test_no_list_is_dead():
    with site_with_list() as site:
        site.drop(message(to="dev@example.com"))
        site.drop(b"From: ann@example.net\nSubject: x\n\nHello.\n")
        site.drop(message(to="nobody@lists.example.org"))
        site.settle()
        equal(len(site.buried()), 3)
        equal(site.takers(), {})


def test_a_file_of_another_or_with_several_links_is_copied():
    with site_with_list() as site:
        if os.getuid() != 0:
            raise Skip("not root")
        kept = os.path.join(site.root, "kept")
        for change in (lambda path: os.chown(path, 65534, 65534),
                       lambda path: os.link(path, kept)):
            path = site.path("inbound", "tmp", "x")
            with open(path, "wb") as file:
                file.write(message())
            change(path)
            was = os.stat(path).st_ino
            os.rename(path, site.path("inbound", "new", "x"))
            site.drain("inbound")
            entry = site.one("auth")
            st = os.stat(site.path("msg", entry.id))
            assert st.st_ino != was, "its owner can still change it"
            equal((st.st_nlink, st.st_uid), (1, os.getuid()))
            equal(site.names("inbound"), [])
            site.settle()
            equal(len(site.take(BEN)), 1)


def test_a_missing_message_id_or_date_is_added_from_the_id():
    with site_with_list() as site:
        site.drop(b"From: ann@example.net\nTo: dev@lists.example.org\n\nx\n")
        site.settle()
        (got,) = site.got(BEN)
        ident = re.search(r"^Id: (\S+)$", site.journal(), re.M).group(1)
        equal(got.get("Message-ID"), "<%s@%s>" % (ident, DOMAIN))
        equal(len(got.all("Date")), 1)
        head = [line.split(b":")[0].lower() for line in
                got.head.split(b"\n")]
        assert head.index(b"date") < head.index(b"from"), head


# ---- loops ------------------------------------------------------------------

def go_round(site, *ours):
    """What was sent to lists of the site comes in again."""
    while True:
        again = [m.data for address in ours for m in site.take(address)]
        if not again:
            return
        for data in again:
            site.drop(data)
        site.settle()


def test_x_loop_and_one_received_are_added():
    with site_with_list() as site:
        site.post(message(extra=b"X-Loop: other@example.com\n"
                          b"Received: from a by b; date\n"))
        (got,) = site.got(BEN)
        equal(got.all("X-Loop"), [DEV, "other@example.com"])
        ident = re.search(r"^Id: (\S+)$", site.journal(), re.M).group(1)
        first, second = got.all("Received")
        assert re.search(r"\bid %s;" % re.escape(ident), first), first
        equal(second, "from a by b; date")


def test_own_x_loop_is_dead_without_an_answer():
    with ListSite() as site:
        site.create(members=[ANN, BEN],
                    addresses="[%s, developers@%s]" % (DEV, DOMAIN))
        n = 0
        for loop in (b"dev@lists.example.org", b"DEV@Lists.Example.org",
                     b"Developers@lists.example.org"):
            for to in ("dev", "developers", "dev-request", "dev-join",
                       "dev-owner"):
                site.post(message(subject="help", extra=b"X-Loop: " + loop +
                                  b"\n"), to=to)
                n += 1
                equal(len(site.buried()), n, (loop, to))
        assert all("loop" in why for why in site.buried()), site.buried()
        equal(site.takers(), {})


def test_over_100_received_fields_are_dead():
    with site_with_list() as site:
        site.post(message(extra=b"Received: x\n" * 100))
        equal(len(site.got(BEN)), 1)
        site.post(message(extra=b"Received: x\n" * 101))
        equal(len(site.got(BEN)), 1)
        (why,) = site.buried()
        assert "Received" in why, why


def test_two_lists_subscribed_to_each_other():
    with ListSite() as site:
        for name, member, other in (("a", ANN, "b"), ("b", BEN, "a")):
            site.create(name, members=[member, "%s@%s" % (other, DOMAIN)],
                        nonmember_action="accept")
        site.post(message(EVE, to="a@" + DOMAIN), EVE, "a")
        go_round(site, "a@" + DOMAIN, "b@" + DOMAIN)
        equal(site.takers(), {ANN: 1, BEN: 1})
        (why,) = site.buried()
        assert "loop" in why, why
        equal(set(site.where()), {"inbound/dead"})


def test_an_owner_address_that_is_the_list():
    with ListSite() as site:
        site.create(members=[BEN], owners="[%s]" % DEV,
                    nonmember_action="accept")
        site.post(message(EVE), EVE, "dev-owner")
        go_round(site, DEV)
        equal(len(site.buried()), 1)
        equal(site.takers(), {})
        # And what the list tells its owners ends there, too.
        site.list("dev", owners="[%s]" % DEV)
        site.post(message(EVE), EVE)
        go_round(site, DEV)
        equal(site.takers(), {})


def test_an_owner_address_that_is_the_owner_address():
    with ListSite() as site:
        site.create(members=[BEN], owners="[dev-owner@%s]" % DOMAIN)
        site.post(message(EVE), EVE, "dev-owner")
        go_round(site, "dev-owner@" + DOMAIN)
        equal(len(site.buried()), 1)
        site.post(message(EVE), EVE)
        go_round(site, "dev-owner@" + DOMAIN)
        equal(site.takers(), {})


def test_another_lists_list_id_is_no_loop():
    with site_with_list() as site:
        site.post(message(extra=b"List-Id: <x.lists.example.com>\n"
                          b"List-Post: <mailto:x@lists.example.com>\n"))
        (got,) = site.got(BEN)
        equal(got.all("List-Id"), ["<dev.lists.example.org>"])


# ---- duplicates -------------------------------------------------------------

def test_the_same_post_within_seven_days_is_discarded_with_trail():
    with site_with_list() as site:
        post = message()
        site.post(post)
        site.wait(7 * DAY - HOUR)
        site.post(b"Received: by another way\n" + post)
        equal(len(site.got(BEN)), 1)
        (ident,) = re.findall(r"^Duplicate-Of: (\S+)$", site.journal(), re.M)
        assert re.search(r"^Id: %s$" % re.escape(ident), site.journal(),
                         re.M), ident
        assert re.search(r"^Trail: .* exit=discard ", site.journal(), re.M)


def test_a_duplicate_after_seven_days_passes():
    with site_with_list() as site:
        post = message()
        site.post(post)
        site.wait(7 * DAY + HOUR)
        site.post(post)
        equal(len(site.got(BEN)), 2)


def test_message_id_alone_never_makes_a_duplicate():
    with site_with_list() as site:
        site.create("ops", members=[EVE], nonmember_action="accept")
        for body in (b"one\n", b"two\n", b"two \n"):
            site.post(message(body=body, ident="same@example.net"))
        site.post(message(body=b"one\n", ident="same@example.net"), to="ops")
        equal(site.takers(), {ANN: 3, BEN: 3, EVE: 1})
        # And a body alone does not either.
        site.post(message(body=b"one\n"))
        equal(len(site.got(BEN)), 4)


# ---- automatic mail ---------------------------------------------------------

def test_null_sender_and_reports_go_to_bounce_for_every_role():
    cases = [("", b"", b"x\n"),
             (EVE, REPORT, REPORT_BODY % (b"a@example.com", b"failed",
                                          b"5.1.1")),
             # An automatic answer that is a report is one first.
             ("", b"Auto-Submitted: auto-replied\n" + REPORT,
              REPORT_BODY % (b"a@example.com", b"failed", b"5.1.1"))]
    with site_with_list() as site:
        for sender, extra, body in cases:
            for to in ("dev", "dev-request", "dev-join", "dev-leave",
                       "dev-confirm+x", "dev-bounces+x"):
                site.mail(message(EVE, extra=extra, body=body), sender, to)
                site.drain("inbound")
                (entry,) = site.entries("bounce")
                equal(entry.trail["to"], "bounce")
                site.settle()
        equal(site.takers(), {})


def test_an_unrecognised_bounce_is_held_and_nobody_is_told():
    with site_with_list() as site:
        site.post(message(body=b"What is this?\n"), "")
        held = site.one("moderation", "held")
        assert held.get("Held"), held.data
        equal(site.takers(), {})


def test_auto_generated_posts_are_accepted():
    with site_with_list() as site:
        site.post(message(extra=b"Auto-Submitted: auto-generated\n"))
        equal(site.takers(), {ANN: 1, BEN: 1})


def test_auto_replied_posts_are_held_without_an_answer():
    with site_with_list() as site:
        site.post(message(extra=b"Auto-Submitted: auto-replied\n"))
        site.one("moderation", "held")
        equal(site.takers(), {})


def test_an_exact_list_name_beats_a_role_suffix():
    with ListSite() as site:
        site.create("dev-tmp", members=[BEN])
        site.create("dev", members=[EVE])
        # The command line refuses such a name; a folder can be moved.
        name = "dev-request@" + DOMAIN
        os.rename(os.path.join(site.lists, "dev-tmp@" + DOMAIN),
                  os.path.join(site.lists, name))
        site.list(name, nonmember_action="accept")
        site.post(message(to=name, subject="help"), to=name)
        equal(site.takers(), {BEN: 1})


# ---- answers, never backscatter ---------------------------------------------

def ask(site, sender=ANN, extra=b"", to="dev-request", author=EVE):
    site.post(message(author, subject="help", extra=extra), sender, to)


def test_answers_go_to_mail_from_only():
    with site_with_list() as site:
        ask(site, extra=b"Reply-To: reply@example.com\n"
            b"Sender: sender@example.com\n")
        equal(site.takers(), {ANN: 1})


def test_no_answer_to_null_unknown_or_automatic():
    cases = [("", b""), (None, b"")] + [(ANN, extra) for extra in (
        b"Auto-Submitted: auto-replied\n", b"Auto-Submitted: auto-generated\n",
        b"Precedence: bulk\n", b"Precedence: junk\n", b"Precedence: list\n")]
    with site_with_list() as site:
        for sender, extra in cases:
            for to in ("dev-request", "dev-join", "dev-leave",
                       "dev-confirm+x"):
                ask(site, sender, extra, to)
                equal(site.takers(), {}, (sender, extra, to))
        # Under test is the silence, not a site that never answers.
        ask(site)
        equal(site.takers(), {ANN: 1})


def test_a_refused_post_of_a_stranger_has_trail_and_log_only():
    with site_with_list(nonmember_action="reject") as site:
        site.post(message(EVE), EVE)
        equal(site.takers(), {})
        journal = site.journal()
        assert "Verdict: reject\n" in journal, journal
        assert "not a member" in journal, journal
        assert re.search(r"queue=moderation exit=reject", site.log), site.log


def test_a_refused_post_of_a_member_is_answered():
    with site_with_list(size_action="reject", size_limit="1K") as site:
        site.post(message(body=b"long\n" * 500))
        equal(site.takers(), {ANN: 1})
        (answer,) = site.answers(ANN)
        assert b"larger than the list allows" in answer.data, answer.data


def test_a_refused_post_of_a_verified_sender_is_answered():
    own = b"Authentication-Results: mx.example.org; dmarc=pass " \
        b"header.from=example.com\n"
    with site_with_list(keys={"trusted_authserv": "[mx.example.org]"},
                        nonmember_action="reject") as site:
        site.post(own + message(EVE), EVE)
        equal(site.takers(), {EVE: 1})


def test_a_refused_post_in_a_members_name_is_not_answered_to_another():
    with site_with_list(size_action="reject", size_limit="1K") as site:
        site.post(message(ANN, body=b"long\n" * 500), "victim@example.com")
        equal(site.takers(), {})


def test_one_answer_an_hour_for_list_address_and_notice():
    with site_with_list() as site:
        site.create("ops")
        ask(site)
        ask(site)
        site.wait(HOUR // 2)
        ask(site)
        equal(site.takers(), {ANN: 1})
        ask(site, to="ops-request")
        equal(site.takers(), {ANN: 2})
        ask(site, to="dev-join", sender=EVE)
        ask(site, to="dev-request", sender=EVE)
        equal(site.takers(), {ANN: 2, EVE: 2})
        site.wait(HOUR)
        ask(site)
        equal(len(site.got(ANN)), 3)


def test_ten_answers_a_day_for_an_address_confirmations_included():
    with site_with_list() as site:
        for n in range(13):
            ask(site, sender=EVE, to="dev-join" if n % 2 else "dev-request")
            site.wait(HOUR + 60)
        equal(site.takers(), {EVE: 10})
        site.wait(DAY)
        ask(site, sender=EVE)
        equal(site.takers(), {EVE: 11})


def test_how_an_answer_looks():
    mark = b"X-Mark: of the original\n"
    with site_with_list(size_action="reject", size_limit="1K") as site:
        site.post(message(EVE, subject="help", ident="q@example.com",
                          body=b"Very private.\n", extra=mark), ANN,
                  "dev-request")
        site.post(message(ANN, ident="q@example.com", extra=mark,
                          body=b"Very private.\n" * 100), ANN)
        answers = site.answers(ANN)
        for answer in answers:
            equal(answer.get("Return-Path"), "<>")
            equal(answer.get("Auto-Submitted"), "auto-replied")
            equal(answer.get("In-Reply-To"), "<q@example.com>")
            equal(answer.get("To"), ANN)
            assert b"Very private." not in answer.data, answer.data
        # Whose post was refused sees which.
        equal([mark in a.data for a in answers], [False, True])
        (part,) = [p for p in answers[1].parsed.walk()
                   if p.get_content_type() == "text/rfc822-headers"]
        assert mark.decode() in part.get_payload(), part


def test_only_command_composes_automatic_mail():
    with site_with_list(size_action="reject", size_limit="1K") as site:
        for to in ("dev-request", "dev-join", "dev-leave", "dev-confirm+x"):
            ask(site, to=to, sender=EVE)
        site.post(message(body=b"long\n" * 500))
        site.post(message(EVE), EVE)
        n = 0
        for envelope, _, _ in Journal(site.path("journal")).look().values():
            entry = Envelope(envelope)
            if entry.trail["queue"] != "outbound":
                continue
            n += 1
            equal(entry.get("Send-From"), "<>")
            equal(entry.get("Role"), "notice")
            equal(entry.trails[-2]["queue"], "command")
        equal(n, sum(site.takers().values()))
        equal(set(site.takers()), {ANN, EVE, OWNER})


def test_a_null_sender_entry_that_fails_for_good_is_logged_and_buried():
    with ListSite(sink={"rcpt": {"*": "550 5.1.1 no"}}) as site:
        site.create(members=[ANN])
        ask(site)
        (why,) = site.buried("outbound")
        assert "no sender" in why, why
        assert re.search(r"refused for good.*5\.1\.1 no", site.log), site.log
        equal(site.score(ANN), 0)
        equal(set(site.where()), {"outbound/dead"})


def test_postmaster_is_the_site_owner():
    with site_with_list() as site:
        site.post(message(EVE, to="postmaster@" + DOMAIN), EVE,
                  "postmaster")
        equal(site.takers(), {"postmaster@example.org": 1})
        (got,) = site.got("postmaster@example.org")
        assert not got.sender.startswith("dev"), got.sender


def hold(site, author=EVE, **keys):
    """A post of a stranger; what the owner was told of it."""
    site.post(message(author, **keys), author)
    return site.take(OWNER)


def test_posts_of_strangers_are_held_and_owners_told_at_most_hourly():
    with site_with_list() as site:
        equal(len(hold(site)), 1)
        equal(len(hold(site)), 0)
        site.wait(HOUR // 2)
        equal(len(hold(site, "fay@example.com")), 0)
        site.wait(HOUR)
        equal(len(hold(site)), 1)
        equal(len(site.entries("moderation", "held")), 4)
        equal(site.takers(), {})


def tokens(notice):
    """{approve, reject, discard: address} that a notice offers."""
    found = re.findall(rb"dev-confirm\+([ard])[a-z2-7]{26}@lists\.example"
                       rb"\.org", notice.data)
    addresses = re.findall(rb"(dev-confirm\+[ard][a-z2-7]{26}@lists\.example"
                           rb"\.org)", notice.data)
    return {letter.decode(): a.decode() for letter, a in
            zip(found, addresses)}


def test_owners_answer_by_token():
    for letter, takers in (("a", {ANN: 1, BEN: 1}), ("d", {}), ("r", {})):
        with site_with_list() as site:
            (notice,) = hold(site)
            to = tokens(notice)
            equal(set(to), set("ard"))
            site.post(message(OWNER, to=to[letter], subject="Re: waiting"),
                      OWNER, to[letter])
            equal(site.names("moderation", "held"), [], letter)
            site.take(OWNER)
            equal(site.takers(), takers, letter)
            # A second time it is of no use, and does no harm.
            site.post(message(OWNER, to=to["a"]), OWNER, to["a"])
            site.take(OWNER)
            equal(site.takers(), takers, letter)
            equal(site.names("moderation"), [])


def test_a_made_up_token_decides_nothing():
    with site_with_list() as site:
        (notice,) = hold(site)
        right = tokens(notice)["a"]
        for n in (13, 20, 30, 37):
            wrong = right[:n] + ("b" if right[n] == "a" else "a") + \
                right[n + 1:]
            site.post(message(OWNER, to=wrong), OWNER, wrong)
        site.one("moderation", "held")
        equal(site.posts(BEN), [])


def test_holds_expire_with_trail_and_notice():
    with site_with_list() as site:
        hold(site)
        site.wait(14 * DAY - HOUR)
        site.drain("moderation")
        site.one("moderation", "held")
        site.wait(2 * HOUR)
        # Nothing comes in: the runner is rung, no more.
        site.drain("moderation")
        site.settle()
        equal(site.names("moderation", "held"), [])
        assert re.search(r"queue=moderation exit=discard", site.journal())
        assert "held too long" in site.journal()
        (notice,) = site.take(OWNER)
        assert notice.is_automatic()
        equal(site.takers(), {})


# ---- the header -------------------------------------------------------------

KEPT = b"""Received: from a (b [192.0.2.1])
 by c; Fri, 20 Nov 2026 08:59:00 +0000
DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=x;
\tb=abc
Sender: secretary@example.net
Reply-To:  ann+list@example.net
resent-from: bob@example.net
Resent-Message-ID: <r@example.net>
X-Long: %s
x-LOWER:no space
X-Folded: one
\t two
  three \t
X-Eight: gr\xc3\xbc\xc3\x9fe
Delivered-To: elsewhere@example.com
X-Original-To: elsewhere@example.com
Comments:
X-Twice: 1
X-Twice: 2
In-Reply-To: <0@example.net>
References: <0@example.net>
 <00@example.net>
MIME-Version: 1.0
Content-Type: text/plain;
 charset=utf-8
Content-Transfer-Encoding: 8bit
""" % (b"y" * 1200)
REMOVED = [
    b"Return-Path: <ann@example.net>\n", b"Bcc: ben@example.net\n",
    b"Resent-Bcc: ben@example.net\n", b"Delivered-To: dev@lists.example.org\n",
    b"X-Original-To: dev@lists.example.org\n",
    b"Delivered-To: ann@lists.example.org\n", b"Approved: secret\n",
    b"X-Approved: secret\n", b"Errors-To: ann@example.net\n",
    b"Return-Receipt-To: ann@example.net\n",
    b"Disposition-Notification-To: Ann\n <ann@example.net>\n",
    b"List-Id: <x.example.com>\n", b"list-unsubscribe: <mailto:x@y>\n",
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\n",
    b"List-Whatever: x\n", b"Precedence: bulk-not\n"]
ADDED = ["Received", "X-Loop", "List-Id", "List-Help", "List-Unsubscribe",
         "List-Subscribe", "List-Owner", "List-Post", "Precedence"]
BODY = b"Gr\xc3\xbc\xc3\x9fe\n\n.\nFrom here\n-- \nann \n\n\n"


def test_untouched_fields_keep_bytes_folding_and_order_below_ours():
    with site_with_list() as site:
        post = message(extra=KEPT, body=BODY)
        site.post(post)
        (got,) = site.got(BEN)
        old = post[:post.index(b"\n\n") + 1]
        assert got.header().endswith(old), got.header().decode()
        ours = got.header()[:-len(old)].decode()
        added = re.findall(r"^([A-Za-z-]+):", ours, re.M)
        equal(sorted(added), sorted(ADDED))
        equal(got.body, BODY)


def test_what_is_removed():
    with site_with_list() as site:
        for field in REMOVED:
            post = message(extra=field + b"X-After: 1\n")
            site.post(post)
            (got,) = site.take(BEN)
            site.take(ANN)
            want = post[:post.index(b"\n\n") + 1].replace(field, b"")
            assert got.header().endswith(want), \
                "%r: %s" % (field, got.header().decode())
            assert field not in got.header(), field
            name = field.split(b":")[0].decode()
            equal(len(got.all(name)), int(name.title() in ADDED) +
                  int(name in ("Return-Path", "Delivered-To")), name)


def test_what_is_added():
    with site_with_list() as site:
        site.post()
        (got,) = site.got(BEN)
        for name, want in (
                ("List-Id", "<dev.lists.example.org>"),
                ("List-Help", "<mailto:dev-request@%s?subject=help>" % DOMAIN),
                ("List-Unsubscribe", "<mailto:dev-leave@%s>" % DOMAIN),
                ("List-Subscribe", "<mailto:dev-join@%s>" % DOMAIN),
                ("List-Owner", "<mailto:dev-owner@%s>" % DOMAIN),
                ("List-Post", "<mailto:dev@%s>" % DOMAIN),
                ("Precedence", "list"), ("X-Loop", DEV)):
            equal(got.all(name), [want], name)


def test_fields_we_add_are_ascii():
    with site_with_list(description='"Grüße \\"aus\\" <Köln>"',
                        subject_prefix='"[für]"') as site:
        post = message(extra=b"X-Mine: gr\xc3\xbc\xc3\x9fe\n")
        site.post(post)
        (got,) = site.got(BEN)
        ours = got.header().replace(b"X-Mine: gr\xc3\xbc\xc3\x9fe\n", b"")
        assert ours.isascii(), ours
        assert "<dev.lists.example.org>" in got.get("List-Id")
        assert "Köln" in str(make_header(decode_header(got.get("List-Id"))))
        equal(str(make_header(decode_header(got.get("Subject")))),
              "[für] one")


def test_a_dkim_signed_post_still_verifies_at_the_member():
    try:
        import dkim
    except ImportError:
        raise Skip("no python3-dkim")
    site = site_with_list()
    key = os.path.join(site.root, "key.pem")
    subprocess.run(["openssl", "genrsa", "-out", key, "1024"], check=True,
                   capture_output=True)
    public = subprocess.run(
        ["openssl", "rsa", "-in", key, "-pubout", "-outform", "DER"],
        check=True, capture_output=True).stdout
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)

    def dns(name, timeout=5):
        equal(name, b"s1._domainkey.example.net.")
        return record

    post = message(extra=KEPT.replace(b"DKIM-Signature", b"X-Old-Signature"),
                   body=BODY + b"\n").replace(b"\n", b"\r\n")
    with site:
        for canon in ((b"simple", b"simple"), (b"relaxed", b"relaxed")):
            signature = dkim.sign(
                post, b"s1", b"example.net", read(key),
                canonicalize=canon, include_headers=[
                    b"from", b"to", b"subject", b"date", b"message-id",
                    b"reply-to", b"sender", b"mime-version", b"content-type",
                    b"x-folded", b"x-long"])
            # The second is another post of the same text.
            data = signature + post
            assert dkim.verify(data, dnsfunc=dns), "its own signature"
            site.post(data if canon[0] == b"simple" else
                      data + b" \r\n")
            if canon[0] == b"relaxed":
                data += b" \r\n"
            (got,) = site.take(BEN)
            crlf = got.data.replace(b"\n", b"\r\n")
            assert dkim.verify(crlf, dnsfunc=dns), \
                "%r at the member: %s" % (canon, got.head.decode())


# ---- who is it? -------------------------------------------------------------

def identity(site):
    found = re.findall(r"^Identity: (\S+ from=\S+)", site.journal(), re.M)
    return found[-1] if found else None


def test_identity_is_froms_mailbox_else_senders():
    with site_with_list() as site:
        site.post(message(ANN, extra=b"Sender: eve@example.com\n"), EVE)
        equal(identity(site), "<ann@example.net> from=author")
        site.post(message("undisclosed:;", extra=b"Sender: ann@example.net\n"),
                  EVE)
        equal(identity(site), "<ann@example.net> from=sender")
        equal(len(site.got(BEN)), 2)
        # A Sender does not stand in for a From that is there.
        site.list("dev", identity="[from]")
        site.post(message(EVE, extra=b"Sender: ann@example.net\n"), ANN)
        equal(len(site.got(BEN)), 2)
        equal(len(site.names("moderation", "held")), 1)


def test_identity_of_the_list_file():
    cases = [("[from, envelope]", ANN, EVE, True),
             ("[from, envelope]", EVE, ANN, True),
             ("[envelope, from]", EVE, ANN, True),
             ("[from]", EVE, ANN, False), ("[from]", ANN, EVE, True),
             ("[envelope]", EVE, ANN, True), ("[envelope]", ANN, EVE, False)]
    with site_with_list() as site:
        for rule, author, sender, is_in in cases:
            site.list("dev", identity=rule)
            site.post(message(author), sender)
            equal(len(site.take(BEN)), int(is_in), (rule, author, sender))


def test_an_aligned_dmarc_failure_is_never_the_member():
    keys = {"trusted_authserv": "[mx.example.org]"}
    result = b"Authentication-Results: mx.example.org; dmarc=fail " \
        b"header.from=%s\n"
    for domain, sender, is_in in ((b"example.net", ANN, False),
                                  (b"example.net", BEN, False),
                                  (b"example.com", ANN, True)):
        with site_with_list(keys=keys) as site:
            site.post(result % domain + message(ANN), sender)
            equal(len(site.got(BEN)), int(is_in), (domain, sender))


main(globals())

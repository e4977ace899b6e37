#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_command - mail to the list itself, and mail that the list writes
#
# Output is TAP; arguments choose among the tests.  SEPTET_BIN: the folder of
# the binaries, else build/bin.

import email
import email.policy
import os
import re
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
from septet_test import (DOMAIN, STAGES, Site, equal, main,  # noqa: E402
                         names, put, read, wait_for, words)

DEV = "dev@" + DOMAIN
ANN = "ann@example.net"
OWNER = "owner@example.org"
HOUR = 3600
TOKEN = "[a-z2-7]{26}"


class Lists(Site):
    """A site with the list dev, and time that a test can let pass."""

    def __init__(self, *members, **keys):
        super().__init__()
        self.offset = 0
        self.run("septet", "list", "create", DEV, "--owner", OWNER)
        if members:
            self.run("septet", "member", "add", DEV, "-",
                     stdin="".join(m + "\n" for m in members).encode())
        self.policy(**keys)

    def policy(self, **keys):
        keys = dict({"version": 1, "addresses": "[%s]" % DEV,
                     "owners": "[%s]" % OWNER}, **keys)
        put(os.path.join(self.lists, DEV, "list.yaml"),
            "".join("%s: %s\n" % item for item in keys.items()))

    def send(self, local, sender="<ann@example.net>", subject="x", body="",
             extra="", auto="no", ident=None):
        """A mail to local@DOMAIN, handled as far as it goes without being
        sent: the command's finished envelope as text."""
        message = ("From: Ann <ann@example.net>\nTo: %s@%s\nSubject: %s\n"
                   "Message-ID: <1@example.net>\n%s\n%s" % (
                       local, DOMAIN, subject, extra, body)).encode()
        fields = [("Kind", "post"), ("Size", len(message)),
                  ("Body-Offset", message.index(b"\n\n") + 2),
                  ("Rcpt-To", "<%s@%s>" % (local, DOMAIN))]
        if sender is not None:
            fields.append(("Mail-From", sender))
        ident = self.entry("inbound", fields, message, ident=ident)
        self.go("inbound", "command")
        return ident

    def go(self, *queues):
        for queue in queues:
            self.drain(queue, SEPTET_CLOCK_OFFSET=str(self.offset))

    def commands(self, ident):
        """The Command fields of a finished entry."""
        journal = self.journal()
        start = journal.index("\nId: %s\n" % ident)
        end = journal.find("\nSeptet-Envelope:", start)
        part = journal[start:end if end != -1 else len(journal)]
        return re.findall(r"^Command: (.*)$", part, re.M)

    def answers(self):
        """What waits to be sent, as (entry, message), and it is taken away."""
        out = []
        for entry in self.entries("outbound"):
            message = email.message_from_bytes(
                self.part("msg", entry.id), policy=email.policy.default)
            check_answer(self, entry, message)
            out.append((entry, message))
            os.unlink(self.path("outbound", "new", entry.id))
        return out

    def answer(self):
        found = self.answers()
        equal(len(found), 1, "answers")
        return found[0]

    def no_answer(self):
        equal([e.get("Template") for e, _ in self.answers()], [])

    def is_member(self, address):
        """Asked by mail, from the other side of the limits."""
        self.offset += 25 * HOUR
        self.send("dev-leave", "<%s>" % address)
        entry, _ = self.answer()
        return entry.get("Template") == "confirm-unsubscribe"


def check_answer(site, entry, message):
    """What holds for all mail of ours."""
    equal(entry.get("Send-From"), "<>")
    equal(entry.get("Send-Options"), "NOTIFY=NEVER")
    equal(entry.get("Verp"), "none")
    equal(entry.get("Role"), "notice")
    equal(entry.get("Kind"), "notice")
    equal(entry.get("List"), DEV)
    equal(entry.trail["to"], "outbound")
    equal(message["Auto-Submitted"], "auto-replied")
    equal(message["Message-ID"], entry.get("Message-Id"))
    lines = site.rcpt(entry.id)
    equal([line[0] for line in lines], ["T"])
    body = site.part("msg", entry.id)
    equal(int(entry.get("Size")), len(body))
    equal(int(entry.get("Body-Offset")), body.index(b"\n\n") + 2)


def to(site, entry):
    return site.rcpt(entry.id)[0][1]


def token_of(message, local="dev-confirm"):
    """The local part with the token that the mail asks to write to."""
    found = re.findall(local + r"\+" + TOKEN, str(message["Reply-To"]))
    equal(len(found), 1, "tokens in Reply-To")
    assert found[0] in text_of(message), "the text does not name " + found[0]
    return found[0]


def text_of(message):
    part = message.get_body(("plain",)) if message.is_multipart() else message
    return part.get_content()


# ---- joining and leaving --------------------------------------------------

def test_join_and_confirm():
    with Lists() as site:
        ident = site.send("dev-join")
        equal(site.commands(ident), ["subscribe mode=each result=confirm-sent"])
        entry, message = site.answer()
        equal(entry.get("Template"), "confirm-subscribe")
        equal(to(site, entry), ANN)
        equal(message["To"], ANN)
        equal(message["From"].addresses[0].addr_spec, "dev-request@" + DOMAIN)
        equal(message["In-Reply-To"], "<1@example.net>")
        ident = site.send(token_of(message))
        equal(site.commands(ident), ["subscribe address=<ann@example.net> "
                                     "member=1 result=welcome"])
        entry, message = site.answer()
        equal(entry.get("Template"), "welcome")
        equal(to(site, entry), ANN)
        equal(site.where(), {})
        assert site.is_member(ANN)


def test_leave_and_confirm():
    with Lists(ANN, "bob@example.net") as site:
        ident = site.send("dev-leave")
        equal(site.commands(ident), ["unsubscribe result=confirm-sent"])
        entry, message = site.answer()
        equal(entry.get("Template"), "confirm-unsubscribe")
        ident = site.send(token_of(message))
        equal(site.commands(ident),
              ["unsubscribe address=<ann@example.net> result=goodbye"])
        entry, _ = site.answer()
        equal(entry.get("Template"), "goodbye")
        assert not site.is_member(ANN)
        assert site.is_member("bob@example.net")


def test_join_of_a_member():
    with Lists(ANN) as site:
        ident = site.send("dev-subscribe", "<Ann@EXAMPLE.net>")
        equal(site.commands(ident),
              ["subscribe mode=each result=already-member"])
        equal(site.answer()[0].get("Template"), "already-member")


def test_leave_of_a_stranger():
    with Lists() as site:
        ident = site.send("dev-unsubscribe")
        equal(site.commands(ident), ["unsubscribe result=not-member"])
        equal(site.answer()[0].get("Template"), "not-member")


def test_closed_list():
    with Lists(subscribe="closed") as site:
        ident = site.send("dev-join")
        equal(site.commands(ident), ["subscribe mode=each result=closed"])
        equal(site.answer()[0].get("Template"), "subscribe-closed")


def test_nobody_is_subscribed_for_others():
    """From is nobody's word: the envelope sender is asked, and is who joins."""
    with Lists() as site:
        site.send("dev-join", "<victim@example.com>")
        entry, message = site.answer()
        equal(to(site, entry), "victim@example.com")
        ident = site.send(token_of(message), "<other@example.com>")
        equal(words(site.commands(ident)[0])["address"],
              "<victim@example.com>")
        equal(to(site, site.answer()[0]), "victim@example.com")
        assert not site.is_member(ANN)


def test_address_beyond_ascii():
    with Lists() as site:
        site.send("dev-join", "<jürgen@bücher.example>")
        entry, message = site.answer()
        equal(entry.get("Needs"), "SMTPUTF8")
        equal(to(site, entry), "jürgen@bücher.example")
        site.send(token_of(message))
        equal(to(site, site.answer()[0]), "jürgen@bücher.example")
        site.send("dev-join", "<ann@bücher.example>")
        entry, message = site.answer()
        equal(entry.get("Needs"), "")
        equal(str(message["To"]), "ann@xn--bcher-kva.example")


# ---- tokens ---------------------------------------------------------------

def test_token_is_used_once():
    with Lists() as site:
        site.send("dev-join")
        token = token_of(site.answer()[1])
        site.send(token)
        site.answers()
        ident = site.send(token)
        equal(site.commands(ident), ["confirm mail=sent result=invalid"])
        equal(site.answer()[0].get("Template"), "confirm-invalid")
        assert site.is_member(ANN)


def test_entry_that_comes_again():
    """As after power loss: the roster has it, the entry is there anew."""
    with Lists() as site:
        site.send("dev-join")
        token = token_of(site.answer()[1])
        first = site.send(token)
        entry, _ = site.answer()
        equal(entry.get("Template"), "welcome")
        journal = site.journal()
        for name in names(site.path("journal")):
            os.unlink(site.path("journal", name))
        site.send(token, ident=first)
        equal(site.commands(first), re.findall(
            r"^Command: (subscribe .*member=.*)$", journal, re.M))
        equal(site.answer()[0].get("Template"), "welcome")


def test_token_in_capitals():
    with Lists() as site:
        site.send("dev-join")
        local = token_of(site.answer()[1])
        ident = site.send("dev-confirm+" + local.split("+")[1].upper())
        equal(words(site.commands(ident)[0])["result"], "welcome")


def test_token_after_its_time():
    with Lists() as site:
        site.send("dev-join")
        token = token_of(site.answer()[1])
        site.offset = 73 * HOUR
        ident = site.send(token)
        equal(site.commands(ident), ["confirm mail=sent result=invalid"])
        site.answers()
        assert not site.is_member(ANN)


def test_tokens_that_are_none():
    with Lists() as site:
        site.send("dev-join")
        good = token_of(site.answer()[1]).split("+")[1]
        other = "a" if good[0] != "a" else "b"
        for extension in ["", "+", "+x", "+" + other + good[1:],
                          "+a" + good, "+x" + good, "+" + good + "aa",
                          "+" + "a" * 26, "+a" + "a" * 26]:
            ident = site.send("dev-confirm" + extension)
            equal(words(site.commands(ident)[0])["result"], "invalid",
                  extension)
        # One answer for them all.
        equal(site.answer()[0].get("Template"), "confirm-invalid")
        ident = site.send("dev-confirm+" + good)
        equal(words(site.commands(ident)[0])["result"], "welcome")


def test_vacation_programs_confirm_nothing():
    """They answer to Reply-To, which has the token."""
    with Lists() as site:
        site.send("dev-join")
        token = token_of(site.answer()[1])
        for extra in ["Auto-Submitted: auto-replied\n",
                      "Auto-Submitted: auto-generated\n",
                      "Precedence: bulk\n", "X-Autoreply: yes\n"]:
            ident = site.send(token, extra=extra)
            equal(site.commands(ident),
                  ["confirm why=automatic result=ignored"], extra)
            site.no_answer()
        assert not site.is_member(ANN)


def test_token_of_another_list():
    with Lists() as site:
        ops = "ops@" + DOMAIN
        site.run("septet", "list", "create", ops, "--owner", OWNER)
        site.send("dev-join")
        token = token_of(site.answer()[1]).split("+")[1]
        ident = site.send("ops-confirm+" + token)
        equal(words(site.commands(ident)[0])["result"], "invalid")


# ---- whom nothing is sent to ----------------------------------------------

def test_automatic_mail_gets_no_answer():
    with Lists() as site:
        for local in ["dev-join", "dev-leave", "dev-request"]:
            ident = site.send(local, body="help\n",
                              extra="Auto-Submitted: auto-replied\n")
            equal(words(site.commands(ident)[0]),
                  {"why": "automatic", "result": "ignored"})
        site.no_answer()


def test_sender_unknown():
    with Lists() as site:
        for local in ["dev-join", "dev-leave", "dev-request"]:
            ident = site.send(local, None, body="help\n")
            equal(words(site.commands(ident)[0])["result"], "no-sender")
        ident = site.send("dev-confirm+x", None)
        equal(words(site.commands(ident)[0])["mail"], "no-sender")
        site.no_answer()


def test_null_sender_never_comes_here():
    with Lists() as site:
        site.send("dev-join", "<>")
        equal(site.where(), {"bounce/new": 1})


def test_one_answer_an_hour():
    with Lists() as site:
        site.send("dev-join")
        site.answer()
        ident = site.send("dev-join")
        equal(site.commands(ident), ["subscribe mode=each result=limited"])
        site.no_answer()
        site.offset = HOUR + 60
        site.send("dev-join")
        site.answer()


def test_ten_answers_a_day():
    with Lists() as site:
        for hour in range(12):
            site.offset = hour * (HOUR + 60)
            site.send("dev-join")
        equal(len(site.answers()), 10)
        site.offset = 25 * HOUR
        site.send("dev-join")
        site.answer()


# ---- commands in a mail ----------------------------------------------------

def templates(site):
    return sorted(e.get("Template") for e, _ in site.answers())


def test_request_subjects():
    for subject, want in [("subscribe", "confirm-subscribe"),
                          ("Re: JOIN", "confirm-subscribe"),
                          ("help", "help"), ("leave", "not-member"),
                          ("Hello there", "help"), ("", "help")]:
        with Lists() as site:
            site.send("dev-request", subject=subject)
            equal(templates(site), [want], subject)


def test_request_bodies():
    for body, want in [
            ("subscribe\n", ["confirm-subscribe"]),
            ("\n\n  Join dev\n-- \nleave\n", ["confirm-subscribe"]),
            ("join\nend\nbla\n", ["confirm-subscribe"]),
            ("join\nbla\nleave\n", ["command-results",
                                    "confirm-subscribe"]),
            ("bla\njoin\n", ["help"]),
            ("> join\n", ["help"]),
            ("join\njoin\njoin\nsubscribe\n", ["confirm-subscribe"]),
            ("ping\n", ["command-results"]),
            ("subscribe <ann@example.net>\n", ["confirm-subscribe"]),
            ("subscribe victim@example.com\n", ["command-results"]),
            ("join\nhelp\n", ["command-results", "confirm-subscribe",
                              "help"]),
            ("end\njoin\n", ["help"])]:
        with Lists() as site:
            site.send("dev-request", body=body)
            equal(templates(site), want, body)


def test_request_results():
    with Lists() as site:
        ident = site.send("dev-request", body="ping\njoin\nleave\n")
        equal(site.commands(ident),
              ["ping result=pong", "subscribe result=confirm-sent",
               "unsubscribe result=not-member", "results result=sent"])
        text = [text_of(m) for e, m in site.answers()
                if e.get("Template") == "command-results"][0]
        assert "  ping: pong\n  subscribe: you get" in text, text


def test_request_that_is_not_understood():
    for body, want in [
            ("join\nfoo bar\nleave\n",
             '  "foo bar" was not understood; the rest was not read\n'),
            ("join\nfoo \xe4\n\n", '  "foo \xe4" was not understood\n'),
            ("join\n" + 10 * "help\n",
             "  more than 10 commands: the rest was not read\n")]:
        with Lists() as site:
            site.send("dev-request", body=body)
            text = [text_of(m) for e, m in site.answers()
                    if e.get("Template") == "command-results"][0]
            assert "\n  subscribe: you get" in text and want in text, text


def test_request_in_html():
    with Lists() as site:
        site.send("dev-request", extra="MIME-Version: 1.0\n"
                  "Content-Type: text/html\n", body="<p>join</p>\n")
        equal(templates(site), ["confirm-subscribe"])


# ---- notices -----------------------------------------------------------------

def refused(site, sender="<ann@example.net>", **more):
    """A post on its way from moderation, refused."""
    message = (b"From: Ann <ann@example.net>\nSubject: secret\n"
               b"X-Mark: header\n\nThe body.\n")
    fields = {"Kind": "post", "Mail-From": sender, "Size": len(message),
              "Body-Offset": message.index(b"\n\n") + 2,
              "List": DEV, "Role": "post", "Subject": "secret", "Auto": "no",
              "Message-Id": "<2@example.net>", "Verdict": "reject",
              "Notice": "post-rejected to=sender",
              "Reason": 'status=5.7.2 text="not a member"'}
    fields.update({k.replace("_", "-"): v for k, v in more.items()})
    ident = site.entry("command", [(k, v) for k, v in fields.items()
                                   if v is not None], message,
                       by="moderation")
    site.go("command")
    return ident


def test_refused_post_of_a_member():
    with Lists(ANN) as site:
        ident = refused(site)
        equal(site.commands(ident),
              ["notice name=post-rejected to=sender result=sent"])
        entry, message = site.answer()
        equal(to(site, entry), ANN)
        equal(message["In-Reply-To"], "<2@example.net>")
        assert "not a member" in text_of(message)
        whole = message.as_string()
        assert "X-Mark: header" in whole and "The body" not in whole, whole


def test_refused_post_of_strangers():
    for name, sender, more in [
            ("stranger", "<eve@example.com>", {}),
            ("claimed", "<eve@example.com>",
             {"Identity": "<eve@example.com> from=envelope",
              "Assurance": "claimed"}),
            ("a member in From", "<victim@example.com>",
             {"Identity": "<ann@example.net> from=author member=1",
              "Assurance": "verified"})]:
        with Lists(ANN) as site:
            ident = refused(site, sender, **more)
            equal(words(site.commands(ident)[0])["result"], "unknown-sender",
                  name)
            site.no_answer()


def test_refused_post_of_a_verified_sender():
    with Lists() as site:
        refused(site, Identity="<Ann@example.net> from=author",
                Assurance="verified")
        equal(to(site, site.answer()[0]), ANN)


def test_refused_post_without_answer():
    for more, want in [({"Auto": "auto-generated"}, "automatic"),
                       ({"Auto": None}, "automatic"),
                       ({"sender": "<>"}, "automatic"),
                       ({"sender": None, "Mail-From": None}, "no-sender")]:
        with Lists(ANN) as site:
            ident = refused(site, **more)
            equal(words(site.commands(ident)[0])["result"], want)
            site.no_answer()


def test_own_template_of_a_list():
    with Lists(ANN) as site:
        folder = os.path.join(site.lists, DEV, "templates")
        os.mkdir(folder)
        put(os.path.join(folder, "post-rejected"),
            "Subject: Nein: {{subject}}\n\n{{reason}}!\n")
        refused(site)
        _, message = site.answer()
        equal(message["Subject"], "Nein: secret")
        equal(text_of(message), "not a member!\n")


def test_language():
    with Lists(ANN, language="de") as site:
        site.send("dev-join", "<bob@example.net>")
        _, message = site.answer()
        german = read(os.path.join(site.env["SEPTET_TEMPLATES"], "de",
                                   "confirm-subscribe")).decode()
        equal(str(message["Subject"]), german.splitlines()[0][9:].replace(
            "{{list_name}}", "dev"))
        # No day's or month's name in another language.
        assert re.search(r"verfällt am 20\d\d-\d\d-\d\d \d\d:\d\d UTC\.\n",
                         text_of(message)), text_of(message)
    with Lists(ANN, language="xx") as site:
        site.send("dev-join", "<bob@example.net>")
        assert "confirm" in text_of(site.answer()[1])


def test_template_missing_or_wrong():
    for text, why in [(None, "there is none"),
                      ("Subject: x\n\n{{nonsense}}\n", "nonsense"),
                      ("", "it is empty")]:
        with Lists(ANN) as site:
            folder = os.path.join(site.lists, DEV, "templates")
            os.mkdir(folder)
            if text is not None:
                put(os.path.join(folder, "odd"), text)
            refused(site, Notice="odd to=sender")
            assert why in site.one("command", "dead").get("Error")
            assert "template odd" in site.log
            site.no_answer()


def test_notice_is_no_path():
    for name in ["../en/help", "/etc/passwd", "a" * 60]:
        with Lists(ANN) as site:
            refused(site, Notice=name + " to=sender")
            site.one("command", "dead")


def notice(site, words_, **more):
    """A notice as a stage asks for it."""
    fields = {"Kind": "notice", "Mail-From": "<>", "Auto": "report",
              "List": DEV, "Role": "notice", "Notice": words_}
    fields.update({k.replace("_", "-"): v for k, v in more.items()})
    ident = site.entry("command", list(fields.items()), b"X: y\n\nz\n",
                       by="bounce")
    site.go("command")
    return ident


def test_notice_to_owners():
    with Lists(owners="[owner@example.org, second@example.org]",
               moderators="[mod@example.org]") as site:
        ident = notice(site, "member-disabled to=owners "
                             "address=gone@example.com")
        equal(site.commands(ident),
              ["notice name=member-disabled to=owners result=sent:2"])
        found = site.answers()
        equal(sorted(to(site, e) for e, _ in found),
              [OWNER, "second@example.org"])
        for _, message in found:
            assert "gone@example.com" in text_of(message)
            equal(message["From"].addresses[0].addr_spec,
                  "dev-owner@" + DOMAIN)
        # Too much for now: later.
        notice(site, "member-disabled to=owners address=gone2@example.com")
        site.no_answer()
        equal(site.where(), {"command/later": 1})
        site.offset += 63 * 60
        site.go("command")
        assert "gone2@example.com" in text_of(site.answers()[0][1])
        equal(site.where(), {})


def bounced(site, *members):
    """What outbound hands over of members that were refused for good."""
    ident = site.entry("bounce", [
        ("Parent", "0k00000000-a-test"), ("Kind", "report"), ("List", DEV),
        ("Role", "bounces"), ("Mail-From", "<>"), ("Auto", "no")],
        b"X: y\n\nz\n", by="outbound")
    put(site.path("rcpt", ident), "Septet-Rcpt: 1\n" + "".join(
        'T\t%s\tid=%d status=5.1.1 code=550 text="550 5.1.1 no %s"\n' % (
            address, number, address) for number, address in members))
    site.go("bounce", "command")


def test_all_disabled_members_are_told():
    gone = [(n, "gone%d@example.com" % n) for n in range(1, 131)]
    with Lists(*[address for _, address in gone],
               bounce_threshold=1) as site:
        bounced(site, gone[0], gone[1])
        _, message = site.answer()
        text = text_of(message)
        for _, address in gone[:2]:
            assert ("  %s\n      550 5.1.1 no %s\n" % (address, address)
                    in text), text
        assert ("\n  septet member set %s ADDRESS status=active\n" % DEV
                in text), text
        # Within the hour: one notice that waits, for all.
        site.offset = 600
        bounced(site, gone[2])
        site.offset = 1200
        bounced(site, gone[3], gone[4])
        site.run("septet", "member", "set", DEV, gone[4][1], "status=active")
        site.no_answer()
        equal(site.where(), {"command/later": 1})
        site.offset = 63 * 60
        site.go("command")
        text = text_of(site.answer()[1])
        equal(re.findall(r"^  (gone\S+)$", text, re.M),
              [gone[2][1], gone[3][1]])
        equal(site.where(), {})
        # Nobody any more; and more than a mail has room for.
        bounced(site, gone[5])
        site.run("septet", "member", "set", DEV, gone[5][1], "status=active")
        site.offset += 63 * 60
        site.go("command")
        site.no_answer()
        assert "result=nobody-disabled" in site.journal()
        site.offset += 63 * 60
        bounced(site, *gone[6:])
        text = text_of(site.answer()[1])
        equal(len(re.findall(r"^  gone", text, re.M)), 100)
        assert "\n  ... and 24 more\n" in text, text


def test_notice_to_an_address():
    with Lists() as site:
        notice(site, "goodbye to=address address=<bob@example.net>")
        entry, message = site.answer()
        equal(to(site, entry), "bob@example.net")
        assert "bob@example.net" in text_of(message)


def test_what_is_no_command():
    for fields, why in [({"Role": "post"}, "neither"),
                        ({"Role": "notice", "Kind": "notice"}, "Notice"),
                        ({"Role": "notice", "Kind": "notice",
                          "Notice": "help to=all"}, "to=sender")]:
        with Lists() as site:
            site.entry("command", list(fields.items()) + [("List", DEV)],
                       b"X: y\n\n", by="septet")
            site.go("command")
            assert why in site.one("command", "dead").get("Error")


# ---- moderators --------------------------------------------------------------

def hold(site, sender="<eve@example.com>", subject="Buy", number=1,
         body=None):
    """A post of a stranger, as far as held/."""
    message = ("From: <eve@example.com>\nTo: %s\nSubject: %s\n"
               "Message-ID: <%d@example.com>\n\n" % (
                   DEV, subject, number)).encode()
    message += body or b"x%d\n" % number
    site.entry("inbound", [("Kind", "post"), ("Rcpt-To", "<%s>" % DEV),
                           ("Mail-From", sender), ("Size", len(message)),
                           ("Body-Offset", message.index(b"\n\n") + 2)],
               message)
    site.go("inbound", "auth", "moderation")


def test_owners_hear_of_held_posts():
    with Lists() as site:
        hold(site, subject="One")
        hold(site, subject="=?utf-8?q?Zw=C3=B6lf?=", number=2)
        # Nobody knows that the notice of the first is in time for the second.
        equal(site.where(), {"moderation/held": 2, "command/new": 2})
        site.go("command")
        equal(site.where()["command/later"], 1)
        entry, message = site.answer()
        equal(entry.get("Template"), "held-owners")
        equal(to(site, entry), OWNER)
        text = text_of(message)
        assert "Subject:  One\n" in text and "Subject:  Zwölf\n" in text, text
        assert "From:     <eve@example.com>\n" in text, text
        equal(len(re.findall(r"<mailto:dev-confirm\+[ard]" + TOKEN + "@",
                             text)), 6)
        equal(entry.get("Mail-From"), "<eve@example.com>")


def test_moderators_instead_of_owners():
    with Lists(moderators="[mod@example.org]") as site:
        hold(site)
        site.go("command")
        equal(to(site, site.answer()[0]), "mod@example.org")


def test_held_notice_that_comes_too_soon():
    with Lists() as site:
        hold(site)
        site.go("command")
        site.answers()
        held = site.names("moderation", "held")[0]
        site.entry("command", [
            ("Kind", "notice"), ("Role", "notice"), ("List", DEV),
            ("About", held), ("Notice", "held-owners to=owners")],
            b"X: y\n\n", by="moderation")
        site.go("command")
        equal(site.where(), {"moderation/held": 1, "command/later": 1})
        site.no_answer()
        site.offset = HOUR + 120
        site.go("command")
        equal(site.answer()[0].get("Template"), "held-owners")
        equal(site.where(), {"moderation/held": 1})


def test_posts_held_within_the_hour_are_told_after_it():
    for is_decided in (False, True):
        with Lists() as site:
            hold(site, subject="One")
            site.go("command")
            assert "Subject:  One\n" in text_of(site.answer()[1])
            for minutes, subject in ((10, "Two"), (20, "Three"), (50, "Four")):
                site.offset = 60 * minutes
                hold(site, subject=subject, number=minutes)
                site.go("command")
                site.no_answer()
                # One notice waits, for all of them.
                equal(site.where()["command/later"], 1)
            for _ in range(2 if is_decided else 0):
                for ident in site.names("moderation", "held"):
                    os.unlink(site.path("moderation", "held", ident))
            # The queue is looked at by the minute.
            site.offset = 63 * 60
            site.go("moderation", "command")
            if is_decided:
                site.no_answer()
                equal(site.where(), {})
                assert "result=nothing-held" in site.journal()
                continue
            text = text_of(site.answer()[1])
            for subject in ("One", "Two", "Three", "Four"):
                assert "Subject:  %s\n" % subject in text, text
            equal(site.where(), {"moderation/held": 4})
            # From then on it is an hour again.
            hold(site, subject="Five", number=5)
            site.go("command")
            equal(site.where()["command/later"], 1)
            site.no_answer()
            site.offset += 63 * 60
            site.go("command")
            assert "Subject:  Five\n" in text_of(site.answer()[1])
            site.offset += 63 * 60
            hold(site, subject="Six", number=6)
            site.go("command")
            assert "Subject:  Six\n" in text_of(site.answer()[1])
            equal(site.where(), {"moderation/held": 6})


def test_held_notice_over_the_days_limit_waits():
    """What was held is told as soon as there may be mail again, once."""
    with Lists() as site:
        for n in range(10):
            notice(site, "goodbye to=address address=<%s>" % OWNER)
            equal(len(site.answers()), 1)
            site.offset += 61 * 60
        hold(site, subject="One")
        sent = []
        for n in range(50):
            site.go("command")
            sent += site.answers()
            hold(site, subject="More", number=2 + n)
            equal(len(site.names("command", "new") +
                      site.names("command", "later")), 1, "round %d" % n)
            site.offset += 25 * 60
            if sent:
                break
        equal(len(sent), 1)
        assert "Subject:  One\n" in text_of(sent[0][1])


def test_held_notice_shows_the_text():
    with Lists() as site:
        bodies = {1: b"\n\nFirst line\n\n-- \n\x1b[2Jtwo\n",
                  2: b"x" * 999 + b"\n" + b"y" * 500 + b"\n",
                  3: b"\n".join(b"%d" % n for n in range(100)),
                  4: b" \n\n"}
        for number, body in bodies.items():
            hold(site, subject="N%d" % number, number=number, body=body)
        for number in range(5, 25):
            hold(site, number=number)
        site.go("command")
        text = text_of(site.answer()[1])
        assert ("  Text:\n    First line\n\n    -- \n     [2Jtwo\n\n"
                in text), text
        assert "    x" + 998 * "x" + "\n    " + 24 * "y" + "\n" in text, text
        assert "    18\n    19\n    [...]\n" in text, text
        size = len(site.part("msg", site.names("moderation", "held")[0]))
        assert "  Size:     %d bytes\n" % size in text, text
        # The first 20, of which one has none.
        equal(text.count("  Text:\n"), 19)
        equal(text.count("  Subject:  "), 24)


def test_held_notice_has_its_limits():
    with Lists() as site:
        for number in range(60):
            hold(site, number=number, subject="\xe4" * 240,
                 body=("\xe4" * 60 + "\n").encode() * 40)
        site.go("command")
        entry, message = site.answer()
        assert 50000 < len(site.part("msg", entry.id)) < 200000
        text = text_of(message)
        shown = text.count("  Subject:  ")
        assert 20 <= shown <= 50
        assert "  ... and %d more\n" % (60 - shown) in text
        equal(str(message["Subject"]).split()[0], "60")


def test_nothing_is_held_any_more():
    with Lists() as site:
        hold(site)
        ident = site.names("moderation", "held")[0]
        os.unlink(site.path("moderation", "held", ident))
        site.go("command")
        assert "result=nothing-held" in site.journal()
        site.no_answer()


def verdict(letter, want, after=None, **extra):
    """A moderator answers: what stands where then, and after command has
    looked once more."""
    with Lists() as site:
        hold(site)
        site.go("command")
        text = text_of(site.answer()[1])
        local = re.search(r"dev-confirm\+" + letter + TOKEN, text).group(0)
        about = site.names("moderation", "held")[0]
        ident = site.send(local, "<%s>" % OWNER, **extra)
        if want is None:
            equal(words(site.commands(ident)[0])["result"], "ignored")
            equal(site.where(), {"moderation/held": 1})
            return
        equal(words(site.commands(ident)[0]), {"about": about,
                                               "result": "passed-on"})
        child = site.one("moderation")
        equal(child.get("Kind"), "verdict")
        equal(child.get("Role"), "verdict")
        equal(child.get("About"), about)
        action = child.get("Action")
        equal(words(action)["by"], "<%s>" % OWNER)
        equal(words(action)["via"], "mail")
        site.no_answer()
        site.go("moderation")
        equal(site.where(), want)
        # Once more: nothing is held, nothing happens.
        site.send(local, "<%s>" % OWNER)
        site.go("moderation")
        equal(site.where(), want if after is None else after)
        site.no_answer()


def test_approve():
    verdict("a", {"pending/new": 1})


def test_reject():
    verdict("r", {"command/new": 1}, {})


def test_discard():
    verdict("d", {})


def test_vacation_programs_decide_nothing():
    verdict("a", None, extra="Auto-Submitted: auto-replied\n")


# ---- many at once ------------------------------------------------------------

def command(site, name, role, sender, extension=None):
    """A command as inbound hands it on."""
    message = b"From: x\nSubject: x\n\n"
    fields = [("Kind", "post"), ("Mail-From", "<%s>" % sender),
              ("Size", len(message)), ("Body-Offset", len(message)),
              ("List", name + "@" + DOMAIN), ("Role", role), ("Auto", "no"),
              ("Message-Id", "<3@example.net>")]
    if extension:
        fields.append(("Extension", extension))
    return site.entry("command", fields, message, by="septet")


def sent(site):
    """[(template, list, address, token)] of what waits to be sent; taken
    away."""
    out = []
    for entry in site.entries("outbound"):
        text = site.part("msg", entry.id).decode()
        found = re.search("confirm\\+(" + TOKEN + ")@", text)
        out.append((entry.get("Template"), entry.get("List").split("@")[0],
                    to(site, entry), found and found.group(1)))
        os.unlink(site.path("outbound", "new", entry.id))
    return out


def test_many_lists_in_one_batch():
    with Lists() as site:
        lists = ["dev", "ops", "web"]
        for name in lists[1:]:
            site.run("septet", "list", "create", name + "@" + DOMAIN,
                     "--owner", OWNER)
        people = ["p%d@example.net" % n for n in range(40)]
        for person in people:
            for name in lists:
                command(site, name, "join", person)
        site.go("command")
        asked = sent(site)
        equal(len(asked), 120)
        equal({t for t, *_ in asked}, {"confirm-subscribe"})
        equal(len({token for *_, token in asked}), 120)
        for _, name, person, token in asked:
            command(site, name, "confirm", person, token)
            # The same token once more, by a second mail.
            if person == people[0]:
                command(site, name, "confirm", person, token)
        site.go("command")
        told = sent(site)
        equal(sorted((n, p) for t, n, p, _ in told if t == "welcome"),
              sorted((n, p) for n in lists for p in people))
        rest = [t for t, *_ in told if t != "welcome"]
        equal(len(rest), 3)
        assert set(rest) <= {"already-member", "confirm-invalid"}, rest
        for person in people:
            for name in lists:
                command(site, name, "leave", person)
        site.go("command")
        equal({t for t, *_ in sent(site)}, {"confirm-unsubscribe"})
        equal(site.where(), {})


# ---- trouble -----------------------------------------------------------------

def test_killed_while_it_works():
    """Each joins once and is told once, whenever the runner was killed."""
    with Lists() as site:
        people = ["p%d@example.net" % n for n in range(600)]
        for person in people:
            command(site, "dev", "join", person)
        site.go("command")
        for _, name, person, token in sent(site):
            command(site, name, "confirm", person, token)
        idle = "".join("  %s: {instances: 0}\n" % q for q in STAGES
                       if q != "command")
        site.write(idle + "  command: {batch: 16}\n")
        site.start("septet-supervisor", stderr=subprocess.DEVNULL)
        killed = set()
        for _ in range(4):
            pid = wait_for("command runs", lambda: pid_of(site, killed))
            left = len(site.names("command"))
            wait_for("some are done", lambda: len(site.names("command")) <
                     max(left - 20, 1))
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        # What was staged in vain stays in tmp/ until the sweep.
        wait_for("all are done", lambda: not any(
            site.names("command", place) for place in ("new", "cur")))
        equal(len(site.names("outbound")), len(people))
        equal(sorted((t, p) for t, _, p, _ in sent(site)),
              sorted(("welcome", p) for p in people))


def pid_of(site, killed):
    """The process that stands at command, where it is up; none of those."""
    status = read(site.path("supervisor.status"), b"").decode()
    found = re.search(r"^command\S* .*state=up .*?pid=(\d+)", status, re.M)
    pid = int(found.group(1)) if found else 0
    return pid if pid not in killed else 0


def test_list_without_a_roster_waits_alone():
    with Lists() as site:
        site.list("broken")
        site.send("broken-join")
        site.send("dev-join", "<bob@example.net>")
        equal(len(site.answers()), 1)
        equal(site.where(), {"command/later": 1})
        assert "cannot open the list's members.tdb" in site.log


def test_hostile_header():
    """Groups in groups: a parser once ran out of stack."""
    with Lists() as site:
        site.send("dev-request", extra="Cc: " + "a:" * 100000 + "\n",
                  body="join\n")
        equal(templates(site), ["confirm-subscribe"])


if __name__ == "__main__":
    main(globals())

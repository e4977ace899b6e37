#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_inbound - septet-inbound --drain on dropped files and on entries
#
# Output is TAP; arguments choose among the tests.  SEPTET_BIN: the folder of
# the binaries, else build/bin.

import hashlib
import os
import shutil
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
from septet_test import (BIN, DOMAIN, Site, Skip, equal, main,  # noqa: E402
                         names, read, wait_for, words)

DEV = "dev@" + DOMAIN
POST = (b"From: Ann <ann@example.net>\nTo: dev@lists.example.org\n"
        b"Subject: one\nMessage-ID: <1@example.net>\n"
        b"Date: Fri, 20 Nov 2026 09:00:00 +0000\n\nHello.\n")


def post(to="dev@lists.example.org", extra=b"", body=b"Hello.\n",
         ident=b"<1@example.net>"):
    return (b"From: Ann <ann@example.net>\nTo: " + to.encode() +
            b"\nMessage-ID: " + ident + b"\n" + extra + b"\n" + body)


def give(site, message, to=DEV, sender="<ann@example.net>", ident=None,
         **fields):
    """An entry as septet-lmtp makes them."""
    body = message.index(b"\n\n") + 2
    lines = [("Kind", "post"), ("Size", len(message)), ("Body-Offset", body)]
    if sender is not None:
        lines.append(("Mail-From", sender))
    for address in to if isinstance(to, list) else [to]:
        lines.append(("Rcpt-To", "<%s>" % address))
    lines += [(k.replace("_", "-"), v) for k, v in fields.items()]
    return site.entry("inbound", lines, message, ident=ident)


def buried(site, reason):
    """The only entry in dead/, for that reason, and nothing else anywhere."""
    entry = site.one("inbound", "dead")
    assert reason in (entry.get("Error") or ""), entry.get("Error")
    return entry


# ---- dropped files --------------------------------------------------------

def test_a_dropped_file_becomes_a_post():
    with Site() as site:
        site.list("dev")
        site.drop(POST, "A file.eml")
        site.drain("inbound")
        entry = site.one("auth")
        equal(site.where(), {"auth/new": 1})
        equal(entry.get("List"), DEV)
        equal(entry.get("Role"), "post")
        equal(entry.get("Kind"), "post")
        equal(entry.all("Rcpt-To"), ["<%s>" % DEV])
        equal(entry.get("Mail-From"), None)
        equal(entry.get("Message-Id"), "<1@example.net>")
        equal(entry.get("Subject"), "one")
        equal(entry.all("Author"), ["<ann@example.net>"])
        equal(entry.get("Auto"), "no")
        equal(entry.get("Hops"), "0")
        equal(entry.get("Needs"), None)
        equal(entry.get("Digest-Sha256"),
              hashlib.sha256(b"Hello.\n").hexdigest())
        equal(words(entry.get("Source"))["name"], "A file.eml")
        equal(words(entry.get("Source"))["uid"], str(os.getuid()))
        equal(entry.trails[0]["exit"], "drop")
        equal(entry.trail["to"], "auth")
        equal(site.part("msg", entry.id), POST)
        equal(int(entry.get("Body-Offset")), POST.index(b"\n\n") + 2)


def test_sender_of_a_dropped_file():
    path = b"Return-Path: <bob@example.net>\n"
    mbox = b"From ann@example.net Fri Nov 20 09:00:00 2026\n"
    cases = [
        (path + POST, "<bob@example.net>"),
        (b"Return-Path: <>\n" + POST, "<>"),
        (b"Return-Path: no address\n" + POST, None),
        (mbox + POST, "<ann@example.net>"),
        (mbox + path + POST, "<ann@example.net>"),
        (b"From MAILER-DAEMON Fri Nov 20 09:00:00 2026\n" + POST, "<>"),
        (b"From nobody Fri Nov 20 09:00:00 2026\n" + path + POST,
         "<bob@example.net>"),
        (b"From : cy@example.net\n" + POST, None),
    ]
    for data, want in cases:
        with Site() as site:
            site.list("dev")
            site.drop(data)
            site.drain("inbound")
            queue = "bounce" if want == "<>" else "auth"
            entry = site.one(queue)
            equal(entry.get("Mail-From"), want, repr(data[:30]))
            message = site.part("msg", entry.id)
            assert not message.startswith((b"From ann", b"From no")), message
            assert message.endswith(POST), message


def test_line_ends_become_lf_and_a_lone_cr_stays():
    header = POST[:POST.index(b"\n\n") + 2].replace(b"\n", b"\r\n")
    # A CR at the last byte of a 64 KiB chunk, before LF and before none.
    for tail in (b"\r\nend\r\n", b"\rend\r\r\n", b"\r"):
        fill = b"x" * (65535 - len(header))
        with Site() as site:
            site.list("dev")
            site.drop(header + fill + tail)
            site.drain("inbound")
            entry = site.one("auth")
            want = (header + fill + tail).replace(b"\r\n", b"\n")
            equal(site.part("msg", entry.id), want)
            equal(int(entry.get("Size")), len(want))


def test_recipients_of_dropped_files():
    with Site() as site:
        site.list("dev", addresses="[dev@%s, developers@%s]" % (DOMAIN,
                                                                DOMAIN))
        site.list("ops")
        site.drop(b"Delivered-To: ops@lists.example.org\n" + POST, "A")
        site.drop(b"Resent-To: ops@lists.example.org\n" + POST, "B")
        # Aliases of one list are one recipient; others' addresses none.
        site.drop(post("Dev@Lists.Example.ORG, developers@lists.example.org, "
                       "eve@example.net", ident=b"<2@example.net>"), "C")
        site.drain("inbound")
        got = {words(e.get("Source"))["name"]: e.get("List")
               for e in site.entries("auth")}
        equal(got, {"A": "ops@" + DOMAIN, "C": DEV})
        # B is the same post to the same list as A.
        assert "exit=discard" in site.journal()
        equal(site.where(), {"auth/new": 2})


def test_several_lists_are_several_entries():
    with Site() as site:
        site.list("dev")
        site.list("ops")
        site.drop(post("dev@lists.example.org, ops@lists.example.org, "
                       "dev-request@lists.example.org, "
                       "dev-owner@lists.example.org",
                       extra=b"Subject: help\n"))
        site.drain("inbound")
        equal(site.where(), {"auth/new": 2, "command/new": 1,
                             "outbound/new": 1})
        first, second = site.entries("auth")
        equal([first.get("List"), second.get("List")],
              [DEV, "ops@" + DOMAIN])
        equal(first.get("Fan-Out"), "1/4")
        equal(second.get("Fan-Out"), "2/4")
        equal(second.get("Parent"), first.id)
        equal(second.all("Rcpt-To"), ["<ops@%s>" % DOMAIN])
        equal(os.stat(site.path("msg", first.id)).st_ino,
              os.stat(site.path("msg", second.id)).st_ino)
        equal(site.one("command").get("Role"), "request")
        equal(site.one("outbound").get("Role"), "owner")


def test_an_owner_first_gives_the_others_no_head():
    with Site() as site:
        site.list("dev")
        site.drop(post("dev-owner@lists.example.org, dev@lists.example.org"))
        site.drain("inbound")
        equal(site.where(), {"auth/new": 1, "outbound/new": 1})
        equal(site.one("auth").get("Head"), "none")


def test_files_that_are_buried():
    cases = [
        (POST.replace(b"dev@", b"eve@"), "names no address of this site"),
        (b"", "names no address of this site"),
        (b"\x00\xff" * 500, "names no address of this site"),
        (b"X: " + b"x" * (1 << 20) + b"\nTo: dev@lists.example.org\n\n",
         "a header block over 1 MiB"),
        (post(", ".join("dev-confirm+%d@%s" % (n, DOMAIN)
                        for n in range(101))), "more than 100"),
    ]
    for data, reason in cases:
        with Site() as site:
            site.list("dev")
            site.drop(data)
            site.drain("inbound")
            entry = buried(site, reason)
            equal(read(site.path("inbound", "dead", entry.id + "+bare")),
                  data)
            equal(site.where(), {"inbound/dead": 2})
            assert entry.id in site.log and reason in site.log, site.log


def test_a_header_of_exactly_the_limit_is_taken():
    start = b"To: dev@lists.example.org\nX: "
    data = start + b"x" * ((1 << 20) - len(start) - 2) + b"\n\n"
    with Site() as site:
        site.list("dev")
        site.drop(data + b"body\n")
        site.drain("inbound")
        equal(int(site.one("auth").get("Body-Offset")), 1 << 20)


def test_what_is_no_message_is_moved_aside():
    with Site() as site:
        site.list("dev")
        new = site.path("inbound", "new")
        os.mkdir(os.path.join(new, "A folder"))
        os.symlink("/etc/hostname", os.path.join(new, "A link"))
        os.symlink("/nowhere", os.path.join(new, "b.eml"))
        os.mkfifo(os.path.join(new, "A fifo"))
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(os.path.join(new, "A socket"))
        with open(os.path.join(new, "Sparse"), "wb") as file:
            file.truncate(5 << 30)
        os.mkdir(os.path.join(new, "0k00000000-a-folder"))
        site.drop(POST, "Z good")
        site.drain("inbound")
        equal(len(site.entries("auth")), 1)
        errors = sorted(e.get("Error") for e in
                        site.entries("inbound", "dead"))
        equal(len(errors), 7)
        assert "5368709120 bytes, over the size_limit" in errors[0], errors
        equal(errors[1:3], ["a symbolic link"] * 2)
        equal(errors[3:], ["no regular file"] * 4)
        equal(names(new), [])
        equal(site.names("inbound", "cur"), [])


def test_files_of_another_user():
    """Names like these could be IDs, so they are opened as entries first."""
    if os.getuid() != 0:
        raise Skip("only root can give files away")
    nobody = 65534
    with Site() as site:
        site.list("dev")
        site.drop(POST, "readable.eml")
        os.chmod(site.drop(POST, "secret.eml"), 0)
        site.drop(post(ident=b"<2@example.net>"), "zz.eml")
        program = shutil.copy(os.path.join(BIN, "septet-inbound"), site.root)
        os.chown(site.root, nobody, nobody)
        for folder, folders, _ in os.walk(site.root):
            for name in folders:
                os.chown(os.path.join(folder, name), nobody, nobody)
        got = subprocess.run([program, "--drain"], env=site.env, user=nobody,
                             group=nobody, extra_groups=[],
                             capture_output=True, timeout=60)
        equal((got.returncode, site.where()),
              (0, {"auth/new": 2, "inbound/dead": 2}), got.stderr)
        buried(site, "not readable by this user")


def test_a_header_without_a_body():
    with Site() as site:
        site.list("dev")
        site.drop(b"To: dev@lists.example.org")
        site.drain("inbound")
        entry = site.one("auth")
        equal(site.part("msg", entry.id), b"To: dev@lists.example.org\n")
        equal(entry.get("Body-Offset"), "26")
        equal(entry.get("Message-Id"), "<%s@%s>" % (entry.id, DOMAIN))
        equal(entry.get("Digest-Sha256"), hashlib.sha256(b"").hexdigest())


def test_a_list_that_cannot_be_read_stops_nobody():
    with Site() as site:
        site.list("dev")
        site.list("broken", addresses="[broken@other.example.org]",
                  nonsense="yes")
        os.rename(os.path.join(site.lists, "broken@" + DOMAIN),
                  os.path.join(site.lists, "broken@other.example.org"))
        site.drop(post("broken@other.example.org"), "A")
        give(site, post(ident=b"<2@example.net>"),
             to="broken@other.example.org")
        site.drop(POST, "B")
        site.drain("inbound")
        equal(site.where(), {"auth/new": 1, "inbound/later": 2})
        os.unlink(os.path.join(site.lists, "broken@other.example.org",
                               "list.yaml"))
        site.list("broken@other.example.org")
        site.drain("inbound", SEPTET_CLOCK_OFFSET="7200")
        # What was dropped and what was given are two posts.
        equal(site.where(), {"auth/new": 3})
        deferred = [e for e in site.entries("auth")
                    if any(t["exit"] == "defer" for t in e.trails)]
        equal([e.get("List") for e in deferred],
              ["broken@other.example.org"] * 2)


def status(site, queue):
    """What the runner says of itself."""
    text = read(site.path(queue, "status", queue + "1"), b"").decode()
    return dict(line.split(": ", 1) for line in text.splitlines())


def test_a_broken_list_is_said_to_be_broken():
    with Site() as site:
        site.list("dev")
        site.list("ops", nonsense="yes")
        # By its name, by its role, by what may be its alias; from a header.
        for to in ("ops", "ops-owner", "whoever"):
            give(site, POST, to="%s@%s" % (to, DOMAIN))
        site.drop(post("ops@" + DOMAIN))
        site.entry("auth", [("List", "ops@" + DOMAIN), ("Role", "post")],
                   POST, by="inbound")
        for queue, number in (("inbound", 4), ("auth", 1)):
            site.log = ""
            site.drain(queue)
            entries = [e for minute in names(site.path(queue, "later"))
                       for e in site.entries(queue, "later/" + minute)]
            equal(len(entries), number)
            for entry in entries:
                assert "ops@%s/list.yaml:3: " % DOMAIN in entry.get("Error"), \
                    entry.get("Error")
                assert "nonsense" in entry.get("Error"), entry.get("Error")
            equal(site.log.count("list.yaml"), 1, site.log)
            got = status(site, queue)
            assert "list.yaml:3: " in got["last-error"], got
            assert got["last-error-at"] > entries[0].trails[0]["time"], got
        # Other lists' mail goes on, and the fault is still to be seen.
        give(site, POST, to="ops@" + DOMAIN)
        os.unlink(site.path("inbound", "status", "inbound1"))
        process = site.start("septet-inbound", stdin=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
        process.stdin.write(b"\n")
        process.stdin.flush()
        wait_for("fault", lambda: status(site, "inbound").get("last-error"))
        give(site, post(ident=b"<2@example.net>"))
        process.stdin.write(b"\n")
        process.stdin.close()
        equal(process.wait(10), 0)
        assert "list.yaml:3: " in status(site, "inbound")["last-error"]


def test_trouble_that_is_over_is_not_shown():
    with Site() as site:
        site.list("dev")
        site.drop(POST)
        os.rmdir(site.path("inbound", "tmp"))
        process = site.start("septet-inbound", stdin=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
        process.stdin.write(b"\n")
        process.stdin.flush()
        wait_for("trouble",
                 lambda: status(site, "inbound").get("last-error"))
        assert "last-error-at" in status(site, "inbound")
        os.mkdir(site.path("inbound", "tmp"))
        wait_for("post", lambda: site.names("auth"))
        process.stdin.close()
        equal(process.wait(10), 0)
        got = status(site, "inbound")
        equal((got["settled"], got["last-error"]), ("1", ""))
        assert "last-error-at" not in got, got


def test_low_space_takes_nothing_in():
    with Site(low_space="1000T") as site:
        site.list("dev")
        site.drop(POST, "A")
        site.drain("inbound", code=75)
        equal(site.where(), {"inbound/new": 1})
        equal(names(site.path("msg")), [])


# ---- entries --------------------------------------------------------------

def test_addresses_and_roles():
    cases = [
        ("dev", "auth", "post", None),
        ("DEV", "auth", "post", None),
        ("dev+x", "auth", "post", "x"),
        ("dev-request", "command", "request", None),
        ("dev-join", "command", "join", None),
        ("dev-subscribe", "command", "join", None),
        ("dev-leave", "command", "leave", None),
        ("dev-unsubscribe", "command", "leave", None),
        ("dev-confirm+abc", "command", "confirm", "abc"),
        ("dev-bounces+ann=example.net=mac", "bounce", "bounces",
         "ann=example.net=mac"),
        ("dev-owner", "outbound", "owner", None),
        ("postmaster", "outbound", "site-owner", None),
    ]
    with Site() as site:
        site.list("dev")
        for n, case in enumerate(cases):
            give(site, post(ident=b"<%d@example.net>" % n),
                 to="%s@%s" % (case[0], DOMAIN), ident="0k%08d-a-c" % n)
        site.drain("inbound")
        for n, (local, queue, role, extension) in enumerate(cases):
            path = site.path(queue, "new", "0k%08d-a-c" % n)
            assert os.path.exists(path), (local, site.where())
            entry = {e.id: e for e in site.entries(queue)}["0k%08d-a-c" % n]
            equal((entry.get("Role"), entry.get("Extension")),
                  (role, extension), local)
            equal(entry.get("List"), None if role == "site-owner" else DEV)


def test_what_an_entry_says_of_itself_does_not_count():
    with Site() as site:
        site.list("dev")
        give(site, POST, Role="verdict", List="ops@example.org",
             Extension="abc", Assurance="verified", Verdict="accept",
             Identity="<owner@example.org> from=author member=1")
        site.drain("inbound")
        entry = site.one("auth")
        equal((entry.get("Role"), entry.get("List"), entry.get("Extension")),
              ("post", DEV, ""))
        equal((entry.get("Assurance"), entry.get("Verdict"),
               entry.get("Identity")), ("", "", ""))


def test_reports_go_to_bounce():
    report = b"Content-Type: multipart/report; report-type=x; boundary=b\n"
    for local, sender, extra, queue in [
            ("dev", "<>", b"", "bounce"),
            ("dev", "<ann@example.net>", report, "bounce"),
            ("dev-request", "<>", b"", "bounce"),
            ("dev-join", "<>", b"", "bounce"),
            ("dev-leave", "<>", b"", "bounce"),
            ("dev-confirm+a", "<>", b"Auto-Submitted: auto-replied\n",
             "bounce"),
            ("dev-bounces+x", "<ann@example.net>", b"", "bounce"),
            ("dev", None, b"", "auth"),
            ("dev-owner", "<>", report, "outbound"),
            ("postmaster", "<>", report, "outbound")]:
        with Site() as site:
            site.list("dev")
            give(site, post(extra=extra), to="%s@%s" % (local, DOMAIN),
                 sender=sender)
            site.drain("inbound")
            entry = site.one(queue)
            if extra == report:
                equal(entry.get("Auto"), "report", local)


def test_loops_are_buried():
    with Site() as site:
        site.list("dev", addresses="[dev@%s, developers@%s]" % (DOMAIN,
                                                                DOMAIN))
        site.list("ops")
        cases = [
            ("dev", b"X-Loop: dev@lists.example.org\n", "dead"),
            ("dev", b"X-Loop: Developers@LISTS.example.org\n", "dead"),
            ("dev", b"X-Loop: ops@lists.example.org\n"
             b"X-Loop: dev@lists.example.org\n", "dead"),
            ("dev-request", b"X-Loop: dev@lists.example.org\n", "dead"),
            ("dev-owner", b"X-Loop: dev@lists.example.org\n", "dead"),
            ("postmaster", b"X-Loop: postmaster@lists.example.org\n", "dead"),
            ("dev", b"Received: x\n" * 101, "dead"),
            ("dev", b"Received: x\n" * 100, "auth"),
            ("dev", b"X-Loop: ops@lists.example.org\n"
             b"List-Id: <ops.lists.example.org>\n", "auth"),
            ("dev-bounces+x", b"X-Loop: dev@lists.example.org\n", "bounce"),
        ]
        for n, (local, extra, want) in enumerate(cases):
            ident = give(site, post(extra=extra,
                                    ident=b"<%d@example.net>" % n),
                         to="%s@%s" % (local, DOMAIN))
            site.drain("inbound")
            queue, place = (("inbound", "dead") if want == "dead" else
                            (want, "new"))
            assert os.path.exists(site.path(queue, place, ident)), \
                (local, extra[:60], site.where())
        for entry in site.entries("inbound", "dead"):
            assert entry.get("Error").startswith("loop: "), entry.data
        equal(site.where(), {"inbound/dead": 7, "auth/new": 2,
                             "bounce/new": 1})


def test_duplicates_are_discarded():
    with Site() as site:
        site.list("dev")
        site.list("ops")
        first = give(site, POST)
        second = give(site, POST)
        site.drain("inbound")
        third = give(site, b"Received: by another way\n" + POST)
        site.drain("inbound")
        journal = site.journal()
        for ident in (second, third):
            assert "Id: %s\n" % ident in journal, journal
        equal(journal.count("Duplicate-Of: %s\n" % first), 2)
        equal(journal.count("exit=discard"), 2)
        equal(site.one("auth").id, first)
        # Another list, another body, another Message-ID: no duplicates.
        give(site, POST, to="ops@" + DOMAIN)
        give(site, POST + b"more\n")
        give(site, POST.replace(b"<1@", b"<2@"))
        # Nor is what has none, since it gets one of its own.
        give(site, POST.replace(b"Message-ID", b"X-Message-ID"))
        give(site, POST.replace(b"Message-ID", b"X-Message-ID"))
        # A command may be sent twice.
        give(site, POST, to="dev-join@" + DOMAIN)
        give(site, POST, to="dev-join@" + DOMAIN)
        site.drain("inbound")
        equal(site.where(), {"auth/new": 6, "command/new": 2})
        # After a week it is new.
        give(site, POST)
        site.drain("inbound", SEPTET_CLOCK_OFFSET=str(7 * 86400 + 60))
        equal(site.where(), {"auth/new": 7, "command/new": 2})


def test_the_same_entry_twice_is_no_duplicate():
    with Site() as site:
        site.list("dev")
        ident = give(site, POST)
        site.drain("inbound")
        # As after power loss: the hop is gone, what it recorded is not.
        text = read(site.path("auth", "new", ident))
        os.unlink(site.path("auth", "new", ident))
        site.drop(text[:text.index(b"Claim:")], ident)
        site.drain("inbound")
        equal(site.one("auth").id, ident)


def test_needs():
    eight = "Grüße\n".encode()
    cases = [
        (post(body=b"ascii\n"), {}, None),
        (post(body=eight), {}, "8BITMIME"),
        (post(extra=b"Subject: " + eight), {}, "8BITMIME SMTPUTF8"),
        (post(extra=b"Subject: Gr\xfc\xdfe\n"), {}, "8BITMIME"),
        (post(), {"Mail_Options": "BODY=8BITMIME"}, "8BITMIME"),
        (post(), {"Mail_Options": "BODY=7BIT SMTPUTF8"}, None),
        (post(), {"sender": "<grüße@example.net>"}, "SMTPUTF8"),
        # Beyond the first chunk.
        (post(body=b"x\n" * 65536 + eight), {}, "8BITMIME"),
    ]
    for message, keys, want in cases:
        with Site() as site:
            site.list("dev")
            give(site, message, **keys)
            site.drain("inbound")
            equal(site.one("auth").get("Needs"), want, repr(keys))


def test_facts_of_a_header():
    message = (b"From: Ann <ann@example.net>, bob@example.org,\n"
               b"\t\"Cy, C.\" <cy@example.com>, not an address\n"
               b"Sender: Bob <bob@example.org>, eve@example.net\n"
               b"Resent-From: dan@example.net\n"
               b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?q?_an?=\n alle\n"
               b"Auto-Submitted: auto-generated\n"
               b"Received: from a\nReceived: from b\n\nx\n")
    with Site() as site:
        site.list("dev")
        ident = give(site, message)
        site.drain("inbound")
        entry = site.one("auth")
        equal(entry.all("Author"), ["<ann@example.net>", "<bob@example.org>",
                                    "<cy@example.com>"])
        equal(entry.all("Sender"), ["<bob@example.org>"])
        equal(entry.get("Resent-From"), "<dan@example.net>")
        equal(entry.get("Subject"), "Grüße an alle")
        equal(entry.get("Auto"), "auto-generated")
        equal(entry.get("Hops"), "2")
        equal(entry.get("Message-Id"), "<%s@%s>" % (ident, DOMAIN))


def test_lists_in_a_header_are_bounded():
    many = b", ".join(b"a%d@example.net" % n for n in range(200))
    with Site() as site:
        site.list("dev")
        give(site, b"From: " + many + b"\nSubject: " + b"s" * 9000 +
             b"\n\nx\n")
        site.drain("inbound")
        entry = site.one("auth")
        equal(len(entry.all("Author")), 50)
        equal(len(entry.get("Subject")), 500)


def test_entries_that_are_not_sound():
    cases = [
        (dict(Size="5"), "its length is not its Size"),
        (dict(Crc32="00000000"), "its sum is not its Crc32"),
    ]
    for fields, reason in cases:
        with Site() as site:
            site.list("dev")
            lines = [("Rcpt-To", "<%s>" % DEV)] + list(fields.items())
            site.entry("inbound", lines, POST)
            site.drain("inbound")
            buried(site, reason)
    with Site(queues="  inbound: {size_limit: 4K}\n") as site:
        site.list("dev")
        give(site, post(body=b"x" * 5000))
        site.drain("inbound")
        buried(site, "over this queue's size_limit")
    with Site() as site:
        site.list("dev")
        give(site, POST, to="eve@" + DOMAIN)
        site.drain("inbound")
        buried(site, "no such list or role: <eve@%s>" % DOMAIN)
    with Site() as site:
        site.list("dev")
        site.entry("inbound", [("Rcpt-To", DEV)], POST)
        site.drain("inbound")
        buried(site, "a Rcpt-To that is no address in <>")
    with Site() as site:
        site.list("dev")
        site.entry("inbound", [("Rcpt-To", "<%s>" % DEV)] * 101, POST)
        site.drain("inbound")
        buried(site, "more than 100 recipients")


def test_a_message_that_is_a_link_is_buried():
    with Site() as site:
        site.list("dev")
        ident = give(site, POST)
        os.unlink(site.path("msg", ident))
        os.symlink("/etc/hostname", site.path("msg", ident))
        site.drain("inbound")
        buried(site, "is no regular file")


def test_an_entry_by_a_shell_script():
    """Nothing but what printf can write."""
    with Site() as site:
        site.list("dev")
        site.entry("inbound", [], POST)
        site.drain("inbound")
        entry = site.one("auth")
        equal(entry.get("List"), DEV)
        equal(int(entry.get("Size")), len(POST))
        equal(int(entry.get("Body-Offset")), POST.index(b"\n\n") + 2)
        assert len(entry.get("Crc32")) == 8


def test_a_wrong_body_offset_is_set_right():
    with Site() as site:
        site.list("dev")
        site.entry("inbound", [("Rcpt-To", "<%s>" % DEV),
                               ("Body-Offset", "99999999999")], POST)
        site.drain("inbound")
        equal(int(site.one("auth").get("Body-Offset")),
              POST.index(b"\n\n") + 2)


def test_several_rcpt_to_of_an_entry():
    with Site() as site:
        site.list("dev")
        site.list("ops")
        give(site, POST, to=[DEV, "ops@" + DOMAIN, "eve@" + DOMAIN])
        site.drain("inbound")
        equal(site.where(), {"auth/new": 2, "inbound/dead": 1})
        equal([e.get("List") for e in site.entries("auth")],
              [DEV, "ops@" + DOMAIN])


def test_children_are_made_once():
    with Site() as site:
        site.list("dev")
        folder = site.list("ops", nonsense="yes")
        # The entry itself must wait; its child need not.
        ident = give(site, POST, to=["ops@" + DOMAIN, DEV])
        site.drain("inbound")
        equal(site.where(), {"auth/new": 1, "inbound/later": 1})
        equal(site.one("auth").get("Parent"), ident)
        os.unlink(os.path.join(folder, "list.yaml"))
        site.list("ops")
        site.drain("inbound", SEPTET_CLOCK_OFFSET="7200")
        equal(site.where(), {"auth/new": 2})
        equal(site.journal(), "")


# ---- owners ---------------------------------------------------------------

def test_owner_mail():
    message = (b"Return-Path: <ann@example.net>\nReceived: from x\n"
               b"DKIM-Signature: v=1;\n\th=from\nBcc: eve@example.net\n"
               b"From: Ann <ann@example.net>\nList-Id: <other.example.org>\n"
               b"Subject:   odd   folding\n\nPlease help.\n")
    with Site() as site:
        site.list("dev", owners="[ann@example.org, bob@example.org]")
        give(site, message, to="dev-owner@" + DOMAIN, Client="192.0.2.1")
        site.drain("inbound")
        entry = site.one("outbound")
        equal(entry.get("Send-From"), "<postmaster@%s>" % DOMAIN)
        equal(entry.get("Verp"), "none")
        equal(entry.get("List"), DEV)
        equal(site.rcpt(entry.id), [("T", "ann@example.org", {}),
                                    ("T", "bob@example.org", {})])
        head = site.part("head", entry.id).decode().split("\n")
        assert head[0] == "Received: by %s (Septet) with LMTP id %s;" % (
            DOMAIN, entry.id), head
        equal(head[2], "X-Loop: " + DEV)
        equal("\n".join(head[3:]),
              "Received: from x\nDKIM-Signature: v=1;\n\th=from\n"
              "From: Ann <ann@example.net>\nList-Id: <other.example.org>\n"
              "Subject:   odd   folding\n\n")
        equal(entry.get("Head").split()[0],
              str(len(site.part("head", entry.id))))


def test_owner_mail_with_a_null_sender_keeps_it():
    with Site() as site:
        site.list("dev")
        give(site, POST, to="postmaster@" + DOMAIN, sender="<>")
        site.drain("inbound")
        entry = site.one("outbound")
        equal(entry.get("Send-From"), "<>")
        equal(site.rcpt(entry.id), [("T", "postmaster@example.org", {})])
        assert "X-Loop: postmaster@%s\n" % DOMAIN in \
            site.part("head", entry.id).decode()


def test_an_owner_that_is_the_list_ends():
    with Site() as site:
        site.list("dev", owners="[dev-owner@%s]" % DOMAIN)
        give(site, POST, to="dev-owner@" + DOMAIN)
        site.drain("inbound")
        entry = site.one("outbound")
        sent = site.part("head", entry.id) + b"Hello.\n"
        give(site, sent, to="dev-owner@" + DOMAIN,
             sender="<postmaster@%s>" % DOMAIN)
        site.drain("inbound")
        equal(site.where(), {"outbound/new": 1, "inbound/dead": 1})


if __name__ == "__main__":
    main(globals())

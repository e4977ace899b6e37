#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_hostile - torture messages, spam, broken envelopes and files that are no
# files: everything ends somewhere, with a reason, and nothing else suffers
#
# Output is TAP; arguments choose among the tests.  SEPTET_BIN: the folder of
# the binaries, else build/bin.  SEPTET_CORPORA: the corpora, else
# ../shared/corpora; what needs them is skipped where there are none.
# SEPTET_SANITIZED: every 5th message only.

import collections
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from live_site import SANITIZED, LiveSite, corpora, unpack      # noqa: E402
from septet_test import (BIN, DOMAIN, STAGES, Envelope, Skip, equal, main,
                         names, put, read, wait_for, words)     # noqa: E402

BUNDLES = ["mime-permissive", "mime-copyleft", "hostile", "spam"]
SHARE = 5
NOBODY = 65534
DEV, OPEN = "dev@" + DOMAIN, "open@" + DOMAIN
ANN, BOB, CYD = "ann@example.net", "bob@example.net", "cyd@example.net"
# Where else a message is sent, and what drops say they were delivered to.
ROLES = ["dev-request@" + DOMAIN, "dev-bounces@" + DOMAIN,
         "dev-owner@" + DOMAIN, "dev-join@" + DOMAIN, "dev-leave@" + DOMAIN,
         "dev-confirm+0123456789@" + DOMAIN, "postmaster@" + DOMAIN,
         "dev-bounces+ann=example.net=abcdefgh@" + DOMAIN]
DROPS = [None, OPEN, DEV] + ROLES
# Names of dropped files; %d makes them differ.
NAMES = [b"plain-%d.eml", b"with a blank %d", b"-%d --help", b"%d\nline\ttab",
         "gr\u00fc\u00dfe-%d".encode(), b"\xff\xfe-%d", b".hidden-%d",
         b"%d\"quote's`$(:)\\", b"%d%%s%%n", b"0k3v9q2t7m-a-%d",
         b"%d+bare", b"cur-%d+a.inbound1.7+x", b"1700000000.M1P2V3I4.h,%d:2,S",
         b"%d" + b"x" * 245, b"%d" + b"%%" * 120]


def long_name(n):
    """255 bytes, all that a file's name can have."""
    return (b"%d-" % n).ljust(255, b"y")


def drop(site, data, name):
    """Rename a file into inbound/new, under any name."""
    aside = os.path.join(os.fsencode(site.root), b"aside")
    with open(aside, "wb") as file:
        file.write(data)
    os.rename(aside, os.path.join(
        os.fsencode(site.path("inbound", "new")), name))


def told(name):
    """As Source: names a file; of a long name it has 200 bytes."""
    return name[:200].decode("utf-8", "replace")


def hostile_files(folder):
    files = [path for bundle in BUNDLES
             for path in unpack(bundle, os.path.join(folder, bundle))]
    assert len(files) > 1800, "%d files" % len(files)
    return files[::SHARE] if SANITIZED else files


# ---- what became of an entry ----------------------------------------------

def envelope_of(fate):
    """The Envelope of a fate; None where it is none."""
    if fate[0] == "done":
        return fate[1]
    if fate[0] == "held":
        return fate[2]
    try:
        return Envelope(fate[2])
    except (AssertionError, KeyError, ValueError, IndexError):
        return None


def is_whole(site, ident, fate, text):
    """Is a delivered entry at everybody on its list, with the end of what
    was sent?"""
    lines = fate[2].decode().splitlines()[1:]
    for number, line in enumerate(lines, 1):
        state, address = line.split("\t")[:2]
        path = os.path.join(site.maildir(address), "%s.%d" % (ident, number))
        got = read(path, b"")
        if state != "D" or not got.endswith(text):
            return False
    return len(lines) > 0


def verdict(site, ident, fate, text):
    """One word for where it ended; where there is no reason, one in capitals
    that says so."""
    env = envelope_of(fate)
    if env is None:
        return "NO ENVELOPE IN " + fate[0]
    last = env.trail
    if fate[0] == "dead":
        return "dead" if env.get("Error") else "DEAD WITHOUT REASON"
    if fate[0] == "held":
        return "held" if env.get("Held") and env.get("Rule") and \
            env.get("Reason") else "HELD WITHOUT REASON"
    if fate[0] != "done":
        # A notice to owners who heard within the hour waits for its end.
        if fate[:2] == ("later", "command") and b"\nNotice: " in fate[2]:
            return "later"
        return "STILL " + fate[0]
    if last["exit"] == "discard":
        return "duplicate" if env.get("Duplicate-Of") else \
            "discarded" if env.get("Reason") else "DISCARDED WITHOUT REASON"
    if last["queue"] == "outbound":
        return "delivered" if is_whole(site, ident, fate, text) else \
            "NOT DELIVERED"
    if env.get("Verdict") == "reject":
        return "rejected" if env.get("Reason") else "REJECTED WITHOUT REASON"
    if last["queue"] == "command":
        return "command" if env.get("Command") else "COMMAND WITHOUT RESULT"
    if last["queue"] == "bounce":
        return "bounce" if env.get("Bounce-Source") else "BOUNCE UNREAD"
    return "ENDED IN " + last["queue"]


def only_senders_are_answered(site, fates):
    """Never whom a header names: members, owners, and envelope senders."""
    allowed = {ANN, BOB, CYD, "owner@example.org", "postmaster@example.org"}
    for fate in fates.values():
        env = envelope_of(fate)
        for value in env.all("Mail-From") if env else []:
            # As maildir(5) of the outbound queue spells it in a folder's name.
            allowed.add(re.sub(r"^\.|[/%]", lambda m: "%%%02X" % ord(m[0]),
                               value[1:-1]))
    got = set(names(os.path.join(site.home, "mail")))
    assert ANN in got and BOB in got and CYD in got, got
    equal(sorted(got - allowed), [], "answered")


def tell(title, counts):
    print("# %s: %s" % (title, ", ".join(
        "%d %s" % (n, word) for word, n in counts.most_common())))
    wrong = {word: n for word, n in counts.items() if word.isupper() or
             re.match(r"[A-Z]{2}", word)}
    assert not wrong, repr(wrong)


def nothing_stands(site):
    """Nothing in new/ and cur/, no crash."""
    equal(site.busy(), {})
    # command keeps what owners are to hear when their hour is over.
    equal([q for q in STAGES if q != "command" and
           site.names(q, "later")], [])
    assert not site.has_restarted(), site.has_restarted()
    site.stop()


# ---- messages -------------------------------------------------------------

def send_all(site, files):
    """Each to the list from a member, and to a role: {ID: its end}."""
    data = [read(path) for path in files]
    posts = [(ANN, [DEV, ROLES[n % len(ROLES)]], message)
             for n, message in enumerate(data)]
    taken, refused = {}, collections.Counter()
    for (_, recipients, message), reply in zip(posts, site.post(posts)):
        if len(reply.ids) != len(recipients):
            equal(reply.ids, [])
            refused[re.sub(r"[0-9]{2,}(?![.0-9])", "N", reply.lines[0])] += 1
            equal([line[:9] for line in reply.lines],
                  ["554 5.6.0" if b"\0" in message else "552 5.3.4"] *
                  len(recipients), "refused")
            assert b"\0" in message or \
                len(message.partition(b"\n\n")[0]) > 1 << 20, "refused"
        for ident in reply.ids:
            taken[ident] = ending(message)
    print("# LMTP: %d sent, %d recipients taken, refused %r" % (
        len(posts), len(taken), dict(refused)))
    return taken


def ending(message):
    """What a copy must end in: all behind the first empty line."""
    text = message.replace(b"\r\n", b"\n")
    if text and not text.endswith(b"\n"):
        text += b"\n"
    return text.partition(b"\n\n")[2]


def drop_all(site, files):
    """{name as it is told: what it must end in}."""
    out = {}
    for n, path in enumerate(files):
        to, message = DROPS[n % len(DROPS)], read(path)
        if to is not None:
            message = b"Delivered-To: %s\n" % to.encode() + message
        name = long_name(n) if n % 16 == 15 else NAMES[n % 16] % n
        drop(site, message, name)
        out[told(name)] = ending(message).rstrip(b"\n")
    equal(len(out), len(files))
    return out


def account_drops(site, fates, dropped):
    counts, seen = collections.Counter(), set()
    for ident, fate in fates.items():
        env = envelope_of(fate)
        source = env and env.get("Source")
        if not source or not source.startswith("drop ") or \
                env.get("Parent") is not None:
            continue
        name = words(source)["name"]
        assert name in dropped, "nobody dropped %r" % name
        seen.add(name)
        text = dropped[name]
        if fate[0] == "done":
            # The last line's end may be added, or not.
            text = b""
        counts[verdict(site, ident, fate, text)] += 1
    missing = sorted(set(dropped) - seen)
    assert not missing, "%d lost: %r" % (len(missing), missing[:10])
    tell("dropped", counts)


def through_everything(site, files):
    """Send and drop them all, and look what became of each."""
    site.make_list("dev", [ANN, BOB])
    site.make_list("open", [CYD], nonmember_action="accept")
    site.start()
    start = time.monotonic()
    dropped = drop_all(site, files)
    taken = send_all(site, files)
    site.settle()
    print("# %d files, %.1f s" % (len(files), time.monotonic() - start))
    fates = site.fates()
    missing = sorted(set(taken) - set(fates))
    assert not missing, "%d lost: %r" % (len(missing), missing[:10])
    tell("by LMTP", collections.Counter(
        verdict(site, ident, fates[ident], text)
        for ident, text in taken.items()))
    account_drops(site, fates, dropped)
    tell("all entries", collections.Counter(
        verdict(site, ident, fate, b"") for ident, fate in fates.items()))
    only_senders_are_answered(site, fates)
    nothing_stands(site)


def test_torture_messages_and_spam():
    corpora()
    with tempfile.TemporaryDirectory() as folder, LiveSite() as site:
        through_everything(site, hostile_files(folder))


# ---- messages of our own ---------------------------------------------------

FIELDS = ["From", "Sender", "To", "Cc", "Bcc", "Reply-To", "Return-Path",
          "Delivered-To", "X-Original-To", "Resent-From", "Resent-To",
          "Resent-Bcc", "Message-ID", "In-Reply-To", "References", "Subject",
          "Date", "Received", "Content-Type", "Content-Transfer-Encoding",
          "MIME-Version", "Auto-Submitted", "Precedence", "X-Loop", "List-Id",
          "List-Post", "Authentication-Results", "DKIM-Signature", "Approved",
          "X-Failed-Recipients", "X-Auto-Response-Suppress"]
VALUES = ["", " ", "\n ", "<>", "<", ">", "()", "(", '"', "@", ",", ";", ":;",
          "\\", "=?utf-8?q?", "=?utf-8?b?====?=", "=?x?q?=00?=", "\0",
          "\xff\xfe", "<%s>" % ("a" * 2000), "multipart/report; boundary=",
          "multipart/mixed; boundary=\"\"", "text/plain; charset=", ", ".join(
              "a%d@example.net" % n for n in range(300))]


def report(**fields):
    """A delivery report, whose fields are as given."""
    part = dict({"Final-Recipient": "rfc822; %s" % ANN, "Action": "failed",
                 "Status": "5.1.1", "Diagnostic-Code": "smtp; 550 no"},
                **{k.replace("_", "-"): v for k, v in fields.items()})
    return ("From: MAILER-DAEMON@example.net\nSubject: x\nContent-Type: "
            "multipart/report; report-type=delivery-status; boundary=b\n\n"
            "--b\n\nx\n--b\nContent-Type: message/delivery-status\n\n"
            "Reporting-MTA: dns; x\n\n" + "".join(
                "%s: %s\n" % item for item in part.items()) +
            "\n--b\nContent-Type: message/rfc822\n\nSubject: y\n\n--b--\n")


def shapes():
    """Messages that are odd as a whole."""
    nested = "".join("Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n"
                     % (n, n) for n in range(2000))
    yield from ["", "\n", "\n\n", "x", "From", "From: x", "From x\n", "From \n",
                " \n", "\t: x\n\n", ": x\n\n", "no colon\n\nx\n", "\r",
                "\r\r\n",
                "Subject: a\rb\n\nx\ry\n", "\0", "\ufeffFrom: x\n\n",
                "X: %s\n\n" % ("y" * 999999), "Z:\n" * 70000 + "\n",
                "Y: y\n" * 300000 + "\n", nested, "Received: x\n" * 101 + "\n",
                "X-Loop: %s\n\nx\n" % DEV, "x: \n" + " \n" * 5000 + "\n",
                "Content-Type: text/plain\n\n" + "z" * 3000000,
                "Content-Transfer-Encoding: base64\n\n" + "=" * 10000,
                "Subject: %s\n\n" % ("=?utf-8?q?=C3?= " * 3000)]
    for name in ["Final_Recipient", "Original_Recipient", "Action", "Status",
                 "Diagnostic_Code", "Remote_MTA", "Last_Attempt_Date"]:
        for value in ["", ";", "rfc822;", "<>", "x" * 3000, "9.9.9", "5",
                      "\xff", "rfc822; <>", "(", "failed", "relayed"]:
            yield report(**{name: value})


def own_messages():
    end = "Message-ID: <%d@example.net>\n\nsubscribe\nhelp %d\n"
    number = 0
    for name in FIELDS:
        for value in VALUES:
            number += 1
            yield ("%s: %s\n" % (name, value) + end % (number, number)) \
                .encode("latin-1")
    for text in shapes():
        yield text.encode("latin-1" if "\ufeff" not in text else "utf-8")


def test_messages_of_our_own():
    messages = list(own_messages())
    if SANITIZED:
        messages = messages[::2] + messages[-120:]
    with tempfile.TemporaryDirectory() as folder, LiveSite() as site:
        files = []
        for n, message in enumerate(messages):
            files.append(os.path.join(folder, "%04d" % n))
            put(files[-1], message)
        through_everything(site, files)


# ---- what is no message ---------------------------------------------------

def post(n=0, to=DEV, sender=ANN):
    return (sender, [to], b"From: %s\nTo: %s\nSubject: %d\nMessage-ID: "
            b"<%d@example.net>\n\nNumber %d.\n" % (
                sender.encode(), to.encode(), n, n, n))


def passes(site, n, to=DEV, member=BOB):
    """Ordinary mail still gets through."""
    before = len(site.mail(member))
    reply, = site.post([post(n, to)], connections=1)
    equal(len(reply.ids), 1, repr(reply))
    wait_for("mail %d" % n, lambda: len(site.mail(member)) == before + 1)


def make_things(site, folder):
    """Things that are no messages, in a folder: {name: a word of why}."""
    def at(name):
        return os.path.join(folder, name)

    out = {"empty-directory": "no regular file",
           "full-directory": "no regular file", "link": "symbolic link",
           "link-to-directory": "symbolic link",
           "dangling-link": "symbolic link", "link-to-itself": "symbolic link",
           "fifo": "no regular file", "socket": "no regular file",
           "sparse": "over the size_limit", "empty": "names no address"}
    os.mkdir(at("empty-directory"))
    os.makedirs(at("full-directory/below"))
    put(at("full-directory/file"), "To: %s\n\n" % DEV)
    os.symlink("/etc/passwd", at("link"))
    os.symlink("/etc", at("link-to-directory"))
    os.symlink("nowhere", at("dangling-link"))
    os.symlink("link-to-itself", at("link-to-itself"))
    os.mkfifo(at("fifo"))
    there = os.getcwd()
    os.chdir(folder)            # a socket's path has 107 bytes at most
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.bind("socket")
    finally:
        os.chdir(there)
    with open(at("sparse"), "wb") as file:
        file.truncate(5 << 30)
    open(at("empty"), "wb").close()
    return out


def buried(site, queue):
    """{name that it was dropped under: why} in dead/."""
    out = {}
    for name in site.names(queue, "dead"):
        if "+" not in name:
            env = Envelope(read(site.path(queue, "dead", name)), name)
            source = words(env.get("Source") or "")
            # The envelope is there before what it speaks of: then it is
            # still on its way.
            if "kept" in source and not os.path.lexists(
                    site.path(queue, "dead", source["kept"])):
                continue
            out[source.get("name", name)] = env.get("Error") or ""
    return out


def test_what_is_no_file():
    with LiveSite() as site:
        site.make_list("dev", [ANN, BOB])
        site.start()
        passes(site, 1)
        for queue in STAGES:
            aside = os.path.join(site.home, "aside")
            os.mkdir(aside)
            want = make_things(site, aside)
            for name in want:
                os.rename(os.path.join(aside, name),
                          site.path(queue, "new", name))
            os.rmdir(aside)
            wait_for("all of it in %s/dead" % queue, lambda: len(
                buried(site, queue)) >= len(want))
            got = buried(site, queue)
            equal(sorted(got), sorted(want), queue)
            for name, why in want.items():
                if queue != "inbound":
                    why = "not an entry"
                assert why in got[name], "%s: %s: %r" % (queue, name,
                                                         got[name])
        passes(site, 2)
        site.settle()
        nothing_stands(site)


def test_a_file_that_may_not_be_read():
    with LiveSite() as site:
        site.make_list("dev", [ANN, BOB])
        put(site.path("inbound", "tmp", "secret"), post()[2])
        os.chmod(site.path("inbound", "tmp", "secret"), 0)
        os.rename(site.path("inbound", "tmp", "secret"),
                  site.path("inbound", "new", "secret"))
        drop(site, b"Delivered-To: %s\n" % DEV.encode() + post()[2], b"open")
        more = {}
        if os.getuid() == 0:
            # Root reads everything: nobody runs it.
            for where, folders, files in os.walk(site.root):
                for name in folders + files + ["."]:
                    if name != "secret":
                        os.chown(os.path.join(where, name), NOBODY, NOBODY,
                                 follow_symlinks=False)
            more = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        try:
            got = subprocess.run(
                [os.path.join(BIN, "septet-inbound"), "--drain"], env=site.env,
                stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                **more)
        except PermissionError:
            raise Skip("nobody may not run the programs")
        equal(got.returncode, 0, got.stderr.decode("utf-8", "replace"))
        equal(list(buried(site, "inbound").items()),
              [("secret", "not readable by this user")])
        equal(len(site.names("auth")), 1)
        equal(site.names("inbound", "cur"), [])


# ---- envelopes ------------------------------------------------------------

def seal(queue, text, by="inbound", **more):
    """Text, sealed as by a shell script: its trail leads to the queue."""
    keys = dict({"host": "a", "queue": by, "exit": "accept", "to": queue,
                 "lines": text.count("\n"), "crc32": "-"}, **more)
    return text + "Trail: 2026-11-20T09:00:00.000Z " + " ".join(
        "%s=%s" % item for item in keys.items()) + "\n"


def broken_envelopes(queue, ident):
    """{what is wrong: text}."""
    start = "Septet-Envelope: 1\nId: %s\n" % ident
    mine = start + "List: %s\nRole: post\nMail-From: <%s>\n" % (DEV, ANN)
    claim = "Claim: %s queue=%s owner=%s\n"
    # Sealed by another program than inbound: for inbound by lmtp.
    by = "lmtp" if queue == "inbound" else "inbound"

    def sealed(text, **more):
        return seal(queue, text, by, **more)

    return {
        "magic alone": "Septet-Envelope: 1\n",
        "no trail": mine,
        "torn": sealed(mine)[:-9],
        "binary": "Septet-Envelope: 1\n" + "".join(map(chr, range(256))),
        "no colon": sealed(start + "Hello\n"),
        "wrong lines": sealed(mine, lines=99),
        "lines of another kind": sealed(mine, lines="-1"),
        "huge lines": sealed(mine, lines="9" * 30),
        "wrong sum": sealed(mine, crc32="00000000"),
        "no sum": sealed(mine, crc32="xyz"),
        "leads elsewhere": sealed(mine, to="nowhere"),
        "another's id": sealed(mine.replace(ident, "0k3v9q2t7m-a-zz")),
        "long line": sealed(start + "Subject: %s\n" % ("x" * 9000)),
        "too long": sealed(start + "".join(
            "X-%d: %s\n" % (n, "y" * 1000) for n in range(1100))),
        "zero byte": sealed(mine.replace("post", "po\0st")),
        "wrong size": sealed(mine + "Size: 99999999999999999999\n"),
        "other size": sealed(mine + "Size: 7\nCrc32: 00000000\n"),
        "negative offset": sealed(mine + "Body-Offset: -1\n"),
        "offset beyond": sealed(mine + "Body-Offset: 4294967296\n"),
        "missing head": sealed(mine + "Head: 100 crc32=00000000\n"),
        "odd address": sealed(mine + "Rcpt-To: <\\x0d\\x0aX: y>\n"),
        "odd identity": sealed(mine + "Identity: <> member=-5\n"
                               "Verdict: accept\nSend-From: <{verp}{verp}\n"),
        "odd verdict": sealed(mine + "Kind: verdict\nAbout: ../../x\n"
                              "Action: approve token=%s\n" % ("a" * 2000)),
        "odd notice": sealed(mine.replace("Role: post", "Role: notice") +
                             "Kind: notice\nNotice: ../../etc/passwd "
                             "to=address address=\"<%s>\"\n" % ANN),
        "odd report": sealed(mine.replace("Role: post", "Role: bounces") +
                             "Kind: report\nExtension: +=+=%s\n" %
                             ("=" * 500)),
        "list of a path": sealed(mine.replace(DEV, "../../dev@x")),
        "no list": sealed(start),
        "many claims": sealed(mine) + "".join(
            claim % (n, queue, "a.x1.7") for n in range(1, 9)),
        "claims that overflow": sealed(mine) + claim % (
            "18446744073709551615", queue, "a.x1.7"),
        "staged by nobody": sealed(mine) + claim % (
            "1", queue, "../../etc") + "Staged: name=../../x to=../y size=1 "
        "crc32=00000000\n",
        "newer": "Septet-Envelope: 2\nId: %s\n" % ident,
    }


def is_fair(queue, what, kind):
    """Broken beyond reading: in dead/.  A newer version is put off.  Others
    may be handled where what is wrong does not matter at that queue."""
    if what == "newer":
        return kind == "later"
    if what in ("magic alone", "no trail", "torn", "binary", "no colon",
                "wrong lines", "lines of another kind", "huge lines",
                "wrong sum", "no sum", "leads elsewhere", "long line",
                "too long", "zero byte", "many claims"):
        return kind == "dead"
    return kind in ("dead", "done", "held")


def test_broken_envelopes():
    with LiveSite() as site:
        site.make_list("dev", [ANN, BOB])
        put_in, number = {}, 0
        for queue in STAGES:
            for what in broken_envelopes(queue, "x"):
                number += 1
                ident = "0k3v9q2t7m-h-%03d" % number
                put(site.path("msg", ident), post(number)[2])
                data = broken_envelopes(queue, ident)[what]
                put(site.path(queue, "tmp", ident), data.encode("latin-1"))
                os.rename(site.path(queue, "tmp", ident),
                          site.path(queue, "new", ident))
                put_in[ident] = (queue, what)
        site.start()
        site.settle()
        fates, counts, wrong = site.fates(), collections.Counter(), []
        by_source = {name: "dead" for queue in STAGES
                     for name in buried(site, queue)}
        for ident, (queue, what) in put_in.items():
            fate = fates.get(ident)
            kind = fate[0] if fate else by_source.get(ident, "LOST")
            counts[kind] += 1
            if not is_fair(queue, what, kind):
                wrong.append((queue, what, kind))
            if kind == "dead" and fate and not re.search(
                    rb"^Error: .", fate[2], re.M):
                wrong.append((queue, what, "no reason"))
        print("# %d broken envelopes: %r" % (len(put_in), dict(counts)))
        equal(wrong, [])
        equal(read(os.path.join(site.home, "septet.yaml"))[:1], b"#")
        passes(site, 999)
        site.settle()
        equal(site.busy(), {})
        assert not site.has_restarted(), site.has_restarted()
        site.stop()


def test_parts_that_are_no_files():
    """Sound envelopes, whose message, header or distribution list is not."""
    with LiveSite() as site:
        site.make_list("dev", [ANN, BOB])
        put_in = {}
        for queue in STAGES:
            for part in ["msg", "head", "rcpt"]:
                for kind in ["nothing", "directory", "fifo", "link", "noise"]:
                    ident = "0k3v9q2t7m-p-%03d" % len(put_in)
                    put_in[ident] = (queue, part, kind)
                    for other in ["msg", "head", "rcpt"]:
                        make_part(site.path(other, ident), other,
                                  kind if other == part else "sound")
                    text = "Septet-Envelope: 1\nId: %s\n" % ident + \
                        "List: %s\nRole: post\nMail-From: <%s>\n" \
                        "Head: 20 crc32=-\nSend-From: <>\n" % (DEV, ANN)
                    put(site.path(queue, "tmp", ident), seal(
                        queue, text, "lmtp" if queue == "inbound" else
                        "inbound"))
                    os.rename(site.path(queue, "tmp", ident),
                              site.path(queue, "new", ident))
        site.start()
        site.settle()
        fates = site.fates()
        found = set(fates) | {name for queue in STAGES
                              for name in buried(site, queue)}
        equal(sorted(set(put_in) - found), [], "lost")
        print("# %d: %r" % (len(put_in), dict(collections.Counter(
            fates[i][0] if i in fates else "dead" for i in put_in))))
        passes(site, 999)
        site.settle()
        equal(site.busy(), {})
        assert not site.has_restarted(), site.has_restarted()
        site.stop()


def make_part(path, part, kind):
    sound = {"msg": post()[2], "head": b"Subject: head only\n\n",
             "rcpt": b"Septet-Rcpt: 1\nT\t%s\n" % BOB.encode()}
    if kind == "sound":
        put(path, sound[part])
    elif kind == "directory":
        os.mkdir(path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        os.symlink("/etc/passwd", path)
    elif kind == "noise":
        put(path, bytes(range(256)) * 300)


# ---- a list that goes -----------------------------------------------------

def test_a_list_that_is_deleted_while_its_mail_waits():
    """At every queue; another list's mail beside it passes."""
    before = {"auth": ["inbound"], "moderation": ["inbound", "auth"],
              "pending": ["inbound", "auth", "moderation"],
              "outbound": ["inbound", "auth", "moderation", "pending"],
              "command": ["inbound"], "bounce": ["inbound"], "inbound": []}
    ends = {"outbound": "delivered", "command": "dead", "bounce": "dead"}
    for queue, stages in before.items():
        with LiveSite() as site:
            for name in ["dev", "ops"]:
                site.make_list(name, [ANN, BOB])
            for n, name in enumerate(["dev", "ops"]):
                to = name + {"command": "-join", "bounce": "-bounces"}.get(
                    queue, "") + "@" + DOMAIN
                drop(site, b"Return-Path: <%s>\nDelivered-To: %s\n" % (
                    ANN.encode(), to.encode()) + post(n, to)[2],
                    b"drop-%d" % n)
            for stage in stages:
                site.run("septet-" + stage, "--drain")
            equal(len(site.names(queue)), 2, queue)
            shutil.rmtree(os.path.join(site.lists, DEV))
            site.start()
            site.settle()
            fates = {words(envelope_of(f).get("Source"))["name"]:
                     verdict(site, ident, f, b"")
                     for ident, f in site.fates().items()
                     if (envelope_of(f).get("Source") or "").startswith(
                         "drop") and not envelope_of(f).get("Parent")}
            equal(fates["drop-0"], ends.get(queue, "dead"), queue)
            assert fates["drop-1"] in ("delivered", "command", "held",
                                       "bounce"), (queue, fates)
            passes(site, 9, "ops@" + DOMAIN)
            site.settle()
            nothing_stands(site)


if __name__ == "__main__":
    main(globals())

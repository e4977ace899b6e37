#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_corpora - half a year of a real list, posted again by LMTP: every message
# at every member, exactly once, with its bytes
#
# Output is TAP; arguments choose among the tests.  SEPTET_BIN: the folder of
# the binaries, else build/bin.  SEPTET_CORPORA: the corpora, else
# ../shared/corpora; skipped where there are none.  SEPTET_SANITIZED: every
# 13th message only.

import os
import re
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from live_site import SANITIZED, LiveSite, corpora, unpack  # noqa: E402
from septet_test import DOMAIN, main, read                  # noqa: E402

DEV = "dev@" + DOMAIN
MEMBERS = ["member%d@example.net" % n for n in range(10)]
MESSAGES = 1995
SHARE = 13              # of which the sanitized programs get one
# What mail-rules name: these fields go, of any case.
GONE = re.compile(rb"(?:return-path|bcc|resent-bcc|approved|x-approved|"
                  rb"errors-to|return-receipt-to|precedence|list-[!-9;-~]*|"
                  rb"disposition-notification-to)[ \t]*:", re.I)
GONE_IF_OURS = re.compile(rb"(?:delivered-to|x-original-to)[ \t]*:"
                          rb".*@" + re.escape(DOMAIN.encode()), re.I | re.S)
# And these come, on top, each once; a Maildir adds two above them.
MAILDIR = [b"Return-Path", b"Delivered-To"]
ADDED = [b"Received", b"X-Loop", b"List-Id", b"List-Help", b"List-Unsubscribe",
         b"List-Subscribe", b"List-Owner", b"List-Post", b"Precedence"]


def split(message):
    """([field with its line end...], body), as they stand."""
    header, _, body = message.partition(b"\n\n")
    return re.findall(rb"[^\n]*\n(?:[ \t][^\n]*\n)*", header + b"\n"), body


def name(field):
    return field.split(b":", 1)[0].rstrip(b" \t")


def addresses(text):
    return [a.decode() for a in re.findall(
        rb"[A-Za-z0-9._%+=/-]+@[A-Za-z0-9.-]*[A-Za-z0-9]", text)]


def posts(folder):
    """(sender, From's addresses, message), as its poster sent it."""
    files = [path for path in unpack("list-openbmc", folder)
             if path.endswith(".eml")]
    assert len(files) == MESSAGES, "%d messages" % len(files)
    if SANITIZED:
        files = files[::SHARE]
    posted = os.path.join(folder, "posted")
    subprocess.run([sys.executable, os.path.join(corpora(), "as_posted.py"),
                    posted, *files], check=True)
    out = []
    for line in read(os.path.join(posted, "envelope.tsv")).splitlines():
        file, sender, _ = line.decode().split("\t")
        message = read(os.path.join(posted, file))
        author = [f for f in split(message)[0] if name(f).lower() == b"from"]
        out.append((sender, addresses(b"".join(author)), message))
    return out


def wanted(message):
    """The fields that are to stay, in their order, and the body."""
    fields, body = split(message)
    return [f for f in fields if not GONE.match(f)
            and not GONE_IF_OURS.match(f)], body


def compare(got, message):
    """What is wrong with a copy; None when nothing is."""
    fields, body = split(got)
    old, old_body = wanted(message)
    if body != old_body:
        return "body"
    ours = [name(f) for f in fields[:len(fields) - len(old)]]
    if fields[len(fields) - len(old):] != old:
        return "header: " + repr([f for f in fields if f not in old][:20])
    # A message that came without an ID or a Date gets them.
    have = {name(f).lower() for f in old}
    want = MAILDIR + ADDED + [n for n in (b"Message-ID", b"Date")
                              if n.lower() not in have]
    if ours != want:
        return "added: %r" % ours
    return None


def check_member(member, mail, by_id, bad):
    """Every message once, as it was; by_id: the entry's ID to the message."""
    times = dict.fromkeys(by_id, 0)
    for file, got in mail.items():
        ident = re.sub(r"\.[0-9]+$", "", file)
        if ident not in by_id:
            bad.append("%s: %s is of nobody's" % (member, file))
            continue
        times[ident] += 1
        wrong = compare(got, by_id[ident])
        if wrong:
            bad.append("%s: %s: %s" % (member, file, wrong))
        if b"\nDelivered-To: %s\n" % member.encode() not in got:
            bad.append("%s: %s: another's" % (member, file))
    bad += ["%s: %s came %d times" % (member, ident, n)
            for ident, n in times.items() if n != 1]


def account_others(site, by_id, bad):
    """Nothing ended in any other way: what was refused, held or taken for
    something else would be told here, with its reason."""
    for ident, fate in site.fates().items():
        if fate[0] == "done" and ident in by_id:
            continue
        text = fate[2].decode("utf-8", "replace") if fate[0] == "dead" else \
            (fate[1] if fate[0] == "done" else fate[2]).data.decode()
        bad.append("%s: %s: %s" % (ident, fate[0], re.findall(
            r"^(?:Error|Reason|Rule|Duplicate-Of|Notice|Trail): .*$", text,
            re.M)[-4:]))


def test_every_message_at_every_member_as_it_was_posted():
    corpora()
    with tempfile.TemporaryDirectory() as folder, LiveSite() as site:
        mail = posts(folder)
        posters = sorted({a.lower() for sender, authors, _ in mail
                          for a in [sender] + authors})
        site.make_list("dev", MEMBERS, silent=posters, size_limit="40M")
        site.start()
        start = time.monotonic()
        replies = site.post([(sender, [DEV], message)
                             for sender, _, message in mail])
        taken = time.monotonic()
        bad = ["%s: %r" % (sender, reply.lines) for (sender, _, _), reply
               in zip(mail, replies) if len(reply.ids) != 1]
        assert not bad, "%d refused: %r" % (len(bad), bad[:10])
        by_id = {reply.ids[0]: message
                 for (_, _, message), reply in zip(mail, replies)}
        site.settle()
        end = time.monotonic()
        print("# %d messages of %d posters: taken in %.1f s, with all %d "
              "members after %.1f s" % (len(mail), len(posters),
                                        taken - start, len(MEMBERS),
                                        end - start))
        account_others(site, by_id, bad)
        for member in MEMBERS:
            check_member(member, site.mail(member), by_id, bad)
        assert not site.leftovers(), site.leftovers()[:10]
        assert not site.has_restarted(), site.has_restarted()
        print("# looked through in %.1f s" % (time.monotonic() - end))
        for line in bad[:20]:
            print("# " + line)
        assert not bad, "%d wrong" % len(bad)


if __name__ == "__main__":
    main(globals())

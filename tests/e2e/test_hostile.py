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
import sys
import tempfile
import time

sys.dont_write_bytecode = True
from live_site import SANITIZED, LiveSite, corpora, unpack      # noqa: E402
from septet_test import (DOMAIN, MAGIC, STAGES, Envelope, equal, main,
                         names, put, read, wait_for, words)     # noqa: E402

BUNDLES = ["mime-permissive", "mime-copyleft", "hostile", "spam"]
SHARE = 5
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
    if fate[0] != "dead":
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
        return "command"
    if last["queue"] == "bounce":
        return "bounce"
    return "ENDED IN " + last["queue"]


def tell(title, counts):
    print("# %s: %s" % (title, ", ".join(
        "%d %s" % (n, word) for word, n in counts.most_common())))
    wrong = {word: n for word, n in counts.items() if word.isupper() or
             re.match(r"[A-Z]{2}", word)}
    assert not wrong, repr(wrong)


def nothing_stands(site):
    """Nothing in new/ and cur/, no crash."""
    equal(site.busy(), {})
    equal([q for q in STAGES if site.names(q, "later")], [])
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
                  ["554 5.6.0"] * len(recipients), "refused")
            assert b"\0" in message, "refused without a NUL"
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


def test_torture_messages_and_spam():
    with tempfile.TemporaryDirectory() as folder, LiveSite() as site:
        corpora()
        files = hostile_files(folder)
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
        nothing_stands(site)


if __name__ == "__main__":
    main(globals())

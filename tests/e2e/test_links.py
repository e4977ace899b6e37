#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
#
# test_links - what the programs are linked with, and what is written about
# them: manual pages, options, the standard's rows
#
# Output is TAP; arguments choose among the tests.  SEPTET_BIN: the folder of
# the binaries, else build/bin.

import glob
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
from septet_test import BIN, ROOT, STAGES, equal, main, read  # noqa: E402

# GPL-2 only and LGPL-3 or later: no program may carry both.
APART = ("libinotifytools", "libtdb")


def programs():
    """{program: its folder under runners/}."""
    words = re.search(r"^RUNNERS := ((?:.*\\\n)*.*)\n",
                      read(os.path.join(ROOT, "Makefile")).decode(), re.M)
    return {"septet" if name == "septet" else "septet-" + name:
            os.path.join(ROOT, "runners", name)
            for name in words.group(1).replace("\\\n", " ").split()}


def output(*command):
    got = subprocess.run(command, stdin=subprocess.DEVNULL, text=True,
                         capture_output=True, timeout=60)
    equal(got.returncode, 0, " ".join(command) + got.stderr)
    return got.stdout


def page(program):
    """The text of a program's manual page, without its markup's escapes."""
    folder = programs()[program]
    found = glob.glob(os.path.join(folder, program + ".[18]"))
    equal(len(found), 1, "manual pages of " + program)
    return found[0], read(found[0]).decode().replace("\\-", "-")


def help_texts(program):
    """--help, and that of every command where there are some."""
    path = os.path.join(BIN, program)
    first = output(path, "--help")
    if program != "septet":
        return {"": first}
    texts = {"": first}
    for line in first.splitlines():
        command = re.match(r"  ((?:list |member )?[a-z]+)\s", line)
        if command:
            texts[command.group(1)] = output(path, *command.group(1).split(),
                                             "--help")
    assert len(texts) > 15, "commands of septet: %r" % sorted(texts)
    return texts


def test_every_program_is_built():
    for program in programs():
        assert os.access(os.path.join(BIN, program), os.X_OK), program
    equal(sorted(os.listdir(os.path.join(ROOT, "runners"))),
          sorted(os.path.basename(f) for f in programs().values()))


def test_no_program_links_inotifytools_and_tdb():
    watching = keeping = 0
    for program in programs():
        path = os.path.join(BIN, program)
        # What it asks for itself, and what these bring.
        text = output("readelf", "-d", path) + output("ldd", path)
        has = [name in text for name in APART]
        assert not all(has), "%s has %s and %s" % (program, *APART)
        watching += has[0]
        keeping += has[1]
    # The names above are still the right ones.
    assert watching and keeping, (watching, keeping)


def test_every_program_has_a_manual_page():
    for program in programs():
        path, text = page(program)
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "FILES",
                        "EXIT STATUS", "SEE ALSO", "BUGS"]:
            assert re.search(r"^\.Sh %s$" % section, text, re.M), \
                "%s: no %s" % (path, section)
        assert ".Nm " + program + "\n" in text, path


def test_every_option_is_in_the_manual_page():
    missing = []
    for program in programs():
        path, text = page(program)
        for command, help_text in help_texts(program).items():
            options = set(re.findall(r"(?<![\w-])--?([a-zA-Z][\w-]*)",
                                     help_text))
            assert command or "help" in options, help_text
            for option in sorted(options):
                dash = "-" if len(option) > 1 else ""
                if not re.search(r"Fl(?: Ns)? %s%s\b" % (
                        dash, re.escape(option)), text):
                    missing.append("%s: %s %s%s" % (
                        os.path.basename(path), command, dash + "-", option))
    assert not missing, "; ".join(missing)


def test_every_command_is_in_the_manual_page():
    _, text = page("septet")
    for command in help_texts("septet"):
        words = r"\s+(?:Cm\s+)?".join(command.split())
        assert re.search(r"\b" + words + r"\b", text), command


def test_every_runner_has_a_row_in_the_standard():
    pages = "".join(read(path).decode() for path in sorted(
        glob.glob(os.path.join(ROOT, "spool-layout", "*.md"))))
    for stage in STAGES:
        assert re.search(r"^\| *`?%s`? *\|" % stage, pages, re.M), stage


if __name__ == "__main__":
    main(globals())

# SPDX-License-Identifier: BSD-2-Clause
#
# make            all programs, into build/bin
# make check      unit tests (scripts/test runs everything)
# make install    DESTDIR= PREFIX=/usr/local
# make bench      measures; asserts nothing
# make lint       clang-tidy, cppcheck, layers, man pages
# make format     clang-format over the lines of the uncommitted change
#
# Adding a runner: its folder, one word in RUNNERS, one line LIBS_name where it
# needs more than the library's own dependencies.

PREFIX ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= /etc/septet
BUILD ?= build
SANITIZE ?=

RUNNERS := lmtp inbound auth moderation pending outbound bounce command \
	supervisor septet

CC ?= gcc
PKG_CONFIG ?= pkg-config
OPT ?= -O2 -g
WARN := -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes \
	-Wformat=2 -Wvla -Werror
# GLib's headers want its own include folders; -isystem keeps our warnings ours.
PKGS := gmime-3.0 tdb yaml-0.1 libsodium libidn2 zlib openssl libgsasl
PKG_CFLAGS := $(patsubst -I%,-isystem %,$(shell $(PKG_CONFIG) --cflags $(PKGS)))
VERSION := 0.1
CPPFLAGS += -I. -D_GNU_SOURCE -DSEPTET_VERSION='"$(VERSION)"' \
	-DSEPTET_SITE_FILE='"$(SYSCONFDIR)/septet.yaml"' \
	-DSEPTET_LIBEXEC='"$(PREFIX)/lib/septet"' \
	-DSEPTET_DATADIR='"$(PREFIX)/share/septet"'
CFLAGS_ALL = -std=c11 $(OPT) $(WARN) -ffunction-sections -fdata-sections \
	-fstack-protector-strong $(SANITIZE) $(PKG_CFLAGS) $(CFLAGS)
LDFLAGS_ALL = -Wl,--gc-sections -Wl,--as-needed $(SANITIZE) $(LDFLAGS)
# --as-needed leaves out what a program does not call, so that none carries
# inotifytools (GPL-2 only) and TDB (LGPL-3+) together; tests/e2e looks.
LIBS := $(shell $(PKG_CONFIG) --libs $(PKGS)) -lunistring -linotifytools

COMMON_SRC := $(sort $(wildcard common/*/*.c))
COMMON_OBJ := $(COMMON_SRC:%.c=$(BUILD)/obj/%.o)
LIB := $(BUILD)/libseptet.a
PROGRAM = $(if $(filter septet,$(1)),septet,septet-$(1))
BINARIES := $(foreach r,$(RUNNERS),$(BUILD)/bin/$(call PROGRAM,$(r)))
RUNNER_SRC := $(foreach r,$(RUNNERS),$(sort $(wildcard runners/$(r)/*.c)))
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)
FUZZ_SRC := $(sort $(wildcard tests/fuzz/fuzz_*.c))

# make V=1 shows the commands.
V ?= 0
Q := $(if $(filter 1,$(V)),,@)
SAY := $(if $(findstring s,$(firstword -$(MAKEFLAGS))),@:,@echo)

all: $(BINARIES)

$(LIB): $(COMMON_OBJ)
	@rm -f $@
	$(SAY) "  AR    $@"
	$(Q)$(AR) rcs $@ $^

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(SAY) "  CC    $<"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# What is compiled in; an object that holds it is made anew when it changes, so
# that "make && make install PREFIX=/usr" is a whole installation.
PATHS := $(VERSION) $(PREFIX) $(SYSCONFDIR)
PATH_OBJ := $(patsubst %.c,$(BUILD)/obj/%.o,$(shell grep -ls \
	'SEPTET_LIBEXEC\|SEPTET_DATADIR\|SEPTET_SITE_FILE\|SEPTET_VERSION' \
	common/*/*.c runners/*/*.c))
$(BUILD)/paths: FORCE
	@mkdir -p $(@D)
	@echo '$(PATHS)' | cmp -s - $@ || echo '$(PATHS)' > $@
$(PATH_OBJ): $(BUILD)/paths

define program_rule
$(BUILD)/bin/$(call PROGRAM,$(1)): $$(patsubst %.c,$(BUILD)/obj/%.o,$$(sort $$(wildcard runners/$(1)/*.c))) $(LIB)
	@mkdir -p $$(@D)
	$(SAY) "  LINK  $$@"
	$(Q)$$(CC) $$(LDFLAGS_ALL) -o $$@ $$^ $$(LIBS)
endef
$(foreach r,$(RUNNERS),$(eval $(call program_rule,$(r))))

# A unit test links the library, and the runner's objects that it names in a
# comment "test-objects: runners/x/y.c".
$(BUILD)/tests/%: $(BUILD)/obj/tests/unit/%.o $(LIB)
	@mkdir -p $(@D)
	@extra=$$(sed -n 's/.*test-objects: *\([^*]*\).*/\1/p' tests/unit/$*.c); \
	objs=; for s in $$extra; do objs="$$objs $(BUILD)/obj/$${s%.c}.o"; done; \
	test -z "$$objs" || $(MAKE) --no-print-directory $$objs; \
	echo "  LINK  $@"; \
	$(CC) $(LDFLAGS_ALL) -o $@ $< $$objs $(LIB) \
	    $$($(PKG_CONFIG) --libs check) $(LIBS)

tests: $(UNIT_BIN)

check: all tests
	scripts/test --unit

$(BUILD)/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(SAY) "  LINK  $@"
	$(Q)$(CC) -D_GNU_SOURCE -std=c11 $(OPT) $(WARN) $(SANITIZE) -o $@ $<

bench: all $(BUILD)/bench/sink $(BUILD)/bench/post
	SEPTET_BIN=$(abspath $(BUILD)/bin) tests/bench/run $(BUILD)/bench

lint:
	scripts/lint

# Only the lines that an uncommitted change touches: tables and comments that
# were set by hand stay as they are.
format:
	git diff -U0 HEAD -- '*.c' '*.h' | clang-format-diff -p1 -i

install: all
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/septet \
	    $(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 \
	    $(DESTDIR)$(PREFIX)/share/man/man7 $(DESTDIR)$(PREFIX)/share/man/man8 \
	    $(DESTDIR)$(PREFIX)/share/septet $(DESTDIR)$(PREFIX)/share/doc/septet
	install -m 755 $(BUILD)/bin/septet $(DESTDIR)$(PREFIX)/bin/
	install -m 755 $(filter-out %/septet,$(BINARIES)) \
	    $(DESTDIR)$(PREFIX)/lib/septet/
	for p in $(wildcard runners/*/*.[1578] config/*.[57] spool-layout/*.[57]); do \
	    install -m 644 $$p $(DESTDIR)$(PREFIX)/share/man/man$${p##*.}/ || exit 1; done
	cp -R config/. $(DESTDIR)$(PREFIX)/share/septet/
	rm -f $(DESTDIR)$(PREFIX)/share/septet/*.[57]
	sed 's,@LIBEXEC@,$(PREFIX)/lib/septet,g; s,@SYSCONFDIR@,$(SYSCONFDIR),g' \
	    config/septet.service > $(DESTDIR)$(PREFIX)/share/septet/septet.service
	cp -R spool-layout README.md LICENSE $(DESTDIR)$(PREFIX)/share/doc/septet/

clean:
	rm -rf build build-*

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)

FORCE:

.PHONY: FORCE all tests check bench lint format install clean
.SECONDARY:

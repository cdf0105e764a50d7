# SPDX-License-Identifier: ISC
# Copyright (c) 2026 The tailnetd authors
#
# `make help` lists the targets.  CC, CFLAGS, CPPFLAGS, LDFLAGS, DESTDIR, PREFIX and the *DIR variables may be set;
# CFLAGS are last, so that -Wno-error there works with compilers newer than those the project is tested with.

OS         := $(shell uname -s)
PREFIX     ?= /usr/local
SBINDIR    ?= $(PREFIX)/sbin
BINDIR     ?= $(PREFIX)/bin
LIBEXECDIR ?= $(PREFIX)/libexec
DOCDIR     ?= $(PREFIX)/share/doc/tailnetd
SYSCONFDIR ?= /etc
ifeq ($(OS),OpenBSD)
STATEDIR   ?= /var/db/tailnetd
MANDIR     ?= $(PREFIX)/man
PYTHON     ?= /usr/local/bin/python3
RCDIR      ?= $(SYSCONFDIR)/rc.d
RUNDIR     ?= /var/run/tailnetd
EMPTYDIR   ?= /var/empty
SHA256     ?= sha256
else
MANDIR     ?= $(PREFIX)/share/man
STATEDIR   ?= /var/lib/tailnetd
RUNDIR     ?= /run/tailnetd
EMPTYDIR   ?= /var/lib/tailnetd-empty
SHA256     ?= sha256sum
endif
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d

BUILD      ?= build
CFLAGS     ?= -O2 -g
PYTHON     ?= /usr/bin/python3
JOBS       ?= $(shell nproc 2>/dev/null || echo 2)
CLANG      ?= clang
CLANG_FORMAT ?= clang-format
PKG_CONFIG ?= pkg-config
# SANITIZE=address,undefined builds with sanitizers; SANDBOX_TRACE=1 reports a refused system call instead of ending the
# process; FAULTS=1 and ESCAPE=1 are test builds (see tests/).
SANITIZE   ?=
SANDBOX_TRACE ?=
ESCAPE     ?=

# ---- what Debian 12 must have ------------------------------------------------------------------------------------------
DEPS_BUILD = gcc make pkg-config libc6-dev libevent-dev libssl-dev libjson-c-dev libsodium-dev libbsd-dev \
	libnghttp2-dev libzstd-dev libqrencode-dev
DEPS_TEST  = libcmocka-dev python3 python3-pytest python3-pytest-xdist python3-nacl python3-h2 python3-zstandard \
	python3-cryptography python3-jsonschema clang clang-format llvm-14 libclang-rt-14-dev mandoc wireguard-tools wireguard-go python3-prometheus-client tinyproxy iproute2 \
	binutils procps openssl gdb

# A flag that this compiler takes for this system without a warning; OpenBSD's clang has no -fstack-clash-protection.
cc_has = $(shell echo 'int x;' | $(CC) -Werror $(1) -x c -c -o /dev/null - 2>/dev/null && echo '$(1)')
STACK_CLASH := $(call cc_has,-fstack-clash-protection)

# ---- flags -------------------------------------------------------------------------------------------------------------
MACHINE  := $(shell $(CC) -dumpmachine 2>/dev/null)
IS_CLANG := $(shell $(CC) --version 2>/dev/null | grep -c clang)
# Needs optimisation; not set if the flags already contain it (those of dpkg-buildflags do).
FORTIFY  := $(if $(filter-out -O0,$(filter -O%,$(CFLAGS))),$(if $(findstring _FORTIFY_SOURCE,$(CPPFLAGS) $(CFLAGS)),,\
	-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(if $(filter 0,$(IS_CLANG)),3,2)))
WARN   = -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith -Wformat=2 -Werror
ifeq ($(SANITIZE),)
HARDEN = -fPIE -fstack-protector-strong $(STACK_CLASH) $(FORTIFY)
HARDLD = -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack
HARDEN += $(if $(filter x86_64-%,$(MACHINE)),-fcf-protection) $(if $(filter aarch64-%,$(MACHINE)),-mbranch-protection=standard)
else
HARDEN = -fPIE -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=all
HARDLD = -pie -fsanitize=$(SANITIZE)
endif
STD    = -std=c11 -D_GNU_SOURCE
pkg    = $(shell $(PKG_CONFIG) --$(1) $(2) 2>/dev/null) # tools-check shows the errors
PKGS   = libevent_core json-c libsodium libssl libcrypto libnghttp2 libzstd libqrencode
ifeq ($(OS),Linux)
PKGS += libbsd-overlay
COMPATFLAGS := $(call pkg,cflags,libbsd-overlay)
COMPATLIBS  := $(call pkg,libs,libbsd-overlay)
endif
# Where packages have a place of their own (/usr/local on OpenBSD); behind our rooms, because json-c has a json.h, too.
THIRDFLAGS := $(patsubst -I%,-idirafter%,$(call pkg,cflags,$(PKGS)))
DEFS   = $(if $(SANDBOX_TRACE),-DSANDBOX_TRACE) $(if $(ESCAPE),-DTEST_ESCAPE) $(if $(SANITIZE),-DSANITIZED)
PATHDEFS = -DPATH_SYSCONFDIR='"$(SYSCONFDIR)"' -DPATH_STATEDIR='"$(STATEDIR)"' -DPATH_RUNDIR='"$(RUNDIR)"' \
	-DPATH_LIBEXECDIR='"$(LIBEXECDIR)/tailnetd"' -DPATH_EMPTYDIR='"$(EMPTYDIR)"'
ALLFLAGS = $(STD) $(WARN) $(HARDEN) $(COMPATFLAGS) $(THIRDFLAGS) $(DEFS) $(CPPFLAGS) $(CFLAGS)

# ---- rooms: what each may include (the arrows of docs/design.md) and link -----------------------------------------------
# tailnetd and mapd are halls with rooms of their own; a hall's own files tie its rooms together and see all of them.
# In the order of their arrows, which is that of the linker: a room refers to those behind it only.
ROOMS_tailnetd = control login host dial statecache keys profile conf netaddr
ROOMS_mapd = readers mapcache ingest map decode frame
# Rooms of headers only: `lists` (X-macro lists, seen by everybody) and `loop` (timers, for those who link libevent).
HEADER_ROOMS = lists loop
DIR_lists = common/lists
DIR_loop = common/loop
LIBS_ALL = base values sandbox json wire ipc child $(ROOMS_tailnetd) tailnetd authd $(ROOMS_mapd) mapd resolver screen tailnetctl
DIR_base = common/base
DIR_values = common/values
DIR_sandbox = common/sandbox
DIR_json = common/json
DIR_wire = common/wire
DIR_ipc = ipc
DIR_child = common/child
DIR_tailnetd = tailnetd
DIR_control = tailnetd/control
DIR_login = tailnetd/login
DIR_dial = tailnetd/dial
DIR_host = tailnetd/host
DIR_statecache = tailnetd/cache
DIR_keys = tailnetd/keys
DIR_conf = tailnetd/conf
DIR_profile = tailnetd/profile
DIR_netaddr = tailnetd/addr
DIR_authd = authd
DIR_mapd = mapd
DIR_readers = mapd/readers
DIR_mapcache = mapd/cache
DIR_ingest = mapd/ingest
DIR_frame = mapd/frame
DIR_map = mapd/map
DIR_decode = mapd/decode
DIR_resolver = resolver
DIR_tailnetctl = tailnetctl
DIR_screen = tailnetctl/screen

SEE_base =
SEE_values = base
SEE_sandbox = base
SEE_json = base values
SEE_ipc = base values loop
SEE_wire = base values json loop
SEE_child = base values sandbox json ipc wire loop
SEE_conf = base values ipc netaddr
SEE_netaddr = base values ipc
SEE_profile = base values
SEE_keys = base values ipc profile
SEE_login = base values ipc loop conf profile
SEE_dial = base values ipc loop conf netaddr
SEE_host = base values json ipc loop profile keys conf netaddr
SEE_statecache = base values ipc loop profile keys conf
SEE_control = base values sandbox json ipc loop login dial host statecache keys conf profile netaddr
SEE_tailnetd = base values sandbox json ipc loop $(ROOMS_tailnetd)
SEE_authd = base values sandbox json ipc wire child loop
SEE_frame = base
SEE_decode = base values
SEE_map = base values ipc decode
SEE_ingest = base values ipc decode map
SEE_readers = base values ipc decode map loop
SEE_mapcache = base values ipc frame decode map ingest loop
SEE_mapd = base values sandbox json ipc wire child loop $(ROOMS_mapd)
SEE_resolver = base sandbox
SEE_tailnetctl = base values json screen
SEE_screen = base

# static archives in link order
AR_base = base
AR_values = values base
AR_sandbox = sandbox base
AR_json = json values base
AR_ipc = ipc values base
AR_wire = wire json values base
AR_child = child wire ipc json sandbox values base
AR_tailnetd = tailnetd $(ROOMS_tailnetd) ipc json sandbox values base
AR_control = $(AR_tailnetd)
AR_login = $(AR_tailnetd)
AR_dial = $(AR_tailnetd)
AR_host = $(AR_tailnetd)
AR_statecache = $(AR_tailnetd)
AR_keys = $(AR_tailnetd)
AR_conf = $(AR_tailnetd)
AR_authd = authd child wire ipc json sandbox values base
AR_mapd = mapd $(ROOMS_mapd) child wire ipc json sandbox values base
AR_readers = readers map decode ipc values base
AR_mapcache = mapcache ingest map decode frame ipc values base
AR_ingest = ingest $(AR_map)
AR_map = map decode ipc values base
AR_decode = decode values base
AR_frame = frame base
AR_resolver = resolver sandbox base
AR_tailnetctl = tailnetctl screen json values base
AR_screen = screen base

L_EVENT := $(call pkg,libs,libevent_core)
L_JSON := $(call pkg,libs,json-c)
L_SODIUM := $(call pkg,libs,libsodium)
L_WIRE := $(call pkg,libs,libssl libcrypto libnghttp2 libzstd)
SYS_base = $(L_SODIUM) $(COMPATLIBS)
SYS_values = $(SYS_base)
SYS_sandbox = $(SYS_base)
SYS_json = $(L_JSON) $(SYS_base)
SYS_ipc = $(L_EVENT) $(SYS_base)
SYS_wire = $(L_WIRE) $(L_EVENT) $(SYS_json)
SYS_child = $(SYS_wire)
SYS_tailnetd = $(L_EVENT) $(SYS_json)
SYS_authd = $(SYS_wire)
SYS_mapd = $(SYS_wire)
SYS_resolver = $(SYS_base)
SYS_screen = $(call pkg,libs,libqrencode) $(SYS_base)
SYS_tailnetctl = $(call pkg,libs,libqrencode) $(SYS_json)

# One line a room: its folder, and the folders it may include from.  tests/arrows, tests/aarch64 and tests/openbsd read it.
print-rooms:
	@$(foreach l,$(HEADER_ROOMS) $(LIBS_ALL),echo '$(DIR_$(l)): $(DIR_lists)$(foreach s,$(SEE_$(l)), $(DIR_$(s)))';)
# One line an archive: its name and its room.
print-libs:
	@$(foreach l,$(LIBS_ALL),echo '$(l): $(DIR_$(l))';)

print-parent-archives:
	@echo $(ROOMS_tailnetd) tailnetd

# `make V=1` shows the commands.
V ?=
Q = $(if $(V),,@)

PROGRAMS = tailnetd authd mapd resolver tailnetctl

# ---- rules -------------------------------------------------------------------------------------------------------------
all: $(PROGRAMS:%=$(BUILD)/bin/%)

# Checked before the compiler complains about a missing header.
DEPS_OPENBSD = gmake libevent json-c libsodium nghttp2 zstd libqrencode
HOW_DEPS = $(if $(filter OpenBSD,$(OS)),doas pkg_add $(DEPS_OPENBSD),sudo make deps)
tools-check:
	@command -v $(firstword $(CC)) >/dev/null && $(PKG_CONFIG) --print-errors --exists $(PKGS) || \
	  { echo 'make: a compiler, pkg-config or a library is missing: $(HOW_DEPS)' >&2; exit 1; }
need = @command -v $(1) >/dev/null || { echo 'make: $(1) is missing: sudo make deps' >&2; exit 1; }

SOURCES := $(sort $(foreach l,$(HEADER_ROOMS) $(LIBS_ALL),$(wildcard $(DIR_$(l))/*.c $(DIR_$(l))/*.h)))
# The build id names the sources and the flags: parent and children of different builds refuse each other.
$(BUILD)/.flags: FORCE | tools-check
	@mkdir -p $(@D)
	@echo '$(CC) $(subst ','"'"',$(ALLFLAGS) $(PATHDEFS) $(LDFLAGS))' | cmp -s - $@ || echo '$(CC) $(subst ','"'"',$(ALLFLAGS) $(PATHDEFS) $(LDFLAGS))' >$@
$(BUILD)/build_id.h: $(SOURCES) $(BUILD)/.flags
	@id=$$(cat $(SOURCES) $(BUILD)/.flags | $(SHA256) | cut -c1-32); [ $${#id} = 32 ] || exit 1; \
	 printf '#define BUILD_ID "%s"\n#define BUILD_OPTIONS "%s"\n' "$$id" \
	   "$$($(CC) -dumpfullversion -dumpversion | sed 's/^/$(if $(filter 0,$(IS_CLANG)),gcc,clang) /')$(if $(SANITIZE), sanitize=$(SANITIZE))$(if $(SANDBOX_TRACE), sandbox-trace)$(if $(ESCAPE), escape-test)" >$@

define room
SRC_$(1) := $$(filter-out %/main.c,$$(wildcard $$(DIR_$(1))/*.c))
OBJ_$(1) := $$(SRC_$(1):%.c=$$(BUILD)/%.o)
INC_$(1) := -I$$(DIR_$(1)) -I$$(DIR_lists) $$(foreach s,$$(SEE_$(1)),-I$$(DIR_$$(s)))
$$(BUILD)/$$(DIR_$(1))/%.o: $$(DIR_$(1))/%.c $$(BUILD)/.flags
	@mkdir -p $$(@D)
	@$$(if $$(V),,echo "  CC $$<")
	$$(Q)$$(CC) $$(ALLFLAGS) $$(PATHDEFS) -DROOM_$(1) $$(INC_$(1)) $$(if $$(filter base,$(1)),-I$$(BUILD)) -MMD -MP -c -o $$@ $$<
$$(BUILD)/lib/$(1).a: $$(OBJ_$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach l,$(LIBS_ALL),$(eval $(call room,$(l))))
$(BUILD)/common/base/build.o: $(BUILD)/build_id.h

# No groups: the order of the archives proves that arrows only go downwards.
archives = $(AR_$(1):%=$(BUILD)/lib/%.a)

define program
$$(BUILD)/bin/$(1): $$(BUILD)/$$(DIR_$(1))/main.o $$(AR_$(1):%=$$(BUILD)/lib/%.a)
	@mkdir -p $$(@D)
	@$$(if $$(V),,echo "  LD $$@")
	$$(Q)$$(CC) $$(ALLFLAGS) $$(HARDLD) $$(LDFLAGS) -Wl,--as-needed -o $$@ $$< $$(call archives,$(1)) $$(SYS_$(1))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

# ---- unit tests: tests/unit/ROOM/test_*.c sees and links exactly its room ------------------------------------------------
# util_*.c of a room are for its tests, those of tests/unit/util for all that may include what they need.
# test_*_memory.c replace libc's malloc (memfail.c); a sanitizer has its own.
UNIT_SRC := $(filter-out $(if $(SANITIZE),%_memory.c),$(wildcard tests/unit/*/test_*.c))
UNIT_BIN := $(UNIT_SRC:%.c=$(BUILD)/%)
define unit
UTIL_$(1) := $$(patsubst %.c,$$(BUILD)/%.o,$$(wildcard tests/unit/$(1)/util_*.c))
$$(BUILD)/tests/unit/$(1)/%.o: tests/unit/$(1)/%.c $$(BUILD)/.flags
	@mkdir -p $$(@D)
	@$$(if $$(V),,echo "  CC $$<")
	$$(Q)$$(CC) $$(ALLFLAGS) $$(PATHDEFS) -DUNIT_TEST -Itests/unit -Itests/unit/util -Itests/unit/$(1) $$(INC_$(1)) -MMD -MP -c -o $$@ $$<
$$(BUILD)/tests/unit/$(1)/util.a: $$(UTIL_$(1))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(Q)$$(AR) rcs $$@ $$^
$$(BUILD)/tests/unit/$(1)/%: $$(BUILD)/tests/unit/$(1)/%.o $$(BUILD)/tests/unit/$(1)/util.a $$(UNIT_AR) $$(AR_$(1):%=$$(BUILD)/lib/%.a)
	$$(Q)$$(CC) $$(ALLFLAGS) $$(HARDLD) $$(LDFLAGS) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(SYS_$(1)) -lcmocka
endef
UNIT_AR := $(BUILD)/tests/unit/util/util.a
INC_util = $(INC_child)
$(foreach l,$(LIBS_ALL) util,$(eval $(call unit,$(l))))

$(filter %_memory,$(UNIT_BIN)): $(BUILD)/tests/unit/util/memfail.o

unit-build: $(UNIT_BIN)
unit: $(UNIT_BIN)
	@UNIT_JOBS=$$((2 * $(JOBS))) tests/run-unit $(UNIT_BIN)

# ---- fuzz targets: tests/fuzz/ROOM/fuzz_*.c, seeds in tests/fuzz/ROOM/seeds/NAME -----------------------------------------
FUZZ_SRC := $(wildcard tests/fuzz/*/fuzz_*.c)
FUZZ_BUILD = $(if $(COVERAGE),build-fuzzcov,build-fuzz)
FUZZ_BIN := $(FUZZ_SRC:%.c=$(FUZZ_BUILD)/%)
FUZZ_SECONDS ?= 10
# COVERAGE=1: counts which lines are reached; without sanitizers.
FUZZ_FLAGS = $(if $(COVERAGE),-fsanitize=fuzzer -fprofile-instr-generate -fcoverage-mapping,\
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined)
# The fuzz targets use the same simulated parent as the unit tests.
FUZZ_UTIL_tailnetd := tests/unit/tailnetd/util_parentsim.c
define fuzz
FUZZ_UTIL_$(1) += $$(wildcard tests/fuzz/$(1)/util_*.c)
FUZZ_SEE_$(1) := $$(wildcard $$(addsuffix *.h,$$(sort tests/fuzz/$(1)/ $$(dir $$(FUZZ_UTIL_$(1))))))
$$(FUZZ_BUILD)/tests/fuzz/$(1)/%: tests/fuzz/$(1)/%.c $$(FUZZ_UTIL_$(1)) $$(FUZZ_SEE_$(1)) $$(foreach a,$$(AR_$(1)),$$(SRC_$$(a))) $$(SOURCES) $$(FUZZ_BUILD)/build_id.h
	$$(call need,$$(CLANG))
	@mkdir -p $$(@D)
	@$$(if $$(V),,echo "  CC $$@")
	$$(Q)$$(CLANG) $$(STD) -g -O1 $$(COMPATFLAGS) $$(PATHDEFS) -DFUZZING $$(FUZZ_FLAGS) \
	  $$(INC_$(1)) $$(addprefix -I,$$(sort $$(dir $$(FUZZ_UTIL_$(1))))) -I$$(FUZZ_BUILD) -o $$@ $$< $$(FUZZ_UTIL_$(1)) \
	  $$(foreach a,$$(AR_$(1)),$$(SRC_$$(a))) $$(SYS_$(1))
endef
$(foreach l,$(LIBS_ALL),$(eval $(call fuzz,$(l))))
$(FUZZ_BUILD)/build_id.h: $(SOURCES)
	@mkdir -p $(@D)
	@printf '#define BUILD_ID "%s"\n#define BUILD_OPTIONS "fuzz"\n' 0123456789abcdef0123456789abcdef >$@
fuzz-build: $(FUZZ_BIN)
fuzz: fuzz-build
	@tests/run-fuzz $(FUZZ_SECONDS) $(FUZZ_BIN)
# The share of each file that its targets reach with their seeds; fails if it is less than security.md 5.7 requires.
fuzz-coverage:
	@$(MAKE) --no-print-directory -j$(JOBS) COVERAGE=1 fuzz-coverage-build
	@tests/fuzz-coverage build-fuzzcov
fuzz-coverage-build: $(filter-out %/fuzz_session %/fuzz_fetch %/fuzz_cache %/fuzz_c2n %/fuzz_json,$(FUZZ_BIN))

# ---- the rest of the tests ----------------------------------------------------------------------------------------------
# End-to-end tests mostly wait: more of them run at once than there are processors.
E2E_JOBS ?= $(shell n=$$((5 * $(JOBS))); [ $$n -lt 40 ] && echo $$n || echo 40)
e2e: all
	@PYTHON=$(PYTHON) tests/run-e2e $(abspath $(BUILD)) $(E2E_JOBS) $(E2E)

# Missing packages are installed first, then a new make searches the libraries.
check: deps-check users-check
	@$(MAKE) --no-print-directory check-all; rc=$$?; $(MAKE) --no-print-directory give-back; exit $$rc
check-all:
	@$(MAKE) --no-print-directory -j$(JOBS) all unit-build
	@$(MAKE) --no-print-directory arrows lint unit e2e rows ROWS=

# At full length what `make check` runs with a small size and a new seed: once for each release.
release-check: release-kills release-model release-openbsd
release-kills: all
	@KILLS=1000 TAILNETD_BUILD=$(abspath $(BUILD)) $(PYTHON) -B -m pytest -q -n0 -s tests/e2e/test_kills.py

release-model: $(BUILD)/tests/unit/tailnetd/test_login_server
	@MODEL_STEPS=1000000 $<

# The three architectures beside the one of CI; needs Zig (tests/openbsd).
release-openbsd:
	@tests/openbsd all

# The sanitizers with the sandbox on: unit tests and the whole e2e suite; e2e-asan is the latter alone.
ASAN = BUILD=build-asan SANITIZE=address,undefined CFLAGS='-O1 -g'
asan:
	$(MAKE) -j$(JOBS) $(ASAN) all unit-build
	$(MAKE) $(ASAN) unit e2e
e2e-asan:
	@$(MAKE) --no-print-directory -j$(JOBS) $(ASAN) all
	@$(MAKE) --no-print-directory $(ASAN) e2e
# What only clang's sanitizer looks for: values that a conversion changes, offsets from null.
ubsan:
	@$(MAKE) --no-print-directory -j$(JOBS) BUILD=build-ubsan CC=$(CLANG) SANITIZE=undefined,implicit-conversion CFLAGS='-O1 -g' unit-build
	@$(MAKE) --no-print-directory BUILD=build-ubsan CC=$(CLANG) SANITIZE=undefined,implicit-conversion CFLAGS='-O1 -g' unit
# The e2e suite as on a kernel without Landlock.
e2e-nolandlock: all
	@E2E_NO_LANDLOCK=1 $(MAKE) --no-print-directory e2e

# OpenBSD's answers instead of Linux's (tests/e2e/openbsdshim.c), for the unit tests and e2e tests that depend on them.
# Not for those that send descriptors by themselves: the shim refuses some of these.
SHIM = $(abspath $(BUILD))/openbsdshim.so
SHIM_UNIT = $(addprefix $(BUILD)/tests/unit/tailnetd/test_,state statefault cachestore supervise)
$(SHIM): tests/e2e/openbsdshim.c
	@mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -std=c11 $(WARN) -O2 -shared -fPIC -o $@ $< -ldl
openbsd-answers: all $(SHIM) $(SHIM_UNIT)
	@UNIT_JOBS=$$((2 * $(JOBS))) LD_PRELOAD=$(SHIM) tests/run-unit $(SHIM_UNIT)
	@E2E_PRELOAD=$(SHIM) $(MAKE) --no-print-directory e2e \
	  E2E="-k 'test_socket or test_start or test_shutdown' $(E2E)"

interop: all
	@TAILNETD_BUILD=$(abspath $(BUILD)) tests/interop/run

# tests/bench/*.c measure mapd's store by itself.
BENCH_BIN := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*.c))
$(BUILD)/tests/bench/%: tests/bench/%.c $(AR_mapd:%=$(BUILD)/lib/%.a)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC $@")
	$(Q)$(CC) $(ALLFLAGS) $(HARDLD) $(LDFLAGS) $(INC_mapd) -o $@ $< $(call archives,mapd) $(SYS_mapd)

bench: all $(BENCH_BIN)
	@TAILNETD_BUILD=$(abspath $(BUILD)) $(PYTHON) -B tests/bench/bench.py $(BENCH)

# What root has built in another user's tree (sudo make demo) is given to that user, whose next make must write there.
BUILT = $(wildcard build build-* $(BUILD))
give-back:
	@[ "$$(id -u)" != 0 ] || [ -z "$(BUILT)" ] || chown -hR --reference=Makefile $(BUILT)

# From common/lists/commands.h; make lint compares.
completions:
	@contrib/completions/generate bash >contrib/completions/tailnetctl.bash
	@contrib/completions/generate zsh >contrib/completions/_tailnetctl

demo: deps-check
	@$(MAKE) --no-print-directory demo-run; rc=$$?; $(MAKE) --no-print-directory give-back; exit $$rc
demo-run: all
	@TAILNETD_BUILD=$(abspath $(BUILD)) $(PYTHON) -B tests/e2e/demo.py

escape:
	@$(MAKE) --no-print-directory BUILD=build-escape ESCAPE=1 build-escape/tests/escape/escape
	@TAILNETD_BUILD=$(abspath build-escape) $(PYTHON) -B tests/escape/escape.py
	@$(MAKE) --no-print-directory BUILD=build-trace ESCAPE=1 SANDBOX_TRACE=1 build-trace/tests/escape/escape
	@tests/escape/trace build-trace
# The real profiles and the real sandbox around hostile code; the static one is for the other libc.
ESCAPE_SRC = $(wildcard tests/escape/*.c)
ESCAPE_AR = $(addprefix $(BUILD)/lib/,authd.a mapd.a resolver.a child.a ipc.a sandbox.a values.a base.a)
$(BUILD)/tests/escape/escape: $(ESCAPE_SRC) tests/escape/escape.h $(ESCAPE_AR)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALLFLAGS) $(HARDLD) $(LDFLAGS) -Itests/escape $(INC_ipc) -I$(DIR_sandbox) -o $@ $(ESCAPE_SRC) \
	  $(ESCAPE_AR) $(SYS_ipc)

arrows: all
	@tests/arrows $(BUILD)
# Every row with its tests; check wants the count only.
ROWS ?= -v
rows:
	$(call need,$(PYTHON))
	@$(PYTHON) -B tests/rows.py $(ROWS)
# The figures of the tree with their goals, and the wordings that tests/words.txt lists.
house:
	$(call need,$(PYTHON))
	@$(PYTHON) -B tests/house $(HOUSE)
words:
	$(call need,$(PYTHON))
	@$(PYTHON) -B tests/words $(WORDS)
# Every document, section, rule and row that is cited anywhere exists; -v lists them.
CITES ?=
cites:
	$(call need,$(PYTHON))
	@$(PYTHON) -B tests/cites $(CITES)
lint: all
	@tests/lint
format:
	$(call need,$(CLANG_FORMAT))
	@$(CLANG_FORMAT) -i $(filter %.c,$(SOURCES)) $(wildcard tests/*/*.c tests/*/*/*.c)

# ---- installing ----------------------------------------------------------------------------------------------------------
deps:
	@contrib/deps $(DEPS_BUILD) $(DEPS_TEST)
deps-check:
	@contrib/deps --quiet $(DEPS_BUILD) $(DEPS_TEST)
install-users:
	@contrib/install-users
users-check:
	@if [ "$$(id -u)" = 0 ]; then contrib/install-users --quiet; fi

ATPATHS = -e 's,@SBINDIR@,$(SBINDIR),;s,@SYSCONFDIR@,$(SYSCONFDIR),;s,@RUNDIR@,$(RUNDIR),;s,@STATEDIR@,$(STATEDIR),;s,@EMPTYDIR@,$(EMPTYDIR),'
# The man pages and the sample name the default paths.
TEXTPATHS = -e 's,/usr/local/libexec/tailnetd,$(LIBEXECDIR)/tailnetd,;s,/etc/tailnetd,$(SYSCONFDIR)/tailnetd,' \
	-e 's,/var/lib/tailnetd-empty,$(EMPTYDIR),;s,/var/lib/tailnetd$$,$(STATEDIR),;s,/var/lib/tailnetd/,$(STATEDIR)/,' \
	-e 's, /run/tailnetd/, $(RUNDIR)/,'
install: all
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBEXECDIR)/tailnetd $(DESTDIR)$(SYSCONFDIR) \
	  $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(MANDIR)/man5 $(DESTDIR)$(DOCDIR)/docs
	install -m 0755 $(BUILD)/bin/tailnetd $(DESTDIR)$(SBINDIR)/tailnetd
	install -m 0755 $(BUILD)/bin/tailnetctl $(DESTDIR)$(BINDIR)/tailnetctl
	install -m 0755 $(BUILD)/bin/authd $(BUILD)/bin/mapd $(BUILD)/bin/resolver $(DESTDIR)$(LIBEXECDIR)/tailnetd/
	sed $(TEXTPATHS) tailnetd/tailnetd.8 >$(DESTDIR)$(MANDIR)/man8/tailnetd.8
	sed $(TEXTPATHS) tailnetctl/tailnetctl.8 >$(DESTDIR)$(MANDIR)/man8/tailnetctl.8
	sed $(TEXTPATHS) tailnetd/tailnetd.conf.5 >$(DESTDIR)$(MANDIR)/man5/tailnetd.conf.5
	chmod 0644 $(DESTDIR)$(MANDIR)/man8/tailnetd.8 $(DESTDIR)$(MANDIR)/man8/tailnetctl.8 $(DESTDIR)$(MANDIR)/man5/tailnetd.conf.5
	[ -e $(DESTDIR)$(SYSCONFDIR)/tailnetd.conf ] || { sed $(TEXTPATHS) contrib/tailnetd.conf >$(DESTDIR)$(SYSCONFDIR)/tailnetd.conf && \
	  chmod 0644 $(DESTDIR)$(SYSCONFDIR)/tailnetd.conf; }
	install -m 0644 README.md CHANGELOG.md SECURITY.md CONTRIBUTING.md LICENSE $(DESTDIR)$(DOCDIR)/
	install -m 0644 docs/*.md $(DESTDIR)$(DOCDIR)/docs/
	install -d $(DESTDIR)$(DOCDIR)/docs/schema
	install -m 0644 docs/schema/*.json $(DESTDIR)$(DOCDIR)/docs/schema/
	@$(MAKE) --no-print-directory OS=$(OS) install-$(if $(filter OpenBSD,$(OS)),rc,systemd)
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions
	install -m 0644 contrib/completions/tailnetctl.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/tailnetctl
	install -m 0644 contrib/completions/_tailnetctl $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_tailnetctl
install-systemd:
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSUSERSDIR) $(DESTDIR)$(TMPFILESDIR)
	sed $(ATPATHS) contrib/systemd/tailnetd.service >$(DESTDIR)$(UNITDIR)/tailnetd.service
	sed $(ATPATHS) contrib/tmpfiles.d/tailnetd.conf >$(DESTDIR)$(TMPFILESDIR)/tailnetd.conf
	chmod 0644 $(DESTDIR)$(UNITDIR)/tailnetd.service $(DESTDIR)$(TMPFILESDIR)/tailnetd.conf
	install -m 0644 contrib/sysusers.d/tailnetd.conf $(DESTDIR)$(SYSUSERSDIR)/tailnetd.conf
install-rc:
	install -d $(DESTDIR)$(RCDIR)
	sed -e 's,/usr/local/sbin,$(SBINDIR),' contrib/openbsd/tailnetd.rc >$(DESTDIR)$(RCDIR)/tailnetd
	chmod 0555 $(DESTDIR)$(RCDIR)/tailnetd

clean:
	rm -rf build build-* tests/interop/interop.test
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help:
	@echo 'all check release-check unit e2e e2e-asan e2e-nolandlock interop asan ubsan fuzz fuzz-coverage bench escape demo'
	@echo 'lint format arrows house words rows cites deps install install-users clean'

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
FORCE:
.PHONY: all print-rooms print-libs print-parent-archives tools-check give-back unit-build check check-all demo-run unit e2e e2e-asan e2e-nolandlock openbsd-answers release-kills release-model release-openbsd interop asan ubsan \
	fuzz fuzz-build fuzz-coverage fuzz-coverage-build bench demo escape arrows house words rows cites lint format deps \
	deps-check install install-systemd install-rc install-users users-check clean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:

# lyftron - data integration inside PostgreSQL

EXTENSION  = lyftron
EXTVERSION = 1.0
MODULE_big = lyftron

# The architecture, bottom up: a folder includes only from those before it.
LAYERS = base net extract decode connector fdw schema load pipeline mirror vault task

SOURCES = src/lyftron.c $(foreach l,$(LAYERS),$(sort $(wildcard src/$(l)/*.c)))
OBJS    = $(SOURCES:.c=.o)
ROOM_HEADERS = $(foreach l,$(LAYERS),$(wildcard src/$(l)/*.h))

PG_CPPFLAGS = -I$(srcdir)/src '-DPGDLLEXPORT=__attribute__((visibility("default")))'
PG_CFLAGS   = -fvisibility=hidden -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers
SHLIB_LINK  = -lcurl -lyaml -ljansson -lcrypto -lexpat -lz -lm

# The install script: of each layer its own file first, then the others, then
# the connectors that ship with it.
layer_sql   = $(wildcard src/$(1)/$(1).sql) $(filter-out src/$(1)/$(1).sql,$(sort $(wildcard src/$(1)/*.sql)))
INSTALL_SQL = $(foreach l,$(LAYERS),$(call layer_sql,$(l)))
CONNECTORS  = $(sort $(wildcard connectors/*.yaml))
DATA_built  = src/$(EXTENSION)--$(EXTVERSION).sql
DATA        = $(wildcard src/upgrade/*--*--*.sql)
EXTRA_CLEAN = $(DATA_built)

REGRESS        = $(patsubst sql/%.sql,%,$(sort $(wildcard sql/*.sql)))
REGRESS_OPTS   = --load-extension=$(EXTENSION)
ISOLATION      := $(patsubst test/isolation/specs/%.spec,%,$(sort $(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --load-extension=$(EXTENSION)
TAP_TESTS      = 1
PROVE_TESTS    = test/t/*.pl

PG_CONFIG ?= pg_config
PGXS      := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(ROOM_HEADERS)		# PGXS tracks no headers

$(DATA_built): $(INSTALL_SQL) $(CONNECTORS) Makefile
	{ printf '%s\n' '\echo Use "CREATE EXTENSION lyftron" to load this file. \quit'; cat $(INSTALL_SQL); \
	for c in $(CONNECTORS); do \
		printf "\nSELECT lyftron.ship_connector('%s', \$$lyftron_yaml\$$\n" "$$(basename $$c .yaml)"; \
		cat $$c; printf "\$$lyftron_yaml\$$);\n"; \
	done; } > $@

.PHONY: check-layers
check-layers:
	@awk -v layers="$(LAYERS)" -f test/layers.awk $(SOURCES) $(ROOM_HEADERS)

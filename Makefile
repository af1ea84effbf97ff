# lyftron - data integration inside PostgreSQL

EXTENSION  = lyftron
EXTVERSION = 1.0
MODULE_big = lyftron

# The versions of the extension whose tables and functions this library knows, apart by blanks.
SERVED     = $(EXTVERSION)

# The architecture, bottom up: a folder includes only from those before it.
LAYERS = base net extract decode connector fdw schema load pipeline mirror vault task

SOURCES = src/lyftron.c $(foreach l,$(LAYERS),$(sort $(wildcard src/$(l)/*.c)))
OBJS    = $(SOURCES:.c=.o)
ROOM_HEADERS = $(foreach l,$(LAYERS),$(wildcard src/$(l)/*.h))

PG_CPPFLAGS = -I$(srcdir)/src '-DPGDLLEXPORT=__attribute__((visibility("default")))' \
	'-DLYF_VERSION="$(EXTVERSION)"' '-DLYF_SERVED="$(SERVED)"'
PG_CFLAGS   = -fvisibility=hidden -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers
SHLIB_LINK  = -lcurl -lyaml -ljansson -lcrypto -lexpat -lz -lm

# The client of MySQL and MariaDB is a shared object of its own, made where one of their libraries is there.
MYSQL_CONFIG   ?= $(firstword $(shell command -v mariadb_config mysql_config))
MYSQL_MODULE    = $(if $(MYSQL_CONFIG),lyftron_mysql$(DLSUFFIX))
MYSQL_SOURCES   = $(wildcard src/net/mysql/*.c)
MYSQL_OBJS      = $(MYSQL_SOURCES:.c=.o) src/net/mysql_error.o src/base/failure.o
ifeq ($(MYSQL_CONFIG),)
$(info lyftron_mysql is left out: no mariadb_config (package libmariadb-dev) nor mysql_config in PATH)
endif

# The install script: of each layer its own file first, then the others, then
# the connectors that ship with it.
layer_sql   = $(wildcard src/$(1)/$(1).sql) $(filter-out src/$(1)/$(1).sql,$(sort $(wildcard src/$(1)/*.sql)))
INSTALL_SQL = $(foreach l,$(LAYERS),$(call layer_sql,$(l)))
CONNECTORS  = $(sort $(wildcard connectors/*.yaml))
DATA_built  = src/$(EXTENSION)--$(EXTVERSION).sql
DATA        = $(wildcard src/upgrade/*--*--*.sql)
EXTRA_CLEAN = $(DATA_built) lyftron_mysql$(DLSUFFIX) $(MYSQL_SOURCES:.c=.o)

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
src/base/version.o: Makefile

all: $(MYSQL_MODULE)

$(MYSQL_SOURCES:.c=.o): src/net/mysql/client.h $(ROOM_HEADERS)
$(MYSQL_SOURCES:.c=.o): override CPPFLAGS += $(shell $(MYSQL_CONFIG) --cflags | sed 's/-I/-isystem /g')

lyftron_mysql$(DLSUFFIX): $(MYSQL_OBJS)
	$(LINK.shared) -o $@ $^ $(LDFLAGS) $(LDFLAGS_SL) $(shell $(MYSQL_CONFIG) --libs)

install: install-mysql
.PHONY: install-mysql
install-mysql: $(MYSQL_MODULE) | installdirs
	$(if $(MYSQL_MODULE),$(INSTALL_SHLIB) $(MYSQL_MODULE) '$(DESTDIR)$(pkglibdir)/')

uninstall: uninstall-mysql
.PHONY: uninstall-mysql
uninstall-mysql:
	rm -f '$(DESTDIR)$(pkglibdir)/lyftron_mysql$(DLSUFFIX)'

$(DATA_built): $(INSTALL_SQL) $(CONNECTORS) Makefile
	{ printf '%s\n' '\echo Use "CREATE EXTENSION lyftron" to load this file. \quit'; cat $(INSTALL_SQL); \
	for c in $(CONNECTORS); do \
		printf "\nSELECT lyftron.ship_connector('%s', \$$lyftron_yaml\$$\n" "$$(basename $$c .yaml)"; \
		cat $$c; printf "\$$lyftron_yaml\$$);\n"; \
	done; } > $@

.PHONY: check-layers
check-layers:
	@awk -v layers="$(LAYERS)" -f test/layers.awk $(SOURCES) $(MYSQL_SOURCES) $(ROOM_HEADERS)

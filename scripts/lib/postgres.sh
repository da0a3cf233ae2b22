# A private Postgres: its own data directory, a Unix socket only, nobody's password. Sourced.
# pg_up DIR starts (and makes) it and sets PG_URL and PG_SOCKET; pg_down DIR stops it. pg_up DIR ADDRESS NETWORK: made to
# listen at ADDRESS too, where user pulse may come from NETWORK alone; PG_URL is then by ADDRESS.

PG_BIN=/usr/lib/postgresql/15/bin

# As root the server runs as user postgres, in DIR where that user can reach it, else under /var/lib/pulse.
pg_place() { # DIR
  PG_AS=() PG_DIR=$1
  [ "$(id -u)" = 0 ] || return 0
  PG_AS=(setpriv --reuid postgres --regid postgres --init-groups --)
  mkdir -p "$1"
  if ! "${PG_AS[@]}" test -x "$1" 2>/dev/null; then
    PG_DIR=/var/lib/pulse/$(printf '%s' "$1" | sha256sum | cut -c1-16)
    mkdir -p /var/lib/pulse && chmod 755 /var/lib/pulse
  fi
  mkdir -p "$PG_DIR/pg" && chown postgres "$PG_DIR/pg" && chmod 700 "$PG_DIR/pg"
}

pg_make() {
  "${PG_AS[@]}" "$PG_BIN/initdb" -D "$PG_DIR/pg/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-instructions
  cat >>"$PG_DIR/pg/data/postgresql.conf" <<'CONF'
listen_addresses = ''
max_connections = 200
shared_buffers = 256MB
max_locks_per_transaction = 1024
max_wal_size = 2GB
wal_compression = on
checkpoint_completion_target = 0.9
jit = off
log_min_messages = warning
log_min_error_statement = panic
CONF
  [ -z "${1:-}" ] || echo "listen_addresses = '$1'" >>"$PG_DIR/pg/data/postgresql.conf"
  [ -z "${1:-}" ] || echo "host pulse pulse $2 trust" >>"$PG_DIR/pg/data/pg_hba.conf"
}

pg_up() { # DIR [ADDRESS NETWORK]
  pg_place "$1"
  local data=$PG_DIR/pg/data socket
  # A socket's path is limited to 107 characters.
  socket=$PG_DIR/pg
  if [ ${#socket} -gt 85 ]; then
    socket=/tmp/pulse-pg-$(printf '%s' "$PG_DIR" | sha256sum | cut -c1-12)
    mkdir -p "$socket" && chmod 700 "$socket" && { [ "$(id -u)" != 0 ] || chown postgres "$socket"; }
  fi
  [ -s "$data/PG_VERSION" ] || { rm -rf "$data" && pg_make "${2:-}" "${3:-}" >"$1/pg-init.log" 2>&1; } || return 1
  if ! "${PG_AS[@]}" "$PG_BIN/pg_ctl" -D "$data" status >/dev/null 2>&1; then
    "${PG_AS[@]}" "$PG_BIN/pg_ctl" -D "$data" -w -t 60 -l "$PG_DIR/pg/log" -o "-k $socket" start >/dev/null || return 1
  fi
  if ! psql -h "$socket" -U postgres -Atc "SELECT 1 FROM pg_database WHERE datname = 'pulse'" postgres | grep -q 1; then
    psql -h "$socket" -U postgres -qc "CREATE ROLE pulse LOGIN CREATEROLE" postgres
    psql -h "$socket" -U postgres -qc "CREATE DATABASE pulse OWNER pulse" postgres
  fi
  PG_SOCKET=$socket PG_URL="host=${2:-$socket} user=pulse dbname=pulse"
}

pg_down() { # DIR
  pg_place "$1"
  "${PG_AS[@]}" "$PG_BIN/pg_ctl" -D "$PG_DIR/pg/data" -m fast -w stop >/dev/null 2>&1 || true
}

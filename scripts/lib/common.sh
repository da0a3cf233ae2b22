# Shared by every script: where things are, how to speak to a person, how to fail with the next step.
# Sourced, never run. Sets ROOT (the checkout), CACHE (built parts), and DATA_DIR (what the program keeps).

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/pulse
DATA_DIR=${PULSE_DATA_DIR:-.pulse}
case $DATA_DIR in /*) ;; *) DATA_DIR=$ROOT/$DATA_DIR ;; esac
export HOME=${HOME:-/root}
export PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export CCACHE_DIR=${CCACHE_DIR:-$CACHE/ccache} CCACHE_MAXSIZE=${CCACHE_MAXSIZE:-4G}
# A precompiled header changes its time stamp and nothing else when it is rebuilt.
export CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
# Two checkouts of the same sources share what was compiled.
export CCACHE_BASEDIR=$ROOT CCACHE_NOHASHDIR=1

say() { printf '%s\n' "$*" >&2; }
die() { # MESSAGE, NEXT STEP
  printf 'error: %s\n' "$1" >&2
  [ -n "${2:-}" ] && printf '  next: %s\n' "$2" >&2
  exit "${3:-1}"
}
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else
    command -v sudo >/dev/null || die "this step needs root: $*" "run it as root, or install sudo"
    sudo "$@"
  fi
}

# step TITLE LOG COMMAND...: runs a command with its output in LOG; a terminal sees a counting line,
# everyone sees how long it took; on failure the tail of the log and its place are shown.
step() {
  local title=$1 log=$2 started=$SECONDS pid status=0
  shift 2
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 &
  pid=$!
  if [ -t 2 ]; then
    while kill -0 "$pid" 2>/dev/null; do
      printf '\r  %-44s %4d s' "$title" $((SECONDS - started)) >&2
      read -rt 1 <> <(:) || true
    done
    printf '\r' >&2
  fi
  wait "$pid" || status=$?
  if [ "$status" != 0 ]; then
    say "  $title: failed after $((SECONDS - started)) s; the end of $log:"
    tail -n 40 "$log" >&2
    return "$status"
  fi
  say "$(printf '  %-44s %4d s' "$title" $((SECONDS - started)))"
}

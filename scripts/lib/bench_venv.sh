# The benchmarks' Python with the references. Sourced after common.sh: `bench_python` makes it when it is not there and
# sets VENV.

make_bench_venv() {
  python3 -m venv "$VENV"
  "$VENV/bin/pip" install --quiet --disable-pip-version-check -r "$ROOT/tests/bench/requirements.txt"
}

bench_python() {
  VENV=$CACHE/bench-venv
  local want
  want=$(sha256sum <"$ROOT/tests/bench/requirements.txt")
  [ "$(cat "$VENV/.requirements" 2>/dev/null)" = "$want" ] && return 0
  step "making the benchmarks' Python environment" "$CACHE/log/bench-venv.log" make_bench_venv ||
    die "the benchmarks' Python environment could not be made" "read $CACHE/log/bench-venv.log"
  echo "$want" >"$VENV/.requirements"
}

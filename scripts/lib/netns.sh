# Each node of a cluster in a network namespace of its own, so that a test can cut it off. Sourced by scripts/cluster.
# Behind one bridge lie this machine (.1), Kafka (.2), Postgres (.3) and node K (.15+K). $DIR/net says its name and the
# first three bytes of its addresses: `pulse-PID 198.18.N`, of the range that RFC 2544 keeps for trials.

net_choose() {
  local third tried=0
  third=$(($(printf '%s' "$DIR" | cksum | cut -d' ' -f1) % 256))
  while [ -n "$(ip -4 route show to root "198.18.$third.0/24"; ip -4 route show to match "198.18.$third.0/24" | grep -v '^default')" ]; do
    third=$(((third + 1) % 256)) tried=$((tried + 1))
    [ $tried -lt 256 ] || return 1
  done
  echo "pulse-$$ 198.18.$third" >"$DIR/net"
}

# The bridge, where it is not there. Fails where this user may not make one.
net_up() {
  command -v ip >/dev/null && command -v nsenter >/dev/null || return 1
  [ -s "$DIR/net" ] || net_choose || return 1
  read -r NET PREFIX <"$DIR/net"
  ! ip link show "$NET" >/dev/null 2>&1 || return 0
  ip link add "$NET" type bridge && ip addr add "$PREFIX.1/24" dev "$NET" && ip addr add "$PREFIX.2/24" dev "$NET" &&
    ip addr add "$PREFIX.3/24" dev "$NET" && ip link set "$NET" up && ip netns add "$NET-try" && ip netns del "$NET-try"
}

# Node K's namespace, where it is not there. A link's name has 15 characters at most. The rule that finds its own addresses
# makes room for rules before it.
net_node() { # NODE
  local here=$NET-n$1 link=v${NET#pulse-}-$1
  [ ! -e "/run/netns/$here" ] || return 0
  ip netns add "$here" && ip link add "$link" type veth peer name eth0 netns "$here" &&
    ip link set "$link" master "$NET" up && ip -n "$here" link set lo up &&
    ip -n "$here" rule add pref 100 lookup local && ip -n "$here" rule del pref 0 &&
    ip -n "$here" addr add "$PREFIX.$((15 + $1))/24" dev eth0 && ip -n "$here" link set eth0 up
}

net_down() {
  local here
  [ -s "$DIR/net" ] || return 0
  read -r NET _ <"$DIR/net"
  for here in "/run/netns/$NET"-n*; do
    [ -e "$here" ] || continue
    ip link del "v${NET#pulse-}-${here##*-n}" 2>/dev/null || true
    ip netns del "${here##*/}"
  done
  ip link del "$NET" 2>/dev/null || true
}

"""Three nodes, each in a network namespace of its own, while the network between them, to Postgres or to everything is cut,
under clients that send each batch until it is acknowledged. After each kind of cut the books close, as after the faults of
test_cluster_faults.py.

By name only: `scripts/test cuts`; as root, where network namespaces can be made. What is cut loses packets and says nothing:
connections stay open, as over a switch that is broken. One broker: it is the nodes that are cut off.

PULSE_FAULT_TIMES: how often each cut is made (1).
"""

import contextlib
import itertools
import random
import subprocess
import time

import pytest
import requests
from cluster import ALL, OWNED, all_linked, leader, owned_among, started, under_load
from support import poll

NOBODY = "02:00:00:00:00:01"


class Net:
    """What the bridge of scripts/lib/netns.sh carries. Members are nodes, by number, `kafka` and `postgres`."""

    def __init__(self, cluster):
        self.name, prefix = (cluster.dir / "cluster" / "net").read_text().split()
        self.addresses = {"kafka": f"{prefix}.2", "postgres": f"{prefix}.3"}
        self.addresses.update((n, f"{prefix}.{15 + n}") for n in range(1, 17))

    def ip(self, node, *args):
        subprocess.run(["ip", "-n", f"{self.name}-n{node}", *args], check=True, capture_output=True, timeout=10)

    @contextlib.contextmanager
    def cut(self, *ways):
        """Meanwhile what goes from the one to the other of each pair is lost: sent to a machine that is not there, or not
        let in where only the receiver is a node."""
        with contextlib.ExitStack() as healing:
            for sender, receiver in ways:
                if isinstance(sender, int):
                    to = self.addresses[receiver]
                    self.ip(sender, "neigh", "replace", to, "lladdr", NOBODY, "nud", "permanent", "dev", "eth0")
                    healing.callback(self.ip, sender, "neigh", "del", to, "dev", "eth0")
                else:
                    rule = ("from", self.addresses[sender], "blackhole", "pref", "50")
                    self.ip(receiver, "rule", "add", *rule)
                    healing.callback(self.ip, receiver, "rule", "del", *rule)
            yield


def both(one, other):
    return (one, other), (other, one)


class Asker:
    """Sends single events of one tenant to one node, and keeps what was said: status and seconds of each."""

    def __init__(self, cluster, tenant):
        self.cluster, self.tenant = cluster, tenant
        self.sent, self.acked = itertools.count(), set()

    def ask(self, node):
        message, at = f"asked-{next(self.sent)}", time.monotonic()
        answer = requests.post(node["http"] + "/v1/events", timeout=15, headers={"Authorization": "Bearer " + self.tenant.key},
                               json={"type": "track", "event": "A", "userId": "u", "messageId": message})
        # 429: a limit's new owner starts with nothing.
        assert answer.status_code in (200, 429, 503), (answer.status_code, answer.text)
        if answer.status_code == 200:
            self.acked.add(message)
        else:
            assert int(answer.headers["Retry-After"]) >= 1
        return answer.status_code, time.monotonic() - at

    def owner(self):
        """The node that holds the tenant's slot."""
        slot = self.tenant.sql("SELECT slot FROM tenant WHERE tenant_id = %s")[0][0]
        found = self.cluster.holders().get(slot)
        return found and int(found.split("-")[1])

    def books_close(self):
        """What was answered 503 may be stored or not; nothing is stored twice."""
        poll("what was acknowledged is stored", 60, lambda: self.acked <= {m for (m,) in self.tenant.events("message_id")})
        stored = [m for (m,) in self.tenant.events("message_id")]
        assert len(stored) == len(set(stored))
        self.tenant.assert_accounts_close()


def told(answers):
    """`200 x 12 (most 0.31 s), 503 x 3 (most 1.01 s)`"""
    return ", ".join(f"{status} x {len(took)} (most {max(took):.2f} s)" for status, took in
                     ((s, [t for a, t in answers if a == s]) for s in sorted({a for a, _ in answers}))) or "nothing"


def watched(cluster, seconds, meanwhile=lambda: None):
    """How long at most any slot was without an owner."""
    end, since, longest = time.monotonic() + seconds, None, 0.0
    while time.monotonic() < end:
        meanwhile()
        if cluster.all_owned():
            since = None
        else:
            since = since or time.monotonic()
            longest = max(longest, time.monotonic() - since)
        time.sleep(0.1)
    return longest


def until_at_rest(cluster):
    """Placement has found what it wants for the load."""
    since = cluster.db().execute("SELECT clock_timestamp()").fetchone()[0]
    poll("slots at rest", 90, lambda: cluster.all_owned() and cluster.db().execute(
        "SELECT greatest(max(at), %s) < clock_timestamp() - interval '6 s' FROM move_history", (since,)).fetchone()[0])


def until_linked_again(cluster, logs, seconds):
    """By what the nodes say from these places of their logs on."""
    def times(number, event):
        return cluster.log_of(number)[logs[number]:].count(f'"{event}"')

    poll("linked again", seconds, lambda: all(times(n, "linked") >= times(n, "link_lost") for n in logs))


@pytest.fixture(scope="module")
def _cluster():
    with started(3, PULSE_CLUSTER_NETNS="1") as made:
        yield made


@pytest.fixture
def cluster(_cluster, request):
    request.node.pulse_nodes = [_cluster]
    _cluster.bring_back((1, 2, 3))
    owned_among(_cluster, ALL, 90)
    poll("all nodes are linked", 30, lambda: all_linked(_cluster))
    return _cluster


@pytest.fixture
def victims(cluster):
    """A leader, then a follower, and so on."""
    def choose():
        for leads in itertools.cycle((True, False)):
            first = leader(cluster)
            yield (first, "leader") if leads else (random.choice([n for n in (1, 2, 3) if n != first]), "follower")

    return choose()


def link_is_cut(cluster, name, ways):
    """Nothing moves for it: who owns what stands in the database. A limit whose owner is behind the cut cannot be borrowed
    from, so its tenant is told to come again."""
    net, limited = Net(cluster), cluster.tenant()
    limited.limits(1000, 5000)
    asker = Asker(cluster, limited)

    def fault(load):
        until_at_rest(cluster)
        owner = poll("the tenant's slot has an owner", 20, asker.owner)
        other, third = random.sample([n for n in (1, 2, 3) if n != owner], 2)
        poll("taken by both", 20, lambda: all(asker.ask(cluster.nodes[n])[0] == 200 for n in (other, third)))
        logs = {n: len(cluster.log_of(n)) for n in (1, 2, 3)}
        seconds, by_other, by_third = random.uniform(15, 20), [], []
        with net.cut(*ways(other, owner)):
            unowned = watched(cluster, seconds, lambda: (by_other.append(asker.ask(cluster.nodes[other])),
                                                         by_third.append(asker.ask(cluster.nodes[third]))))
            stayed = asker.owner() == owner
            since = time.monotonic()
        until_linked_again(cluster, logs, 30)
        linked = time.monotonic() - since
        poll("taken by both", 30, lambda: all(asker.ask(cluster.nodes[n])[0] == 200 for n in (other, third)))
        taken = time.monotonic() - since
        said = {n: cluster.log_of(n)[at:] for n, at in logs.items()}
        assert any('"link_lost"' in said[n] for n in (owner, other)), "the cut was not seen: was there one?"
        assert not any('"slot_dropped"' in text for text in said.values())
        if stayed:
            assert 503 in {status for status, _ in by_other}
            # Beside the cut nothing is refused, but for a moment at healing: the owner's other link is then made anew too.
            assert [status for status, _ in by_third].count(200) >= 0.9 * len(by_third), told(by_third)
        return (f"for {seconds:.1f} s; a slot was without an owner for {unowned:.1f} s at most; a limit of the node behind the "
                f"cut{'' if stayed else ' (it moved)'}: {told(by_other)}, beside it: {told(by_third)}; after healing linked after {linked:.1f} s, all taken "
                f"after {taken:.1f} s;")

    under_load(cluster, name, fault)
    asker.books_close()


@pytest.mark.feature("11.1", "11.2")
def test_two_nodes_are_cut_off_from_each_other(cluster):
    link_is_cut(cluster, "two nodes cut off from each other", both)


@pytest.mark.feature("11.1", "11.2")
def test_packets_between_two_nodes_are_lost_one_way(cluster):
    ways = itertools.cycle((lambda a, b: ((a, b),), lambda a, b: ((b, a),)))
    link_is_cut(cluster, "one way between two nodes", lambda a, b: next(ways)(a, b))


def node_is_cut_off(cluster, name, victims, ways, meanwhile):
    """Its slots are owned by the others, it changes nothing any more, and after healing it is the same run and gets slots
    again."""
    net, asker = Net(cluster), Asker(cluster, cluster.tenant())

    def fault(load):
        victim, what = next(victims)
        own, node = f"node-{victim}", cluster.nodes[victim]
        until_at_rest(cluster)
        poll("it holds slots", OWNED, lambda: own in (cluster.all_owned() or {}).values())
        poll("it knows the tenant", 20, lambda: asker.ask(node)[0] == 200)
        run = cluster.db().execute("SELECT incarnation FROM node WHERE node = %s", (own,)).fetchone()[0]
        epochs = dict(cluster.db().execute("SELECT slot, epoch FROM log_position").fetchall())
        mine = {slot for slot, holder in cluster.holders().items() if holder == own}
        answers, start, logs = [], load.now(), {n: len(cluster.log_of(n)) for n in (1, 2, 3)}
        with net.cut(*ways(victim)), meanwhile(cluster, victim):
            owned = owned_among(cluster, ALL - {own}, OWNED)
            taken_at = load.now()
            # Its sessions for these slots were ended with their locks.
            assert cluster.db().execute("SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE %s AND state LIKE "
                                        "'idle in transaction%%'", (f"pulse-writer {run}%",)).fetchone() == (0,)
            after = dict(cluster.db().execute("SELECT slot, epoch FROM log_position").fetchall())
            assert all(after[slot] > epochs[slot] for slot in mine)
            unowned = watched(cluster, random.uniform(4, 8), lambda: answers.append(asker.ask(node)))
            assert own not in cluster.holders().values()
            since = time.monotonic()
        poll("it holds slots again", OWNED, lambda: own in (cluster.all_owned() or {}).values())
        back = time.monotonic() - since
        until_linked_again(cluster, logs, 60)
        linked = time.monotonic() - since
        poll("it takes events", 30, lambda: asker.ask(node)[0] == 200)
        assert cluster.db().execute("SELECT incarnation FROM node WHERE node = %s", (own,)).fetchone()[0] == run
        changed = cluster.db().execute(
            "SELECT count(*) FROM event WHERE node = %s AND stored_at > %s AND stored_at < (SELECT min(at) FROM "
            "move_history WHERE to_node = %s AND at > %s)", (run, taken_at, own, taken_at)).fetchone()[0]
        assert changed == 0, "a former owner changed rows"
        return (f"{what} with {len(mine)} slots; owned by the others after {owned:.1f} s, then without an owner for "
                f"{unowned:.1f} s at most; it answered {told(answers)}; slots again {back:.1f} s after healing, linked after "
                f"{linked:.1f} s; its slots' events stored after {load.stalls(start, load.now(), mine)}, the others' after "
                f"{load.stalls(start, load.now(), set(epochs) - mine)};"), answers

    said = []

    def noted(load):
        text, answers = fault(load)
        said.extend(answers)
        return text

    under_load(cluster, name, noted)
    asker.books_close()
    return said


@pytest.mark.feature("11.2", "11.5", "11.6")
def test_a_node_is_cut_off_from_postgres(cluster, victims):
    said = node_is_cut_off(cluster, "cut off from Postgres", victims, lambda v: both(v, "postgres"),
                           lambda *_: contextlib.nullcontext())
    # Kafka is in reach: it takes what its gateway is sent, and the others store it.
    assert {status for status, _ in said} == {200}


@pytest.mark.feature("11.2", "11.5", "11.6")
def test_a_node_does_not_hear_postgres(cluster, victims):
    """What it was sending is done, and it does not learn of it."""
    said = node_is_cut_off(cluster, "what Postgres says is lost", victims, lambda v: (("postgres", v),),
                           lambda *_: contextlib.nullcontext())
    assert {status for status, _ in said} == {200}


@contextlib.contextmanager
def without_clients(cluster, victim):
    away = cluster.nodes.pop(victim)
    try:
        yield
    finally:
        cluster.nodes[victim] = away


@pytest.mark.feature("11.2", "11.5", "11.6", "2.5")
def test_a_node_is_cut_off_from_everything_but_clients(cluster, victims):
    def ways(victim):
        return [way for other in (*(n for n in (1, 2, 3) if n != victim), "kafka", "postgres") for way in both(victim, other)]

    said = node_is_cut_off(cluster, "cut off from everything", victims, ways, without_clients)
    # Within a second on a machine with time to spare: the limit on an append's answer.
    assert {status for status, _ in said} == {503} and max(took for _, took in said) < 10, told(said)

"""Three nodes of an older build, of which one after the other is restarted with this one, and back again, under clients that
send each batch until it is acknowledged. At each step the nodes of both builds are linked and share the slots, and the books
close. Migrations go forward only: the older program serves on what this one's added, and models are trained in the format
that it reads.

By name only: `scripts/test upgrade`. PULSE_OLDER names the older program; without it this is skipped. How to make one:
git worktree add ../older TAG && ../older/scripts/build release pulse, then PULSE_OLDER=../older/.build/release/pulse
"""

import os
import pathlib
import shutil

import pytest
from cluster import ALL, OWNED, Load, all_linked, owned_among, started
from support import PULSE, poll

OLDER = os.environ.get("PULSE_OLDER")
pytestmark = pytest.mark.skipif(not OLDER, reason="PULSE_OLDER names no older program: git worktree add ../older TAG && "
                                "../older/scripts/build release pulse")


@pytest.fixture(scope="module")
def _cluster():
    assert shutil.which(OLDER), f"PULSE_OLDER: there is no program {OLDER}"
    with started(3, PULSE_CLUSTER_PROGRAM=str(pathlib.Path(OLDER).resolve())) as made:
        yield made


@pytest.fixture
def cluster(_cluster, request):
    request.node.pulse_nodes = [_cluster]
    return _cluster


def run_with(cluster, program, number):
    """Node `number` is restarted with this program under load; the books close."""
    told = len(cluster.log_of(number))
    with Load(cluster) as load:
        start = load.now()
        cluster.env["PULSE_CLUSTER_PROGRAM"] = str(program)
        cluster.run("restart", str(number))
        cluster.refresh()
        assert os.readlink(f"/proc/{cluster.nodes[number]['pid']}/exe") == str(program)
        owned = owned_among(cluster, ALL, OWNED)
        poll("linked", 60, lambda: all_linked(cluster))
        poll("it holds slots", OWNED, lambda: f"node-{number}" in (cluster.all_owned() or {}).values())
        done = load.acknowledged()
        poll("acknowledged", 60, lambda: load.acknowledged() > done + 300)
        load.no_position_went_back()
        stalls = load.stalls(start, load.now())
    spoken = {line.rsplit("wire version ", 1)[1].split('"')[0] for line in cluster.log_of(number)[told:].splitlines()
              if '"linked"' in line}
    print(f"node-{number} with {program}: every slot owned after {owned:.1f} s, wire versions {sorted(spoken)}; stored after "
          f"(ms, median p99 most) {stalls}")


def migrations(cluster):
    return {name for (name,) in cluster.db().execute("SELECT name FROM schema_migration")}


@pytest.mark.feature("11.10")
def test_nodes_of_an_older_build_are_replaced_one_after_the_other_and_back(cluster):
    older = pathlib.Path(OLDER).resolve()
    owned_among(cluster, ALL, 90)
    poll("linked", 60, lambda: all_linked(cluster))
    before = migrations(cluster)
    for number in (1, 2, 3):
        run_with(cluster, PULSE, number)
    added = migrations(cluster) - before
    print(f"migrations that this build added: {sorted(added) or 'none'}")
    for number in (3, 2, 1):
        run_with(cluster, older, number)
    trained = cluster.db().execute("SELECT count(*), count(DISTINCT tenant_id) FROM artifact WHERE kind = 'model'").fetchone()
    print(f"{trained[0]} models trained meanwhile, of {trained[1]} tenants")
    assert trained[0] > 0, "no model was trained: nothing was tried of what a training writes"

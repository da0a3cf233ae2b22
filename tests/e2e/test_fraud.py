"""The fraud model from outside: taught by labels, in force after its comparison, part of the risk; and drift, told."""

import datetime
import json
import random

import pytest

from support import poll

UTC = datetime.timezone.utc


def order(number, at, fraud, rng):
    amount = rng.uniform(400, 600) if fraud else rng.lognormvariate(3.5, 0.5)
    return {"type": "track", "event": "Order Completed", "userId": f"u{rng.randrange(200)}", "messageId": f"f-{number}",
            "timestamp": at.isoformat(),
            "properties": {"order_id": f"fo{number}", "revenue": round(amount, 2), "currency": "EUR",
                           "card_fingerprint": f"k{rng.randrange(5) if fraud else 10 + rng.randrange(300)}"}}


def post(shop, path, document):
    return shop.request("POST", path, data=json.dumps(document), headers={"Content-Type": "application/json"})


def models(shop, kind):
    return [m for m in shop.get("/v1/models").json()["data"] if m["kind"] == kind]


def live(shop, kind):
    found = [m for m in models(shop, kind) if m["state"] == "live"]
    return found and found[0]


def sums_to_score(risk):
    return sum(p["points"] for p in risk["parts"]) == risk["score"]


@pytest.mark.feature("5.12", "4.10", "5.2")
def test_labels_teach_a_fraud_model_that_is_compared_and_put_in_force(node, shop):
    rng = random.Random(7)
    start = datetime.datetime.now(UTC) - datetime.timedelta(days=30)
    frauds = {i for i in range(1000) if rng.random() < 0.1}
    events = [order(i, start + datetime.timedelta(minutes=25 * i), i in frauds, rng) for i in range(1000)]
    for at in range(0, 1000, 250):
        assert shop.send(events[at:at + 250]).status_code == 200
    node.settle()
    labels = [{"order_id": f"fo{i}", "label": "fraud", "reason": "chargeback"} for i in sorted(frauds)]
    said = post(shop, "/v1/labels", labels).json()
    assert said["accepted"] == len(frauds)
    # Labels reach the tenant's state through its log.
    poll("labels in the log", 20, lambda: shop.sql(
        "SELECT count(*)::int FROM artifact_version WHERE tenant_id = %s AND kind = 'labels' AND live_from IS NOT NULL")[0][0] == 1)
    trained = post(shop, "/v1/models/train", {})
    assert trained.status_code == 201, trained.text
    fraud = poll("fraud model in force", 30, lambda: live(shop, "fraud"))
    # Labels start a training by themselves too: where that one came first, there was nothing left to compare on.
    asked = trained.json()["fraud"]
    assert asked["id"] == fraud["id"] or (asked["id"] is None and "champion has not seen" in asked["why"]), asked
    assert fraud["card"]["passed"] and fraud["card"]["quality"]["auroc"] > 0.8
    assert fraud["card"]["held_out"]["frauds"] >= 10
    poll("model in force", 30, lambda: live(shop, "anomaly"))

    now = datetime.datetime.now(UTC) - datetime.timedelta(minutes=5)
    assert shop.send([order(2000, now, True, rng), order(2001, now, False, rng)]).status_code == 200
    node.settle()
    got = {e["message_id"]: e["risk"] for e in shop.get("/v1/events", limit=10).json()["data"]}
    bad, good = got["f-2000"], got["f-2001"]
    for risk in (bad, good):
        assert sums_to_score(risk)
        assert [p["name"] for p in risk["parts"] if p["source"] == "fraud_model"] == [fraud["id"]]
    probability = {k: [p["value"] for p in got[k]["parts"] if p["source"] == "fraud_model"][0] for k in got
                   if k in ("f-2000", "f-2001")}
    assert probability["f-2000"] > 0.5 > probability["f-2001"]
    assert bad["score"] > good["score"]
    # A stored row is as long as what it knows: the card's features are among them.
    assert shop.sql("SELECT max(octet_length(features))::int FROM event WHERE tenant_id = %s")[0][0] > 16 * 4

    # Nothing has happened since it was fitted: nothing to compare on.
    again = post(shop, "/v1/models/train", {}).json()
    assert again["fraud"]["id"] is None and "champion has not seen" in again["fraud"]["why"]


@pytest.mark.feature("5.2", "4.10")
def test_models_are_listed_rolled_back_promoted_and_checked_for_drift(node, shop):
    rng = random.Random(8)
    start = datetime.datetime.now(UTC) - datetime.timedelta(days=9)
    events = [order(i, start + datetime.timedelta(minutes=10 * i), False, rng) for i in range(1100)]
    assert shop.send(events[:600]).status_code == 200
    node.settle()
    first = post(shop, "/v1/models/train", {}).json()["id"]
    poll("first in force", 30, lambda: (live(shop, "anomaly") or {}).get("id") == first)
    assert shop.send(events[600:800]).status_code == 200
    node.settle()
    checked = post(shop, "/v1/models/check", {}).json()
    # A young shop's customers grow older; amounts have not moved.
    assert checked["rows"] == 200 and not any(name.startswith("amount") for name in checked["drifted"]), checked
    # From now on everything costs a hundred times as much.
    for e in events[800:]:
        e["properties"]["revenue"] = round(100 * e["properties"]["revenue"], 2)
    assert shop.send(events[800:]).status_code == 200
    node.settle()
    drifted = node.cli("model", "check", "--tenant", shop.name)["drifted"]
    assert any(name.startswith("amount") or name.endswith("amount_24h") for name in drifted), drifted
    card = shop.get(f"/v1/models/{first}").json()["card"]
    assert card["drift"]["proposal"].startswith("train anew")
    second = node.cli("model", "train", "--tenant", shop.name)["id"]
    poll("second in force", 30, lambda: (live(shop, "anomaly") or {}).get("id") == second)
    assert {m["id"]: m["state"] for m in models(shop, "anomaly")}[first] == "retired"
    assert node.cli("model", "rollback", "--tenant", shop.name)["id"] == first
    poll("first again", 30, lambda: (live(shop, "anomaly") or {}).get("id") == first)
    assert node.cli("model", "shadow", "--tenant", shop.name, second)["id"] == second
    assert {m["id"]: m["state"] for m in models(shop, "anomaly")}[second] == "shadow"
    poll("shadow in the log", 20, lambda: shop.sql("SELECT count(*)::int FROM artifact_version WHERE tenant_id = %s AND "
                                                   "kind = 'model_shadow' AND live_from IS NOT NULL")[0][0] == 1)
    assert shop.send([order(3000, datetime.datetime.now(UTC), False, rng)]).status_code == 200
    node.settle()
    [risk] = [e["risk"] for e in shop.get("/v1/events", limit=5).json()["data"] if e["message_id"] == "f-3000"]
    [shadow] = [p for p in risk["parts"] if p["source"] == "shadow_model"]
    assert shadow["name"] == second and shadow["points"] == 0 and shadow["detail"].startswith("would score")
    assert risk["model"] == first and sums_to_score(risk)
    assert node.cli("model", "promote", "--tenant", shop.name, second)["id"] == second
    poll("second again", 30, lambda: (live(shop, "anomaly") or {}).get("id") == second)
    assert post(shop, "/v1/models/none/promote", {}).status_code == 404

"""People say which metric alerts were worth it: the like of a false alarm is held, and the price is reported."""

import datetime
import random
import uuid

import pytest
from support import Receiver, poll, rows_of
from test_series import UTC, look, order, send_all

SEED = 23


def move_back(node, shop, days):
    """The newest alert as it would stand if it had come so many days before. Its id is made of its begin."""
    id_ = uuid.uuid4()
    [(was,)] = rows_of(node.db(), "SELECT alert_id FROM alert WHERE tenant_id = %s AND created_at > now() - interval '1 day'",
                       shop.id)
    rows_of(node.db(), "UPDATE alert SET alert_id = %s, created_at = created_at - make_interval(days => %s), data = "
            "jsonb_set(data, '{occurred_at}', to_jsonb(((data->>'occurred_at')::timestamptz - make_interval(days => %s))::text)) "
            "WHERE tenant_id = %s AND alert_id = %s RETURNING 1", id_, days, days, shop.id, was)
    rows_of(node.db(), "UPDATE delivery SET alert_id = %s WHERE tenant_id = %s AND alert_id = %s RETURNING 1", id_, shop.id, was)
    return str(id_)


@pytest.mark.feature("5.9")
def test_the_like_of_a_false_alarm_is_held_and_the_loss_is_reported(node, shop):
    r = random.Random(SEED)
    hour = datetime.datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - datetime.timedelta(hours=1)
    events = []
    for back in range(9 * 24):
        at = hour - datetime.timedelta(hours=back)
        for store in ("north", "south"):
            n = 0 if back == 0 and store == "south" else round(16 * r.uniform(0.9, 1.1))
            events += [order(at + datetime.timedelta(seconds=r.uniform(0, 3599)), store) for _ in range(n)]
    node.cli("endpoint", "allow", "--tenant", shop.name, "127.0.0.1/32")
    with Receiver() as receiver:
        made = shop.request("POST", "/v1/endpoints", json={"kind": "webhook", "url": receiver.url,
                                                           "types": ["metric.anomaly"]})
        assert made.status_code == 201, made.text
        send_all(node, shop, events)
        look(node, shop)
        poll("the webhook", 60, lambda: receiver.got)

        first = move_back(node, shop, 6)
        said = node.cli("alert", "feedback", "--tenant", shop.name, first, "false_alarm", "--note", "stocktaking")
        assert said["feedback"]["verdict"] == "false_alarm" and said["feedback"]["note"] == "stocktaking"
        assert said["state"] == "told" and said["data"]["strength"] >= 1 and said["data"]["direction"] == "down"

        # The like comes again: stored and shown, told to nobody.
        look(node, shop)
        [held] = shop.get("/v1/alerts", state="held").json()["data"]
        assert held["held_reason"].startswith("feedback: ") and held["feedback"] is None, held
        assert rows_of(node.db(), "SELECT 1 FROM delivery WHERE tenant_id = %s AND alert_id = %s", shop.id, held["id"]) == []
        assert len(receiver.got) == 1
        q = node.cli("alert", "quality", "--tenant", shop.name)
        assert q["judged"] == {"useful": 0, "false_alarm": 1} and q["withheld"] == 1, q
        assert q["recall_loss"]["share"] is None and q["recall_loss"]["interval"] == [0.0, 1.0], q

        # It should have been told: that is a loss, and the next one is told.
        second = move_back(node, shop, 3)
        key = shop.make_key("read")["key"]
        path = f"/v1/alerts/{second}/feedback"
        assert shop.request("POST", path, key=key, json={"verdict": "useful"}).status_code == 403
        assert shop.request("POST", path, json={"verdict": "useful"}).status_code == 200
        look(node, shop)
        poll("the second webhook", 60, lambda: len(receiver.got) == 2)
    q = shop.get("/v1/alerts/feedback").json()
    assert q["withheld_judged"] == {"useful": 1, "false_alarm": 0} and q["judged"]["false_alarm"] == 1, q
    assert q["recall_loss"]["count"] == q["recall_loss"]["of"] == 1 and q["recall_loss"]["interval"][0] > 0.2, q
    assert shop.request("POST", f"/v1/alerts/{uuid.uuid4()}/feedback", json={"verdict": "useful"}).status_code == 404
    assert node.tenant().request("POST", path, json={"verdict": None}).status_code == 404

"""Segment's and RudderStack's Python SDKs, unmodified: only the host is ours."""

import collections
import datetime
import uuid

import pytest
import rudderstack.analytics.client
import segment.analytics.client
from support import flaky_proxy

UTC = datetime.timezone.utc
ROWS = ("2.1", "2.15")


def segment_client(url, key, **more):
    return segment.analytics.client.Client(key, host=url, **more)


def rudder_client(url, key, **more):
    return rudderstack.analytics.client.Client(key, host=url, **more)


SDKS = pytest.mark.parametrize("make", [segment_client, rudder_client], ids=["segment", "rudder"])


def play(client, errors):
    """One of each call; the message ids by what they are."""
    ids = {}

    def call(what, function, *args, **more):
        ids[what] = more["message_id"] = f"{what}-{uuid.uuid4()}"
        function(*args, **more)

    at = datetime.datetime.now(UTC) - datetime.timedelta(hours=2)
    call("identify", client.identify, "u1", {"email": "a@example.com", "plan": "pro"})
    call("order", client.track, "u1", "Order Completed",
         {"order_id": "o1", "revenue": 39.9, "currency": "EUR",
          "products": [{"product_id": "p1", "price": 19.95, "quantity": 2}]},
         context={"ip": "203.0.113.9", "userAgent": "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X)",
                  "campaign": {"name": "spring_sale", "source": "mail"}}, timestamp=at)
    call("odd", client.track, "u1", "Order Completed", {"order_id": "o2", "revenue": 0.07, "currency": "EUR"}, timestamp=at)
    call("viewed", client.track, anonymous_id="anon1", event="Product Viewed")
    call("page", client.page, "u1", "Docs", "Home")
    call("screen", client.screen, "u1", "App", "Start")
    call("group", client.group, "u1", "g1", {"name": "Group"})
    call("alias", client.alias, "anon1", "u1")
    client.flush()
    client.join()
    assert not errors, errors
    return ids, at


@SDKS
@pytest.mark.feature(*ROWS)
@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
def test_every_call_of_the_sdk_is_stored_once_with_its_exact_amount(node, shop, make, gzip):
    errors = []
    ids, at = play(make(node.url, shop.key, gzip=gzip, on_error=lambda e, _: errors.append(e)), errors)
    node.settle()
    stored = {row[0]: row for row in shop.events("message_id, type, name, customer, anonymous_id, amount_minor, "
                                                 "currency, order_id, occurred_at, campaign, device")}
    assert {k: stored[v][1:3] for k, v in ids.items()} == {
        "identify": ("identify", "identify"), "order": ("track", "Order Completed"), "odd": ("track", "Order Completed"),
        "viewed": ("track", "Product Viewed"), "page": ("page", "Home"), "screen": ("screen", "Start"),
        "group": ("group", "group"), "alias": ("alias", "alias")}
    assert len(stored) == len(ids)
    order = stored[ids["order"]]
    assert order[3:8] == ("u1", None, 3990, "EUR", "o1")
    assert abs(order[8] - at) < datetime.timedelta(milliseconds=1)
    assert order[9] == "spring_sale" and order[10] is not None
    assert stored[ids["odd"]][5] == 7
    assert stored[ids["viewed"]][3:5] == (None, "anon1")
    assert shop.sql("SELECT sum(revenue_minor)::int, sum(orders)::int, sum(events)::int FROM rollup_minute "
                    "WHERE tenant_id = %s AND dim = 'total'") == [(3997, 2, 8)]
    assert shop.ledger() == dict(raw=8, stored=8, duplicates=0, failed=0, control=0, dropped=0)
    shop.assert_accounts_close()


@SDKS
@pytest.mark.feature(*ROWS, "2.4")
def test_what_the_sdk_sends_again_after_an_error_is_stored_once(node, shop, make):
    errors = []
    with flaky_proxy(node.url, failures=1) as proxy:
        ids, _ = play(make(proxy.url, shop.key, on_error=lambda e, _: errors.append(e)), errors)
        answers = [r.get("status") for r in proxy.got]
    # The first request was taken, answered with an error, and came again whole.
    assert len(answers) >= 2 and set(answers) == {200}, answers
    node.settle()
    found = collections.Counter(m for (m,) in shop.events("message_id"))
    assert found == {m: 1 for m in ids.values()}
    books = shop.ledger()
    assert books["duplicates"] >= 1 and books["stored"] == len(ids), books
    shop.assert_accounts_close()

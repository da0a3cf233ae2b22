"""Real order lines (Online Retail, CC BY 4.0), one event per invoice: what PulseEcom reports equals a recount by hand.

The committed slice always; the whole data set where it lies beside the project. Times are moved by whole days, so that
the last day is yesterday and nothing else changes.
"""

import collections
import csv
import datetime
import json
import time
from decimal import ROUND_HALF_UP, Decimal

import pytest
from support import ROOT, SHARED_DATA

UTC = datetime.timezone.utc
WHOLE = SHARED_DATA / "ecommerce" / "retail_2010-12_2011-04.csv"
PENNY = Decimal("0.01")
# What the data calls the countries, and ISO 3166; a name that is no country stays as it is.
COUNTRIES = {
    "Australia": "AU", "Austria": "AT", "Bahrain": "BH", "Belgium": "BE", "Brazil": "BR", "Canada": "CA", "Cyprus": "CY",
    "Czech Republic": "CZ", "Denmark": "DK", "EIRE": "IE", "Finland": "FI", "France": "FR", "Germany": "DE",
    "Greece": "GR", "Hong Kong": "HK", "Iceland": "IS", "Israel": "IL", "Italy": "IT", "Japan": "JP", "Lebanon": "LB",
    "Lithuania": "LT", "Netherlands": "NL", "Norway": "NO", "Poland": "PL", "Portugal": "PT", "Saudi Arabia": "SA",
    "Singapore": "SG", "Spain": "ES", "Sweden": "SE", "Switzerland": "CH", "United Arab Emirates": "AE",
    "United Kingdom": "GB", "USA": "US"}


def to_pennies(amount):
    return amount.quantize(PENNY, ROUND_HALF_UP)


class Recount:
    """Reads the lines into invoices; makes events of them and sums them up, by decimals alone."""

    def __init__(self, path):
        lines = collections.defaultdict(list)
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                lines[row["invoice"]].append(row)
        last = max(r[0]["invoice_time"] for r in lines.values())
        yesterday = datetime.datetime.now(UTC).date() - datetime.timedelta(days=1)
        shift = yesterday - datetime.datetime.fromisoformat(last.replace("Z", "+00:00")).date()
        self.days = collections.defaultdict(lambda: collections.defaultdict(Decimal))
        self.countries = collections.defaultdict(lambda: collections.defaultdict(Decimal))
        self.products = collections.defaultdict(Decimal)
        self.events = []
        for invoice, rows in lines.items():
            first = min(r["invoice_time"] for r in rows)
            at = datetime.datetime.fromisoformat(first.replace("Z", "+00:00")) + shift
            total = sum((Decimal(r["quantity"]) * Decimal(r["unit_price"]) for r in rows), Decimal())
            refund = invoice.startswith("C")
            if refund or total > 0:
                self.add(invoice, rows, at, abs(total) if refund else total, refund)
        times = [e["timestamp"] for e in self.events]
        self.first, self.last = (datetime.date.fromisoformat(t[:10]) for t in (min(times), max(times)))

    def add(self, invoice, rows, at, total, refund):
        country = rows[0]["country"]
        # The text of the number is the decimal's own: no double comes near it.
        event = {"type": "track", "event": "Order Refunded" if refund else "Order Completed", "messageId": invoice,
                 "timestamp": at.isoformat(), "userId": rows[0]["customer_id"] or None, "anonymousId": "till",
                 "properties": {"order_id": invoice, "currency": "GBP", "total": float(total),
                                "shipping_address": {"country": country},
                                "products": [{"product_id": r["stock_code"], "price": float(r["unit_price"]),
                                              "quantity": abs(int(r["quantity"])) if refund else int(r["quantity"])}
                                             for r in rows]}}
        assert Decimal(repr(float(total))) == total
        self.events.append(event)
        for sums in (self.days[at.date()], self.countries[COUNTRIES.get(country, country)]):
            sums["refunds" if refund else "revenue"] += to_pennies(total)
            sums["orders"] += 0 if refund else 1
            sums["events"] += 1
        if not refund:
            for r in rows:
                self.products[r["stock_code"]] += Decimal(r["quantity"]) * Decimal(r["unit_price"])

    def batches(self, lines_max=500, bytes_max=2 << 20):
        body, n = "", 0
        for e in self.events:
            line = json.dumps(e) + "\n"
            if n and (n == lines_max or len(body) + len(line) > bytes_max):
                yield body, n
                body, n = "", 0
            body, n = body + line, n + 1
        yield body, n


def metric(shop, name, recount, **more):
    day = datetime.timedelta(days=1)
    got = shop.get(f"/v1/metrics/{name}", **{"from": f"{recount.first}T00:00:00Z", "to": f"{recount.last + day}T00:00:00Z",
                                             "granularity": "day", **more})
    assert got.status_code == 200, got.text
    return got.json()


def by_day(answer):
    assert len(answer["series"]) == 1
    return {datetime.date.fromisoformat(p["t"][:10]): Decimal(str(p["value"])) for p in answer["series"][0]["points"]}


def by_group(answer, dimension):
    return {s["group"][dimension]: sum(Decimal(str(p["value"])) for p in s["points"]) for s in answer["series"]}


def without_zeros(found):
    return {k: v for k, v in found.items() if v}


def check(shop, recount):
    started = time.monotonic()
    for body, n in recount.batches():
        answer = shop.send(body, Content_Type="application/x-ndjson")
        assert answer.status_code == 200 and answer.json()["accepted"] == n, answer.text[:500]
    acknowledged = time.monotonic()
    shop.node.settle(150)
    print(f"{len(recount.events)} invoices acknowledged in {acknowledged - started:.1f} s, "
          f"stored {time.monotonic() - acknowledged:.1f} s later")
    books = shop.ledger()
    # Its own model is fitted while the orders come: that is a control record.
    assert books == dict(raw=len(recount.events) + books["control"], stored=len(recount.events), duplicates=0, failed=0,
                         control=books["control"], dropped=0)
    shop.assert_accounts_close()
    span = [recount.first + datetime.timedelta(days=i) for i in range((recount.last - recount.first).days + 1)]
    for name in ("revenue", "refunds", "orders", "events"):
        expected = {day: recount.days[day][name] for day in span}
        answer = metric(shop, name, recount)
        assert by_day(answer) == expected, name
        assert Decimal(str(answer["total"])) == sum(expected.values()), name
        assert answer["source"] == "rollup", name
        if name in ("revenue", "refunds"):
            # Money is a decimal string, to the penny.
            assert all(isinstance(p["value"], str) and len(p["value"].split(".")[1]) == 2
                       for p in answer["series"][0]["points"])
            assert answer["unit"] == "GBP", answer["unit"]
        found = by_group(metric(shop, name, recount, group_by="country"), "country")
        assert without_zeros(found) == without_zeros({c: s[name] for c, s in recount.countries.items()}), name
    return span


def check_products(shop, recount):
    kept = dict(shop.sql("SELECT value, sum(line_micro)::bigint FROM rollup_quarter WHERE tenant_id = %s "
                         "AND dim = 'product' GROUP BY value"))
    exact = {p: int(v * 1_000_000) for p, v in recount.products.items()}
    assert without_zeros({p: int(v) for p, v in kept.items()}) == without_zeros(exact)


@pytest.mark.feature("7.1", "7.6")
def test_the_committed_orders_by_day_country_and_product_equal_a_recount_to_the_penny(node):
    recount = Recount(ROOT / "config" / "demo_order_lines.csv")
    shop = node.tenant(currency=None)
    check(shop, recount)
    check_products(shop, recount)
    answer = metric(shop, "revenue", recount, group_by="product", granularity="month")
    found = by_group(answer, "product")
    for product, total in recount.products.items():
        # The API may sum the rest of a long list up as one.
        if product in found:
            assert found[product] == to_pennies(total), product
    assert len(found) >= 50
    # Learnt from the first money event.
    assert node.cli("tenant", "show", shop.name)["currency"] == "GBP"
    one = metric(shop, "revenue", recount, country="IE")
    assert by_day(one) and Decimal(one["total"]) == recount.countries["IE"]["revenue"]
    # Two dimensions are computed from the events, and say so.
    two = metric(shop, "orders", recount, country="GB", group_by="product")
    assert two["source"] == "events"
    # Sent again: nothing changes.
    for body, _ in recount.batches():
        assert shop.send(body, Content_Type="application/x-ndjson").status_code == 200
    node.settle()
    assert Decimal(metric(shop, "revenue", recount)["total"]) == sum(d["revenue"] for d in recount.days.values())
    shop.assert_accounts_close()


@pytest.mark.feature("7.1", "7.6")
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Kathmandu"])
def test_days_of_another_zone_equal_a_recount(node, zone):
    import zoneinfo
    recount = Recount(ROOT / "config" / "demo_order_lines.csv")
    shop = node.tenant(currency="GBP")
    for body, _ in recount.batches():
        assert shop.send(body, Content_Type="application/x-ndjson").status_code == 200
    node.settle()
    local = zoneinfo.ZoneInfo(zone)
    expected = collections.defaultdict(Decimal)
    for e in recount.events:
        if e["event"] == "Order Completed":
            day = datetime.datetime.fromisoformat(e["timestamp"]).astimezone(local).date()
            expected[day] += to_pennies(Decimal(repr(e["properties"]["total"])))
    answer = shop.get("/v1/metrics/revenue", **{
        "from": f"{recount.first - datetime.timedelta(days=2)}T00:00:00Z", "granularity": "day", "timezone": zone,
        "to": f"{recount.last + datetime.timedelta(days=2)}T00:00:00Z"})
    assert answer.status_code == 200, answer.text
    found = {datetime.datetime.fromisoformat(p["t"].replace("Z", "+00:00")).astimezone(local).date(): Decimal(p["value"])
             for p in answer.json()["series"][0]["points"]}
    assert without_zeros(found) == dict(expected)


@pytest.mark.feature("7.1", "7.6")
@pytest.mark.skipif(not WHOLE.is_file(), reason="retail_2010-12_2011-04.csv is not beside the project")
def test_all_the_orders_of_five_months_equal_a_recount_to_the_penny(node):
    recount = Recount(WHOLE)
    shop = node.tenant(currency="GBP")
    check(shop, recount)
    check_products(shop, recount)

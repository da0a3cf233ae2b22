"""How benchmarks report: figures as `name value unit` lines, and one JSON file of them all."""

import json
import os
import statistics


class Report:
    def __init__(self):
        self.figures = {}

    def add(self, name, value, unit, low=None, high=None):
        self.figures[name] = {"value": value, "unit": unit, **({} if low is None else {"min": low, "max": high})}
        spread = "" if low is None else f" ({low:.4g} to {high:.4g})"
        print(f"{name} {value:.4g} {unit}{spread}", flush=True)

    def median(self, name, values, unit):
        self.add(name, statistics.median(values), unit, min(values), max(values))

    def write(self):
        path = os.environ.get("PULSE_BENCH_JSON")
        if path:
            with open(path, "w") as out:
                json.dump(self.figures, out, indent=1)

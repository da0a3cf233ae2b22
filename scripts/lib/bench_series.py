"""Runs the program that judges the metric detector and passes its figures on."""

import pathlib
import subprocess
import sys

from bench_report import Report

program, data, parts = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
retail = data / "ecommerce" / "retail_2010-12_2011-04.csv"
if not (data / "metrics" / "windows.json").exists() or not retail.exists():
    sys.exit(f"there are no labelled series in {data}; set PULSE_SHARED_DATA to the folder that has metrics/ and ecommerce/")
report = Report()
with subprocess.Popen([program, data / "metrics", retail, *parts], stdout=subprocess.PIPE, text=True) as run:
    for line in run.stdout:
        name, value, unit = line.split(maxsplit=2)
        report.add(name, float(value), unit.strip())
report.write()
sys.exit(run.returncode)

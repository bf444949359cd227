"""A survey of many small units, and how its runs are looked at: for the checks of what runs surveys."""

import hashlib
import subprocess
import time

SCENARIO = """
name = "slurm"
description = "Frames of the testbench"
seed = 7
instrument = "testbench"
scans = "full"
[pointing]
ra_deg = 150.1
dec_deg = 2.2
[[exposure]]
id = 10000000001
start = "2027-06-26T20:35:58"
time_s = 150.0
[[detector]]
number = 1
[sky]
model = "fixed"
electron_s = 0.2
[catalog]
kind = "star_grid"
spacing_pixel = 28.0
bright = 17.0
faint = 22.0
"""


def survey_of(work, exposures):
    """Writes a survey of the testbench into a folder; returns its file."""
    work.mkdir(parents=True)
    (work / "sky.toml").write_text(SCENARIO)
    rows = [f"{10_000_000_101 + k},150.1,{2 + k / 100:.2f},180.0,{61_582 + k / 100:.2f},150.0,test,1\n" for k in range(exposures)]
    (work / "pointings.csv").write_text("obs_id,ra_deg,dec_deg,position_angle_deg,start_mjd,exposure_s,programme,visit\n" + "".join(rows))
    plan = work / "survey.toml"
    plan.write_text('name = "peers"\nscenario = "sky.toml"\npointings = "pointings.csv"\n')
    return plan


def said(*words, codes=(0,)):
    """What a program says; any other exit code is an error."""
    out = subprocess.run([str(w) for w in words], text=True, capture_output=True)
    if out.returncode not in codes:
        raise AssertionError(f"{words}: exit {out.returncode}\n{out.stdout}{out.stderr}")
    return out.stdout


def sums(run):
    """SHA-256 of all products and records."""
    files = sorted(p for sub in ("L0", "L1", "truth") for p in (run / sub).rglob("*") if p.is_file() and not p.name.endswith(".part"))
    return {str(p.relative_to(run)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


class Judge:
    """What was found, line by line, and whether all of it is good."""

    def __init__(self):
        self.good, self.began = True, time.monotonic()

    def __call__(self, what, good):
        print(f"[{time.monotonic() - self.began:5.1f} s] {what}: {'yes' if good else 'NO'}", flush=True)
        self.good &= bool(good)

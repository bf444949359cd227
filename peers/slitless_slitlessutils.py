"""Slitless spectra: slitlessutils and numpy against ours.

usage: slitless_slitlessutils.py SKYLOOP WORK

1. The nominal configuration of every slitless detector as slitlessutils reads it, against the grating equation written here in numpy from the
   instrument's numbers: places of wavelengths of all orders. Criterion: 0.01 pixel. Its sensitivities, against the columns of the curve. Criterion: 1e-3.
2. A nebula and a white dwarf are simulated, reduced and calibrated by the program. slitlessutils reads the measured configuration; the star's first orders are summed
   in a box along its traces on our level-1 frame, divided by its sensitivities, and compared with the star's model spectrum and with the spectra of
   `skyloop spectra extract`. Criteria: 2 % in bins of 20 nm between 640 and 900 nm against the model; 3 % against ours, whose profile ends before the wings
   of the PSF (2 % of the light, not corrected yet).
"""

import csv
import pathlib
import subprocess
import sys
import tomllib

import numpy as np
from astropy.io import fits
from slitlessutils.core.wfss.config.order import Order
from slitlessutils.core.wfss.config.wfssconfig import WFSSConfig

ROOT = pathlib.Path(__file__).resolve().parent.parent
MSC = ROOT / "instruments" / "data" / "msc"

SCENARIO = """
name = "{name}"
seed = 11
instrument = "msc"
throughput = "curves"
with = ["cosmic_rays"]
[pointing]
ra_deg = 273.0
dec_deg = 66.6
[[exposure]]
id = 10160000201
start = "2028-01-26T20:35:58"
time_s = 150.0
[[detector]]
number = 1
window = {{ x0 = 5400, y0 = 4000, nx = 2304, ny = 1024 }}
[sky]
model = "table"
[catalog]
kind = "calibrators"
calibrator = "{calibrator}"
columns = {columns}
rows = {rows}
magnitude = {magnitude}
{calibration}
"""
CALIBRATION = """[calibration]
bias = 7
dark = 3
dark_time_s = 900.0
flat = 7
flat_time_s = 20.0
short_flat = 3
short_flat_time_s = 4.0
lamp_electron_s = 1500.0
"""


def order_of(conf, label):
    return Order(WFSSConfig.read_asciifile(str(conf)), label)


def grating_equation(grating, crpix, direction_deg, number, x, y, wavelength_nm):
    """Offsets of an order by direction cosines, in pixels."""
    pitch, pupil = grating["pixel_pitch"]["value"], grating["pupil_distance"]["value"]
    tx, ty = (x - crpix[0]) * pitch / pupil, (y - crpix[1]) * pitch / pupil
    norm = np.sqrt(1 + tx * tx + ty * ty)
    turn = number * wavelength_nm * 1e-3 / grating["period"]["value"]
    phi = np.radians(direction_deg)
    sx, sy = tx / norm + turn * np.cos(phi), ty / norm + turn * np.sin(phi)
    sz = np.sqrt(1 - sx * sx - sy * sy)
    reach = grating["distance"]["value"] / pitch
    return reach * (sx / sz - tx), reach * (sy / sz - ty)


def focal_plane():
    rows = [line for line in (MSC / "focal_plane.csv").read_text().splitlines() if not line.startswith("#")]
    return {int(row["number"]): row for row in csv.DictReader(rows)}


def nominal(skyloop, work):
    folder = work / "drawn"
    subprocess.run([skyloop, "spectra", "configuration", "--out", str(folder)], check=True, capture_output=True)
    instrument = tomllib.loads((MSC / "instrument.toml").read_text())
    worst, worst_sensitivity, count = 0.0, 0.0, 0
    for number, row in focal_plane().items():
        band = row["filter"]
        if band not in ("GU", "GV", "GI"):
            continue
        grating = instrument["bands"][band]["grating"]
        # Reference pixel of the boresight in the detector's own pixels, from 1, by the published rule of the mosaic.
        xcen, ycen = float(row["centre_x"]), float(row["centre_y"])
        crpix = (1 - (xcen - 4607), 1 - (ycen - 4615))
        curve = np.array([line.split(",") for line in (MSC / "bands" / f"{band}.csv").read_text().splitlines() if line[:1].isdigit()], float)
        for side in ("left", "right"):
            conf = folder / f"CSST_{band}{number:02d}_{side}.conf"
            for label in ("+1", "-1", "+2", "-2"):
                order = order_of(conf, label)
                waves = np.linspace(curve[0, 0], curve[-1, 0], 9)
                for x, y in ((500.0, 700.0), (4000.0, 8500.0), (8800.0, 300.0)):
                    dx, dy = order.deltas(x, y, 10 * waves)
                    ex, ey = grating_equation(grating, crpix, grating[f"direction_{side}"]["value"], int(label), x, y, waves)
                    worst = max(worst, np.hypot(np.ravel(dx) - ex, np.ravel(dy) - ey).max())
                    count += len(waves)
            sensitivity = order_of(conf, "+1").sensitivity
            area = instrument["telescope"]["area"]["value"]
            middle = curve[20:-20:7]
            expected = middle[:, 1] * area * middle[:, 0] / 1.986445857e-9
            worst_sensitivity = max(worst_sensitivity, np.abs(sensitivity(10 * middle[:, 0]) / expected - 1).max())
    print(f"configurations: {count} places, largest distance from the grating equation {worst:.4f} pixel; sensitivity {worst_sensitivity:.1e}")
    return worst < 0.01 and worst_sensitivity < 1e-3


def star(skyloop, work):
    def run(*arguments):
        return subprocess.run([skyloop, *map(str, arguments)], check=True, capture_output=True, text=True).stdout

    neb, wd, measured, model = work / "neb", work / "wd", work / "measured", work / "wd.csv"
    for name, calibrator, columns, rows, magnitude, calibration in (
        ("neb", "nebula", 7, 4, 16.5, CALIBRATION),
        ("wd", "white_dwarf", 2, 3, 14.0, ""),
    ):
        toml = work / f"{name}.toml"
        toml.write_text(SCENARIO.format(**{k: v for k, v in locals().items() if k in SCENARIO}))
        run("simulate", toml, "--out", work / name, "-q")
        run("reduce", work / name, "-q", *([] if calibration else ["--masters", neb]))
    run("spectra", "standard", "--detector", 1, "--magnitude", 14, "--out", model)
    run("spectra", "calibrate", "--nebulae", neb, "--standards", wd, "--model", model, "--nominal", work / "drawn", "--out", measured, "-q")
    run("spectra", "extract", wd, "--configuration", measured, "-q")

    level1 = next((wd / "L1").glob("*_L1_*.fits"))
    with fits.open(level1) as hdus:
        rate, bad = hdus["SCI"].data.astype(float), hdus["DQ"].data != 0
        x0, y0 = hdus[1].header.get("WINX0", hdus[0].header.get("WINX0")), hdus[1].header.get("WINY0", hdus[0].header.get("WINY0"))
    with fits.open(next((wd / "truth").glob("*truth.fits"))) as hdus:
        stars = [(row["OBJ_ID"], row["X"], row["Y"]) for row in hdus["OBJECTS"].data]
    spectra = next((wd / "spectra").glob("*_spec.fits"))
    ours = fits.getdata(spectra, 1)
    sky = np.nanmedian(rate[~bad])
    order = order_of(measured / "CSST_GI01_right.conf", "+1")
    true = np.loadtxt(model, delimiter=",", comments="#", skiprows=2)
    edges = np.arange(640.0, 901.0, 20.0)
    sums, theirs, ours_sum = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    used = 0
    for ident, x, y in stars:
        fine = np.linspace(6250.0, 9900.0, 20_000)
        dx, dy = (np.ravel(v) for v in order.deltas(x, y, fine))
        columns = np.arange(int(np.ceil((x + dx).min())), int((x + dx).max()))
        if columns[0] < x0 or columns[-1] >= x0 + rate.shape[1]:
            continue
        used += 1
        ranked = np.argsort(dx)
        wave = np.interp(columns, x + dx[ranked], fine[ranked])
        row = np.interp(columns, x + dx[ranked], y + dy[ranked])
        width = np.abs(np.gradient(wave))
        for column, angstrom, centre, step in zip(columns, wave, row, width):
            rows = np.arange(int(centre) - 14, int(centre) + 16)
            part, flags = rate[rows - y0, column - x0] - sky, bad[rows - y0, column - x0]
            k = np.searchsorted(edges, angstrom / 10) - 1
            if flags.any() or not 0 <= k < len(sums):
                continue
            # Electrons per second over sensitivity: flux times the width of the column.
            theirs[k] += part.sum() / order.sensitivity(angstrom)
            sums[k] += np.interp(angstrom / 10, true[:, 0], true[:, 1]) / 10 * step
            near = ours[(ours["ID"] == ident) & (ours["ORDER"] == 1) & (ours["GRATING"] == 1)]
            ours_sum[k] += np.interp(angstrom / 10, near["WAVELENGTH"], near["FLUX"]) / 10 * step
    model_ratio, our_ratio = theirs / sums, theirs / ours_sum
    print(f"{used} spectra, box of 30 rows along slitlessutils' traces, bins of 20 nm:")
    print("  over the model   ", np.array2string(model_ratio, precision=4))
    print("  over our spectra ", np.array2string(our_ratio, precision=4))
    return used >= 3 and np.abs(model_ratio - 1).max() < 0.02 and np.abs(our_ratio - 1).max() < 0.03


def main():
    skyloop, work = sys.argv[1], pathlib.Path(sys.argv[2])
    work.mkdir(parents=True, exist_ok=True)
    good = [nominal(skyloop, work), star(skyloop, work)]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()

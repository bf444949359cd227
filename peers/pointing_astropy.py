"""A pointing plan against astropy, healpy and mocpy: Sun, Moon and ground track, depth of each cell, the MOC, the plan's three files.

pointing_astropy.py PROGRAM WORK: PROGRAM is the example `pointing_plan`. Directions of Sun and Moon within 0.02 deg, which is enough for limits in degrees;
depth equal cell by cell but where a centre lies within a hair of an edge; files equal to the last bit.
"""

import subprocess
import sys
import warnings
from pathlib import Path

import astropy.units as u
import healpy
import numpy as np
import pyarrow.parquet as parquet
from astropy.coordinates import GCRS, ITRS, CartesianRepresentation, get_body
from astropy.table import Table
from astropy.time import Time
from astropy.utils import iers
from mocpy import MOC

LIMIT_DEG = 0.02
# The ground track: UT1 is not UTC (0.004 deg at most) and the pole moves (0.0002 deg).
TRACK_DEG = 0.005
iers.conf.auto_download = False
iers.conf.auto_max_age = None
iers.conf.iers_degraded_accuracy = "warn"
# Leap seconds and UT1 of years to come are not known.
warnings.filterwarnings("ignore")

FIELD = Path(__file__).resolve().parent.parent / "instruments/data/msc/focal_plane.csv"


def apart_deg(a, b):
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b, axis=0), axis=0), (a * b).sum(axis=0)))


def bodies(work):
    of = Table.read(work / "moments.csv", format="ascii.csv")
    time = Time(of["mjd"], format="mjd", scale="utc")
    place = CartesianRepresentation(of["x"], of["y"], of["z"], unit=u.km)
    frame = GCRS(obstime=time, obsgeoloc=place, obsgeovel=CartesianRepresentation(*np.zeros((3, len(of))), unit=u.km / u.s))
    worst = []
    for name in ("sun", "moon"):
        there = get_body(name, time, ephemeris="builtin").transform_to(frame)
        theirs = there.cartesian.xyz.value
        ours = np.array([of[f"{name}_{axis}"] for axis in "xyz"])
        worst.append(apart_deg(ours, theirs / np.linalg.norm(theirs, axis=0)).max())
    ground = GCRS(place, obstime=time).transform_to(ITRS(obstime=time)).spherical
    longitude = (of["longitude"] - ground.lon.deg + 540) % 360 - 180
    track = max(np.abs(longitude * np.cos(np.radians(of["latitude"]))).max(), np.abs(of["latitude"] - ground.lat.deg).max())
    print(f"{len(of)} moments: Sun {worst[0]:.4f} deg, Moon {worst[1]:.4f} deg, ground track {track:.4f} deg")
    return max(worst) < LIMIT_DEG and track < TRACK_DEG


def corners(plan, x, y):
    """Directions of places in the mosaic [deg] of all pointings."""
    ra, dec, angle = (np.radians(np.asarray(plan[c])) for c in ("ra_deg", "dec_deg", "position_angle_deg"))
    sight = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    north = np.array([-np.sin(dec) * np.cos(ra), -np.sin(dec) * np.sin(ra), np.cos(dec)])
    east = np.array([-np.sin(ra), np.cos(ra), 0 * ra])
    along_y = np.cos(angle) * north + np.sin(angle) * east
    along_x = np.sin(angle) * north - np.cos(angle) * east
    p = sight + np.radians(x) * along_x + np.radians(y) * along_y
    return p / np.linalg.norm(p, axis=0)


def depth(work, plan):
    detectors = [line.split(",") for line in FIELD.read_text().splitlines() if line and line[0].isdigit()]
    good = True
    table = Table.read(work / "coverage.fits", hdu=1)
    nside = table.meta["NSIDE"]
    for band in ("r", "NUV"):
        column = 2 * [name for name in table.colnames if name.startswith("N_")].index(f"N_{band}")
        ours = healpy.read_map(work / "coverage.fits", field=column, nest=True, partial=True, dtype=np.float64)
        ours = np.where(ours == healpy.UNSEEN, 0, ours)
        theirs = np.zeros(healpy.nside2npix(nside), dtype=np.int32)
        for _, name, x, y in detectors:
            if name != band:
                continue
            x, y, w, h = float(x), float(y), 4608.0, 4616.0
            around = [corners(plan, sx * 0.074 / 3600, sy * 0.074 / 3600) for sx, sy in ((x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h))]
            for k in range(len(plan)):
                theirs[healpy.query_polygon(nside, np.array([c[:, k] for c in around]), nest=True)] += 1
        unlike = np.count_nonzero(ours != theirs)
        seen = np.count_nonzero(theirs)
        print(f"{band}: {seen} cells of nside {nside}, {unlike} unlike")
        good &= seen > 1000 and unlike <= 1e-5 * seen
        if band == "r":
            order = int(np.log2(nside))
            ipix = np.flatnonzero(ours >= 2).astype(np.uint64)
            told = MOC.from_healpix_cells(ipix, np.full(len(ipix), order, dtype=np.uint8), order)
            fits, text = MOC.from_fits(work / "depth_r.fits"), MOC.from_string((work / "depth_r.txt").read_text(), "ascii")
            same = fits == told and text == told
            print(f"MOC: order {fits.max_order}, {fits.sky_fraction * 41252.96:.3f} deg2, {'equal' if same else 'UNLIKE'}")
            good &= same and fits.max_order == order
    return good


def files(work):
    csv = Table.read(work / "plan.csv", format="ascii.csv")
    fits = Table.read(work / "plan.fits")
    columns = parquet.read_table(work / "plan.parquet")
    good = len(csv) > 0 and csv.colnames == fits.colnames == columns.column_names
    for name in csv.colnames:
        a, b, c = np.asarray(csv[name]).astype(str), np.asarray(fits[name]), columns[name].to_numpy(zero_copy_only=False)
        if name == "programme":
            good &= (a == b.astype(str)).all() and (a == c.astype(str)).all()
        else:
            good &= (np.asarray(csv[name]) == b).all() and (b == c).all()
    print(f"plan: {len(csv)} rows, units {[str(fits[n].unit) for n in fits.colnames]}, {'equal' if good else 'UNLIKE'} in CSV, FITS and Parquet")
    return csv, good


def main(program, work):
    work = Path(work)
    subprocess.run([program, str(work), "survey25", "200"], check=True)
    plan, equal = files(work)
    found = [bodies(work), equal, depth(work, plan)]
    return 0 if all(found) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Apparent places against ERFA and astropy: proper motion, parallax, deflection by the Sun, annual and orbital aberration.

observer_erfa.py PROGRAM WORK: PROGRAM is the example `observer_places`. ERFA (the SOFA routines in C) is given the same geocentric state of the
observer; astropy's own transformation to a GCRS that moves with it is asked too, for stars that stand still. Both below 0.1 mas.
"""

import csv
import subprocess
import sys
import warnings
from pathlib import Path

import astropy.units as u
import erfa
import numpy as np
from astropy.coordinates import GCRS, CartesianRepresentation, SkyCoord
from astropy.time import Time

LIMIT_MAS = 0.1
# Leap seconds of years to come are not known.
warnings.filterwarnings("ignore", category=erfa.ErfaWarning)


def apart_mas(ra1, dec1, ra2, dec2):
    a, b = erfa.s2c(ra1, dec1), erfa.s2c(ra2, dec2)
    return np.degrees(np.linalg.norm(np.cross(a, b), axis=-1)) * 3.6e6


def main(program, work):
    work = Path(work)
    work.mkdir(parents=True, exist_ok=True)
    table = work / "places.csv"
    subprocess.run([program, str(table), "2000"], check=True)
    with open(table) as file:
        rows = list(csv.DictReader(file))
    of = {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}
    time = Time(of["mjd"], format="mjd", scale="utc")
    ra, dec = np.radians(of["ra"]), np.radians(of["dec"])
    seen = np.radians(of["ra_seen"]), np.radians(of["dec_seen"])

    # ERFA, star by star: its parameters are one structure.
    place = np.empty((2, len(rows)))
    mas = np.radians(1 / 3.6e6)
    for k in range(len(rows)):
        tdb = time[k].tdb
        pv = np.zeros((), dtype=erfa.dt_pv)
        pv["p"] = [of["x"][k], of["y"][k], of["z"][k]]
        pv["v"] = [of["vx"][k], of["vy"][k], of["vz"][k]]
        astrom = erfa.apcs13(tdb.jd1, tdb.jd2, pv)
        astrom["pmt"] -= of["epoch"][k] - 2000.0
        place[:, k] = erfa.atciq(
            ra[k], dec[k], of["pmra"][k] * mas / np.cos(dec[k]), of["pmdec"][k] * mas, of["parallax"][k] / 1000, of["rv"][k], astrom
        )
    by_erfa = apart_mas(*place, *seen)

    # astropy: a frame that moves with the observer, for stars that stand still. Its space motion counts light time where SOFA's does not.
    near = (of["parallax"] > 1e-3) & (of["pmra"] == 0.0)
    star = SkyCoord(of["ra"][near] * u.deg, of["dec"][near] * u.deg, distance=1000 / of["parallax"][near] * u.pc)
    frame = GCRS(
        obstime=time[near],
        obsgeoloc=CartesianRepresentation(*[of[c][near] * u.m for c in ("x", "y", "z")]),
        obsgeovel=CartesianRepresentation(*[of[c][near] * u.m / u.s for c in ("vx", "vy", "vz")]),
    )
    place = star.transform_to(frame)
    by_astropy = apart_mas(place.ra.rad, place.dec.rad, seen[0][near], seen[1][near])

    print(f"ERFA: {len(rows)} places, worst {by_erfa.max():.5f} mas, median {np.median(by_erfa):.6f}")
    print(f"astropy: {near.sum()} places, worst {by_astropy.max():.5f} mas, median {np.median(by_astropy):.6f}")
    return 0 if by_erfa.max() < LIMIT_MAS and by_astropy.max() < LIMIT_MAS and near.sum() > 100 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

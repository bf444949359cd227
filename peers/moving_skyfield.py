"""Places of asteroids and satellites against skyfield, the sgp4 package, astropy and ERFA.

moving_skyfield.py PROGRAM WORK: PROGRAM is the example `moving_places`. Orbits: skyfield's Kepler propagator; place and velocity of the Earth, deflection and
aberration: ERFA. Satellites: the package sgp4 (the reference in C++) and astropy's frame TEME. H-G magnitudes: written out from Bowell et al. 1989.
"""

import csv
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import astropy.units as u
import erfa
import numpy as np
from astropy.coordinates import GCRS, TEME, CartesianRepresentation
from astropy.time import Time
from astropy.utils import iers
from sgp4.api import Satrec
from skyfield.api import load
from skyfield.constants import GM_SUN_Pitjeva_2005_km3_s2
from skyfield.data import mpc

iers.conf.auto_download = False
iers.conf.iers_degraded_accuracy = "ignore"
warnings.filterwarnings("ignore", category=erfa.ErfaWarning)
AU_KM, LIGHT_KM_S = 149597870.7, 299792.458
# Element sets of the public catalogue as they stood in early 2024: low, high, polar, eccentric.
TLE = """ISS (ZARYA)
1 25544U 98067A   24079.07757601  .00016717  00000-0  10270-3 0  9995
2 25544  51.6400 208.9163 0006317  69.9862 290.2000 15.49815571440000
HIGH CIRCLE
1 44057U 19010A   24079.50000000  .00000010  00000-0  10000-3 0  9994
2 44057  87.9000 120.0000 0002000  90.0000 270.0000 13.15000000240003
MOLNIYA
1 08195U 75081A   24079.33215444  .00000099  00000-0  11873-3 0  8138
2 08195  64.1586 279.0717 6877146 264.7651  20.2257  2.00491383225653
GEO
1 26038U 99071A   24079.50000000 -.00000100  00000-0  00000-0 0  9991
2 26038   0.0500  80.0000 0002000  10.0000 200.0000  1.00270000 88000
"""


def with_checksums(text):
    out = []
    for line in text.splitlines():
        if line[:2] in ("1 ", "2 "):
            body = line[:68]
            out.append(body + str(sum(int(c) if c.isdigit() else c == "-" for c in body) % 10))
        else:
            out.append(line)
    return "\n".join(out) + "\n"


def orbits(count):
    random = np.random.default_rng(4)
    rows = []
    for k in range(count):
        a = [2.0 + 1.4 * random.random(), 0.8 + random.random(), 5.2, 39 + 10 * random.random()][k % 4]
        e = [0.3 * random.random(), 0.5 + 0.45 * random.random(), 0.1 * random.random(), 0.2 * random.random()][k % 4]
        rows.append(
            dict(name=f"B{k}", a=a, e=e, i=[30, 60, 20, 10][k % 4] * random.random(), node=360 * random.random(), peri=360 * random.random(),
                 M=360 * random.random(), epoch=60300 + (k % 5) * 10, H=10 + 10 * random.random(), G=[0.15, 0.25][k % 2])
        )
    return rows


def kepler(row, ts, tdb_mjd):
    """Place about the Sun in au, ICRS axes, by skyfield."""
    minor = SimpleNamespace(
        **dict(designation=row["name"], designation_packed=row["name"], semimajor_axis_au=row["a"], eccentricity=row["e"], inclination_degrees=row["i"],
               longitude_of_ascending_node_degrees=row["node"], argument_of_perihelion_degrees=row["peri"], mean_anomaly_degrees=row["M"],
               epoch_packed="K01AM", magnitude_H=row["H"], magnitude_G=row["G"])
    )
    epoch = Time(row["epoch"], format="mjd")
    # mpcorb_orbit reads the packed date: the calendar of the epoch.
    date = epoch.to_datetime()
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUV"
    minor.epoch_packed = f"K{date.year - 2000:02d}{digits[date.month]}{digits[date.day]}"
    orbit = mpc.mpcorb_orbit(minor, ts, GM_SUN_Pitjeva_2005_km3_s2)
    return orbit.at(ts.tdb_jd(tdb_mjd + 2400000.5)).xyz.au


def bowell(h, g, r, d, phase):
    t = np.tan(phase / 2)
    return h + 5 * np.log10(r * d) - 2.5 * np.log10((1 - g) * np.exp(-3.33 * t**0.63) + g * np.exp(-1.87 * t**1.22))


def unit(v):
    return v / np.linalg.norm(v)


def apart_mas(a, b):
    return np.degrees(2 * np.arcsin(np.linalg.norm(unit(a) - unit(b)) / 2)) * 3.6e6


def main(program, work):
    work = Path(work)
    work.mkdir(parents=True, exist_ok=True)
    bodies = orbits(200)
    with open(work / "orbits.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, bodies[0].keys())
        writer.writeheader()
        writer.writerows(bodies)
    text = with_checksums(TLE)
    (work / "elements.tle").write_text(text)
    subprocess.run([program, str(work / "orbits.csv"), str(work / "elements.tle"), str(work / "places.csv")], check=True)
    lines = text.splitlines()
    satellites = {lines[k]: Satrec.twoline2rv(lines[k + 1], lines[k + 2]) for k in range(0, len(lines), 3)}
    by_name = {row["name"]: row for row in bodies}
    ts = load.timescale(builtin=True)
    with open(work / "places.csv") as file:
        rows = list(csv.DictReader(file))
    worst = dict(body=0.0, shown=0.0, magnitude=0.0, satellite_km=0.0, satellite=0.0, satellite_shown=0.0)
    counts = dict(body=0, satellite=0)
    for index, row in enumerate(rows):
        # A tenth of the bodies is enough: skyfield makes an orbit at a time.
        if row["kind"] == "body" and index % 10:
            continue
        f = {key: float(value) for key, value in row.items() if key not in ("kind", "name")}
        counts[row["kind"]] += 1
        time = Time(f["mjd"], format="mjd", scale="utc")
        tdb = time.tdb
        helio, bary = erfa.epv00(tdb.jd1, tdb.jd2)
        state = np.array([f["x"], f["y"], f["z"]]), np.array([f["vx"], f["vy"], f["vz"]])
        pv = np.zeros((), dtype=erfa.dt_pv)
        pv["p"], pv["v"] = state
        astrom = erfa.apcs13(tdb.jd1, tdb.jd2, pv)
        observer = bary["p"] + state[0] / 1000 / AU_KM
        place = erfa.s2c(np.radians(f["ra"]), np.radians(f["dec"]))
        shown = erfa.s2c(np.radians(f["ra_shown"]), np.radians(f["dec_shown"]))
        nominal = erfa.s2c(np.radians(f["ra0"]), np.radians(f["dec0"]))
        natural = erfa.ldsun(nominal, astrom["eh"], astrom["em"])
        axis = erfa.ab(natural, astrom["v"], astrom["em"], astrom["bm1"])
        if row["kind"] == "body":
            orbit = by_name[row["name"]]
            tau = 0.0
            for _ in range(4):
                helio_then, bary_then = erfa.epv00(tdb.jd1, tdb.jd2 - tau / 86400)
                sun = bary_then["p"] - helio_then["p"]
                q = kepler(orbit, ts, tdb.mjd - tau / 86400)
                p = q + sun - observer
                tau = np.linalg.norm(p) * AU_KM / LIGHT_KM_S
            worst["body"] = max(worst["body"], apart_mas(p, place))
            bent = erfa.ld(1.0, unit(p), unit(q), astrom["eh"], astrom["em"], 1e-6 / max(astrom["em"] ** 2, 1))
            seen = erfa.ab(bent, astrom["v"], astrom["em"], astrom["bm1"])
            phase = np.arccos(np.dot(unit(p), unit(q)))
            v = bowell(orbit["H"], orbit["G"], np.linalg.norm(q), np.linalg.norm(p), phase)
            worst["magnitude"] = max(worst["magnitude"], abs(v - f["v"]))
            name = "shown"
        else:
            satellite = satellites[row["name"]]

            def at(offset_s):
                t = time + offset_s * u.s
                error, r, _ = satellite.sgp4(t.utc.jd1, t.utc.jd2)
                assert error == 0
                teme = TEME(CartesianRepresentation(r * u.km), obstime=t)
                return teme.transform_to(GCRS(obstime=t)).cartesian.xyz.to_value(u.km)

            tau = 0.0
            for _ in range(2):
                p = at(-tau) - bary["v"] * AU_KM / 86400 * tau - state[0] / 1000
                tau = np.linalg.norm(p) / LIGHT_KM_S
            distance = np.linalg.norm(p)
            worst["satellite_km"] = max(worst["satellite_km"], np.linalg.norm(p - place * f["distance_km"]))
            worst["satellite"] = max(worst["satellite"], apart_mas(p, place))
            seen = erfa.ab(unit(p), astrom["v"], astrom["em"], astrom["bm1"])
            name = "satellite_shown"
        # The view turns the sky as a whole: angles from the boresight stay.
        angle = apart_mas(seen, axis) - apart_mas(shown, nominal)
        worst[name] = max(worst[name], abs(angle))
    print(f"{counts['body']} places of bodies: astrometric within {worst['body']:.4f} mas, shown within {worst['shown']:.4f} mas, V within {worst['magnitude']:.1e}")
    print(
        f"{counts['satellite']} places of satellites: within {1000 * worst['satellite_km']:.1f} m, {worst['satellite'] / 1000:.4f} arcsec, "
        f"shown within {worst['satellite_shown'] / 1000:.4f} arcsec"
    )
    good = worst["body"] < 1.0 and worst["shown"] < 1.0 and worst["magnitude"] < 1e-6
    good &= worst["satellite_km"] < 0.02 and worst["satellite"] < 5000 and worst["satellite_shown"] < 5000
    return 0 if good and counts["body"] > 500 and counts["satellite"] > 40 else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

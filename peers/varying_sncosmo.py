"""Quasars and supernovae against sncosmo (light curves), qsogen (colours of quasars), astropy (distances, volumes) and numpy.

varying_sncosmo.py PROGRAM SKYLOOP WORK [QSOGEN]: PROGRAM is the example `varying_sky`, QSOGEN a checkout of github.com/MJTemple/qsogen (left out: its colours
do not judge). Limits: Ia of sncosmo's Hsiao template in g, r, i, z 0.01 mag (median) and 0.05 mag (worst); colours of quasars where no forest is 0.05 mag; structure
function and correlation of walks within 4 sampling errors; distances 0.01 %; quasars on 7 deg2 and supernovae on 0.5 deg2 of `catalog make` against
luminosity function and rates integrated here within 4 Poisson errors plus 6 % and 20 %; the same numbers of objects on another date.
"""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import sncosmo
from astropy import units as u
from astropy.cosmology import FlatLambdaCDM

GOOD = []


def verdict(what, worst, limit):
    print(f"{what:<84} {worst:9.4f}  limit {limit:g}  {'ok' if worst <= limit else 'FAILED'}")
    GOOD.append(worst <= limit)


def table(path, **more):
    return np.genfromtxt(path, delimiter=",", names=True, **more)


def band(name):
    file = Path(__file__).parent.parent / "catalogs/data/band" / f"{name}.csv"
    wavelength, response = np.loadtxt(file, delimiter=",", skiprows=1, unpack=True, usecols=(0, 1))
    # Ours are per photon, as those of sncosmo.
    return sncosmo.Bandpass(10 * wavelength, response, name=name)


def distances(work):
    rates = table(work / "rates.csv", skip_header=1)
    h, omega = [float(x) for x in open(work / "rates.csv").readline().split()[2::2]]
    universe = FlatLambdaCDM(H0=100 * h * u.km / u.s / u.Mpc, Om0=omega, Tcmb0=2.7255, Neff=3.046)
    chi = universe.comoving_distance(rates["redshift"]).to_value("Mpc")
    verdict("astropy: comoving distances to redshift 3, per mille", 1e3 * np.abs(rates["chi_mpc"] / chi - 1).max(), 0.1)
    return universe, rates


def light_curves(work, universe):
    ours = table(work / "supernovae.csv")
    model = sncosmo.Model(source="hsiao-subsampled")
    misses = []
    for row in ours:
        model.set(z=0.0, t0=0.0, amplitude=1.0)
        model.set_source_peakmag(-19.3 - 0.09, band("bessell_b"), "ab")
        # Of a source at 10 pc: sncosmo stretches wavelengths and takes the 1 / (1 + z) of the flux, the luminosity distance is ours to put in.
        model.set(z=row["redshift"])
        modulus = universe.distmod(row["redshift"]).value
        for name in "griz":
            if row[name] == row[name]:
                day = row["day"] * (1 + row["redshift"])
                theirs = model.bandmag(band(f"sdss_{name}"), "ab", day) + modulus
                misses.append(row[name] - theirs)
    misses = np.array(misses)
    # What is left is its interpolation between 5 d by splines, ours by straight lines in flux and magnitude.
    verdict("sncosmo: Ia in g, r, i, z on 7 days at 7 redshifts, median mag", np.median(np.abs(misses)), 0.01)
    verdict("sncosmo: the same, worst mag", np.abs(misses).max(), 0.05)


def colours(work, qsogen):
    ours = table(work / "colours.csv")
    if qsogen is None:
        print("qsogen is not here: colours of quasars are not judged")
        return
    sys.path.insert(0, str(qsogen))
    here = os.getcwd()
    os.chdir(qsogen)
    from qsosed import Quasar_sed

    # Lower edge of the bluer band over Lyman alpha with its forest.
    free = {"u_g": 1.5, "g_r": 2.1, "r_i": 3.4, "i_z": 4.5}
    grid = np.logspace(2.9, 4.48, 12001)
    worst = dict.fromkeys(free, 0.0)
    bands = {n: band(f"sdss_{n}") for n in "ugriz"}
    for row in ours:
        theirs = Quasar_sed(z=row["redshift"], M_i=row["absolute_i"], LogL3000=None, wavlen=grid, gflag=False)
        mags = {}
        for n, b in bands.items():
            w = np.linspace(b.minwave(), b.maxwave(), 3000)
            flux = np.interp(w / (1 + theirs.z), grid, theirs.flux)
            mags[n] = -2.5 * np.log10(1e-300 + np.trapezoid(flux * b(w) * w, w) / np.trapezoid(b(w) / w, w))
        for pair, last in free.items():
            a, b = pair.split("_")
            if 0.25 <= row["redshift"] <= last:
                worst[pair] = max(worst[pair], abs((row[a] - row[b]) - (mags[a] - mags[b])))
    os.chdir(here)
    for pair, miss in worst.items():
        verdict(f"qsogen: {pair.replace('_', ' - ')} of quasars of M_i -23, -25, -27 to redshift {free[pair]}, worst mag", miss, 0.05)


def walks(work):
    dates = np.array([float(x) for x in open(work / "walks.csv").readline().split(",")])
    x = np.loadtxt(work / "walks.csv", delimiter=",", skiprows=1)
    n, worst = len(x), 0.0
    for i in range(len(dates)):
        for j in range(i + 1):
            wanted = 0.08 * np.exp(-abs(dates[i] - dates[j]) / 120.0)
            # Error of a mean product of two normals: sqrt((C_ii C_jj + C_ij^2) / n).
            error = np.sqrt((0.08**2 + wanted**2) / n)
            worst = max(worst, abs((x[:, i] * x[:, j]).mean() - wanted) / error)
    verdict("numpy: covariance of 2000 walks at 36 pairs of dates, worst in sampling errors", worst, 4.0)
    squares = [((x[:, i] - x[:, 0]) ** 2).mean() / (0.16 * (1 - np.exp(-(dates[i] - dates[0]) / 120.0))) for i in range(1, len(dates))]
    verdict("numpy: their structure function at 7 lags, worst in sampling errors", np.abs(np.array(squares) - 1).max() / np.sqrt(2 / n), 4.0)


def make(skyloop, work, kind, cone, date, field=None):
    out = work / f"{kind}_{date}.parquet"
    more = ["--field", str(field)] if field else []
    command = [skyloop, "catalog", "make", "--kind", kind, "--cone", cone, "--seed", "5", "--date", str(date), "--out", str(out), *more]
    subprocess.run([str(c) for c in command], check=True, capture_output=True)
    return {n: np.array(c) for n, c in pq.read_table(out).to_pydict().items()}


def quasars(skyloop, work):
    now = make(skyloop, work, "quasar", "40,10,0.98", 60000)
    later = make(skyloop, work, "quasar", "40,10,0.98", 61000)
    verdict("quasars that are others on another date", float((now["id"] != later["id"]).sum()), 0)
    # Counts are of nuclei: without the light of hosts, at their mean brightness. 7 deg2.
    steady = work / "steady.toml"
    steady.write_text("[quasars]\nscale = 1.0\nhosts = false\nvariable = false\n")
    area = 2 * np.pi * (1 - np.cos(np.radians(1.5))) * (180 / np.pi) ** 2
    now = make(skyloop, work, "quasar", "40,10,1.5", 60000, steady)
    # Pure luminosity evolution of Palanque-Delabrouille et al. 2016, counts in r as in their table 7 (per 10,000 deg2).
    published = np.loadtxt(Path(__file__).parent.parent / "catalogs/data/quasar_counts_r.csv", delimiter=",", skiprows=1)
    r, z = now["r"], now["redshift"]
    worst = 0.0
    for row in published:
        if 19 < row[0] < 22.5:
            for k in range(3):
                wanted = row[1 + k] / 1e4 * area
                got = ((r >= row[0] - 0.25) & (r < row[0] + 0.25) & (z >= k) & (z < k + 1)).sum()
                # K is that of another spectrum: 0.1 mag of slopes from 0.3 to 1.3.
                worst = max(worst, (abs(got - wanted) - 0.36 * wanted) / np.sqrt(wanted))
    verdict("published counts by r and redshift (19 to 22.5, 0 to 3), beyond 36 %, in Poisson errors", worst, 4.0)
    # Rows are middles of half magnitudes: those to 21.75 end at r = 22.
    bright = r < 22.0
    wanted = published[published[:, 0] < 22.0, 1:].sum() / 1e4 * area
    verdict(f"published counts to r = 22 ({wanted:.0f} on {area:.2f} deg2), made over published, in %", 100 * abs(bright.sum() / wanted - 1), 12.0)


def supernovae(skyloop, work, universe, rates):
    field = work / "field.toml"
    field.write_text("[supernovae]\nscale = 20.0\nfaint = 24.0\n[galaxies]\nclustering = false\nfaint = 25.5\n")
    radius = 0.4
    area = 2 * np.pi * (1 - np.cos(np.radians(radius))) * (180 / np.pi) ** 2
    made = make(skyloop, work, "supernova", f"120,-20,{radius}", "2027-01-01", field)
    ia = np.char.startswith(made["spectrum"].astype(str), "sn_Ia")
    # Ia alone, by sncosmo's template: rate x volume x time x share that is brighter than 24 in i, by draws.
    model = sncosmo.Model(source="hsiao-subsampled")
    rng = np.random.default_rng(3)
    i_band, b_band, sight = band("sdss_i"), band("bessell_b"), 100.0
    wanted = 0.0
    for z, rate in zip(rates["redshift"], rates["ia"]):
        if z > 1.6:
            continue
        volume = (universe.differential_comoving_volume(z).value * (np.pi / 180) ** 2) * 0.05 * area
        seen = 0
        n = 150
        for _ in range(n):
            side = lambda peak, low, high: peak - low * abs(rng.normal()) if rng.random() < low / (low + high) else peak + high * abs(rng.normal())
            x, c = side(0.973, 1.472, 0.222), side(-0.054, 0.043, 0.101)
            stretch = 0.98 + 0.091 * x + 0.003 * x * x - 0.00075 * x**3
            day = rng.uniform(-18, sight - 18)
            if not -17.5 < day / stretch < 84:
                continue
            model.set(z=0.0, t0=0.0, amplitude=1.0)
            model.set_source_peakmag(-19.05 + 5 * np.log10(universe.H0.value / 70) - 0.141 * x + 3.101 * c + 0.1 * rng.normal() - 0.09, b_band, "ab")
            model.set(z=z)
            m = model.bandmag(i_band, "ab", day / stretch * (1 + z)) + universe.distmod(z).value
            seen += m < 24.0
        wanted += 20 * rate * volume * sight / 365.25 * seen / n
    got = (ia & (made["redshift"] < 1.6)).sum()
    print(f"supernovae Ia brighter than 24 in i on {area:.3f} deg2 at 20 times the rate: {got}, by sncosmo {wanted:.0f}; all types {len(ia)}")
    verdict("sncosmo and astropy: number of Ia, difference beyond 4 Poisson errors, in %", 100 * max(0.0, abs(got - wanted) - 4 * np.sqrt(wanted)) / wanted, 20.0)


def main():
    program, skyloop, work = sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3]).resolve()
    qsogen = Path(sys.argv[4]).resolve() if len(sys.argv) > 4 else None
    work.mkdir(parents=True, exist_ok=True)
    subprocess.run([program, str(work)], check=True)
    universe, rates = distances(work)
    light_curves(work, universe)
    colours(work, qsogen)
    walks(work)
    quasars(skyloop, work)
    supernovae(skyloop, work, universe, rates)
    sys.exit(0 if GOOD and all(GOOD) else 1)


main()

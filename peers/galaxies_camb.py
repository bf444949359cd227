"""The synthetic galaxies against CAMB (distances, growth, power, lensing), TreeCorr (two-point functions of made catalogues) and numpy (photometry).

galaxies_camb.py PROGRAM WORK [PLOT.png]: PROGRAM is the example `galaxy_field`. Twelve fields of 1 deg2, i < 24, each with its own seed: their scatter is
the sampling error. Limits: distances 0.1 %, growth 0.5 %, linear power 5 %, non-linear 8 %, power of the convergence 10 % (12 % as made); two-point functions within
four errors of the theory the catalogue was made with; counts per half magnitude 10 %; fluxes through bands 1e-4 of the larger of the band's and i.
"""

import subprocess
import sys
from pathlib import Path

import camb
import numpy as np
import treecorr
from scipy.special import jv

FIELDS, RADIUS, FAINT = 12, 0.5642, 24.0


def table(path):
    return np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf8")


def columns(path):
    """A large table of numbers."""
    with open(path) as file:
        names = file.readline().strip().split(",")
    return dict(zip(names, np.loadtxt(path, delimiter=",", skiprows=1, unpack=True)))


def verdict(what, worst, limit):
    print(f"{what:<72} {worst:10.5f}  limit {limit:g}  {'ok' if worst <= limit else 'FAILED'}")
    return worst <= limit


def universe(work):
    c = table(work / "cosmology.csv")
    h2 = c["h"] ** 2
    make = lambda amplitude: camb.set_params(
        H0=100 * c["h"], ombh2=c["omega_b"] * h2, omch2=(c["omega_m"] - c["omega_b"]) * h2, ns=c["n_s"], As=amplitude, mnu=0.0, omk=0.0,
        halofit_version="takahashi", kmax=60.0,
    )
    trial = make(2.1e-9)
    trial.set_matter_power(redshifts=[0.0], kmax=60.0)
    sigma = camb.get_results(trial).get_sigma8_0()
    return float(c["h"]), float(c["omega_m"]), make(2.1e-9 * float(c["sigma_8"] / sigma) ** 2)


def theory(work):
    h, omega_m, parameters = universe(work)
    results = camb.get_background(parameters)
    b = table(work / "background.csv")
    chi = results.comoving_radial_distance(b["z"]) * h
    good = verdict("CAMB: comoving distance to redshift 7, relative", np.abs(b["chi_mpc_h"] / chi - 1).max(), 1e-3)
    linear = camb.get_matter_power_interpolator(parameters, nonlinear=False, hubble_units=True, k_hunit=True, kmax=60, zmax=8)
    full = camb.get_matter_power_interpolator(parameters, nonlinear=True, hubble_units=True, k_hunit=True, kmax=60, zmax=8)
    growth = np.sqrt([linear.P(z, 0.1) / linear.P(0.0, 0.1) for z in b["z"]])
    good &= verdict("CAMB: growth at 0.1 h/Mpc, relative", np.abs(b["growth"] / growth - 1).max(), 5e-3)
    p = table(work / "power.csv")
    inside = (p["k"] > 2e-3) & (p["k"] < 20)
    ratio = p["linear"][inside] / linear.P(p["z"][inside], p["k"][inside], grid=False)
    good &= verdict("CAMB: linear power, 0.002 to 20 h/Mpc, relative", np.abs(ratio - 1).max(), 0.05)
    ratio = p["nonlinear"][inside] / full.P(p["z"][inside], p["k"][inside], grid=False)
    good &= verdict("CAMB: non-linear power, redshift 0 to 4, relative", np.abs(ratio - 1).max(), 0.08)
    c = table(work / "convergence.csv")
    for z in (0.5, 1.0, 2.0):
        rows = c[(c["z_source"] == z) & (c["l"] > 30) & (c["l"] < 6000)]
        source = results.comoving_radial_distance(z) * h
        edges = np.linspace(0, source, 401)
        x = 0.5 * (edges[1:] + edges[:-1])
        zx = results.redshift_at_comoving_radial_distance(x / h)
        q = 1.5 * omega_m / 2997.92458**2 * (1 + zx) * (1 - x / source)
        k = (rows["l"][:, None] + 0.5) / x
        cl = (q**2 * np.where(k < 60, full.P(np.broadcast_to(zx, k.shape), np.minimum(k, 60), grid=False), 0)).sum(axis=1) * (edges[1] - edges[0])
        good &= verdict(f"CAMB and Limber: convergence of z = {z}, shells, l 30 to 6000, relative", np.abs(rows["limber_shells"] / cl - 1).max(), 0.1)
        good &= verdict(f"  and as the levels make it, worst (rms {np.std(rows['made'] / cl):.3f})", np.abs(rows["made"] / cl - 1).max(), 0.12)
    return good


def shear_theory(work, arcmin):
    s = table(work / "shear.csv")
    l = np.exp(np.linspace(np.log(2), np.log(9e4), 60000))
    cl = np.exp(np.interp(np.log(l), np.log(s["l"]), np.log(s["z_08_16"] + 1e-30)))
    t = np.radians(np.asarray(arcmin) / 60)
    weight = l * l * cl / (2 * np.pi) * (np.log(l[1]) - np.log(l[0]))
    return [np.array([(weight * jv(n, l * a)).sum() for a in t]) for n in (0, 4)]


def fields(program, work):
    bins = dict(min_sep=1.0, max_sep=30.0, nbins=10, sep_units="arcmin", bin_slop=0.28)
    found, counts, drawn = [], [], 40000
    rng = np.random.default_rng(1)
    random = None
    for seed in range(FIELDS):
        path = work / f"field_{seed}.csv"
        subprocess.run([program, "catalogue", path, str(seed + 100), "150", "2", str(RADIUS), "17", str(FAINT)], check=True, stdout=subprocess.DEVNULL)
        d = columns(path)
        counts.append(np.histogram(d["i"], np.arange(17, FAINT + 0.1, 0.5))[0])
        cat = treecorr.Catalog(ra=d["ra"], dec=d["dec"], ra_units="deg", dec_units="deg")
        dd = treecorr.NNCorrelation(**bins)
        dd.process(cat)
        if random is None:
            r, a = RADIUS * np.sqrt(rng.uniform(size=drawn)), 2 * np.pi * rng.uniform(size=drawn)
            dec = 2 + r * np.sin(a)
            ra = 150 + r * np.cos(a) / np.cos(np.radians(dec))
            random = treecorr.NNCorrelation(**bins)
            scattered = treecorr.Catalog(ra=ra, dec=dec, ra_units="deg", dec_units="deg")
            random.process(scattered)
        far = (d["z"] > 0.8) & (d["z"] < 1.6)
        # TreeCorr's x points west where ours points east.
        shear = treecorr.GGCorrelation(**bins)
        shear.process(treecorr.Catalog(ra=d["ra"][far], dec=d["dec"][far], ra_units="deg", dec_units="deg", g1=d["g1"][far], g2=-d["g2"][far]))
        found.append((len(d["z"]), dd.weight, shear.xip, shear.xim, shear.xip_im, shear.xim_im, np.exp(dd.meanlogr), np.exp(shear.meanlogr)))
    # Each field is measured against its own number, so its w is low by the mean of w over all pairs of the disc.
    wide = treecorr.NNCorrelation(min_sep=0.05, max_sep=140, nbins=60, sep_units="arcmin", bin_slop=0.7)
    wide.process(scattered)
    g = table(work / "galaxies.csv")
    lost = (wide.weight * np.interp(np.exp(wide.meanlogr), g["arcmin"], g["w"])).sum() / wide.weight.sum()
    w = np.array([(1 + lost) * f[1] / random.weight * drawn * (drawn - 1) / (f[0] * (f[0] - 1)) - 1 for f in found])
    rest = [np.array([f[k] for f in found]) for k in range(2, 6)]
    return found[0][6], found[0][7], w, rest, np.sum(counts, axis=0)


def within(what, measured, wanted, spare):
    mean, error = measured.mean(axis=0), measured.std(axis=0, ddof=1) / np.sqrt(len(measured))
    pull = (mean - wanted) / np.hypot(error, spare * np.abs(wanted))
    print("   ", what, "pulls", np.round(pull, 1))
    return verdict(f"TreeCorr: {what}, worst of {len(pull)} bins in errors", np.abs(pull).max(), 4.0)


def photometry(work):
    def integral(w, f, nm, response):
        # Our bands end one sample beyond the last response above a thousandth of the peak.
        bright = np.flatnonzero(response > 1e-3 * response.max())
        inside = slice(max(bright[0] - 1, 0), bright[-1] + 2)
        nm, response = nm[inside], response[inside]
        grid = np.unique(np.concatenate([w, nm, np.linspace(nm[0], nm[-1], 200001)]))
        grid = grid[(grid >= nm[0]) & (grid <= nm[-1])]
        t = np.interp(grid, nm, response)
        s = np.interp(grid, w, f, left=0, right=0)
        return np.trapezoid(s * t * grid, grid) / np.trapezoid(t / grid, grid)

    worst, alone = 0.0, 0.0
    colours = table(work / "colours.csv")
    for row in colours:
        s = table(work / f"spectrum_{row['spectrum']}.csv")
        band, reference = (table(work / f"band_{name}.csv") for name in (row["band"], "sdss_i"))
        w = s["nm"] * (1 + row["redshift"])
        flux = [integral(w, s["f_lambda"], b["nm"], b["response"]) for b in (band, reference)]
        ours, ratio = 10 ** (-0.4 * row["minus_i"]), flux[0] / flux[1]
        worst = max(worst, abs(ours - ratio) / max(ratio, 1.0))
        if ratio > 1e-6:
            alone = max(alone, abs(ours / ratio - 1))
    print(f"    relative to the band's own flux, bands from which a galaxy drops out included: {alone:.5f}")
    return verdict(f"numpy: flux through bands, {len(colours)} pairs, over that in i where it is larger", worst, 1e-4)


def plot(path, work, r, rs, w, shears, counts, expected):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(2, 2, figsize=(11, 8.5), constrained_layout=True)
    error = lambda x: x.std(axis=0, ddof=1) / np.sqrt(len(x))
    a = axes[0, 0]
    edges = np.arange(17, FAINT + 0.1, 0.5)
    middle = 0.5 * (edges[1:] + edges[:-1])
    a.errorbar(middle, 2 * counts / FIELDS, 2 * np.sqrt(counts) / FIELDS, fmt="o", ms=4, label=f"{FIELDS} made fields of 1 deg$^2$")
    a.plot(middle, 2 * expected, "k-", label="published")
    a.set(yscale="log", xlabel="i [AB mag]", ylabel="galaxies per mag and deg$^2$")
    a.legend()
    a = axes[0, 1]
    d = [columns(work / f"field_{s}.csv") for s in range(FIELDS)]
    z, i = np.concatenate([x["z"] for x in d]), np.concatenate([x["i"] for x in d])
    for low, high in ((20, 21), (22, 23), (23, 24)):
        chosen = (i > low) & (i < high)
        a.hist(z[chosen], np.arange(0, 4, 0.05), histtype="step", density=True, label=f"{low} < i < {high}, mean {z[chosen].mean():.2f}")
    a.set(xlabel="redshift", ylabel="density", xlim=(0, 3))
    a.legend()
    a = axes[1, 0]
    g = table(work / "galaxies.csv")
    a.errorbar(r, w.mean(axis=0), error(w), fmt="o", ms=4, label="TreeCorr, i < 24")
    a.plot(g["arcmin"], g["w"], "k-", label="as made")
    a.set(xscale="log", yscale="log", xlabel="arcmin", ylabel=r"$w(\theta)$", xlim=(0.8, 35), ylim=(1e-3, 1))
    a.legend()
    a = axes[1, 1]
    fine = np.exp(np.linspace(np.log(0.8), np.log(35), 60))
    for measured, wanted, name, colour in zip(shears[:2], shear_theory(work, fine), ("+", "-"), ("C0", "C1")):
        a.errorbar(rs, 1e6 * measured.mean(axis=0), 1e6 * error(measured), fmt="o", ms=4, color=colour, label=rf"$\xi_{name}$, 0.8 < z < 1.6")
        a.plot(fine, 1e6 * wanted, "-", color=colour)
    for measured, name in zip(shears[2:], ("+", "-")):
        a.errorbar(rs * 1.03, 1e6 * measured.mean(axis=0), 1e6 * error(measured), fmt=".", color="0.6", label=rf"cross, {name}")
    a.axhline(0, color="k", lw=0.5)
    a.set(xscale="log", xlabel="arcmin", ylabel=r"$10^6\,\xi_\pm$")
    a.legend()
    figure.savefig(path, dpi=110)


def main(program, work, picture=None):
    work = Path(work)
    work.mkdir(parents=True, exist_ok=True)
    subprocess.run([program, "theory", str(work), str(FAINT)], check=True)
    subprocess.run([program, "spectra", str(work)], check=True)
    good = theory(work)
    good &= photometry(work)
    r, rs, w, shears, counts = fields(program, work)
    g = table(work / "galaxies.csv")
    # 3 % of the theory for the widths of bins and the sphere's curvature.
    good &= within("w(theta) of galaxies, i < 24, 1 to 30 arcmin", w, np.interp(r, g["arcmin"], g["w"]), 0.03)
    for measured, wanted, name in zip(shears[:2], shear_theory(work, rs), ("xi+", "xi-")):
        good &= within(f"{name} of sources at 0.8 < z < 1.6", measured, wanted, 0.03)
    for measured, name in zip(shears[2:], ("xi+", "xi-")):
        good &= within(f"cross part of {name}", measured, 0.0 * measured[0], 0.0)
    c = table(work / "counts.csv")
    expected = np.array([c["per_deg2"][c["bright"] == b][0] for b in np.arange(17, FAINT, 0.5)])
    enough = counts > 2000
    good &= verdict("counts per half magnitude, relative", np.abs(counts / FIELDS / expected - 1)[enough].max(), 0.1)
    if picture:
        plot(picture, work, r, rs, w, shears, counts, expected)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

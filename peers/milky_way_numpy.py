"""The Milky Way's star counts integrated again in numpy, and space velocities turned into proper motions by astropy.

milky_way_numpy.py PROGRAM WORK: PROGRAM is the example `milky_way`. Counts: the published laws (densities, luminosity functions, dust) written down here anew from
their formulae, with the tables of catalogs/data/milky_way, integrated on a finer grid of distances and magnitudes: 1.5 %. Motions: astropy's Galactic frame, 1e-6.
"""

import csv
import subprocess
import sys
from pathlib import Path

import astropy.coordinates as coord
import astropy.units as u
import numpy as np

DATA = Path(__file__).resolve().parent.parent / "catalogs/data/milky_way"
R_SUN, Z_SUN, R_FLAT = 8200.0, 25.0, 5300.0
THICK, HALO = 0.050, 0.00102


def table(name):
    return np.genfromtxt(DATA / name, delimiter=",", names=True)


def luminosity(step=0.01):
    """Components: name, luminosity function on a fine grid."""
    m = np.arange(-6, 20, step) + 0.5 * step
    law = table("luminosity.csv")
    disk = 10 ** np.interp(m, law["m_v"], law["log10_disk"])
    old = 10 ** np.interp(m, law["m_v"], law["log10_old"])
    on_main_sequence = np.where(m < 3.7, np.minimum(0.44 * np.exp(1.5e-4 * (m + 8) ** 3.5), 1), 1)
    dwarfs = table("dwarfs.csv")
    # White dwarfs: temperature on a grid, bolometric and visual magnitude, then density per visual magnitude.
    lt = np.linspace(3.6, 4.5, 20001)
    bol = 4.74 - 5 * np.log10(0.0128) - 10 * (lt - np.log10(5772))
    visual = bol - np.interp(lt, np.log10(dwarfs["teff_k"][::-1]), dwarfs["bc_v"][::-1])
    edges = np.append(m - 0.5 * step, m[-1] + 0.5 * step)
    mb = np.clip(np.interp(edges, visual[::-1], bol[::-1]), 7.0, 15.4)
    cumulative = 10 ** (2 / 7 * mb)
    white = 4.5e-3 * np.diff(cumulative) / (10 ** (2 / 7 * 15.4) - 10 ** (2 / 7 * 7.0)) / step
    height = {2.3: 90.0, 3.0: 116.25, 3.7: 168.75, 4.4: 221.25, 5.1: 273.75, 20.0: 300.0}
    components, low = [], -6.0
    for high, h in height.items():
        components.append((np.where((m >= low) & (m < high), disk * on_main_sequence, 0), ("disk", 2600.0, h), 1.0))
        low = high
    components.append((disk * (1 - on_main_sequence), ("disk", 2600.0, 250.0), 1.0))
    components.append((white, ("disk", 2600.0, 300.0), 1.0))
    components.append((old, ("disk", 2200.0, 900.0), THICK))
    components.append((np.where(m >= -3, old, 0), ("halo",), HALO))
    return m, step, components


def counts(lum, l, b, edges, dusty):
    m, step, components = lum
    frame = coord.SkyCoord(l * u.deg, b * u.deg, frame="galactic")
    x, y, z = frame.cartesian.xyz.value
    lg = np.linspace(0, 5, 6001)
    lg = 0.5 * (lg[1:] + lg[:-1])
    d = 10**lg
    dd = d * np.log(10) * (lg[1] - lg[0])
    radius = np.hypot(x * d - R_SUN, y * d)
    height = z * d + Z_SUN
    a = np.zeros_like(d)
    if dusty:
        k = 0.7e-3 * np.exp(-(radius - R_SUN) / 4500 - (np.abs(height) - Z_SUN) / 140)
        a = np.cumsum(k * dd) - 0.5 * k * dd
    dimming = 5 * lg - 5 + a
    volume = d**2 * dd * (np.pi / 180) ** 2
    total = np.zeros(len(edges) - 1)
    top = np.append(m - 0.5 * step, m[-1] + 0.5 * step)
    for phi, shape, share in components:
        if shape[0] == "disk":
            rho = np.exp(-(np.maximum(radius, R_FLAT) - R_SUN) / shape[1] - (np.abs(height) - Z_SUN) / shape[2])
        else:
            s = np.sqrt(radius**2 + (height / 0.71) ** 2)
            rho = np.where(s < 27800, (s / R_SUN) ** -2.62, (27800 / R_SUN) ** -2.62 * (s / 27800) ** -3.8)
            rho[s > 1e5] = 0
        brighter = np.concatenate([[0], np.cumsum(phi * step)])
        at = np.array([np.interp(e - dimming, top, brighter) for e in edges])
        total += share * np.sum(volume * rho * np.diff(at, axis=0), axis=1)
    return total


def main(program, work):
    work = Path(work)
    subprocess.run([program, str(work), "2000"], check=True)
    rows = list(csv.DictReader(open(work / "counts.csv")))
    lum = luminosity()
    worst = 0.0
    for key in sorted({(r["l"], r["b"], r["dust"]) for r in rows}):
        mine = [r for r in rows if (r["l"], r["b"], r["dust"]) == key]
        edges = [float(r["bright"]) for r in mine] + [float(mine[-1]["faint"])]
        again = counts(lum, float(key[0]), float(key[1]), np.array(edges), key[2] == "model")
        ratio = np.array([float(r["stars_deg2"]) for r in mine]) / again
        worst = max(worst, np.abs(ratio - 1).max())
        print(f"l {key[0]:>4} b {key[1]:>4} dust {key[2]:<5} ratio {ratio.min():.4f} to {ratio.max():.4f}")
    stars = np.genfromtxt(work / "stars.csv", delimiter=",", names=True)
    place = coord.SkyCoord(stars["ra"] * u.deg, stars["dec"] * u.deg, distance=stars["distance_pc"] * u.pc, frame="icrs").galactic
    xyz = place.cartesian.xyz
    velocity = [stars[k] * u.km / u.s for k in "uvw"]
    moving = coord.SkyCoord(
        u=xyz[0], v=xyz[1], w=xyz[2], U=velocity[0], V=velocity[1], W=velocity[2],
        frame="galactic", representation_type="cartesian", differential_type="cartesian",
    )
    sky = coord.ICRS(coord.SkyCoord(moving).transform_to("icrs").data.represent_as(
        coord.SphericalRepresentation, coord.SphericalCosLatDifferential))
    # Of the whole velocity: astropy's galactic axes are those of FK5, 1e-7 from the ones of Hipparcos.
    speed = np.sqrt(sum(v.value**2 for v in velocity))
    off = np.hypot(
        stars["pm_ra"] - sky.pm_ra_cosdec.to_value(u.mas / u.yr), stars["pm_dec"] - sky.pm_dec.to_value(u.mas / u.yr)
    ) / (speed / (4.740470446 * stars["distance_pc"] / 1000))
    radial = np.abs(stars["radial_velocity"] - sky.radial_velocity.to_value(u.km / u.s)) / speed
    parallax = np.abs(stars["parallax"] / place.distance.to_value(u.mas, u.parallax()) - 1)
    print(f"{len(stars)} stars: proper motion {off.max():.1e}, radial velocity {radial.max():.1e}, parallax {parallax.max():.1e}")
    fine = worst < 0.015 and off.max() < 1e-6 and radial.max() < 1e-6 and parallax.max() < 1e-6
    print(f"largest difference of counts {worst:.4f}")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""Strong lenses against lenstronomy, haloes against colossus: images, magnifications, an arc; mass function, bias, concentration; shear of an NFW halo.

deep_lenstronomy.py PROGRAM SKYLOOP WORK: PROGRAM is the example `deep_sky`, SKYLOOP the command, whose product of lenses is judged row by row.
"""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet
from colossus.cosmology import cosmology
from colossus.halo import concentration, mass_so
from colossus.halo.mass_defs import changeMassDefinition
from colossus.lss import bias, mass_function
from lenstronomy.ImSim.image_model import ImageModel
from lenstronomy.Data.imaging_data import ImageData
from lenstronomy.Data.psf import PSF
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LensModel.Solver.lens_equation_solver import LensEquationSolver
from lenstronomy.LightModel.light_model import LightModel
from lenstronomy.Util.param_util import phi_q2_ellipticity

H, OM, OB, S8, NS = 0.6766, 0.3111, 0.048975, 0.8102, 0.9665
MODEL = LensModel(["SIE", "SHEAR"])
failures = 0


def judge(what, worst, limit):
    global failures
    good = worst <= limit
    failures += not good
    print(f"{'ok    ' if good else 'FAILED'} {what}: {worst:.3g}, limit {limit:g}")


def table(path):
    with open(path) as file:
        rows = list(csv.DictReader(file))
    return {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}


def parameters(b, q, angle, g1, g2):
    e1, e2 = phi_q2_ellipticity(angle, q)
    return [{"theta_E": b, "e1": e1, "e2": e2, "center_x": 0, "center_y": 0}, {"gamma1": g1, "gamma2": g2, "ra_0": 0, "dec_0": 0}]


def images(of, places, source):
    """Rays of our images come back to the source, with the magnifications; as many images as the solver finds."""
    apart, gain, count, compared = 0.0, 0.0, 0, 0
    rows = len(of["b"])
    solver = LensEquationSolver(MODEL)
    for k in range(rows):
        lens = parameters(of["b"][k], of["q"][k], of["angle"][k], of["g1"][k], of["g2"][k])
        x, y, mu = (np.array([of[name + f"{n}"][k] for n in range(1, 5)]) for name in places)
        here = np.isfinite(x)
        x, y, mu = x[here], y[here], mu[here]
        bx, by = MODEL.ray_shooting(x, y, lens)
        apart = max(apart, np.hypot(bx - of[source[0]][k], by - of[source[1]][k]).max())
        # Of the inverse, finite on caustics, or of the magnification, whichever is smaller; lenstronomy's cores are not quite singular, so images
        # near the centre do not count.
        seen = np.abs(mu) > 1e-2
        error = np.abs(1 / MODEL.magnification(x[seen], y[seen], lens) - 1 / mu[seen]) * np.minimum(1, np.abs(mu[seen]))
        gain = max(gain, error.max())
        if k < 120:
            compared += 1
            found, _ = solver.image_position_from_source(
                of[source[0]][k], of[source[1]][k], lens, min_distance=0.02 * of["b"][k], search_window=6 * of["b"][k], magnification_limit=1e-3
            )
            count += len(found) != (np.abs(mu) > 1e-3).sum()
    return rows, apart, gain, count, compared


def main(program, skyloop, work):
    work = Path(work)
    work.mkdir(parents=True, exist_ok=True)

    subprocess.run([program, "images", str(work / "images.csv"), "1000"], check=True)
    rows, apart, gain, count, compared = images(table(work / "images.csv"), ("x", "y", "mu"), ("x", "y"))
    judge(f"lenstronomy: images of {rows} SIE in shear, back to the source [arcsec]", apart, 1e-6)
    judge("lenstronomy: magnifications", gain, 1e-4)
    judge(f"lenstronomy: number of images, {compared} systems, share that differs", count / compared, 0.02)

    subprocess.run([program, "arc", str(work / "arc.csv")], check=True)
    ours = np.loadtxt(work / "arc.csv", delimiter=",")
    side = len(ours)
    lens = parameters(1.2, 0.7, 0.5, 0.03, -0.02)
    pixel, middle = 0.04, 0.5 * (side - 1)
    data = ImageData(np.zeros((side, side)), ra_at_xy_0=-middle * pixel, dec_at_xy_0=-middle * pixel, transform_pix2angle=pixel * np.eye(2))
    light = LightModel(["SERSIC_ELLIPSE"])
    # Area preserving shear (0.1, 0.05): axis ratio (1 - g) / (1 + g), the ellipticity of lenstronomy is that g.
    source = [{"amp": 1.0, "R_sersic": 0.2, "n_sersic": 1.5, "e1": 0.1, "e2": 0.05, "center_x": 0.15, "center_y": -0.1}]
    model = ImageModel(data, PSF("NONE"), lens_model_class=MODEL, source_model_class=light, kwargs_numerics={"supersampling_factor": 8})
    theirs = model.image(lens, source)
    flux = light.total_flux(source, norm=False)[0]
    theirs = theirs / flux
    judge("lenstronomy: magnification of a Sersic source, relative", abs(ours.sum() / theirs.sum() - 1), 5e-3)
    judge("lenstronomy: pixels of the arc over the brightest", np.abs(ours / ours.sum() - theirs / theirs.sum()).max() / (theirs / theirs.sum()).max(), 0.02)

    product = work / "lenses.parquet"
    subprocess.run([skyloop, "catalog", "lenses", "--out", str(product), "--cone", "150,2,0.5642", "--seed", "1", "--gallery", str(work / "lenses.png")], check=True)
    rows = pyarrow.parquet.read_table(product)
    of = {name: rows[name].to_numpy() for name in rows.column_names}
    of["b"], of["q"], of["angle"], of["g1"], of["g2"] = of["einstein"], of["axis_ratio"], np.radians(of["angle"]), of["shear_1"], of["shear_2"]
    rows, apart, gain, count, compared = images(of, ("x_", "y_", "mu_"), ("source_x", "source_y"))
    judge(f"lenstronomy: the product's {rows} lenses, back to the source [arcsec]", apart, 1e-6)
    judge("lenstronomy: the magnifications of the product", gain, 1e-4)

    cosmology.setCosmology("ours", flat=True, H0=100 * H, Om0=OM, Ob0=OB, sigma8=S8, ns=NS, Tcmb0=2.7255)
    cosmo = cosmology.getCurrent()
    said = subprocess.run([program, "haloes", str(work / "haloes.csv")], check=True, capture_output=True, text=True).stdout
    of = table(work / "haloes.csv")
    worst = {}
    for z in np.unique(of["z"]):
        at = of["z"] == z
        mass = of["mass"][at]
        number = mass_function.massFunction(mass, z, mdef="200m", model="tinker08", q_out="dndlnM")
        # Where haloes are: rarer than one in 10^10 (Mpc/h)^3 nobody sees them.
        seen = number > 1e-10
        b = bias.haloBias(mass, z, mdef="200m", model="tinker10")
        c = concentration.modelDuffy08(mass, z, "200m")[0]
        r = mass_so.M_to_R(mass, z, "200m") / 1000 * (1 + z)
        m200c = changeMassDefinition(mass, of["concentration"][at], z, "200m", "200c")[0]
        sigma = cosmo.sigma(cosmo_radius(cosmo, mass), z)
        for name, ours, theirs in [
            ("sigma", of["sigma"][at], sigma),
            ("mass function", of["dndlnm"][at][seen], number[seen]),
            ("bias", of["bias"][at], b),
            ("concentration", of["concentration"][at], c),
            ("radius", of["radius"][at], r),
            ("critical mass", of["m200c"][at], m200c),
        ]:
            worst[name] = max(worst.get(name, 0), np.abs(ours / theirs - 1).max())
    # colossus has Eisenstein & Hu too, growth with radiation, and Tinker's numbers interpolated in the overdensity.
    limits = {"sigma": 0.01, "mass function": 0.08, "bias": 0.02, "concentration": 1e-3, "radius": 2e-3, "critical mass": 5e-3}
    for name, limit in limits.items():
        judge(f"colossus: {name}, 13.5 to 15.15 in lg M, z 0 to 2, relative", worst[name], limit)

    worst = 0.0
    for line in said.splitlines():
        least, ours = float(line.split()[2]) * H, float(line.split()[-3])
        redshifts = np.arange(0.0525, 2.0, 0.005)
        ln_mass = np.arange(np.log(least), np.log(1e16), 0.01) + 0.005
        number = np.array([mass_function.massFunction(np.exp(ln_mass), z, mdef="200m", model="tinker08", q_out="dndlnM").sum() * 0.01 for z in redshifts])
        chi = cosmo.comovingDistance(0.0, redshifts)
        volume = chi**2 * 2997.92458 / cosmo.Ez(redshifts) * np.radians(1) ** 2
        theirs = (number * volume).sum() * 0.005
        print(f"       above {least / H:.0e} solar masses: {ours:.2f} per deg2, colossus {theirs:.2f}")
        worst = max(worst, abs(ours / theirs - 1))
    judge("colossus: haloes per deg2, z 0.05 to 2, relative", worst, 0.03)

    subprocess.run([program, "shear", str(work / "shear.csv")], check=True)
    of = table(work / "shear.csv")
    from astropy.cosmology import FlatLambdaCDM
    from lenstronomy.Cosmo.lens_cosmo import LensCosmo

    apart = 0.0
    flat = FlatLambdaCDM(H0=100 * H, Om0=OM, Ob0=OB, Tcmb0=2.7255)
    for k in range(len(of["mass"])):
        one = LensCosmo(of["z"][k], of["z_source"][k], flat)
        # Of 200 critical densities: scale radius and characteristic density are those of the same profile.
        m200c, r200c, c200c = changeMassDefinition(of["mass"][k], of["concentration"][k], of["z"][k], "200m", "200c")
        rs, alpha = one.nfw_physical2angle(M=m200c / H, c=c200c)
        nfw = LensModel(["NFW"])
        theirs = [{"Rs": rs, "alpha_Rs": alpha, "center_x": 0, "center_y": 0}]
        x, y = of["arcsec"][k], 0.0
        kappa, gamma = nfw.kappa(x, y, theirs), -nfw.gamma(x, y, theirs)[0]
        apart = max(apart, abs(of["kappa"][k] / kappa - 1), abs(of["gamma"][k] / gamma - 1))
    judge("lenstronomy: convergence and shear of NFW haloes, relative", apart, 0.01)
    return 1 if failures else 0


def cosmo_radius(cosmo, mass):
    return (3 * mass / (4 * np.pi * cosmo.rho_m(0) * 1e9)) ** (1 / 3)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

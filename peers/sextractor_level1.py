"""SExtractor on our level-1 frames: completeness of the truth stars and zero point, against our own measurement.

usage: sextractor_level1.py DEMO_FOLDER WORK_FOLDER

Criteria, per frame: SExtractor and our detection find the same fraction of the isolated truth stars of SNR > 5 within
3 binomial errors (and at least one count), and the two zero points agree within 3 standard errors plus 2 mmag.
"""

import pathlib
import subprocess
import sys

import numpy as np
from astropy.io import fits

APERTURE_RADIUS_PX = 5.0
PARAMETERS = ["NUMBER", "X_IMAGE", "Y_IMAGE", "FLUX_APER(1)", "FLUXERR_APER(1)", "FLAGS"]


def extract(img, wht, work):
    """Runs SExtractor with the weight map; returns its catalogue."""
    work.mkdir(parents=True, exist_ok=True)
    (work / "peer.param").write_text("\n".join(PARAMETERS) + "\n")
    size = 5
    axis = np.arange(size) - size // 2
    kernel = np.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / (2 * 0.85**2))
    (work / "peer.conv").write_text(
        "CONV NORM\n# Gaussian, FWHM 2 px\n" + "\n".join(" ".join(f"{v:.6f}" for v in row) for row in kernel) + "\n"
    )
    catalogue = work / "peer.cat.fits"
    command = [
        "source-extractor", str(img),
        "-c", "/dev/null",
        "-CATALOG_NAME", str(catalogue), "-CATALOG_TYPE", "FITS_1.0",
        "-PARAMETERS_NAME", str(work / "peer.param"),
        "-FILTER", "Y", "-FILTER_NAME", str(work / "peer.conv"),
        "-DETECT_MINAREA", "3", "-DETECT_THRESH", "1.5", "-ANALYSIS_THRESH", "1.5",
        "-DEBLEND_NTHRESH", "64", "-DEBLEND_MINCONT", "0.0005", "-CLEAN", "N",
        "-WEIGHT_TYPE", "MAP_WEIGHT", "-WEIGHT_IMAGE", str(wht), "-WEIGHT_GAIN", "N",
        "-BACK_SIZE", "256", "-BACK_FILTERSIZE", "3",
        "-PHOT_APERTURES", str(2 * APERTURE_RADIUS_PX), "-MAG_ZEROPOINT", "0",
        "-SATUR_LEVEL", "1e9", "-VERBOSE_TYPE", "QUIET",
    ]
    subprocess.run(command, check=True)
    return fits.getdata(catalogue, 1)


def nearest(x, y, to_x, to_y, radius):
    """Index of the nearest position within the radius, or -1."""
    from scipy.spatial import cKDTree

    distance, index = cKDTree(np.column_stack([to_x, to_y])).query(np.column_stack([x, y]), distance_upper_bound=radius)
    return np.where(np.isfinite(distance), index, -1)


def zero_point(flux, magnitude, error):
    """Weighted, clipped mean of mag + 2.5 lg flux with its standard error."""
    value = magnitude + 2.5 * np.log10(flux)
    sigma = np.hypot(1.0857 * error / flux, 0.002)
    keep = np.ones(value.size, bool)
    for _ in range(5):
        mean = np.average(value[keep], weights=1 / sigma[keep] ** 2)
        keep = np.abs(value - mean) < 4 * np.maximum(sigma, 1.4826 * np.median(np.abs(value - mean)))
    spread = value[keep].std(ddof=1)
    return mean, spread / np.sqrt(keep.sum()), int(keep.sum())


def main():
    demo, work = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    failures = 0
    for img in sorted((demo / "L1").glob("*_img_*.fits")):
        wht = pathlib.Path(str(img).replace("_img_", "_wht_"))
        stem = img.name.split("_img_")[0]
        truth_file = next((demo / "truth").glob(stem + "*truth.fits"))
        ours_file = next((demo / "L2").glob(stem + "*cat*.fits"))
        peer = extract(str(img) + "[1]", str(wht) + "[1]", work / stem)
        header = fits.getheader(img, 1)
        x0, y0 = fits.getheader(truth_file, 0)["WINX0"], fits.getheader(truth_file, 0)["WINY0"]
        truth = fits.getdata(truth_file, "OBJECTS")
        own = fits.getdata(ours_file, 1)
        x, y = truth["X"] - x0 + 1.0, truth["Y"] - y0 + 1.0  # FITS convention
        inside = (x > 25) & (y > 25) & (x < header["NAXIS1"] - 24) & (y < header["NAXIS2"] - 24)
        star = (truth["OBJ_TYPE"] == "star") & inside
        # SNR of the star within the optimal aperture of an undersampled PSF: about 12 pixels of background.
        weight = fits.getdata(wht, 1)
        sigma = 1 / np.sqrt(np.median(weight[weight > 0]))
        exptime = header.get("EXPTIME", fits.getheader(img, 0).get("EXPTIME"))
        rate = truth["ELECTRONS"] / exptime
        snr = 0.8 * rate / np.sqrt(12.0 * sigma**2 + 0.8 * rate / exptime)
        # Isolated: no other object within 12 px brighter than a tenth of it.
        from scipy.spatial import cKDTree

        tree = cKDTree(np.column_stack([x, y]))
        isolated = np.array(
            [all(j == i or rate[j] < 0.1 * rate[i] for j in tree.query_ball_point((x[i], y[i]), 12.0)) if star[i] else False for i in range(x.size)]
        )
        chosen = star & isolated & (snr > 5) & (truth["MAG"] > 17.5)
        n = int(chosen.sum())
        found_peer = nearest(x[chosen], y[chosen], peer["X_IMAGE"], peer["Y_IMAGE"], 1.5)
        found_own = nearest(x[chosen], y[chosen], own["X_IMAGE"], own["Y_IMAGE"], 1.5)
        c_peer, c_own = (found_peer >= 0).mean(), (found_own >= 0).mean()
        margin = 3 * np.sqrt(max(c_own * (1 - c_own), 1 / n) / n) + 1 / n
        # Saturated and bad pixels weigh nothing: SExtractor leaves their light out, and the zero points are those of the other stars.
        empty = np.argwhere(weight == 0)[:, ::-1] + 1.0
        lost = np.zeros(x.size, bool) if empty.size == 0 else nearest(x, y, empty[:, 0], empty[:, 1], APERTURE_RADIUS_PX) >= 0
        bright = chosen & (snr > 50) & ~lost
        match = nearest(x[bright], y[bright], peer["X_IMAGE"], peer["Y_IMAGE"], 1.5)
        use = (match >= 0) & (peer["FLAGS"][match] == 0)
        zp_peer = zero_point(peer["FLUX_APER"][match[use]], truth["MAG"][bright][use], peer["FLUXERR_APER"][match[use]])
        own_match = nearest(x[bright], y[bright], own["X_IMAGE"], own["Y_IMAGE"], 1.5)
        use_own = (own_match >= 0) & (own["FLAGS"][own_match] & 4 == 0)
        column = "FLUX_APER3"  # radius 5 px, third of the official radii 3, 4, 5, ...
        zp_own = zero_point(own[column][own_match[use_own]], truth["MAG"][bright][use_own], own["FLUXERR_APER3"][own_match[use_own]])
        same_completeness = abs(c_peer - c_own) <= margin
        same_zero_point = abs(zp_peer[0] - zp_own[0]) <= 3 * np.hypot(zp_peer[1], zp_own[1]) + 0.002
        print(f"{stem}: {n} isolated stars of SNR > 5: SExtractor {c_peer:.3f}, ours {c_own:.3f} (margin {margin:.3f})")
        print(f"    zero point in {APERTURE_RADIUS_PX:.0f} px: SExtractor {zp_peer[0]:.4f} +- {zp_peer[1]:.4f} ({zp_peer[2]}), ours {zp_own[0]:.4f} +- {zp_own[1]:.4f} ({zp_own[2]})")
        if not (same_completeness and same_zero_point):
            failures += 1
            print("    <-- outside the criteria")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

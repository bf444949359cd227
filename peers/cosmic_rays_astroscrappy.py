"""Cosmic rays of Skyloop's frames found by astroscrappy (L.A.Cosmic) and by Skyloop's own finders, with the same scores.

usage: cosmic_rays_astroscrappy.py BENCH WORK_FOLDER [FRAMES [SIZE [SEED [PART_OF_SCENE_NAME]]]]

BENCH is target/release/examples/cosmic_ray_bench; "-" takes the frames that are there and makes none. The scores are computed here
anew from the definition that validate/src/measures/cosmic_rays states, so this also checks Skyloop's own. Where
cosmic_rays_deepcr.py left its probabilities, they are scored too (threshold 0.5, and the best of nine). Criterion: the F1 of both
our finders at 5 sigma is above the best of astroscrappy's settings in every scene, and our scores agree with what the benchmark printed.
"""

import itertools
import pathlib
import subprocess
import sys
import time

import astroscrappy
import numpy as np
from astropy.io import fits
from scipy.ndimage import binary_dilation

READ_NOISE = 5.0
NEIGHBOURS = np.ones((3, 3), bool)
# The default, and a grid that reaches to the contrast that our sharp stars (1.7 pixel) need.
SETTINGS = [dict(sigclip=4.5, sigfrac=0.3, objlim=5.0)]
SETTINGS += [dict(sigclip=c, sigfrac=f, objlim=o) for c, f, o in itertools.product((4.5, 6.0), (0.5, 1.0), (5.0, 10.0, 20.0))]


def scores(hdus, mask, sigma):
    data, expected = (hdus[name].data.astype(float) for name in ("DATA", "EXPECTED"))
    rays, owner, sources = hdus["RAYS"].data, hdus["OWNER"].data, hdus["SOURCES"].data
    noise = np.sqrt(expected + READ_NOISE**2).astype(np.float32)
    counts = hdus["OUT"].data == 0
    true = (rays > np.float32(sigma) * noise) & (rays >= 10)
    mask = mask & counts
    hit = true & counts
    clean = (sources > 3 * noise) & counts & ~binary_dilation(true, NEIGHBOURS)
    events, found = np.unique(owner[hit]), np.unique(owner[hit & mask])
    return np.array(
        [(hit & mask).sum(), hit.sum(), (hit & mask).sum(), mask.sum(), len(found), len(events), (clean & mask).sum(), clean.sum()],
        float,
    )


def f1(s):
    return 2 * s[0] / (s[1] + s[3])


def show(label, s):
    recall, precision = s[0] / s[1], s[2] / s[3]
    print(f"  {label:34s} R {recall:.4f}  P {precision:.4f}  F1 {f1(s):.4f}  events {s[4] / s[5]:.4f}  damage {s[6] / max(s[7], 1):.1e}")
    return f1(s)


def astroscrappy_masks(hdus):
    for setting in SETTINGS:
        start = time.process_time()
        mask, _ = astroscrappy.detect_cosmics(
            hdus["DATA"].data.astype(np.float32),
            inmask=hdus["FLAGS"].data > 0,
            gain=1.0,
            readnoise=READ_NOISE,
            satlevel=89_900.0,
            niter=4,
            cleantype="medmask",
            **setting,
        )
        SPENT.append((time.process_time() - start, mask.size))
        label = f"astroscrappy {setting['sigclip']} / {setting['sigfrac']} / {setting['objlim']}"
        yield label, mask


def masks_of(path, hdus):
    yield "Skyloop classical", hdus["CLASSICAL"].data > 0
    yield "Skyloop network", hdus["NETWORK"].data > 0
    yield from astroscrappy_masks(hdus)
    probability = path.with_suffix(".deepcr.npy")
    if probability.exists():
        probability = np.load(probability)
        for threshold in THRESHOLDS:
            yield f"deepCR ACS-WFC {threshold}", probability > threshold


def printed_recall(printed, scene, finder):
    lines = printed.splitlines()
    at = lines.index(f"{scene.replace('_', ' ')}, {finder}")
    line = next(line for line in lines[at + 1 :] if line.startswith(" T5 "))
    return float(line.split()[2]) / 100


def main():
    bench, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    frames, size, seed, scenes = (sys.argv[3:] + ["2", "1024", "5000", ""][len(sys.argv) - 3 :])[:4]
    folder.mkdir(parents=True, exist_ok=True)
    printed = None
    if bench != "-":
        for old in folder.glob("*.fits"):
            old.unlink()
        command = [bench, "score", f"frames={frames}", f"size={size}", f"seed={seed}", f"out={folder}", f"scenes={scenes}"]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(printed)
    good = True
    for scene in sorted({path.stem.rsplit("_", 1)[0] for path in folder.glob("*.fits")}):
        paths = sorted(folder.glob(f"{scene}_*.fits"))
        sums = {}
        for path in paths:
            with fits.open(path) as hdus:
                for label, mask in masks_of(path, hdus):
                    for sigma in (3, 5, 10):
                        sums.setdefault((label, sigma), np.zeros(8))
                        sums[label, sigma] += scores(hdus, mask, sigma)
        for sigma in (3, 5, 10):
            print(f"{scene}, charge > {sigma} sigma and >= 10 electrons, {len(paths)} frames")
            ours = [show(label, sums[label, sigma]) for label in ("Skyloop classical", "Skyloop network")]
            for family, default in (("astroscrappy", "4.5 / 0.3 / 5.0"), ("deepCR", "ACS-WFC 0.5")):
                of_family = [label for label, s in sums if label.startswith(family) and s == sigma]
                if not of_family:
                    continue
                show(f"{family} {default}", sums[f"{family} {default}", sigma])
                best = max(of_family, key=lambda label: f1(sums[label, sigma]))
                other = show(f"best: {best}", sums[best, sigma])
                if sigma == 5 and family == "astroscrappy":
                    good &= min(ours) > other
        if printed:
            for finder in ("classical", "network"):
                s = sums[f"Skyloop {finder}", 5]
                good &= abs(printed_recall(printed, scene, finder) - s[0] / s[1]) < 1e-4
    seconds, pixels = np.sum(SPENT, axis=0)
    print(f"astroscrappy: {1e6 * seconds / pixels:.2f} CPU seconds per Mpixel on all settings' mean")
    return 0 if good else 1


SPENT = []
THRESHOLDS = [round(0.1 * k, 1) for k in range(1, 10)]

if __name__ == "__main__":
    sys.exit(main())

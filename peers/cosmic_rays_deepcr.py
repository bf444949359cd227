"""Masks of Skyloop's frames by deepCR (Zhang & Bloom 2020), as its package ships it for ACS/WFC.

usage: cosmic_rays_deepcr.py WORK_FOLDER

Needs torch and deepCR (`pip install deepCR`). Writes FRAME.deepcr.npy, the network's probability for each pixel, beside every
frame that `cosmic_ray_bench score out=WORK_FOLDER` wrote; cosmic_rays_astroscrappy.py scores them with the others.
"""

import pathlib
import sys
import time
import types

import numpy as np

try:
    import deepCR
except ImportError:
    # Training wants tensorboard, evaluation scikit-image; finding wants neither.
    sys.modules["deepCR.training"] = types.SimpleNamespace(train=None)
    sys.modules["deepCR.evaluate"] = types.SimpleNamespace(roc=None, roc_lacosmic=None)
    import deepCR


def image(path, name):
    """A float image of a FITS file by the name of its unit (so that astropy need not be there)."""
    data = path.read_bytes()
    at = 0
    while at < len(data):
        cards = {}
        while True:
            block, at = data[at : at + 2880], at + 2880
            for card in (block[i : i + 80].decode("ascii") for i in range(0, 2880, 80)):
                cards[card[:8].strip()] = card[9:].split("/")[0].strip(" '")
            if "END" in cards:
                break
        shape = [int(cards[f"NAXIS{k}"]) for k in range(int(cards["NAXIS"]), 0, -1)]
        size = abs(int(cards["BITPIX"])) // 8 * int(np.prod(shape)) if shape else 0
        if cards.get("EXTNAME") == name:
            return np.frombuffer(data, ">f4", int(np.prod(shape)), at).reshape(shape).astype(np.float32)
        at += -(-size // 2880) * 2880
    raise KeyError(f"{path}: no {name}")


def main():
    network = deepCR.deepCR(mask="ACS-WFC", device="CPU")
    seconds, pixels = 0.0, 0
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.fits")):
        data = image(path, "DATA")
        start = time.process_time()
        probability = network.clean(data, inpaint=False, binary=False, segment=True, patch=256)
        seconds, pixels = seconds + time.process_time() - start, pixels + data.size
        np.save(path.with_suffix(".deepcr.npy"), probability.astype(np.float32))
    print(f"deepCR {deepCR.__version__}: {1e6 * seconds / pixels:.2f} CPU seconds per Mpixel")


if __name__ == "__main__":
    main()

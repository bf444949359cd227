"""Writes trained weights as Skyloop reads them, with their provenance, and a pair of input and logits to compare with.

usage: weights.py CHECKPOINT.pt THRESHOLD_LOGIT FOLDER [KEY=VALUE ...]

FOLDER is instruments/src/effects/cosmic_rays/network/weights. KEY=VALUE pairs go into the provenance as they are.
"""

import datetime
import hashlib
import json
import pathlib
import subprocess
import sys

import numpy as np
import torch

from train import UNet2


def main():
    checkpoint, threshold, folder = sys.argv[1], float(sys.argv[2]), pathlib.Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    net = UNet2()
    net.load_state_dict(torch.load(checkpoint))
    parts, layers = [], []
    for name, layer in net.named_children():
        # Convolutions are [out, in, v, u] in torch, transposed ones [in, out, v, u]; the file has [v, u, in, out].
        order = (2, 3, 0, 1) if name == "up" else (2, 3, 1, 0)
        weight = layer.weight.detach().numpy().transpose(order)
        parts += [weight.ravel(), layer.bias.detach().numpy()]
        layers.append(dict(name=name, taps=weight.shape[0] * weight.shape[1], inputs=weight.shape[2], outputs=weight.shape[3]))
    data = np.concatenate(parts).astype("<f4").tobytes()
    run = lambda *words: subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    about = dict(
        sha256=hashlib.sha256(data).hexdigest(),
        threshold_logit=threshold,
        layers=layers,
        provenance=dict(
            made=datetime.date.today().isoformat(),
            revision=run("git", "rev-parse", "HEAD"),
            torch=torch.__version__,
            numpy=np.__version__,
            **dict(pair.split("=", 1) for pair in sys.argv[4:]),
        ),
    )
    (folder / "cosmic_rays.f32").write_bytes(data)
    (folder / "cosmic_rays.json").write_text(json.dumps(about, indent=1) + "\n")
    # A fixed input like a frame's: noise, a star, a track; 24 x 28 pixels and the halo.
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:40, :44]
    sigmas = rng.normal(size=(40, 44)) + 300 * np.exp(-((y - 14) ** 2 + (x - 30) ** 2) / 2) + 40 * (abs(y - x) < 1)
    image = np.stack([np.arcsinh(sigmas / 2), np.arcsinh((sigmas - 2) / 2.2), 0.3 + 0 * sigmas, np.clip(sigmas / 2 - 2.5, -2, 2), sigmas > 250, 0.4 + 0 * sigmas], -1).astype("<f4")
    with torch.no_grad():
        logits = net.double()(torch.from_numpy(image.astype(float)).permute(2, 0, 1)[None])[0].numpy().astype("<f4")
    (folder / "pair.f32").write_bytes(image.tobytes() + logits.tobytes())


if __name__ == "__main__":
    main()

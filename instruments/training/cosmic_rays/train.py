"""Trains the network that finds cosmic rays, on frames made by Skyloop.

usage: train.py DATA OUT [--seed N] [--cpu-minutes M] [--hidden H] [--batch B] [--rate LR] [--start WEIGHTS]

DATA holds train/ and valid/, made by `cosmic_ray_bench export`; see README.md. Writes OUT.pt, and a log line every two CPU minutes.
The network is convolved without padding, as Skyloop runs it: what it says of a pixel depends on the pixels around, never on a border.
"""

import argparse
import pathlib
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

CORE, HALO = 48, 8
TRUE, OUT, SOURCE = 2, 8, 16


class UNet2(nn.Module):
    """One pooling level; what the layers are called is what Skyloop's loader calls them."""

    def __init__(self, inputs=3, hidden=16):
        super().__init__()
        self.fine1 = nn.Conv2d(inputs, hidden, 3)
        self.fine2 = nn.Conv2d(hidden, hidden, 3)
        self.coarse1 = nn.Conv2d(hidden, 2 * hidden, 3)
        self.coarse2 = nn.Conv2d(2 * hidden, 2 * hidden, 3)
        self.up = nn.ConvTranspose2d(2 * hidden, hidden, 2, stride=2)
        self.joined1 = nn.Conv2d(2 * hidden, hidden, 3)
        self.joined2 = nn.Conv2d(hidden, hidden, 3)
        self.last = nn.Conv2d(hidden, 1, 1)

    def forward(self, x):
        relu = torch.relu
        fine = relu(self.fine2(relu(self.fine1(x))))
        coarse = functional.max_pool2d(fine, 2)
        coarse = relu(self.coarse2(relu(self.coarse1(coarse))))
        both = torch.cat([fine[:, :, 4:-4, 4:-4], self.up(coarse)], 1)
        return self.last(relu(self.joined2(relu(self.joined1(both)))))[:, 0]


def dilated(mask):
    """Within one pixel, of the eight neighbours."""
    wide = np.pad(mask, 1)
    ny, nx = mask.shape
    return np.any([wide[v : v + ny, u : u + nx] for v in range(3) for u in range(3)], axis=0)


class Frames:
    def __init__(self, folder, damage_weight):
        self.inputs, self.labels, self.weights, self.clean = [], [], [], []
        for path in sorted(pathlib.Path(folder).glob("*.input.npy")):
            truth = np.load(str(path).replace("input", "truth"))
            true = truth & TRUE > 0
            counts = truth & OUT == 0
            clean = (truth & SOURCE > 0) & ~dilated(true) & counts
            self.inputs.append(np.load(path))
            self.labels.append(true)
            # Light of sources taken for a hit costs more than a wrong edge of a hit.
            self.weights.append(np.where(clean, damage_weight, 1.0).astype(np.float32) * counts)
            self.clean.append(clean)
        assert self.inputs, f"no frames in {folder}"

    def batch(self, rng, count):
        x = np.empty((count, CORE + 2 * HALO, CORE + 2 * HALO, 3), np.float32)
        y = np.empty((count, CORE, CORE), np.float32)
        w = np.empty_like(y)
        for k in range(count):
            frame = rng.integers(len(self.inputs))
            image = self.inputs[frame]
            v, u = (rng.integers(n - CORE - 2 * HALO) for n in image.shape[:2])
            whole = (slice(v, v + CORE + 2 * HALO), slice(u, u + CORE + 2 * HALO))
            core = (slice(v + HALO, v + HALO + CORE), slice(u + HALO, u + HALO + CORE))
            turn, flip = rng.integers(4), rng.integers(2)
            for to, what in ((x, image[whole]), (y, self.labels[frame][core]), (w, self.weights[frame][core])):
                what = np.rot90(what, turn)
                to[k] = what[:, ::-1] if flip else what
        return torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(y), torch.from_numpy(w)


def judged(net, frames):
    """Recall, precision and source damage at the threshold with the largest F1, and that threshold (a logit)."""
    logits, labels, clean = [], [], []
    with torch.no_grad():
        for image, label, weight, c in zip(frames.inputs, frames.labels, frames.weights, frames.clean):
            x = torch.from_numpy(image).permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last)
            inner = (slice(HALO, -HALO),) * 2
            z = net(x)[0].numpy()
            counts = (weight[inner] > 0) & (z > -6)
            logits.append(z[counts])
            labels.append(label[inner][counts])
            clean.append(c[inner][counts])
    total = sum(int((l[HALO:-HALO, HALO:-HALO] & (w[HALO:-HALO, HALO:-HALO] > 0)).sum()) for l, w in zip(frames.labels, frames.weights))
    all_clean = sum(int(c[HALO:-HALO, HALO:-HALO].sum()) for c in frames.clean)
    logits, labels, clean = map(np.concatenate, (logits, labels, clean))
    order = np.argsort(-logits)
    right = np.cumsum(labels[order])
    recall, precision = right / total, right / np.arange(1, len(order) + 1)
    best = np.argmax(2 * recall * precision / (recall + precision + 1e-9))
    return recall[best], precision[best], np.cumsum(clean[order])[best] / max(all_clean, 1), logits[order][best]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cpu-minutes", type=float, default=25.0)
    parser.add_argument("--hidden", type=int, default=16)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--damage-weight", type=float, default=4.0)
    parser.add_argument("--start")
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(given.seed)
    rng = np.random.default_rng(given.seed)
    train = Frames(pathlib.Path(given.data) / "train", given.damage_weight)
    valid = Frames(pathlib.Path(given.data) / "valid", 1.0)
    net = UNet2(hidden=given.hidden).to(memory_format=torch.channels_last)
    if given.start:
        net.load_state_dict(torch.load(given.start))
    print(sum(p.numel() for p in net.parameters()), "parameters", len(train.inputs), "frames", flush=True)
    adam = torch.optim.Adam(net.parameters(), lr=given.rate)
    begin, shown, step, losses = time.process_time(), 0.0, 0, []
    while True:
        spent = (time.process_time() - begin) / 60.0
        part = min(spent / given.cpu_minutes, 1.0)
        # Warm up, then down along half a cosine.
        rate = given.rate * min(1.0, (step + 1) / 200) * (0.5 + 0.5 * np.cos(np.pi * part)) + 1e-6
        for group in adam.param_groups:
            group["lr"] = rate
        if spent - shown > 2.0 or part >= 1.0:
            shown = spent
            r, p, d, z = judged(net, valid)
            print(
                f"{spent:6.2f} min  step {step}  loss {np.mean(losses):.5f}  valid R {r:.4f} P {p:.4f} F1 {2 * r * p / (r + p):.4f}"
                f"  damage {d:.1e}  logit {z:.2f}",
                flush=True,
            )
            losses = []
            torch.save(net.state_dict(), given.out + ".pt")
        if part >= 1.0:
            break
        x, y, w = train.batch(rng, given.batch)
        loss = functional.binary_cross_entropy_with_logits(net(x), y, w, reduction="sum") / (given.batch * CORE * CORE)
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        adam.step()
        losses.append(loss.item())
        step += 1


if __name__ == "__main__":
    main()

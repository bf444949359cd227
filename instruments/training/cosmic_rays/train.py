"""Trains the network that finds cosmic rays, on frames made by Skyloop.

usage: train.py DATA OUT [--seed N] [--steps N] [--decay N] [--batch B] [--rate LR] [--soft S] [--damage-weight W] [--small-weight W] [--start WEIGHTS] [--inputs N] [--stop N]

DATA holds train/ and valid/, made by `cosmic_ray_bench export`; see README.md. Writes OUT.pt (averaged weights) and OUT.raw.pt, and a log
line every thousand steps. The rate of learning is constant, then falls to nothing over the last --decay steps; a file OUT.decay, made while
it runs, lets it fall from there on; --stop ends earlier. The network is convolved without padding, as Skyloop runs it: what it says of a pixel depends on the
pixels around, never on a border.
"""

import argparse
import copy
import json
import pathlib
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

CORE, HALO = 48, 8
# Units of the files.
STEPS, NO_CHARGE = 1024.0, -128
# Weights are averaged over the last steps, about so many.
AVERAGED = 1000
TRUE, OUT, SOURCE, SMALL = 2, 8, 16, 32


class UNet2(nn.Module):
    """One pooling level; what the layers are called is what Skyloop's loader calls them."""

    def __init__(self, inputs=6, hidden=16):
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
    """Inputs, truth, weights and what an oracle sees, frame by frame."""

    def __init__(self, folder, damage_weight, inputs, small_weight=1.0):
        self.inputs, self.labels, self.weights, self.clean, self.oracle, self.true = [], [], [], [], [], []
        for path in sorted(pathlib.Path(folder).glob("*.input.npy")):
            truth = np.load(str(path).replace("input", "truth"))
            true = truth & TRUE > 0
            counts = truth & OUT == 0
            clean = (truth & SOURCE > 0) & ~dilated(true) & counts
            self.inputs.append(np.load(path)[..., :inputs])
            self.labels.append(true)
            self.oracle.append(np.load(str(path).replace("input", "oracle")))
            # Light of sources taken for a hit costs more than a wrong edge of a hit.
            # A small hit as a whole counts for more, its surroundings with it, so that its edges stay where they are.
            small = dilated(truth & SMALL > 0)
            self.weights.append(np.where(clean, damage_weight, np.where(small, small_weight, 1.0)).astype(np.float32) * counts)
            self.clean.append(clean)
            self.true.append(np.argwhere(true & counts))
        assert self.inputs, f"no frames in {folder}"

    def odds(self):
        """How often a pixel with charge is true, by what the oracle sees of it: (data - noiseless sky) / sigma, in steps."""
        whole, part = np.zeros(256), np.zeros(256)
        for oracle, label, weight in zip(self.oracle, self.labels, self.weights):
            counts = (weight > 0) & (oracle > NO_CHARGE)
            whole += np.bincount(oracle[counts].astype(int) + 128, minlength=256)
            part += np.bincount(oracle[counts & label].astype(int) + 128, minlength=256)
        return np.where(whole > 0, part / np.maximum(whole, 1), 0.0)

    def soften(self, odds, soft):
        """Labels that are partly those odds: noise alone decides about pixels near the limit, and need not be learnt."""
        for k, oracle in enumerate(self.oracle):
            near = np.where(oracle > NO_CHARGE, odds[oracle.astype(int) + 128], 0.0)
            self.labels[k] = ((1.0 - soft) * self.labels[k] + soft * near).astype(np.float32)

    def batch(self, rng, count):
        x = np.empty((count, CORE + 2 * HALO, CORE + 2 * HALO, self.inputs[0].shape[2]), np.float32)
        y = np.empty((count, CORE, CORE), np.float32)
        w = np.empty_like(y)
        for k in range(count):
            frame = rng.integers(len(self.inputs))
            image, true = self.inputs[frame], self.true[frame]
            room = [n - CORE - 2 * HALO for n in image.shape[:2]]
            v, u = (rng.integers(n) for n in room)
            # Half of the patches have a hit somewhere: scenes with few hits have empty ones.
            if k % 2 and len(true):
                v, u = np.clip(true[rng.integers(len(true))] - HALO - rng.integers(CORE, size=2), 0, np.array(room) - 1)
            whole = (slice(v, v + CORE + 2 * HALO), slice(u, u + CORE + 2 * HALO))
            core = (slice(v + HALO, v + HALO + CORE), slice(u + HALO, u + HALO + CORE))
            turn, flip = rng.integers(4), rng.integers(2)
            for to, what in ((x, image[whole]), (y, self.labels[frame][core]), (w, self.weights[frame][core])):
                what = np.rot90(what, turn)
                to[k] = what[:, ::-1] if flip else what
        x *= np.float32(1.0 / STEPS)
        return torch.from_numpy(x).permute(0, 3, 1, 2), torch.from_numpy(y), torch.from_numpy(w)


def kept(start):
    """A checkpoint, or the weights in a folder as Skyloop keeps them: `[v, u, in, out]`, then biases, layer by layer."""
    if start.is_file():
        return torch.load(start)
    values, state, at = np.fromfile(start / "cosmic_rays.f32", "<f4"), {}, 0
    for layer in json.loads((start / "cosmic_rays.json").read_text())["layers"]:
        name, side, inputs, outputs = layer["name"], round(layer["taps"] ** 0.5), layer["inputs"], layer["outputs"]
        weight, bias, _ = np.split(values[at:], [side * side * inputs * outputs, (side * side * inputs + 1) * outputs])
        at += weight.size + bias.size
        # Convolutions are [out, in, v, u] in torch, transposed ones [in, out, v, u].
        order = (2, 3, 0, 1) if name == "up" else (3, 2, 0, 1)
        state[name + ".weight"] = torch.from_numpy(weight.reshape(side, side, inputs, outputs).transpose(order).copy())
        state[name + ".bias"] = torch.from_numpy(bias.copy())
    return state


def best(values, labels, total):
    """Place of the largest F1 in the order of falling values, with recall and precision there."""
    order = np.argsort(-values)
    right = np.cumsum(labels[order])
    recall, precision = right / total, right / np.arange(1, len(order) + 1)
    at = np.argmax(2 * recall * precision / (recall + precision + 1e-9))
    return order, at, recall[at], precision[at]


def judged(net, frames):
    """Recall, precision and source damage at the threshold with the largest F1, that threshold (a logit), and the oracle's F1."""
    logits, labels, clean, seen, charged = [], [], [], [], []
    total = all_clean = 0
    inner = (slice(HALO, -HALO),) * 2
    with torch.no_grad():
        for image, label, weight, c, oracle in zip(frames.inputs, frames.labels, frames.weights, frames.clean, frames.oracle):
            x = torch.from_numpy(image.astype(np.float32) / STEPS).permute(2, 0, 1)[None].contiguous(memory_format=torch.channels_last)
            z = net(x)[0].numpy()
            label, c, oracle, within = label[inner], c[inner], oracle[inner], weight[inner] > 0
            total += int((label & within).sum())
            all_clean += int(c.sum())
            counts = within & (z > -6)
            logits.append(z[counts])
            labels.append(label[counts])
            clean.append(c[counts])
            counts = within & (oracle > NO_CHARGE)
            seen.append(oracle[counts].astype(float))
            charged.append(label[counts])
    logits, labels, clean, seen, charged = map(np.concatenate, (logits, labels, clean, seen, charged))
    _, _, r, p = best(seen, charged, total)
    ceiling = 2 * r * p / (r + p)
    order, at, r, p = best(logits, labels, total)
    return r, p, np.cumsum(clean[order])[at] / max(all_clean, 1), logits[order][at], ceiling


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=20000)
    parser.add_argument("--decay", type=int, default=6000)
    parser.add_argument("--hidden", type=int, default=16)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--soft", type=float, default=0.7)
    parser.add_argument("--damage-weight", type=float, default=4.0)
    parser.add_argument("--small-weight", type=float, default=1.0)
    parser.add_argument("--start")
    parser.add_argument("--inputs", type=int, default=6)
    parser.add_argument("--stop", type=int)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(given.seed)
    rng = np.random.default_rng(given.seed)
    train = Frames(pathlib.Path(given.data) / "train", given.damage_weight, given.inputs, given.small_weight)
    valid = Frames(pathlib.Path(given.data) / "valid", 1.0, given.inputs)
    train.soften(train.odds(), given.soft)
    net = UNet2(given.inputs, given.hidden).to(memory_format=torch.channels_last)
    if given.start:
        state = kept(pathlib.Path(given.start))
        # Inputs that the earlier network did not have begin with no weight.
        first = torch.zeros_like(net.fine1.weight)
        first[:, : state["fine1.weight"].shape[1]] = state["fine1.weight"]
        net.load_state_dict({**state, "fine1.weight": first})
    average = copy.deepcopy(net)
    print(sum(p.numel() for p in net.parameters()), "parameters", len(train.inputs), "frames", flush=True)
    adam = torch.optim.Adam(net.parameters(), lr=given.rate)
    begin, losses, end, decay = time.process_time(), [], given.steps, given.decay
    step = 0
    while step < min(end, given.stop or end):
        if step % 100 == 0 and step < end - decay and pathlib.Path(given.out + ".decay").exists():
            end = step + decay
        # Warm up, stay, fall to nothing.
        rate = given.rate * min(1.0, (step + 1) / 300, (end - step) / decay)
        for group in adam.param_groups:
            group["lr"] = rate
        x, y, w = train.batch(rng, given.batch)
        loss = functional.binary_cross_entropy_with_logits(net(x), y, w, reduction="sum") / (given.batch * CORE * CORE)
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        adam.step()
        losses.append(loss.item())
        step += 1
        keep = min(step / (step + 10.0), 1.0 - 1.0 / AVERAGED)
        with torch.no_grad():
            for mean, now in zip(average.parameters(), net.parameters()):
                mean.mul_(keep).add_(now, alpha=1.0 - keep)
        if step % 1000 == 0 or step == end:
            r, p, d, z, ceiling = judged(average, valid)
            print(
                f"{(time.process_time() - begin) / 60:6.2f} min  step {step} of {end}  rate {rate:.1e}  loss {np.mean(losses):.5f}  valid R {r:.4f}"
                f" P {p:.4f} F1 {2 * r * p / (r + p):.4f} (oracle {ceiling:.4f})  damage {d:.1e}  logit {z:.2f}",
                flush=True,
            )
            losses = []
            torch.save(average.state_dict(), given.out + ".pt")
            torch.save(net.state_dict(), given.out + ".raw.pt")


if __name__ == "__main__":
    main()

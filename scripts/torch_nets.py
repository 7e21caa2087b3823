"""Small PyTorch networks, trained for seconds on generated pictures of a disk on a shaded
background.

Used by the pipeline tests and the README's example. Runs where PyTorch is installed, in a
converter's environment: imports nothing of tflite_align, and PyTorch only inside functions. Each
network takes [batch, 3, 32, 32] in [-1, 1]; weights, pictures and training are seeded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["NETS", "SIDE", "scenes", "trained"]

SIDE = 32
STEPS = {"unet": 300, "branches": 500, "detector": 300}
BATCH = 32


def scenes(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` pictures [count, 3, SIDE, SIDE], and row, column and radius of each disk."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    pictures, disks = [], []
    for _ in range(count):
        row, column = random.uniform(0.25, 0.75, 2)
        radius = random.uniform(0.12, 0.3)
        inside = _inside(rows, columns, np.array([row, column, radius]))
        slope = random.uniform(-0.5, 0.5, 2)
        ground = random.uniform(-0.5, 0.3) + slope[0] * (rows - 0.5) + slope[1] * (columns - 0.5)
        tint = random.uniform(-0.2, 0.2, (3, 1, 1))
        noise = random.normal(scale=0.08, size=(3, SIDE, SIDE))
        picture = ground + tint + random.uniform(0.3, 0.6) * inside + noise
        pictures.append(picture.clip(-1, 1))
        disks.append((row, column, radius))
    return np.asarray(pictures, np.float32), np.asarray(disks, np.float32)


def masks(disks: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Which cells of a side x side grid are inside each disk, float32 [count, 1, side, side]."""
    rows, columns = (np.mgrid[:side, :side] + 0.5) / side
    inside = [_inside(rows, columns, disk) for disk in disks]
    return np.asarray(inside, np.float32)[:, None]


def _inside(rows: np.ndarray, columns: np.ndarray, disk: np.ndarray) -> Any:
    """Whether points (row, column) are inside a disk (row, column, radius)."""
    return (rows - disk[0]) ** 2 + (columns - disk[1]) ** 2 < disk[2] ** 2


def _conv(before: int, width: int, size: int = 3, stride: int = 1, act: str = "ReLU") -> Any:
    """Convolution, batch normalization and the activation `act` ("" for none). `before`, `width`:
    numbers of input and output channels.
    """
    from torch import nn

    layers = [
        nn.Conv2d(before, width, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(width),
    ]
    return nn.Sequential(*layers, *([getattr(nn, act)()] if act else []))


def unet() -> Any:
    """A network for the disk's mask, as logits: max pools, bilinear and nearest resizes, skips by
    CONCATENATION.
    """
    import torch
    from torch import nn

    class UNet(nn.Module):
        """Encoder and decoder with skip connections by concatenation."""

        def __init__(self) -> None:
            super().__init__()
            self.top, self.mid = _conv(3, 8), _conv(8, 12)
            self.low, self.deep = _conv(12, 16), _conv(16, 16)
            self.up1, self.up2, self.up3 = _conv(32, 16), _conv(28, 12), _conv(20, 12)
            self.mask = nn.Conv2d(12, 1, 1)

        def forward(self, x: Any) -> Any:
            pool, resize = nn.functional.max_pool2d, nn.functional.interpolate
            top = self.top(x)
            mid = self.mid(pool(top, 2))
            low = self.low(pool(mid, 2))
            up = resize(
                self.deep(pool(low, 2)), scale_factor=2, mode="bilinear", align_corners=False
            )
            up = self.up1(torch.cat([up, low], dim=1))
            up = resize(up, scale_factor=2, mode="nearest")
            up = self.up2(torch.cat([up, mid], dim=1))
            up = resize(up, scale_factor=2, mode="nearest")
            return self.mask(self.up3(torch.cat([up, top], dim=1)))

    return UNet()


def branches() -> Any:
    """A network for the disk's position and size: branches of unequal range, joined twice
    (Inception).
    """
    import torch
    from torch import nn

    class Branches(nn.Module):
        """Two Inception blocks, whose branches have different ranges, and a linear layer."""

        def __init__(self) -> None:
            super().__init__()
            self.stem = _conv(3, 8, stride=2)
            self.wide, self.gate = _conv(8, 6), _conv(8, 6, 1, act="Sigmoid")
            self.bent, self.mean = _conv(8, 4, 1, act="Tanh"), nn.AvgPool2d(3, 1, 1)
            self.more, self.down = _conv(24, 8), _conv(32, 16, stride=2)
            self.last = _conv(16, 16, stride=2)
            self.disk = nn.Linear(16 * 16, 3)

        def forward(self, x: Any) -> Any:
            x = self.stem(x)
            x = torch.cat([self.wide(x), self.gate(x), self.bent(x), self.mean(x)], dim=1)
            x = self.last(self.down(torch.cat([x, self.more(x)], dim=1)))
            return self.disk(torch.flatten(x, 1))

    return Branches()


def detector() -> Any:
    """A head on two scales: SiLU backbone, scores by sigmoid and offsets by tanh, joined."""
    import torch
    from torch import nn

    class Detector(nn.Module):
        """A backbone and a detection head on two scales."""

        def __init__(self) -> None:
            super().__init__()
            self.stem, self.fine = _conv(3, 8, stride=2, act="SiLU"), _conv(8, 12, stride=2)
            self.coarse = _conv(12, 16, stride=2)
            self.neck = _conv(28, 12, act="SiLU")
            self.scores = nn.ModuleList([nn.Conv2d(12, 1, 1), nn.Conv2d(16, 1, 1)])
            self.offsets = nn.ModuleList([nn.Conv2d(12, 2, 1), nn.Conv2d(16, 2, 1)])

        def forward(self, x: Any) -> Any:
            fine = self.fine(self.stem(x))
            coarse = self.coarse(fine)
            up = nn.functional.interpolate(coarse, scale_factor=2, mode="nearest")
            levels = [self.neck(torch.cat([up, fine], dim=1)), coarse]
            parts = []
            for level, score, offset in zip(levels, self.scores, self.offsets, strict=True):
                both = torch.cat([torch.sigmoid(score(level)), torch.tanh(offset(level))], dim=1)
                parts.append(torch.flatten(both, 2))
            return torch.cat(parts, dim=2)

    return Detector()


def _wanted(net: str, disks: np.ndarray) -> np.ndarray:
    """The expected outputs for each picture."""
    if net == "unet":
        return masks(disks)
    if net == "branches":
        return disks
    parts = []
    for side in (8, 4):
        rows, columns = (np.mgrid[:side, :side] + 0.5) / side
        offsets = [(d[0] - rows, d[1] - columns) for d in disks]
        both = np.concatenate([masks(disks, side), np.asarray(offsets, np.float32)], axis=1)
        parts.append(both.reshape(len(disks), 3, -1))
    return np.concatenate(parts, axis=2)


NETS: dict[str, Callable[[], Any]] = {net.__name__: net for net in (unet, branches, detector)}


def trained(net: str) -> Any:
    """The network in evaluation mode after STEPS steps of Adam."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(
        1
    )  # one thread sums in a fixed order, so that each run on a machine gives the same weights
    model = NETS[net]()
    pictures, disks = scenes(1024, 0)
    inputs, wanted = torch.from_numpy(pictures), torch.from_numpy(_wanted(net, disks))
    binary, squares = torch.nn.BCEWithLogitsLoss(), torch.nn.MSELoss()
    loss = binary if net == "unet" else squares
    adam = torch.optim.Adam(model.parameters(), 0.01)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(adam, STEPS[net])
    model.train()
    for step in range(STEPS[net]):
        chosen = torch.arange(step * BATCH, (step + 1) * BATCH) % len(inputs)
        adam.zero_grad()
        loss(model(inputs[chosen]), wanted[chosen]).backward()
        adam.step()
        slower.step()
    return model.eval()

"""PyTorch networks of one kind of layer each, between two convolutions or two products.

The counterpart of layer_nets.py for converters that start from PyTorch or ONNX. Runs where PyTorch
is installed: imports nothing of tflite_align, and PyTorch only inside functions.
"""

from __future__ import annotations

from typing import Any

__all__ = ["IMAGE", "SERIES", "TORCH_LAYERS", "layer_net"]

WIDTH, BREADTH, MANY = 16, 32, 65
IMAGE, SERIES = (1, 3, 8, 8), (1, 8, BREADTH)
_FIXED = {"WIDTH": WIDTH, "BREADTH": BREADTH}

# Name -> the layer between two convolutions of an image x, [1, WIDTH, 8, 8]: an expression of
# t (torch), f (torch.nn.functional) and x.
_IMAGE_LAYERS = {
    "relu": "f.relu(x)",
    "relu6": "f.relu6(x)",
    "sigmoid": "t.sigmoid(x)",
    "tanh": "t.tanh(x)",
    "silu": "f.silu(x)",
    "mish": "f.mish(x)",
    "gelu": "f.gelu(x)",
    "gelu_tanh": "f.gelu(x, approximate='tanh')",
    "hardswish": "f.hardswish(x)",
    "hardsigmoid": "f.hardsigmoid(x)",
    "leaky_relu": "f.leaky_relu(x, 0.1)",
    "elu": "f.elu(x)",
    "softplus": "f.softplus(x)",
    "softmax": "f.softmax(x, 1)",
    "log_softmax": "f.log_softmax(x, 1)",
    "prelu": "f.prelu(x, t.linspace(0.1, 0.4, WIDTH))",
    "clamp": "t.clamp(x, -0.4, 0.7)",
    "abs": "t.abs(x)",
    "exp": "t.exp(x)",
    "log": "t.log(t.abs(x) + 0.5)",
    "sqrt": "t.sqrt(t.abs(x) + 0.5)",
    "rsqrt": "t.rsqrt(t.abs(x) + 0.5)",
    "sin": "t.sin(x)",
    "neg": "-x",
    "power": "x ** 2",
    "floor": "t.floor(x)",
    "round": "t.round(x)",
    "max_pool": "f.max_pool2d(x, 2)",
    "max_pool_padded": "f.max_pool2d(x, 3, 1, 1)",
    "average_pool": "f.avg_pool2d(x, 2)",
    "average_pool_padded": "f.avg_pool2d(x, 3, 1, 1)",
    "adaptive_pool": "f.adaptive_avg_pool2d(x, 1)",
    "mean": "x.mean((2, 3), keepdim=True)",
    "amax": "x.amax((2, 3), keepdim=True)",
    "sum": "x.sum((2, 3), keepdim=True)",
    "nearest": "f.interpolate(x, scale_factor=2, mode='nearest')",
    "bilinear": "f.interpolate(x, scale_factor=2, mode='bilinear')",
    "pad": "f.pad(x, (1, 1, 2, 2))",
    "pad_value": "f.pad(x, (1, 1, 2, 2), value=1.5)",
    "pad_reflect": "f.pad(x, (1, 1, 2, 2), mode='reflect')",
    "pixel_shuffle": "f.pixel_shuffle(x, 2).repeat(1, 4, 1, 1)",
    "pixel_unshuffle": "f.pixel_unshuffle(x, 2)[:, :WIDTH]",
    "transpose": "x.transpose(2, 3)",
    "reshape": "x.reshape(1, WIDTH, 4, 16)",
    "slice": "x[:, :, 1:7:2, ::2]",
    "split": "t.cat(x.chunk(2, 1)[::-1], 1)",
    "split_uneven": "t.cat(x.split([4, 12], 1)[::-1], 1)",
    "channel_shuffle": "x.reshape(1, 2, WIDTH // 2, 8, 8).transpose(1, 2).reshape(1, WIDTH, 8, 8)",
    "flip": "t.flip(x, (3,))",
    "roll": "t.roll(x, 1, 3)",
    "tile": "x.repeat(1, 1, 2, 1)",
    "gather": "x[:, [3, 1, 0, 2] * (WIDTH // 4)]",
    "add": "x + f.relu(x)",
    "sub": "x - f.relu(x)",
    "mul": "x * t.sigmoid(x)",
    "div": "x / (t.abs(x) + 1.5)",
    "maximum": "t.maximum(x, t.tanh(x))",
    "minimum": "t.minimum(x, t.tanh(x))",
    "where": "t.where(x > 0, x, 0.1 * x)",
    "cat": "t.cat([x[:, :8], t.sigmoid(x[:, 8:])], 1)",
    "stack": "t.stack([x, f.relu(x)], 2).reshape(1, 2 * WIDTH, 8, 8)[:, ::2]",
    "add_constant": "x + 0.7",
    "mul_constant": "x * -1.3",
    "l2_norm": "f.normalize(x, dim=1)",
    "instance_norm": "f.instance_norm(x)",
    "group_norm": "f.group_norm(x, 4)",
    "scale_channels": "x * t.sigmoid(x.mean((2, 3), keepdim=True))",
    "cumsum": "t.cumsum(x, 3)",
    "argmax": "x * t.argmax(x, 1, keepdim=True).to(t.float32)",
}
# Name -> the layer between two products of a series x, [1, 8, BREADTH].
_SERIES_LAYERS = {
    "linear_relu": "f.relu(x)",
    "layer_norm": "f.layer_norm(x, (BREADTH,))",
    "self_product": "t.softmax(x @ x.transpose(1, 2) / 4, -1) @ x",
    "attention": "f.scaled_dot_product_attention(x, x, x)",
    "masked": "x.masked_fill(x < 0, -1.0)",
    "series_mean": "x - x.mean(1, keepdim=True)",
    "series_softmax": "f.softmax(x, 1)",
    "topk": "t.topk(x, BREADTH, -1).values",
}
# Name -> the module between the two: an expression of n (torch.nn).
_IMAGE_MODULES = {
    "conv": "n.Conv2d(WIDTH, WIDTH, 3, padding=1)",
    "conv_stride": "n.Conv2d(WIDTH, WIDTH, 3, 2, 1)",
    "conv_dilated": "n.Conv2d(WIDTH, WIDTH, 3, dilation=2, padding=2)",
    "conv_grouped": "n.Conv2d(WIDTH, WIDTH, 3, groups=4, padding=1)",
    "conv_nobias": "n.Conv2d(WIDTH, WIDTH, 3, bias=False)",
    "depthwise": "n.Conv2d(WIDTH, WIDTH, 3, groups=WIDTH, padding=1)",
    "depthwise_twice": "n.Conv2d(WIDTH, 2 * WIDTH, 3, groups=WIDTH)",
    "transposed": "n.ConvTranspose2d(WIDTH, WIDTH, 2, 2)",
    "transposed_padded": "n.ConvTranspose2d(WIDTH, WIDTH, 3, 2, 1, 1)",
    "batch_norm": "n.Sequential(n.ReLU(), n.BatchNorm2d(WIDTH))",
}
_SERIES_MODULES = {
    "linear": "n.Linear(BREADTH, 40)",
    "lstm": "n.LSTM(BREADTH, 16, batch_first=True)",
    "gru": "n.GRU(BREADTH, 16, batch_first=True)",
    "multi_head": "n.TransformerEncoderLayer(BREADTH, 2, 48, batch_first=True)",
    "conv1d": "n.Conv1d(8, 8, 3, padding=1)",
}

# Name -> the shape of the net's input.
TORCH_LAYERS: dict[str, tuple[int, ...]] = {
    **dict.fromkeys((*_IMAGE_LAYERS, *_IMAGE_MODULES), IMAGE),
    **dict.fromkeys((*_SERIES_LAYERS, *_SERIES_MODULES), SERIES),
}


def layer_net(name: str) -> Any:
    """The net around that layer, in evaluation mode; its input has the shape TORCH_LAYERS[name]."""
    import torch
    from torch import nn

    functions = {**_IMAGE_LAYERS, **_SERIES_LAYERS}
    modules = {**_IMAGE_MODULES, **_SERIES_MODULES}
    shape = TORCH_LAYERS[name]

    class Net(nn.Module):  # type: ignore[misc, unused-ignore] # PyTorch may not be here
        def __init__(self) -> None:
            super().__init__()
            self.middle = _value(modules[name], n=nn) if name in modules else None
            first = nn.Conv2d(3, WIDTH, 3, padding=1)
            self.first = first if shape == IMAGE else nn.Linear(BREADTH, BREADTH)
            with torch.no_grad():
                middle = self._middle(self.first(torch.zeros(shape)))
            wide = middle.shape[1] if shape == IMAGE else middle.shape[-1]
            self.last = nn.Conv2d(wide, MANY, 1) if shape == IMAGE else nn.Linear(wide, MANY)

        def _middle(self, x: Any) -> Any:
            if self.middle is None:
                return _value(functions[name], t=torch, f=nn.functional, x=x)
            x = self.middle(x)
            return x[0] if isinstance(x, tuple) else x

        def forward(self, x: Any) -> Any:
            return self.last(self._middle(self.first(x)))

    torch.manual_seed(0)
    return Net().eval()


def _value(expression: str, **names: Any) -> Any:
    """The value of a table's expression with `names` defined."""
    return eval(expression, {**_FIXED, **names})  # noqa: S307 - the tables above, nothing else

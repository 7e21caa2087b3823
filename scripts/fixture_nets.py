"""Small Keras networks with random weights, with the structures of current architectures.

Each function returns an uncompiled functional model with a batch of one. They are test data: only
the sequence of operators matters. TensorFlow is imported inside, so that names can be listed
without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["NETS", "NOT_CONVERTED"]


def _keras() -> Any:
    """The module keras, imported on use."""
    import keras

    return keras


def _conv(x: Any, width: int, size: int = 3, stride: int = 1, act: str = "relu") -> Any:
    """Convolution, batch normalization, activation: what the converter folds into one operator."""
    layers = _keras().layers
    x = layers.Conv2D(width, size, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.Activation(act)(x) if act else x


def _depthwise(x: Any, stride: int = 1) -> Any:
    """Depthwise convolution 3x3, batch normalization, ReLU6."""
    layers = _keras().layers
    x = layers.DepthwiseConv2D(3, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU(6.0)(x)


def _input(size: int = 16) -> Any:
    """The network's input: one RGB image of size x size pixels."""
    return _keras().Input(batch_shape=(1, size, size, 3), name="image")


def inception() -> Any:
    """Four branches of different ranges into one CONCATENATION, twice."""
    keras = _keras()
    layers = keras.layers
    image = _input()
    x = _conv(image, 8, stride=2)
    for gate in ("sigmoid", "tanh"):
        one = _conv(x, 4, 1)
        two = _conv(_conv(x, 4, 1), 6, 3)
        pool = _conv(layers.MaxPooling2D(3, strides=1, padding="same")(x), 4, 1, act=gate)
        mean = layers.AveragePooling2D(3, strides=1, padding="same")(x)
        x = layers.Concatenate()([one, two, pool, mean])
    x = _conv(x, 8)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(5, name="scores")(x))


def residual() -> Any:
    """Residual adds, a squeeze-and-excite gate, LEAKY_RELU."""
    keras = _keras()
    layers = keras.layers
    image = _input()
    x = _conv(image, 8)
    y = _conv(_conv(x, 8), 8, act="")
    x = layers.ReLU()(layers.Add()([x, y]))
    y = _conv(_conv(x, 12, stride=2), 12, act="")
    gate = layers.GlobalAveragePooling2D(keepdims=True)(y)
    gate = layers.Conv2D(4, 1, activation="relu")(gate)
    gate = layers.Conv2D(12, 1, activation="sigmoid")(gate)
    y = layers.Multiply()([y, gate])
    x = layers.LeakyReLU(negative_slope=0.2)(layers.Add()([_conv(x, 12, 1, 2, act=""), y]))
    x = layers.AveragePooling2D(2)(_conv(x, 12))
    x = layers.Flatten()(x)
    return keras.Model(image, layers.Dense(5, activation="softmax", name="scores")(x))


def unet() -> Any:
    """Down and up again: max pool, nearest and bilinear resize, TRANSPOSE_CONV, PAD, skips."""
    keras = _keras()
    layers = keras.layers
    image = _input()
    top = _conv(image, 6)
    mid = _conv(layers.MaxPooling2D(2)(top), 8)
    low = _conv(layers.MaxPooling2D(2)(mid), 12)
    deep = _conv(layers.MaxPooling2D(2)(low), 12)
    up = layers.UpSampling2D(2, interpolation="bilinear")(deep)
    up = _conv(layers.Concatenate()([up, low]), 12)
    up = keras.ops.image.resize(up, (8, 8), interpolation="nearest")
    up = _conv(layers.Concatenate()([up, mid]), 8)
    up = layers.Conv2DTranspose(6, 2, strides=2)(up)
    up = layers.Concatenate()([up, top])
    up = layers.ZeroPadding2D(2)(
        up
    )  # more padding than SAME, since the converter would fold that into the convolution
    up = layers.Conv2D(6, 5, activation="relu")(layers.MaxPooling2D(2, 1)(up))
    mask = layers.Conv2D(1, 1, activation="sigmoid", name="mask")(up)
    return keras.Model(image, [mask, layers.Conv2D(2, 1, name="flow")(up)])


def dense_concat() -> Any:
    """A DenseNet chain: every CONCATENATION is an input of the next one."""
    keras = _keras()
    layers = keras.layers
    image = _input()
    x = _conv(image, 6, stride=2)
    for _ in range(4):
        x = layers.Concatenate()([x, _conv(_conv(x, 6, 1), 4)])
    x = layers.AveragePooling2D(2)(_conv(x, 8, 1))
    for _ in range(2):
        x = layers.Concatenate()([x, _depthwise(x)])
    x = layers.GlobalMaxPooling2D()(x)
    return keras.Model(image, layers.Dense(5, name="scores")(x))


def head() -> Any:
    """A detector's head on two scales: RESHAPE, CONCATENATION, SOFTMAX and LOGISTIC."""
    keras = _keras()
    layers = keras.layers
    image = _input()
    fine = _conv(_conv(image, 8, stride=2), 8)
    coarse = _conv(fine, 12, stride=2)
    scores, boxes, quality = [], [], []
    for level in (fine, coarse):
        cells = level.shape[1] * level.shape[2]
        score = layers.Conv2D(6, 1)(level)
        scores.append(layers.Reshape((cells * 2, 3))(score))
        boxes.append(layers.Reshape((cells * 2, 4))(layers.Conv2D(8, 1)(level)))
        gate = layers.Conv2D(2, 1, activation="sigmoid")(level)
        quality.append(layers.Reshape((cells * 2, 1))(gate))
    score = layers.Softmax(name="scores")(layers.Concatenate(axis=1)(scores))
    good = layers.Concatenate(axis=1)(quality)
    rated = layers.Multiply(name="rated")([score, good])
    box = layers.Activation("tanh", name="boxes")(layers.Concatenate(axis=1)(boxes))
    return keras.Model(image, [rated, box])


def shuffle() -> Any:
    """SPLIT, TRANSPOSE, STRIDED_SLICE, MAXIMUM and MINIMUM: copies between branches."""
    keras = _keras()
    layers, ops = keras.layers, keras.ops
    image = _input()
    x = _conv(image, 8, stride=2)
    for _ in range(2):
        left, right = ops.split(x, 2, axis=-1)
        right = _conv(_depthwise(_conv(right, 4, 1)), 4, 1)
        x = layers.Concatenate()([left, right])
        x = ops.reshape(x, (1, 8, 8, 2, 4))
        x = ops.reshape(ops.transpose(x, (0, 1, 2, 4, 3)), (1, 8, 8, 8))
    even, odd = x[:, ::2, ::2, :], x[:, 1::2, 1::2, :]
    both = [ops.maximum(even, odd), ops.minimum(even, odd), _conv(even, 4, 1, act="tanh")]
    x = layers.Concatenate()(both)
    x = ops.mean(_conv(x, 8), axis=(1, 2))
    return keras.Model(image, layers.Dense(5, name="scores")(x))


def classifier() -> Any:
    """A MobileNet: explicit PAD, DEPTHWISE_CONV_2D, RELU6, MEAN, FULLY_CONNECTED, SOFTMAX."""
    keras = _keras()
    layers = keras.layers
    image = _input()
    x = layers.ZeroPadding2D(1)(
        image
    )  # asymmetric padding for stride 2, as exporters from other frameworks write it
    x = layers.Conv2D(8, 3, strides=2, use_bias=False)(x)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    for width, stride in ((12, 1), (16, 2), (16, 1)):
        before = x
        x = _conv(_depthwise(x, stride), width, 1, act="")
        if before.shape == x.shape:
            x = layers.Add()([before, x])
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(12, activation="relu")(x)
    return keras.Model(image, layers.Dense(5, activation="softmax", name="scores")(x))


def _l2_normalize(x: Any) -> Any:
    """Division by the L2 norm along channels, which converts to L2_NORMALIZATION."""
    import tensorflow as tf

    return tf.math.l2_normalize(x, axis=-1)  # Keras's own version decomposes into five operators


def activations() -> Any:
    """PRELU, HARD_SWISH, ELU, SUB, SQUARED_DIFFERENCE, L2_NORMALIZATION, LOG_SOFTMAX."""
    keras = _keras()
    layers, ops = keras.layers, keras.ops
    image = _input()
    x = _conv(image, 8, stride=2, act="")
    slopes = keras.initializers.RandomUniform(0.05, 0.4, seed=1)
    bent = layers.PReLU(shared_axes=[1, 2], alpha_initializer=slopes)(x)
    swish = layers.Activation("hard_swish")(_conv(x, 8, act=""))
    soft = layers.Activation("elu")(_conv(x, 8, act=""))
    apart = ops.square(ops.subtract(bent, soft))
    x = layers.Concatenate()([ops.subtract(bent, swish), apart, soft])
    x = ops.mean(_conv(x, 8), axis=(1, 2))
    unit = layers.Lambda(_l2_normalize, name="unit")(layers.Dense(6)(x))
    return keras.Model(image, [ops.log_softmax(layers.Dense(5)(x)), unit])


def sample() -> Any:
    """The shipped example: two branches of unequal range into a CONCATENATION, and a pool."""
    keras = _keras()
    layers = keras.layers
    image = _input(12)
    x = _conv(image, 6, stride=2)
    wide = _conv(x, 6, act="")
    narrow = _conv(x, 4, 1, act="tanh")
    x = layers.Concatenate()([wide, narrow, layers.MaxPooling2D(3, strides=1, padding="same")(x)])
    x = layers.GlobalAveragePooling2D()(_conv(x, 8))
    return keras.Model(image, layers.Dense(4, name="scores")(x))


NETS: dict[str, Callable[[], Any]] = {
    net.__name__: net
    for net in (
        sample,
        inception,
        residual,
        unet,
        dense_concat,
        head,
        shuffle,
        classifier,
        activations,
    )
}

# The converter cannot quantize PRELU to 16x8.
NOT_CONVERTED = {("activations", "int16x8")}

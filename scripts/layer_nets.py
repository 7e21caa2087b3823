"""Keras networks of one kind of layer each, between a convolution or product and its reader.

Each function returns an uncompiled model with a batch of one and random weights. They are test data
for the output of current converters, in each quantization mode, and for the runtimes that accept
it. TensorFlow is imported inside, so that names can be listed without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["LAYER_NETS", "layer_net"]

# Dynamic-range quantization leaves weights of fewer than 1024 elements as they are.
WIDTH, BREADTH, MANY = 16, 32, 65
_FIXED = {"WIDTH": WIDTH, "BREADTH": BREADTH, "MANY": MANY}

# Name -> the layer after a convolution, [1, 8, 8, WIDTH]: an expression of x, layers
# (keras.layers), ops (keras.ops) and tf.
_IMAGE_LAYERS = {
    "conv_relu": "layers.Conv2D(WIDTH, 3, activation='relu')(x)",
    "conv_relu6": "layers.ReLU(6.0)(layers.Conv2D(WIDTH, 3)(x))",
    "conv_stride": "layers.Conv2D(WIDTH, 3, strides=2, padding='same')(x)",
    "conv_nobias": "layers.Conv2D(WIDTH, 3, use_bias=False)(x)",
    "conv_dilated": "layers.Conv2D(WIDTH, 3, dilation_rate=2, padding='same')(x)",
    "conv_grouped": "layers.Conv2D(WIDTH, 3, groups=2)(x)",
    "conv_one_channel": "layers.Conv2D(1, 3)(x)",
    "conv_wide": "layers.Conv2D(72, 1)(x)",
    "depthwise": "layers.DepthwiseConv2D(3, padding='same')(x)",
    "depthwise_stride": "layers.DepthwiseConv2D(3, strides=2)(x)",
    "depthwise_multiplier": "layers.DepthwiseConv2D(3, depth_multiplier=2)(x)",
    "depthwise_dilated": "layers.DepthwiseConv2D(3, dilation_rate=2)(x)",
    "separable": "layers.SeparableConv2D(6, 3)(x)",
    "transposed": "layers.Conv2DTranspose(WIDTH, 3, strides=2, padding='same')(x)",
    "transposed_nobias": "layers.Conv2DTranspose(WIDTH, 2, 2, use_bias=False)(x)",
    "batch_norm": "layers.BatchNormalization()(layers.ReLU()(x))",
    "max_pool": "layers.MaxPooling2D(2)(x)",
    "average_pool": "layers.AveragePooling2D(3, 1, padding='same')(x)",
    "global_average": "layers.Dense(3)(layers.GlobalAveragePooling2D()(x))",
    "global_max": "layers.Dense(3)(layers.GlobalMaxPooling2D()(x))",
    "up_nearest": "layers.UpSampling2D(2)(x)",
    "up_bilinear": "layers.UpSampling2D(2, interpolation='bilinear')(x)",
    "resize_nearest": "ops.image.resize(x, (5, 7), interpolation='nearest')",
    "resize_bilinear": "ops.image.resize(x, (12, 5))",
    "zero_padding": "layers.ZeroPadding2D(3)(x)",
    "mirror_padding": "ops.pad(x, ((0, 0), (1, 1), (2, 2), (0, 0)), 'reflect')",
    "pad_value": (
        "layers.Lambda(lambda x: tf.pad(x, [[0, 0], [2, 2], [2, 2], [0, 0]], "
        "constant_values=1.5))(x)"
    ),
    "cropping": "layers.Cropping2D(((1, 2), (0, 3)))(x)",
    "space_to_depth": "layers.Lambda(lambda x: tf.nn.space_to_depth(x, 2))(x)",
    "depth_to_space": "layers.Lambda(lambda x: tf.nn.depth_to_space(x, 2))(x)",
    "local_response": "layers.Lambda(lambda x: tf.nn.local_response_normalization(x))(x)",
    "act_relu": "layers.Activation('relu')(x)",
    "act_sigmoid": "layers.Activation('sigmoid')(x)",
    "act_tanh": "layers.Activation('tanh')(x)",
    "act_softmax": "layers.Activation('softmax')(x)",
    "act_elu": "layers.Activation('elu')(x)",
    "act_selu": "layers.Activation('selu')(x)",
    "act_gelu": "layers.Activation('gelu')(x)",
    "act_silu": "layers.Activation('silu')(x)",
    "act_softplus": "layers.Activation('softplus')(x)",
    "act_softsign": "layers.Activation('softsign')(x)",
    "act_hard_sigmoid": "layers.Activation('hard_sigmoid')(x)",
    "act_hard_swish": "layers.Activation('hard_swish')(x)",
    "act_leaky_relu": "layers.Activation('leaky_relu')(x)",
    "act_log_softmax": "layers.Activation('log_softmax')(x)",
    "act_mish": "layers.Activation('mish')(x)",
    "act_exponential": "layers.Activation('exponential')(x)",
    "act_relu6": "layers.Activation('relu6')(x)",
    "act_celu": "layers.Activation('celu')(x)",
    "act_squareplus": "layers.Activation('squareplus')(x)",
    "act_log_sigmoid": "layers.Activation('log_sigmoid')(x)",
    "act_hard_tanh": "layers.Activation('hard_tanh')(x)",
    "act_prelu": "layers.PReLU(shared_axes=[1, 2], alpha_initializer='random_normal')(x)",
    "act_relu_n1_to_1": "ops.clip(x, -1.0, 1.0)",
    "act_relu_0_to_1": "ops.clip(x, 0.0, 1.0)",
    "act_clip": "ops.clip(x, -0.4, 0.7)",
    "act_gelu_tanh": "ops.gelu(x, approximate=True)",
    "op_abs": "ops.abs(x)",
    "op_negative": "ops.negative(x)",
    "op_square": "ops.square(x)",
    "op_exp": "ops.exp(x)",
    "op_sin": "ops.sin(x)",
    "op_cos": "ops.cos(x)",
    "op_floor": "ops.floor(x)",
    "op_ceil": "ops.ceil(x)",
    "op_round": "ops.round(x)",
    "op_sign": "ops.sign(x)",
    "op_tanh": "ops.tanh(x)",
    "op_sqrt": "ops.sqrt(ops.abs(x) + 0.5)",
    "op_rsqrt": "ops.rsqrt(ops.abs(x) + 0.5)",
    "op_log": "ops.log(ops.abs(x) + 0.5)",
    "op_reciprocal": "ops.reciprocal(ops.abs(x) + 0.5)",
    "reduce_mean": "ops.mean(x, axis=(1, 2), keepdims=True)",
    "reduce_sum": "ops.sum(x, axis=(1, 2), keepdims=True)",
    "reduce_max": "ops.max(x, axis=(1, 2), keepdims=True)",
    "reduce_min": "ops.min(x, axis=(1, 2), keepdims=True)",
    "reduce_prod": "ops.prod(x, axis=(1, 2), keepdims=True)",
    "reduce_var": "ops.var(x, axis=(1, 2), keepdims=True)",
    "reduce_std": "ops.std(x, axis=(1, 2), keepdims=True)",
    "reduce_last": "ops.mean(x, axis=-1, keepdims=True)",
    "add_constant": "ops.add(x, 0.7)",
    "multiply_constant": "ops.multiply(x, -1.3)",
    "subtract_from_constant": "ops.subtract(1.0, x)",
    "rescaling": "layers.Rescaling(0.5, 0.1)(x)",
    "squeeze_excite": (
        "ops.multiply(x, layers.Dense(WIDTH, activation='sigmoid')(layers.Dense(2, "
        "activation='relu')(ops.mean(x, axis=(1, 2), keepdims=True))))"
    ),
    "reshape": "ops.reshape(x, (1, 4, 16, WIDTH))",
    "transpose": "ops.transpose(x, (0, 2, 1, 3))",
    "flatten_dense": "layers.Dense(5)(layers.Flatten()(x))",
    "strided_slice": "x[:, ::2, 1:-1, :]",
    "slice": "ops.slice(x, (0, 1, 2, 0), (1, 4, 4, WIDTH))",
    "split": "ops.add(*ops.split(x, 2, axis=-1))",
    "split_v": "layers.Concatenate()(ops.split(x, [1], axis=-1)[::-1])",
    "unstack": "ops.add(*ops.unstack(x[:, :2], axis=1))",
    "tile": "ops.tile(x, (1, 2, 1, 1))",
    "roll": "ops.roll(x, 1, axis=1)",
    "broadcast": "ops.broadcast_to(x[:, :1, :1], (1, 4, 4, WIDTH))",
    "expand_squeeze": "ops.squeeze(ops.expand_dims(x, 1), 0)",
    "gather": "ops.take(x, [2, 0], axis=-1)",
    "gather_nd": "layers.Lambda(lambda x: tf.gather_nd(x, [[[0, 1], [0, 3]]]))(x)",
}
# The same for two convolutions a and b, [1, 8, 8, WIDTH] each.
_JOINS = {
    "join_add": "ops.add(a, b)",
    "join_subtract": "ops.subtract(a, b)",
    "join_multiply": "ops.multiply(a, b)",
    "join_maximum": "ops.maximum(a, b)",
    "join_minimum": "ops.minimum(a, b)",
    "join_divide": "ops.divide(a, b + 1.5)",
    "join_average": "layers.Average()([a, b])",
    "join_add3": "layers.Add()([a, b, layers.Conv2D(WIDTH, 1)(a)])",
    "join_squared_difference": "ops.square(ops.subtract(a, b))",
    "join_concatenate": "layers.Concatenate()([a, b])",
    "join_stack": "ops.reshape(ops.stack([a, b], axis=-1), (1, 8, 8, 2 * WIDTH))",
    "join_where": "ops.where(ops.greater(a, b), a, b * 0.5)",
    "join_less": "ops.cast(ops.less(a, b), 'float32') * a",
    "join_floor_divide": "ops.floor_divide(a, b + 2.0)",
    "join_mod": "ops.mod(a, b + 2.0)",
    "join_power": "ops.power(ops.abs(a) + 0.1, b)",
    "join_arctan2": "ops.arctan2(a, b)",
    "join_gate": "ops.multiply(a, ops.sigmoid(b))",
}
# Name -> the layer between two products of a series, [1, 8, BREADTH].
_SERIES_LAYERS = {
    "conv1d": "layers.Conv1D(BREADTH, 3, padding='same')(x)",
    "conv1d_dilated": "layers.Conv1D(BREADTH, 3, dilation_rate=2)(x)",
    "conv1d_causal": "layers.Conv1D(BREADTH, 3, padding='causal')(x)",
    "depthwise1d": "layers.DepthwiseConv1D(3)(x)",
    "transposed1d": "layers.Conv1DTranspose(BREADTH, 3, strides=2)(x)",
    "max_pool1d": "layers.MaxPooling1D(2)(x)",
    "average_pool1d": "layers.AveragePooling1D(2)(x)",
    "up1d": "layers.UpSampling1D(2)(x)",
    "softmax_last": "layers.Softmax()(x)",
    "softmax_first": "layers.Softmax(axis=1)(x)",
    "reduce_sum_axis": "ops.sum(x, axis=1)",
    "cumsum": "ops.cumsum(x, axis=1)",
    "argmax": "ops.cast(ops.argmax(x, axis=1), 'float32')",
    "reverse": "ops.flip(x, axis=1)",
    "l2_norm": "layers.Lambda(lambda x: tf.math.l2_normalize(x, axis=-1))(x)",
    "layer_norm": "layers.LayerNormalization()(x)",
    "group_norm": "layers.GroupNormalization(2)(x)",
    "unit_norm": "layers.UnitNormalization()(x)",
    "top_k": "ops.top_k(x, 2)[0]",
    "permute": "layers.Permute((2, 1))(x)",
    "repeat": "layers.RepeatVector(3)(ops.mean(x, axis=1))",
    "one_hot": "ops.one_hot(ops.argmax(x, axis=-1), 4)",
    "dense_relu": "layers.Dense(6, activation='relu')(x)",
    "dense_nobias": "layers.Dense(6, use_bias=False)(x)",
    "matmul": "ops.matmul(x, ops.transpose(x, (0, 2, 1)))",
    "einsum": "layers.EinsumDense('abc,cd->abd', output_shape=(None, 5))(x)",
    "attention": "layers.Attention()([x, x])",
    "multi_head": "layers.MultiHeadAttention(2, 2)(x, x)",
    "lstm": "layers.LSTM(BREADTH, return_sequences=True, unroll=True)(x)",
    "gru": "layers.GRU(BREADTH, return_sequences=True, unroll=True)(x)",
    "simple_rnn": "layers.SimpleRNN(BREADTH, unroll=True)(x)",
    "lstm_loop": "layers.LSTM(BREADTH)(x)",
    "gru_loop": "layers.GRU(BREADTH)(x)",
}
_LENGTHS = {"permute": BREADTH, "lstm": 3, "gru": 3, "simple_rnn": 3, "lstm_loop": 3, "gru_loop": 3}


def _image(name: str) -> Any:
    """A network with the layer `name` between convolutions, on one image [1, 8, 8, 3]."""
    keras = _keras()
    layers = keras.layers
    image = keras.Input(batch_shape=(1, 8, 8, 3), name="image")
    x = layers.Conv2D(WIDTH, 3, padding="same")(image)
    if name in _JOINS:
        a, b = layers.Conv2D(WIDTH, 1)(x), layers.Conv2D(WIDTH, 1, activation="relu")(x)
        x = _value(_JOINS[name], a=a, b=b)
    else:
        x = _value(_IMAGE_LAYERS[name], x=x)
    return keras.Model(image, layers.Conv2D(MANY, 1)(x) if len(x.shape) == 4 else x)


def _series(name: str) -> Any:
    """A network with the layer `name` between two dense layers, on a series [1, length,
    BREADTH].
    """
    keras = _keras()
    dense = keras.layers.Dense
    series = keras.Input(batch_shape=(1, _LENGTHS.get(name, 8), BREADTH), name="series")
    x = _value(_SERIES_LAYERS[name], x=dense(BREADTH)(series))
    return keras.Model(series, dense(MANY)(x))


def _conv3d(_: str) -> Any:
    """Conv3D and Conv3DTranspose on a volume [1, 4, 6, 6, 2]."""
    keras = _keras()
    volume = keras.Input(batch_shape=(1, 4, 6, 6, 2), name="volume")
    x = keras.layers.Conv3D(3, 2)(volume)
    return keras.Model(volume, keras.layers.Conv3DTranspose(2, 2)(x))


def _embedding(_: str) -> Any:
    """An embedding of 6 words, followed by a dense layer."""
    keras = _keras()
    words = keras.Input(batch_shape=(1, 6), dtype="int32", name="words")
    x = keras.layers.Embedding(40, BREADTH)(words)
    return keras.Model(words, keras.layers.Dense(MANY)(x))


def _two_inputs(_: str) -> Any:
    """A matrix product of two inputs."""
    keras = _keras()
    one = keras.Input(batch_shape=(1, 4, 6), name="one")
    two = keras.Input(batch_shape=(1, 6, 5), name="two")
    return keras.Model([one, two], keras.ops.matmul(one, two))


LAYER_NETS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys((*_IMAGE_LAYERS, *_JOINS), _image),
    **dict.fromkeys(_SERIES_LAYERS, _series),
    "conv3d": _conv3d,
    "embedding": _embedding,
    "matmul_inputs": _two_inputs,
}


def layer_net(name: str) -> Any:
    """The Keras model of that name. Raises Keras's error for an unknown layer."""
    return LAYER_NETS[name](name)


def _keras() -> Any:
    """The module keras, imported on use."""
    import keras

    return keras


def _value(expression: str, **names: Any) -> Any:
    """The value of a table's expression with `names` and the libraries defined."""
    import tensorflow as tf

    known = {**_FIXED, "layers": _keras().layers, "ops": _keras().ops, "tf": tf, **names}
    return eval(expression, known)  # noqa: S307 - the tables above, nothing else

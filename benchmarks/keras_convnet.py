"""The ConvNet of 78,414 parameters as a Keras model: training and inference speed, one JSON line at the end.

    python benchmarks/keras_convnet.py [batch size]        # in an environment with tensorflow-cpu and tf-keras

The peer of `electron_networks.py`: the published architecture through Keras' own `fit` and `predict`, float32, data in
memory and already batched, no augmentation. Medians over epochs, and the best.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
import tf_keras as keras

N_BATCHES = 64
EPOCHS = 6


def main() -> None:
    batch = int(sys.argv[1]) if len(sys.argv) > 1 else 128
    layers = keras.layers
    inputs = layers.Input((8, 8, 17, 1))
    hidden = layers.Conv3D(32, 3, padding="same", activation="relu")(inputs)
    hidden = layers.Conv3D(10, 3, activation="relu")(hidden)
    hidden = layers.Flatten()(layers.Conv3D(5, 5, activation="relu")(hidden))
    for units in (128, 128, 128, 10):
        hidden = layers.Dense(units, activation="relu")(hidden)
    model = keras.Model(inputs, layers.Dense(1)(hidden))
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="mse")
    rng = np.random.default_rng(0)
    x = tf.constant((rng.random((batch, 8, 8, 17, 1)) ** 8).astype("float32"))
    y = tf.constant(rng.random((batch, 1)).astype("float32"))
    data = tf.data.Dataset.from_tensors((x, y)).cache().repeat(N_BATCHES).prefetch(2)
    train, infer = [], []
    model.fit(data, verbose=0)
    for _ in range(EPOCHS):
        start = time.perf_counter()
        model.fit(data, verbose=0)
        train.append(batch * N_BATCHES / (time.perf_counter() - start))
        start = time.perf_counter()
        model.predict(data.map(lambda features, _: features), verbose=0)
        infer.append(batch * N_BATCHES / (time.perf_counter() - start))
    result = {
        "bench": "keras_convnet",
        "batch": batch,
        "params": model.count_params(),
        "train_events_per_s": round(float(np.median(train))),
        "train_best": round(max(train)),
        "infer_events_per_s": round(float(np.median(infer))),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

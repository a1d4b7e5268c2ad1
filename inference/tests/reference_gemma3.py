#!/usr/bin/env python3
"""Gemma 3 in plain f32 (needs numpy and gguf): writes vectors/gemma3.json, the likeliest tokens after each position of a given answer."""
import json, os, pathlib
import gguf
import numpy as np

DATA = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
VECTORS = pathlib.Path(__file__).parent / "vectors" / "gemma3.json"
LAYERS, WIDTH, HEADS, HEAD, WINDOW = 18, 640, 4, 256, 512
reader = gguf.GGUFReader(f"{DATA}/touchstone/models/gemma-3-270m.q4_k_m.gguf")
weights = {t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype("f4") for t in reader.tensors}


def norm(x, weight):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6) * weight


def rotate(x, base):
    angles = (np.arange(len(x))[:, None] * base ** (-np.arange(HEAD // 2) / (HEAD // 2)))[:, None]
    cos, sin = np.cos(angles).astype("f4"), np.sin(angles).astype("f4")
    a, b = x[..., :HEAD // 2], x[..., HEAD // 2:]
    return np.concatenate([a * cos - b * sin, a * sin + b * cos], -1)


def forward(ids):
    n, x = len(ids), weights["token_embd.weight"][ids] * np.float32(WIDTH ** 0.5)
    apart = np.arange(n)[:, None] - np.arange(n)[None]
    for layer in range(LAYERS):
        w = lambda part: weights[f"blk.{layer}.{part}.weight"]
        everything = layer % 6 == 5
        mask = np.where((apart >= 0) & (everything | (apart < WINDOW)), 0, -1e30).astype("f4")
        h = norm(x, w("attn_norm"))
        base = 1e6 if everything else 1e4
        q = rotate(norm((h @ w("attn_q").T).reshape(n, HEADS, HEAD), w("attn_q_norm")), base)
        k = rotate(norm((h @ w("attn_k").T).reshape(n, 1, HEAD), w("attn_k_norm")), base)[:, 0]
        v, heads = h @ w("attn_v").T, []
        for head in range(HEADS):
            scores = q[:, head] @ k.T / HEAD ** 0.5 + mask
            p = np.exp(scores - scores.max(-1, keepdims=True))
            heads.append(p / p.sum(-1, keepdims=True) @ v)
        x = x + norm(np.concatenate(heads, 1) @ w("attn_output").T, w("post_attention_norm"))
        h = norm(x, w("ffn_norm"))
        g = h @ w("ffn_gate").T
        g = g / 2 * (1 + np.tanh((2 / np.pi) ** 0.5 * (g + 0.044715 * g ** 3)))
        x = x + norm((g * (h @ w("ffn_up").T)) @ w("ffn_down").T, w("post_ffw_norm"))
    return norm(x, weights["output_norm.weight"]) @ weights["token_embd.weight"].T


if __name__ == "__main__":
    # "User: What is the capital of France?", a blank line, "Assistant:"; and " The capital of France is Paris.", a blank line.
    prompt = [2, 2887, 236787, 2900, 563, 506, 5279, 529, 7001, 236881, 108, 74314, 236787]
    answer = [669, 5279, 529, 7001, 563, 9079, 236761, 108]
    logits = forward(prompt + answer)[len(prompt) - 1:-1].astype("f8")
    top = []
    for z in logits:
        logprobs = z - z.max() - np.log(np.exp(z - z.max()).sum())
        top.append([[int(i), round(float(logprobs[i]), 4)] for i in np.argsort(-z)[:5]])
    VECTORS.write_text(json.dumps({"prompt": prompt, "answer": answer, "top": top}) + "\n")

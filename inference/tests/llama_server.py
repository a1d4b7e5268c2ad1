#!/usr/bin/env python3
"""llama.cpp's own server, out of the package xllamacpp: prints its address and serves until standard input ends.

usage: llama_server.py XLLAMACPP.SO MODEL.GGUF [LORA.GGUF...]

What llama-server does with --lora, --slots, -np 2 and -c 4096. A template beside the model (MODEL.jinja) is used like --chat-template-file.
"""
import importlib.util, pathlib, sys

spec = importlib.util.spec_from_file_location("xllamacpp", sys.argv[1])
llama = importlib.util.module_from_spec(spec)
spec.loader.exec_module(llama)
params = llama.CommonParams()
params.model.path = sys.argv[2]
params.lora_adapters = [llama.CommonAdapterLoraInfo(path, 1.0) for path in sys.argv[3:]]
params.n_ctx, params.n_parallel, params.cpuparams.n_threads = 4096, 2, 1
params.endpoint_slots, params.warmup = True, False
template = pathlib.Path(sys.argv[2]).with_suffix(".jinja")
if template.exists():
    params.chat_template = template.read_text()
server = llama.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()

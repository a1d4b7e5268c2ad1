// llama.cpp under the same load as our engine: llama.mjs FILE THREADS PROMPT_TOKENS ANSWER_TOKENS CONCURRENT ROUNDS
// Prints one line of JSON like the engine's own bench. Run from a folder where node-llama-cpp is installed.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const entry = createRequire(process.cwd() + "/").resolve("node-llama-cpp");
const { getLlama } = await import(pathToFileURL(entry).href);
const [file, ...numbers] = process.argv.slice(2);
const [threads, promptTokens, answerTokens, concurrent, rounds] = numbers.map(Number);

const llama = await getLlama({ gpu: false, build: "never", maxThreads: threads, logLevel: "error" });
const model = await llama.loadModel({ modelPath: file });
const context = await model.createContext({
	contextSize: promptTokens + answerTokens + 8,
	batchSize: 512,
	sequences: concurrent,
	threads: { ideal: threads, min: threads },
});
const text = "Tell a very long story about" + " the sea and the wind,".repeat(promptTokens);
const prompt = model.tokenize(text).slice(0, promptTokens);

let [prefill, decode, total] = [0, 0, 0];
for (let round = 0; round < rounds; round++) {
	const sequences = Array.from({ length: concurrent }, () => context.getSequence());
	const start = performance.now();
	await Promise.all(sequences.map(s => s.evaluateWithoutGeneratingNewTokens(prompt.slice(0, -1))));
	const read = performance.now();
	const firsts = [];
	await Promise.all(sequences.map(async (sequence) => {
		let count = 0;
		const options = { temperature: 0, yieldEogToken: true };
		for await (const _ of sequence.evaluate(prompt.slice(-1), options)) {
			if (++count === 1) firsts.push(performance.now());
			if (count === answerTokens) break;
		}
	}));
	const end = performance.now();
	prefill = Math.max(prefill, (concurrent * (promptTokens - 1) * 1000) / (read - start));
	decode = Math.max(decode, (concurrent * (answerTokens - 1) * 1000) / (end - Math.min(...firsts)));
	total = Math.max(total, (concurrent * answerTokens * 1000) / (end - start));
	for (const sequence of sequences) {
		await sequence.clearHistory();
		sequence.dispose();
	}
}
const peakMiB = Math.round(process.resourceUsage().maxRSS / 1024);
const round = (x) => Math.round(x * 10) / 10;
console.log(JSON.stringify({ prefill: round(prefill), decode: round(decode), total: round(total), peakMiB }));
process.exit(0);

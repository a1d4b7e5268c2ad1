// A devnet of its own for the tests: four validators on free ports, made and ended by scripts/devnet.

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const REPO = resolve(fileURLToPath(import.meta.url), '../../..');
const SCRIPT = join(REPO, 'scripts/devnet');
const TARGET = process.env.CARGO_TARGET_DIR ?? join(process.env.HOME, '.cache/touchstone/target');
const NODES = 4;

const isFree = (port) =>
  new Promise((done) => {
    const server = createServer();
    server.once('error', () => done(false));
    server.listen(port, '127.0.0.1', () => server.close(() => done(true)));
  });

/** A base port of which all the ports that scripts/devnet derives are free. */
async function freeBase() {
  for (let tries = 0; tries < 100; tries++) {
    const base = 20_000 + Math.floor(Math.random() * 10_000);
    const ports = Array.from({ length: 5 * NODES }, (_, i) => base + (i % 5) * 100 + Math.floor(i / 5));
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return base;
  }
  throw new Error('no free ports between 20000 and 30500');
}

export class Devnet {
  /** Starts it and waits for the first answer and its anchored receipt. DEVNET_PORT takes one that runs already. */
  static async start() {
    if (process.env.DEVNET_PORT) return new Devnet(Number(process.env.DEVNET_PORT));
    const base = await freeBase();
    const state = await mkdtemp(join(tmpdir(), 'touchstone-clients-'));
    const devnet = new Devnet(base, state);
    try {
      const args = ['--no-build', '--detach', '--nodes', NODES, '--base-port', base, '--state', state];
      const { stdout, stderr } = await run(SCRIPT, args.map(String), { timeout: 900_000 });
      console.log(stderr + stdout);
    } catch (error) {
      console.error(error.stderr, error.stdout);
      await devnet.stop();
      throw error;
    }
    return devnet;
  }

  constructor(base, state) {
    this.base = base;
    this.state = state;
  }

  /** WebSocket address of a node's JSON-RPC. */
  rpc(node = 0) {
    return `ws://127.0.0.1:${this.base + node}`;
  }

  /** Calls a JSON-RPC method of node 0 over HTTP. */
  async call(method, ...params) {
    const response = await fetch(`http://127.0.0.1:${this.base}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    });
    const { result, error } = await response.json();
    if (error) throw new Error(`${method}: ${error.code} ${error.message} ${error.data ?? ''}`);
    return result;
  }

  /** The chain specification, with the nodes' WebSocket p2p addresses as boot nodes: all that a light client is given. */
  async lightSpec() {
    const file = join(await mkdtemp(join(tmpdir(), 'touchstone-spec-')), 'raw.json');
    const program = join(TARGET, 'release/touchstone-node');
    await run(program, ['export-chain-spec', '--chain', 'local', '--raw', '--output', file]);
    const spec = JSON.parse(await readFile(file, 'utf8'));
    await rm(resolve(file, '..'), { recursive: true });
    const peer = await this.call('system_localPeerId');
    spec.bootNodes = [`/ip4/127.0.0.1/tcp/${this.base + 400}/ws/p2p/${peer}`];
    return JSON.stringify(spec);
  }

  /** Runs the command line program against a node. */
  async touchstone(...args) {
    return run(join(TARGET, 'release/touchstone'), ['--url', this.rpc(), ...args]);
  }

  async stop() {
    if (!this.state) return;
    await run(SCRIPT, ['--stop', '--state', this.state]);
    await rm(this.state, { recursive: true, force: true });
  }
}

/** Polls until the function gives something truthy. */
export async function until(what, seconds, probe) {
  const end = Date.now() + seconds * 1000;
  while (Date.now() < end) {
    const value = await probe();
    if (value) return value;
    await new Promise((wake) => setTimeout(wake, 500));
  }
  throw new Error(`${what}: not within ${seconds} s`);
}

// @ts-check
/**
 * Verifies answers of the memory against the hash of a finalised block, without trusting the node that gave them.
 * Runs in browsers and offline; docs/memory.md has the rules byte by byte.
 *
 * @typedef {string} Hex Bytes, as `0x` and two digits for each.
 * @typedef {number | string | bigint} Integer One of 64 bits; what a number cannot hold exactly comes as a string (see `parse`).
 *
 * @typedef {object} Fragment One passage of knowledge.
 * @property {string} text The passage.
 * @property {string} title What it is from, for people.
 * @property {string} source Where it is from: a path or an address.
 * @property {string} kind What it is, for filters.
 * @property {Integer} created When it was written, in milliseconds of Unix time.
 * @property {string[]} labels For filters.
 *
 * @typedef {object} State The state of a namespace that a root commits to.
 * @property {Hex} namespace Its id.
 * @property {Integer} version Grows with every batch of writes.
 * @property {Integer} count Fragments in it.
 * @property {Hex} tree Root of its tree.
 *
 * @typedef {object} Answer What `memory_search`, `memory_get` and `memory_prove` give.
 * @property {State} state The state that it was answered from.
 * @property {Hex} root Hash of the state.
 * @property {Hex} proof The part of the tree that shows the hits and the gaps.
 * @property {{id: Hex, salt: Hex, fragment: Fragment, score?: number}[]} hits What was found. No proof speaks of the score.
 * @property {Hex[]} [absent] Ids that nothing is at.
 *
 * @typedef {object} Header A block's header, as `chain_getHeader` gives it.
 * @property {Hex} parentHash
 * @property {Hex} number
 * @property {Hex} stateRoot
 * @property {Hex} extrinsicsRoot
 * @property {{logs: Hex[]}} digest
 *
 * @typedef {object} ReadProof Nodes of the chain's state, as `state_getReadProof` gives them.
 * @property {Hex} [at] The block.
 * @property {Hex[]} proof
 *
 * @typedef {object} Asked What the question was; an answer to another one is refused.
 * @property {Hex} [namespace] Which namespace.
 * @property {Integer} [version] The oldest version that will do.
 * @property {Hex[]} [ids] Fragments of which each has to be shown or shown to be absent.
 *
 * @typedef {object} Verified What was shown. Use this and not the answer: it has nothing else in it.
 * @property {{hash: Hex, number: number} | null} block The block, if its hash was given.
 * @property {{namespace: Hex, version: bigint, count: bigint, tree: Hex}} state
 * @property {Hex} root
 * @property {{id: Hex, fragment: Omit<Fragment, 'created'> & {created: bigint}}[]} hits In the order of the answer.
 * @property {Hex[]} absent
 *
 * @typedef {'input' | 'asked' | 'header' | 'storage' | 'state' | 'root' | 'proof' | 'fragment' | 'absence'} Check
 * @typedef {(method: string, ...params: unknown[]) => Promise<any>} Rpc Calls a JSON-RPC method of a node.
 */

import { Blake2256, Twox128, Twox64Concat } from '@polkadot-api/substrate-bindings';

/** An answer that is not proven. */
export class NotProven extends Error {
  /**
   * @param {Check} check Which check failed.
   * @param {string} message Why.
   * @param {string} [reason] For `proof`: which rule of the tree it breaks, as the chain names it.
   */
  constructor(check, message, reason) {
    super(`${check}: ${message}`);
    this.name = 'NotProven';
    this.check = check;
    this.reason = reason;
  }
}

/**
 * Checks everything that an answer says against one hash: that of a block, or of a chain's state.
 *
 * @param {object} from
 * @param {Answer} from.answer What the node answered.
 * @param {ReadProof} from.storageProof Proof of `storageKey(namespace, version)`.
 * @param {Hex} [from.blockHash] Trusted: hash of a finalised block. Needs `header`.
 * @param {Header} [from.header] The header of that block.
 * @param {Hex} [from.stateRoot] Trusted: root of a finalised block's state, instead of `blockHash` and `header`.
 * @param {Asked} [from.asked] What was asked for.
 * @returns {Verified}
 * @throws {NotProven} It says which check failed.
 */
export function verifyMemory({ answer, storageProof, blockHash, header, stateRoot, asked }) {
  if ((stateRoot === undefined) === (blockHash === undefined) || (header === undefined) !== (blockHash === undefined))
    throw new NotProven('input', 'give either blockHash and header or stateRoot');
  const read = readAnswer(answer);
  const { state, root, hits, absent } = read;
  check(asked ?? {}, state, [...hits.map((hit) => hit.id), ...absent]);

  const block = blockHash === undefined ? null : { hash: hex(bytes(blockHash, 32, 'blockHash')), ...readHeader(header) };
  if (block && hex(block.computed) !== block.hash)
    throw new NotProven('header', `its hash is ${hex(block.computed)}, not ${block.hash}`);
  const { at, proof } = record(storageProof, 'storageProof');
  if (block && at !== undefined && hex(bytes(at, 32, 'storageProof.at')) !== block.hash)
    throw new NotProven('storage', 'the proof is of another block');

  const nodes = list(proof, 'storageProof.proof').map((node, i) => bytes(node, null, `storageProof.proof[${i}]`));
  const stored = readStorage(block?.stateRoot ?? bytes(stateRoot, 32, 'stateRoot'), nodes, storageKey(state.namespace, state.version));
  if (!stored) throw new NotProven('state', `the chain keeps no version ${state.version} of this namespace`);
  const encoded = encodeState(state);
  if (hex(stored.subarray(0, encoded.length)) !== hex(encoded))
    throw new NotProven('state', 'the chain has another state for this version');
  if (hex(stateHash(state)) !== root) throw new NotProven('root', 'it is not the hash of the state');

  const keyOf = (/** @type {Hex} */ id) => fragmentKey(state.namespace, id);
  const found = verifyTree(state.tree, read.proof, [...hits.map((hit) => keyOf(hit.id)), ...absent.map(keyOf)]);
  hits.forEach(({ id, salt, fragment }, i) => {
    const value = found[i];
    if (value === null) throw new NotProven('fragment', `nothing is at ${id}`);
    if (value !== hex(fragmentValue(salt, fragment))) throw new NotProven('fragment', `another one is at ${id}`);
  });
  absent.forEach((id, i) => {
    if (found[hits.length + i] !== null) throw new NotProven('absence', `a fragment is at ${id}`);
  });
  return {
    block: block && { hash: block.hash, number: block.number },
    state,
    root,
    hits: hits.map(({ id, fragment }) => ({ id, fragment })),
    absent,
  };
}

/**
 * Reads JSON in which integers that a number cannot hold exactly become strings.
 *
 * @param {string} text
 * @returns {any}
 */
export function parse(text) {
  const tokens = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
  return JSON.parse(text.replace(tokens, (token) => (/^\d{16,}$/.test(token) ? `"${token}"` : token)));
}

/**
 * Fetches what `verifyMemory` needs besides the answer. Of all this only `blockHash` has to be trusted: give one that a light client
 * has verified. Without it the node's own finalised head is taken, and the node is trusted for that.
 *
 * @param {Rpc} rpc
 * @param {Hex} namespace
 * @param {Integer} version
 * @param {Hex} [blockHash]
 * @returns {Promise<{blockHash: Hex, header: Header, storageProof: ReadProof}>}
 */
export async function readRoot(rpc, namespace, version, blockHash) {
  const hash = blockHash ?? (await rpc('chain_getFinalizedHead'));
  const [header, storageProof] = await Promise.all([
    rpc('chain_getHeader', hash),
    rpc('state_getReadProof', [hex(storageKey(namespace, version))], hash),
  ]);
  return { blockHash: hash, header, storageProof };
}

// The rules, as in primitives/src/memory.rs.

/** Id of the namespace of this name. @param {string} name @returns {Hex} */
export const namespaceId = (name) => hex(taggedHash('touchstone/memory/namespace/1', utf8(name, 'name')));

/** Place of a fragment. @param {Hex} namespace @param {Hex} id @returns {Hex} */
export const fragmentKey = (namespace, id) =>
  hex(taggedHash('touchstone/memory/key/1', bytes(namespace, 32, 'namespace'), bytes(id, 32, 'id')));

/** What the tree holds for a fragment. @param {Hex} salt @param {Fragment} fragment */
export const fragmentValue = (salt, fragment) =>
  taggedHash('touchstone/memory/value/1', bytes(salt, 32, 'salt'), encodeFragment(fragment));

/** The root of a namespace. @param {State} state */
export const stateHash = (state) =>
  taggedHash(
    'touchstone/memory/root/1',
    bytes(state.namespace, 32, 'namespace'),
    u64(state.version, 'version'),
    u64(state.count, 'count'),
    bytes(state.tree, 32, 'tree'),
  );

/** Where the chain keeps the root of a version: `Memory.Roots`. @param {Hex} namespace @param {Integer} version */
export const storageKey = (namespace, version) =>
  concat(
    Twox128(utf8('Memory', 'pallet')),
    Twox128(utf8('Roots', 'item')),
    bytes(namespace, 32, 'namespace'),
    Twox64Concat(u64(version, 'version')),
  );

/** SCALE of a state: the first 80 bytes of what the chain keeps. @param {State} state */
const encodeState = (state) =>
  concat(
    bytes(state.namespace, 32, 'namespace'),
    u64(state.version, 'version'),
    u64(state.count, 'count'),
    bytes(state.tree, 32, 'tree'),
  );

/** SCALE of a fragment. @param {Fragment} fragment */
export function encodeFragment({ text, title, source, kind, created, labels }) {
  const string = (/** @type {string} */ value, /** @type {string} */ what) => prefixed(utf8(value, what));
  return concat(
    string(text, 'text'),
    string(title, 'title'),
    string(source, 'source'),
    string(kind, 'kind'),
    u64(created, 'created'),
    compact(labels.length),
    ...labels.map((label) => string(label, 'label')),
  );
}

/** Blake2b-256 of a tag and parts, each preceded by its length. @param {string} tag @param {...Uint8Array} parts */
export const taggedHash = (tag, ...parts) =>
  Blake2256(concat(...[utf8(tag, 'tag'), ...parts].flatMap((part) => [u64(part.length, 'length'), part])));

const EMPTY = new Uint8Array(32);
const MAX_DEPTH = 256;

/**
 * What a tree holds at each of these keys, from a proof (primitives/src/memory/tree.rs).
 *
 * @param {Hex} root
 * @param {Uint8Array} proof SCALE of its steps: from the root down, left before right.
 * @param {Hex[]} keys
 * @returns {(Hex | null)[]}
 */
export function verifyTree(root, proof, keys) {
  const input = new Input(proof, 'proof');
  const steps = Array.from({ length: input.compact(proof.length) }, () => {
    const kind = input.byte();
    if (kind > 3) throw input.bad();
    return { kind, parts: [kind === 1 || kind === 2 ? input.take(32) : EMPTY, kind === 1 ? input.take(32) : EMPTY] };
  });
  input.end();

  const malformed = () => new NotProven('proof', 'it is not a part of a tree', 'Malformed');
  /** @type {Map<Hex, Hex>} */
  const leaves = new Map();
  /** Subtrees of which only the hash is known. @type {{path: Uint8Array, depth: number}[]} */
  const hidden = [];
  const path = new Uint8Array(32);
  let next = 0;
  /** Hash of the subtree that comes next, at the current path. @param {number} depth @returns {Uint8Array} */
  const read = (depth) => {
    const step = steps[next++];
    if (!step) throw malformed();
    const [first, second] = step.parts;
    switch (step.kind) {
      case 0:
        return EMPTY;
      case 1:
        if (!shares(first, path, depth)) throw new NotProven('proof', 'a leaf is where its key does not lead', 'Misplaced');
        leaves.set(hex(first), hex(second));
        return taggedHash('touchstone/memory/leaf/1', first, second);
      case 2:
        hidden.push({ path: path.slice(), depth });
        return first;
      default: {
        if (depth >= MAX_DEPTH) throw malformed();
        const left = read(depth + 1);
        path[depth >> 3] ^= 0x80 >> (depth & 7);
        const right = read(depth + 1);
        path[depth >> 3] ^= 0x80 >> (depth & 7);
        return taggedHash('touchstone/memory/node/1', left, right);
      }
    }
  };
  const hash = read(0);
  if (next !== steps.length) throw malformed();
  if (hex(hash) !== hex(bytes(root, 32, 'root'))) throw new NotProven('proof', 'it does not lead to the root', 'OtherRoot');
  return keys.map((text) => {
    const key = bytes(text, 32, 'key');
    const value = leaves.get(hex(key));
    if (value !== undefined) return value;
    if (hidden.some(({ path, depth }) => shares(path, key, depth)))
      throw new NotProven('proof', `it does not show what is at ${text}`, 'Incomplete');
    return null;
  });
}

/** Whether two keys have the same first bits. @param {Uint8Array} one @param {Uint8Array} other @param {number} bits */
function shares(one, other, bits) {
  const [whole, rest] = [bits >> 3, bits & 7];
  for (let i = 0; i < whole; i++) if (one[i] !== other[i]) return false;
  return rest === 0 || (one[whole] ^ other[whole]) >> (8 - rest) === 0;
}

// The chain, as in Substrate.

/**
 * What the chain's state has at a key, from a proof that holds what leads there and nothing else. Knows both versions of the state:
 * values inline and by their hash.
 *
 * @param {Uint8Array} stateRoot
 * @param {Uint8Array[]} proof
 * @param {Uint8Array} key
 * @returns {Uint8Array | null}
 */
export function readStorage(stateRoot, proof, key) {
  const unused = new Map(proof.map((node) => [hex(Blake2256(node)), node]));
  if (unused.size !== proof.length) throw new NotProven('storage', 'a node is there twice');
  const take = (/** @type {Uint8Array} */ hash) => {
    const node = unused.get(hex(hash));
    if (!node) throw new NotProven('storage', `node ${hex(hash)} is missing`);
    unused.delete(hex(hash));
    return node;
  };
  const value = lookUp(take, take(stateRoot), [...key].flatMap((byte) => [byte >> 4, byte & 15]));
  if (unused.size) throw new NotProven('storage', 'a node does not belong there');
  return value;
}

/**
 * Walks from a node of the trie to the value at a path.
 *
 * @param {(hash: Uint8Array) => Uint8Array} take Finds what has this hash.
 * @param {Uint8Array} node
 * @param {number[]} path What remains of the key, in nibbles.
 * @returns {Uint8Array | null}
 */
function lookUp(take, node, path) {
  const input = new Input(node, 'storage');
  const first = input.byte();
  if (first === 0) return null;
  // The uppermost bits are the kind of node; the others begin the length of its part of the path.
  const [isLeaf, valueIs, bits] =
    first >= 0xc0 ? [false, 'inline', 6]
    : first >= 0x80 ? [false, 'none', 6]
    : first >= 0x40 ? [true, 'inline', 6]
    : first >= 0x20 ? [true, 'hashed', 5]
    : first >= 0x10 ? [false, 'hashed', 4]
    : [false, 'reserved', 0];
  if (valueIs === 'reserved') throw input.bad();
  let length = first & ((1 << bits) - 1);
  if (length === (1 << bits) - 1) {
    let more;
    do length += more = input.byte();
    while (more === 255);
  }
  const nibbles = [...input.take((length + 1) >> 1)].flatMap((byte) => [byte >> 4, byte & 15]);
  if (length & 1 && nibbles.shift() !== 0) throw input.bad();
  if (nibbles.some((nibble, i) => nibble !== path[i])) return null;

  const bitmap = isLeaf ? 0 : input.byte() | (input.byte() << 8);
  const value = () => {
    if (valueIs === 'none') return null;
    return valueIs === 'inline' ? input.take(input.compact()) : take(input.take(32));
  };
  if (path.length === length) return value();
  if (isLeaf) return null;
  if (valueIs !== 'none') input.take(valueIs === 'inline' ? input.compact() : 32);
  for (let child = 0; child < 16; child++) {
    if (!((bitmap >> child) & 1)) continue;
    const bytes = input.take(input.compact());
    if (child === path[length]) return lookUp(take, bytes.length === 32 ? take(bytes) : bytes, path.slice(length + 1));
  }
  return null;
}

/** What is needed of a header, and its hash. @param {unknown} header */
function readHeader(header) {
  const { parentHash, number, stateRoot, extrinsicsRoot, digest } = record(header, 'header');
  if (typeof number !== 'string' || !/^0x[0-9a-f]{1,8}$/i.test(number)) throw wrong('header.number', 'a hexadecimal of 32 bits');
  const root = bytes(stateRoot, 32, 'header.stateRoot');
  const logs = list(record(digest, 'header.digest').logs, 'header.digest.logs');
  const encoded = concat(
    bytes(parentHash, 32, 'header.parentHash'),
    compact(Number(number)),
    root,
    bytes(extrinsicsRoot, 32, 'header.extrinsicsRoot'),
    compact(logs.length),
    ...logs.map((log) => bytes(log, null, 'header.digest.logs')),
  );
  return { number: Number(number), stateRoot: root, computed: Blake2256(encoded) };
}

// Reading what may be anything.

/** @param {unknown} answer */
function readAnswer(answer) {
  const { state, root, proof, hits, absent } = record(answer, 'answer');
  const { namespace, version, count, tree } = record(state, 'state');
  return {
    state: {
      namespace: hex(bytes(namespace, 32, 'state.namespace')),
      version: integer(version, 'state.version'),
      count: integer(count, 'state.count'),
      tree: hex(bytes(tree, 32, 'state.tree')),
    },
    root: hex(bytes(root, 32, 'root')),
    proof: bytes(proof, null, 'proof'),
    hits: list(hits, 'hits').map((hit, i) => {
      const { id, salt, fragment } = record(hit, `hits[${i}]`);
      return {
        id: hex(bytes(id, 32, `hits[${i}].id`)),
        salt: hex(bytes(salt, 32, `hits[${i}].salt`)),
        fragment: readFragment(fragment, `hits[${i}].fragment`),
      };
    }),
    absent: list(absent ?? [], 'absent').map((id, i) => hex(bytes(id, 32, `absent[${i}]`))),
  };
}

/** @param {unknown} fragment @param {string} what */
function readFragment(fragment, what) {
  const { text, title, source, kind, created, labels } = record(fragment, what);
  return {
    text: string(text, `${what}.text`),
    title: string(title, `${what}.title`),
    source: string(source, `${what}.source`),
    kind: string(kind, `${what}.kind`),
    created: integer(created, `${what}.created`),
    labels: list(labels, `${what}.labels`).map((label, i) => string(label, `${what}.labels[${i}]`)),
  };
}

/** Whether the answer is to the question. @param {Asked} asked @param {{namespace: Hex, version: bigint}} state @param {Hex[]} shown */
function check({ namespace, version, ids }, state, shown) {
  if (namespace !== undefined && hex(bytes(namespace, 32, 'asked.namespace')) !== state.namespace)
    throw new NotProven('asked', 'the answer is from another namespace');
  if (version !== undefined && integer(version, 'asked.version') > state.version)
    throw new NotProven('asked', `version ${state.version} is older than ${version}`);
  for (const id of list(ids ?? [], 'asked.ids').map((id, i) => hex(bytes(id, 32, `asked.ids[${i}]`))))
    if (!shown.includes(id)) throw new NotProven('asked', `the answer says nothing of ${id}`);
}

/** @param {string} what @param {string} wanted */
const wrong = (what, wanted) => new NotProven('input', `${what} is not ${wanted}`);

/** @param {unknown} value @param {string} what @returns {Record<string, unknown>} */
function record(value, what) {
  if (typeof value !== 'object' || value === null) throw wrong(what, 'an object');
  return /** @type {Record<string, unknown>} */ (value);
}

/** @param {unknown} value @param {string} what @returns {unknown[]} */
function list(value, what) {
  if (!Array.isArray(value)) throw wrong(what, 'a list');
  return Array.from(value);
}

/** Half of a surrogate pair has no UTF-8, and would be hashed like any other half. @param {unknown} value @param {string} what */
function string(value, what) {
  if (typeof value !== 'string' || /\p{Surrogate}/u.test(value)) throw wrong(what, 'a text');
  return value;
}

/** @param {unknown} value @param {string} what */
function integer(value, what) {
  const exact =
    typeof value === 'bigint' || Number.isSafeInteger(value) || (typeof value === 'string' && /^(0|[1-9]\d{0,19})$/.test(value));
  const number = exact ? BigInt(/** @type {Integer} */ (value)) : -1n;
  if (number < 0n || number >= 1n << 64n) throw wrong(what, 'an integer of 64 bits that is exact: read the JSON with parse()');
  return number;
}

/** @param {unknown} value @param {number | null} length @param {string} what */
function bytes(value, length, what) {
  if (typeof value !== 'string' || !/^0x([0-9a-f]{2})*$/i.test(value) || (length !== null && value.length !== 2 + 2 * length))
    throw wrong(what, `${length ?? 'any'} bytes in hexadecimal`);
  const all = new Uint8Array(value.length / 2 - 1);
  for (let i = 0; i < all.length; i++) all[i] = parseInt(value.slice(2 + 2 * i, 4 + 2 * i), 16);
  return all;
}

// SCALE.

const DIGITS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** @param {Uint8Array} bytes @returns {Hex} */
const hex = (bytes) => bytes.reduce((text, byte) => text + DIGITS[byte], '0x');

/** @param {unknown} value @param {string} what */
const utf8 = (value, what) => new TextEncoder().encode(string(value, what));

/** @param {...Uint8Array} parts */
function concat(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** @param {unknown} value @param {string} what */
function u64(value, what) {
  const all = new Uint8Array(8);
  new DataView(all.buffer).setBigUint64(0, integer(value, what), true);
  return all;
}

/** @param {number} value Of at most 32 bits. */
function compact(value) {
  if (value < 1 << 6) return Uint8Array.of(value << 2);
  const all = new Uint8Array(5);
  const view = new DataView(all.buffer);
  if (value < 1 << 14) return view.setUint16(0, (value << 2) | 1, true), all.slice(0, 2);
  if (value < 1 << 30) return view.setUint32(0, value * 4 + 2, true), all.slice(0, 4);
  return view.setUint8(0, 3), view.setUint32(1, value, true), all;
}

/** @param {Uint8Array} bytes */
const prefixed = (bytes) => concat(compact(bytes.length), bytes);

/** Bytes that are read from the front. */
class Input {
  /** @param {Uint8Array} bytes @param {Check} check */
  constructor(bytes, check) {
    this.bytes = bytes;
    this.check = check;
    this.at = 0;
  }

  bad() {
    return new NotProven(this.check, 'it cannot be read');
  }

  /** @param {number} count */
  take(count) {
    if (count > this.bytes.length - this.at) throw this.bad();
    return this.bytes.subarray(this.at, (this.at += count));
  }

  byte() {
    return this.take(1)[0];
  }

  /** A length in its shortest form. @param {number} [most] */
  compact(most = this.bytes.length) {
    const start = this.at;
    const mode = this.byte() & 3;
    if (mode === 3) throw this.bad();
    this.at = start;
    const value = this.take(1 << mode).reduceRight((sum, byte) => sum * 256 + byte, 0) >>> 2;
    if (value > most || compact(value).length !== 1 << mode) throw this.bad();
    return value;
  }

  end() {
    if (this.at !== this.bytes.length) throw this.bad();
  }
}

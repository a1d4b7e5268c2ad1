import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { Blake2256 } from '@polkadot-api/substrate-bindings';
import * as memory from './verify.mjs';

// What the Rust rules make: primitives/tests/memory_vectors.rs.
const vectors = memory.parse(await readFile(new URL('vectors.json', import.meta.url), 'utf8'));
const { header, blockHash, answers, forgotten, example } = vectors;
// One for each state: what does not depend on the fragments needs no more.
const states = [...new Map(answers.map((one) => [one.key, one])).values()];
const named = (name) => answers.find((one) => one.name === name);
const hex = (bytes) => `0x${Buffer.from(bytes).toString('hex')}`;
const unhex = (text) => Uint8Array.from(Buffer.from(text.slice(2), 'hex'));

const verify = ({ answer, storageProof }, more) => memory.verifyMemory({ answer, storageProof, header, blockHash, ...more });

/** A copy with something changed. */
const changed = (what, change) => {
  const copy = structuredClone(what);
  change(copy);
  return copy;
};

/** It must be refused as not proven, by one of these checks; returns how many were. */
function refused(call, checks, what) {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof memory.NotProven, `${what}: ${error.stack}`);
    assert.ok(checks.includes(error.check), `${what}: ${error.message}`);
    return 1;
  }
  assert.fail(`accepted: ${what}`);
}

/** The same bytes with one bit flipped, for every byte. */
function* flips(text) {
  const bytes = unhex(text);
  for (let at = 0; at < bytes.length; at++) {
    const bit = 1 << (at & 7);
    bytes[at] ^= bit;
    yield hex(bytes);
    bytes[at] ^= bit;
  }
}

describe('the verifier accepts', () => {
  for (const one of answers)
    it(one.name, () => {
      const { state, root, hits, absent = [] } = one.answer;
      const { namespace, version } = state;
      const shown = verify(one, { asked: { namespace, version, ids: [...hits.map((hit) => hit.id), ...absent] } });
      assert.deepEqual(shown.block, { hash: blockHash, number: 123_456 });
      assert.deepEqual([shown.state.version, shown.state.count], [BigInt(state.version), BigInt(state.count)]);
      assert.equal(shown.root, root);
      assert.deepEqual(
        shown.hits,
        hits.map(({ id, fragment }) => ({ id, fragment: { ...fragment, created: BigInt(fragment.created) } })),
      );
      assert.deepEqual(shown.absent, absent);
      const byState = memory.verifyMemory({ answer: one.answer, storageProof: one.storageProof, stateRoot: header.stateRoot });
      assert.deepEqual(byState, { ...shown, block: null });
    });

  it('hits in any order, capitals in hexadecimal, and whatever else is in the JSON, without returning it', () => {
    const one = changed(named('fragments and gaps'), ({ answer }) => {
      answer.hits.reverse();
      answer.absent.reverse();
      answer.root = `0x${answer.root.slice(2).toUpperCase()}`;
      answer.hits[0].fragment.verdict = answer.verdict = 'believe me';
    });
    const shown = verify(one);
    assert.equal(shown.hits[0].id, one.answer.hits[0].id);
    assert.doesNotMatch(JSON.stringify(shown, (_, value) => (typeof value === 'bigint' ? `${value}` : value)), /believe|score/);
  });
});

describe('the verifier agrees with the rules in Rust on', () => {
  it('hashes, encodings and the key in the chain’s state', () => {
    const { namespace, id, salt, fragment, state } = example;
    assert.equal(memory.namespaceId(example.name), namespace);
    assert.equal(memory.fragmentKey(namespace, id), example.key);
    assert.equal(hex(memory.encodeFragment(fragment)), example.encoded);
    assert.equal(hex(memory.fragmentValue(salt, fragment)), example.value);
    assert.equal(hex(memory.stateHash(state)), example.root);
    assert.equal(hex(memory.storageKey(namespace, state.version)), example.storageKey);
    for (const { answer, key } of answers) assert.equal(hex(memory.storageKey(answer.state.namespace, answer.state.version)), key);
  });

  it('the example of docs/memory.md', async () => {
    const [, shown] = (await readFile(new URL('../../../docs/memory.md', import.meta.url), 'utf8')).split('```text');
    const { namespace, id, key, salt, encoded, value, state, root, storageKey } = example;
    for (const whole of [namespace, id, key, salt, value, state.tree, root]) assert.ok(shown.includes(whole.slice(2)), whole);
    // These are cut into their parts, with remarks beside them.
    const bytes = shown.match(/^.{11}(?:(?:[0-9a-f]{2})+ ?)+/gm).map((line) => line.slice(11).replaceAll(' ', '')).join('');
    for (const parts of [encoded, storageKey]) assert.ok(bytes.includes(parts.slice(2)), parts);
  });

  it('proofs of trees, good and bad ones', () => {
    const seen = new Set();
    for (const { name, root, proof, keys, found, error } of vectors.trees) {
      const read = () => memory.verifyTree(root, unhex(proof), keys);
      if (error === undefined) assert.deepEqual(read(), found, name);
      else assert.throws(read, { name: 'NotProven', check: 'proof', reason: error }, name);
      seen.add(error);
    }
    assert.deepEqual([...seen].sort(), ['Incomplete', 'Malformed', 'Misplaced', 'OtherRoot', undefined]);
  });

  it('proofs of the chain’s state, in both of its versions', () => {
    for (const { root, key, value, proof } of vectors.storage) {
      const read = (nodes) => memory.readStorage(unhex(root), nodes.map(unhex), unhex(key));
      const found = read(proof);
      assert.equal(found && hex(found), value, key);
      proof.forEach((_, at) => {
        refused(() => read(proof.toSpliced(at, 1)), ['storage'], 'a node less');
        for (const node of flips(proof[at])) refused(() => read(proof.with(at, node)), ['storage'], 'a flipped bit');
      });
      refused(() => read([...proof, '0x00ff']), ['storage'], 'a node more');
    }
  });
});

describe('the verifier refuses', () => {
  it('a fragment of which anything was changed', () => {
    let count = 0;
    for (const one of answers)
      one.answer.hits.forEach((hit, at) => {
        const refuse = (change, what, checks = ['fragment']) =>
          (count += refused(() => verify(changed(one, ({ answer }) => change(answer.hits[at]))), checks, `${one.name}: ${what}`));
        for (const name of ['text', 'title', 'source', 'kind']) {
          refuse(({ fragment }) => (fragment[name] += ' '), `longer ${name}`);
          const letters = [...hit.fragment[name]].slice(0, 40);
          letters.forEach((letter, i) => {
            const other = String.fromCodePoint(letter.codePointAt(0) ^ 1);
            refuse(({ fragment }) => (fragment[name] = letters.with(i, other).join('')), `letter ${i} of ${name}`);
          });
          const move = ({ fragment }) => {
            fragment[name] = fragment.text.at(-1) + fragment[name];
            fragment.text = fragment.text.slice(0, -1);
          };
          if (name !== 'text' && hit.fragment.text) refuse(move, `a letter moved from the text to the ${name}`);
        }
        refuse(({ fragment }) => (fragment.created = `${BigInt(fragment.created) ^ 1n}`), 'another time');
        refuse(({ fragment }) => fragment.labels.push('consented'), 'a label more');
        hit.fragment.labels.forEach((label, i) => {
          refuse(({ fragment }) => fragment.labels.splice(i, 1), 'a label less');
          refuse(({ fragment }) => (fragment.labels[i] = `${label}s`), 'another label');
        });
        for (const salt of flips(hit.salt)) refuse((hit) => (hit.salt = salt), 'another salt');
        // Nothing is at the other id, or the proof does not say what is.
        for (const id of flips(hit.id)) refuse((hit) => (hit.id = id), 'another id', ['fragment', 'proof']);
      });
    assert.ok(count > 1000, `only ${count}`);
  });

  it('letters that look alike', () => {
    const one = named('one fragment');
    const alike = (change, checks) => refused(() => verify(changed(one, ({ answer }) => change(answer.hits[0].fragment))), checks, 'alike');
    alike((fragment) => (fragment.text = fragment.text.normalize('NFC')), ['fragment']);
    alike((fragment) => (fragment.text = fragment.text.replace('\ufeff', '')), ['fragment']);
    alike((fragment) => (fragment.text = fragment.text.replace('\0', '')), ['fragment']);
    alike((fragment) => (fragment.labels = fragment.labels.toReversed()), ['fragment']);
    // Halves of a pair would all be hashed as the replacement character.
    alike((fragment) => (fragment.title = '\ud83e'), ['input']);
    const { title, ...rest } = example.fragment;
    assert.throws(() => memory.encodeFragment({ title: `${title}\udc00`, ...rest }), { check: 'input' });
  });

  it('one fragment in the place of another', () => {
    const swap = (name) =>
      changed(named('a search'), ({ answer: { hits } }) => ([hits[0][name], hits[3][name]] = [hits[3][name], hits[0][name]]));
    for (const name of ['id', 'salt', 'fragment']) refused(() => verify(swap(name)), ['fragment'], name);
  });

  it('a gap where a fragment is, and a fragment where a gap is', () => {
    const claim = (name, change) =>
      refused(() => verify(changed(named(name), ({ answer }) => change(answer))), ['absence', 'fragment'], name);
    claim('fragments and gaps', (answer) => (answer.absent = answer.hits.map((hit) => hit.id)));
    claim('the only fragment', (answer) => (answer.absent = [answer.hits[0].id]));
    claim('beside the only fragment', (answer) => (answer.absent = [named('the only fragment').answer.hits[0].id]));
    const nothing = changed(named('fragments and gaps'), ({ answer }) => (answer.hits[0].id = answer.absent[0]));
    assert.throws(() => verify(nothing), { check: 'fragment', message: /nothing is at/ });
    const hidden = changed(named('one fragment'), ({ answer }) => (answer.absent = [named('a search').answer.hits[2].id]));
    refused(() => verify(hidden), ['proof'], 'the proof hides what is there');
  });

  it('answers from an older version', () => {
    const [old, now] = [named('the version before'), named('a search')];
    const { version } = now.answer.state;
    refused(() => verify(old, { asked: { version } }), ['asked'], 'older than asked for');
    refused(() => verify({ ...old, storageProof: now.storageProof }), ['storage'], 'with the proof of the new one');
    const renumbered = changed(old, ({ answer }) => (answer.state.version = version));
    refused(() => verify(renumbered), ['storage'], 'with the new number');
    refused(() => verify({ ...renumbered, storageProof: now.storageProof }), ['state'], 'with the new number and its proof');
    const dressed = changed(renumbered, ({ answer }) => Object.assign(answer, { state: now.answer.state, root: now.answer.root }));
    refused(() => verify({ ...dressed, storageProof: now.storageProof }), ['proof'], 'with the new state');
    const gone = changed(now, ({ answer }) => (answer.state.version = forgotten.version));
    refused(() => verify({ ...gone, storageProof: forgotten.storageProof }), ['state'], 'a version that the chain has forgotten');
  });

  it('answers from another namespace, or about something else', () => {
    const [one, other] = [named('one fragment'), named('the only fragment')];
    const { namespace } = one.answer.state;
    refused(() => verify(other, { asked: { namespace } }), ['asked'], 'not the namespace asked for');
    const renamed = changed(other, ({ answer }) => (answer.state.namespace = namespace));
    refused(() => verify(renamed), ['storage'], 'under its name');
    refused(() => verify({ ...renamed, storageProof: one.storageProof }), ['storage', 'state'], 'under its name and with its proof');
    refused(() => verify({ ...one, storageProof: other.storageProof }), ['storage'], 'the proof of the other');
    // The same fragment, id and salt are in both: the key and the state tell them apart.
    const moved = changed(one, ({ answer }) => (answer.proof = other.answer.proof));
    refused(() => verify(moved), ['proof'], 'the tree of the other');
    const [id] = named('nothing at three ids').answer.absent;
    refused(() => verify(one, { asked: { ids: [id] } }), ['asked'], 'nothing said of an id');
  });

  it('another root, count, version, namespace or tree: every byte of them', () => {
    for (const one of states) {
      const refuse = (change, checks) => refused(() => verify(changed(one, ({ answer }) => change(answer))), checks, one.name);
      for (const root of flips(one.answer.root)) refuse((answer) => (answer.root = root), ['root']);
      for (const tree of flips(one.answer.state.tree)) refuse((answer) => (answer.state.tree = tree), ['state']);
      for (const namespace of flips(one.answer.state.namespace))
        refuse((answer) => (answer.state.namespace = namespace), ['storage', 'state']);
      for (let bit = 0n; bit < 64n; bit++) {
        const flip = (number) => `${BigInt(number) ^ (1n << bit)}`;
        refuse(({ state }) => (state.count = flip(state.count)), ['state']);
        refuse(({ state }) => (state.version = flip(state.version)), ['storage', 'state']);
      }
    }
  });

  it('a flipped bit at every byte of the proof', () => {
    for (const one of answers)
      for (const proof of flips(one.answer.proof))
        refused(() => verify({ ...one, answer: { ...one.answer, proof } }), ['proof'], `${one.name}: ${proof}`);
  });

  it('a proof that is cut off, or longer', () => {
    for (const one of answers) {
      const { proof } = one.answer;
      for (let end = 2; end < proof.length; end += 14)
        refused(() => verify({ ...one, answer: { ...one.answer, proof: proof.slice(0, end) } }), ['proof'], `${one.name}: cut off`);
      for (const more of ['00', '03', proof.slice(2)])
        refused(() => verify({ ...one, answer: { ...one.answer, proof: proof + more } }), ['proof'], `${one.name}: longer`);
    }
    const one = changed(named('the only fragment'), ({ answer }) => (answer.proof = answer.proof.replace('0x04', '0x0500')));
    refused(() => verify(one), ['proof'], 'a length in two bytes where one will do');
  });

  it('a flipped bit at every byte of the storage proof', () => {
    for (const one of states) {
      const { at, proof } = one.storageProof;
      proof.forEach((node, i) => {
        for (const other of flips(node))
          refused(() => verify({ ...one, storageProof: { at, proof: proof.with(i, other) } }), ['storage'], one.name);
      });
    }
  });

  it('what is no node of a trie, although its hash fits', () => {
    const key = Uint8Array.of(0xab);
    const read = (...node) => memory.readStorage(Blake2256(Uint8Array.from(node)), [Uint8Array.from(node)], key);
    assert.deepEqual(read(0x42, 0xab, 4, 7), Uint8Array.of(7));
    assert.equal(read(0x42, 0xac, 4, 7), null);
    const cases = {
      'no byte': [],
      'a kind that there is not': [0x0f, 0, 0, 4, ...new Uint8Array(32), 4, 0],
      'half a byte too much in its path': [0x41, 0x1a, 4, 7],
      'no value': [0x42, 0xab],
      'a value that is cut off': [0x42, 0xab, 8, 7],
      'a length in two bytes where one will do': [0x42, 0xab, 5, 0, 7],
      'a length without end': [0x42, 0xab, 3, 1, 0, 0, 0, 7],
      'a path without end': [0x7f, 255, 255],
    };
    for (const [what, node] of Object.entries(cases)) refused(() => read(...node), ['storage'], what);
  });

  it('a node of the storage proof more or less', () => {
    for (const one of states) {
      const { at, proof } = one.storageProof;
      const refuse = (proof, what) => refused(() => verify({ ...one, storageProof: { at, proof } }), ['storage'], `${one.name}: ${what}`);
      proof.forEach((node, i) => {
        refuse(proof.toSpliced(i, 1), 'less');
        refuse(proof.toSpliced(i, 0, node), 'twice');
      });
      for (const { storageProof } of answers)
        for (const node of storageProof.proof) if (!proof.includes(node)) refuse([...proof, node], 'more');
      refuse([...proof, '0x'], 'nothing');
      refuse([], 'none at all');
    }
    const [one] = answers;
    const reversed = { proof: one.storageProof.proof.toReversed() };
    assert.deepEqual(verify({ ...one, storageProof: reversed }), verify(one), 'their order says nothing');
  });

  it('another header or block', () => {
    const [one] = answers;
    const refuse = (more, checks = ['header']) => refused(() => verify(one, more), checks, JSON.stringify(more));
    for (const name of ['parentHash', 'stateRoot', 'extrinsicsRoot'])
      for (const value of flips(header[name])) refuse({ header: { ...header, [name]: value } });
    for (const number of ['0x0', '0x3f', '0x1e241', '0x3fffffff', '0x40000000', '0xffffffff']) refuse({ header: { ...header, number } });
    for (const number of [123_456, 'one']) refuse({ header: { ...header, number } }, ['input']);
    const { logs } = header.digest;
    logs.forEach((log, i) => {
      for (const other of flips(log)) refuse({ header: { ...header, digest: { logs: logs.with(i, other) } } });
      refuse({ header: { ...header, digest: { logs: logs.toSpliced(i, 1) } } });
      refuse({ header: { ...header, digest: { logs: [...logs, log] } } });
    });
    for (const hash of flips(blockHash)) refuse({ blockHash: hash });
    refuse({ header: undefined }, ['input']);
    refuse({ blockHash: undefined }, ['input']);
    refuse({ stateRoot: header.stateRoot }, ['input']);
    const { proof } = one.storageProof;
    for (const at of flips(blockHash)) refuse({ storageProof: { at, proof } }, ['storage']);
    for (const stateRoot of flips(header.stateRoot)) refuse({ header: undefined, blockHash: undefined, stateRoot }, ['storage']);
  });

  it('anything that is not of its type, by name and not by accident', () => {
    const integers = [-1, 0.5, 2 ** 53, NaN, ' 1', '01', '18446744073709551616'];
    const junk = [null, true, ...integers, '', '0x', '0xabc', '0xzz', 'text', [], {}, [null], [[]]];
    let count = 0;
    const places = (value, path = []) => {
      const inside = value && typeof value === 'object' ? Object.entries(value) : [];
      return [path, ...inside.flatMap(([name, inner]) => places(inner, [...path, name]))];
    };
    const input = { ...named('fragments and gaps'), header };
    input.answer = changed(input.answer, (answer) => answer.hits.splice(2));
    delete input.name;
    delete input.key;
    for (const path of places(input)) {
      // Neither of these is part of what is shown.
      if (path.at(-1) === 'score') continue;
      for (const value of junk) {
        const set = (inner, [name, ...rest]) =>
          name === undefined ? value : Object.assign(structuredClone(inner), { [name]: set(inner[name], rest) });
        const broken = set(input, path);
        if (broken === null || typeof broken !== 'object' || isDeepStrictEqual(broken, input)) continue;
        const where = `${path.join('.')} = ${JSON.stringify(value)}`;
        try {
          memory.verifyMemory({ ...broken, blockHash });
        } catch (error) {
          assert.ok(error instanceof memory.NotProven, `${where}: ${error.stack}`);
          count++;
          continue;
        }
        // Fewer hits, fewer gaps: less is shown, and nothing wrong.
        const less = (Array.isArray(value) && value.length === 0) || value === null;
        assert.ok(less && ['answer.hits', 'answer.absent'].includes(path.join('.')), `accepted: ${where}`);
      }
    }
    assert.ok(count > 1000, `only ${count}`);
  });
});

describe('JSON is read', () => {
  it('with integers as they are written', () => {
    const text = '[18446744073709551615,9007199254740993,7,-1.5e3,"\\"9007199254740993",{"9007199254740993":0.1234567890123456}]';
    const read = ['18446744073709551615', '9007199254740993', 7, -1500, '"9007199254740993', { '9007199254740993': 0.1234567890123456 }];
    assert.deepEqual(memory.parse(text), read);
  });

  it('and one that was rounded is refused with the remedy', () => {
    const rounded = changed(named('one fragment'), ({ answer: { hits } }) => {
      hits[0].fragment.created = Number(hits[0].fragment.created);
    });
    assert.throws(() => verify(rounded), { check: 'input', message: /created.*parse\(\)/ });
  });
});

describe('what the chain says is fetched', () => {
  const [one] = answers;
  const { namespace, version } = one.answer.state;
  const calls = [];
  const rpc = async (method, ...params) => {
    calls.push([method, ...params]);
    return { chain_getFinalizedHead: blockHash, chain_getHeader: header, state_getReadProof: one.storageProof }[method];
  };

  it('at the finalised head', async () => {
    const root = await memory.readRoot(rpc, namespace, version);
    assert.equal(memory.verifyMemory({ answer: one.answer, ...root }).block.number, 123_456);
    assert.deepEqual(calls.splice(0), [
      ['chain_getFinalizedHead'],
      ['chain_getHeader', blockHash],
      ['state_getReadProof', [one.key], blockHash],
    ]);
  });

  it('at a block that is trusted, whatever the node says', async () => {
    const trusted = `0x${'11'.repeat(32)}`;
    const root = await memory.readRoot(rpc, namespace, version, trusted);
    assert.deepEqual(calls.map(([method]) => method), ['chain_getHeader', 'state_getReadProof']);
    assert.throws(() => memory.verifyMemory({ answer: one.answer, ...root }), { check: 'header' });
  });
});

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { NotProven, namespaceId, readRoot, verifyMemory } from './memory/verify.mjs';

const NAME = 'topic/javascript';

export function memory(devnet) {
  const rpc = (method, ...params) => devnet().call(method, ...params);
  let folder, answer, chain;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'touchstone-memory-'));
    for (let n = 0; n < 50; n++) {
      await writeFile(join(folder, `${n}.txt`), `Stone number ${n} weighs ${n * n} grams and is kept in drawer ${n % 7}.`);
    }
    await devnet().touchstone('memory', 'create', '--namespace', NAME, '--writers', 'nodes', '--suri', '//Alice');
    const ingest = ['memory', 'ingest', '--namespace', NAME, '--suri', '//Alice', '--wait-finalized', folder];
    await devnet().touchstone(...ingest);
    answer = await rpc('memory_search', { namespace: NAME, query: 'what does stone number 12 weigh?', k: 4 });
    chain = await readRoot(rpc, answer.state.namespace, answer.state.version);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('is verified against the header of a finalised block, without trust in the node', () => {
    const shown = verifyMemory({ answer, ...chain, asked: { namespace: namespaceId(NAME), version: 1 } });
    assert.equal(shown.hits.length, 4);
    assert.match(shown.hits[0].fragment.text, /number 12 weighs 144 grams/);
    assert.equal(shown.state.count, 50n);
  });

  it('shows that a fragment is not there', async () => {
    const absent = `0x${'42'.repeat(32)}`;
    const got = await rpc('memory_get', NAME, [answer.hits[0].id, absent]);
    const shown = verifyMemory({ answer: got, ...chain, asked: { ids: [answer.hits[0].id, absent] } });
    assert.deepEqual(shown.absent, [absent]);
  });

  it('refuses whatever was altered', () => {
    const flip = (hex, at) => hex.slice(0, at) + (hex[at] === '0' ? '1' : '0') + hex.slice(at + 1);
    const tampered = {
      text: (a) => (a.hits[0].fragment.text += '.'),
      title: (a) => (a.hits[1].fragment.title = 'x'),
      time: (a) => (a.hits[1].fragment.created += 1),
      salt: (a) => (a.hits[2].salt = flip(a.hits[2].salt, 9)),
      id: (a) => (a.hits[2].id = flip(a.hits[2].id, 9)),
      proof: (a) => (a.proof = flip(a.proof, 300)),
      root: (a) => (a.root = flip(a.root, 9)),
      version: (a) => (a.state.version += 1),
      count: (a) => (a.state.count += 1),
      tree: (a) => (a.state.tree = flip(a.state.tree, 9)),
      namespace: (a) => (a.state.namespace = namespaceId('topic/other')),
      absence: (a) => (a.absent = [a.hits[0].id]),
      header: (_, c) => (c.header.stateRoot = flip(c.header.stateRoot, 9)),
      block: (_, c) => (c.blockHash = flip(c.blockHash, 9)),
      state: (_, c) => (c.storageProof.proof[0] = flip(c.storageProof.proof[0], 20)),
      less: (_, c) => c.storageProof.proof.pop(),
    };
    for (const [what, tamper] of Object.entries(tampered)) {
      const [bad, with_] = structuredClone([answer, chain]);
      tamper(bad, with_);
      assert.throws(() => verifyMemory({ answer: bad, ...with_ }), NotProven, what);
    }
  });
}

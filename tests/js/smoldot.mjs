import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { createClient } from 'polkadot-api';
import { getSmProvider } from 'polkadot-api/sm-provider';
import { getWsProvider } from 'polkadot-api/ws';
import { start } from 'smoldot';
import { until } from './devnet.mjs';

export function smoldot(devnet) {
  let light, client, full;

  before(async () => {
    light = start({ maxLogLevel: 3, logCallback: (level, target, message) => level <= 2 && console.log(target, message) });
    // Nothing but the genesis state and one address: no checkpoint.
    const chainSpec = await devnet().lightSpec();
    client = createClient(getSmProvider(() => light.addChain({ chainSpec })));
    full = createClient(getWsProvider(devnet().rpc()));
  });
  after(async () => {
    client?.destroy();
    full?.destroy();
    await light?.terminate();
  });

  it('syncs from genesis over WebSocket p2p and follows finality', async () => {
    const first = await until('warp sync', 180, async () => {
      const block = await client.getFinalizedBlock();
      return block.number > 0 && block;
    });
    await until('a later final block', 60, async () => (await client.getFinalizedBlock()).number > first.number);
    const ours = await client.getFinalizedBlock();
    assert.equal(await devnet().call('chain_getBlockHash', ours.number), ours.hash, 'the same chain');
  });

  it('reads a receipts root by proof', async () => {
    const at = (await client.getFinalizedBlock()).hash;
    const batches = await client.getUnsafeApi().query.Receipts.Batches.getEntries({ at });
    assert.ok(batches.length > 0, 'the anchored batch of the first answer');
    const same = await full.getUnsafeApi().query.Receipts.Batches.getEntries({ at });
    const text = (entry) => JSON.stringify(entry, (_, v) => (typeof v === 'bigint' ? `${v}` : (v?.asHex?.() ?? v)));
    // The two ask for pages of different sizes, so the order says nothing.
    const plain = (entries) => entries.map(text).sort();
    assert.deepEqual(plain(batches), plain(same), 'the full node says the same');
    assert.match(plain(batches)[0], /"root":/);
  });
}

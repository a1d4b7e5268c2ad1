import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Keyring } from '@polkadot/keyring';
import { createClient } from 'polkadot-api';
import { getPolkadotSigner } from 'polkadot-api/signer';
import { getWsProvider } from 'polkadot-api/ws';

const run = promisify(execFile);
const HERE = dirname(fileURLToPath(import.meta.url));
const DESCRIPTORS = '.papi/descriptors';

export function papi(devnet) {
  let client, api;

  before(async () => {
    // Generating types for everything in the metadata is a test of its own.
    await rm(join(HERE, '.papi'), { recursive: true, force: true });
    await mkdir(join(HERE, '.papi'));
    const config = { version: 0, descriptorPath: DESCRIPTORS, entries: {}, options: { noDescriptorsPackage: true } };
    await writeFile(join(HERE, '.papi/polkadot-api.json'), JSON.stringify(config));
    const { stdout, stderr } = await run('npx', ['papi', 'add', 'touchstone', '--wsUrl', devnet().rpc()], {
      cwd: HERE,
      env: { ...process.env, NODE_OPTIONS: '--experimental-websocket' },
      timeout: 300_000,
    });
    console.log(stdout + stderr);
    const { touchstone } = await import(join(HERE, DESCRIPTORS, 'dist/index.js'));
    client = createClient(getWsProvider(devnet().rpc()));
    api = client.getTypedApi(touchstone);
  });
  after(() => client?.destroy());

  it('reads storage and runtime APIs through generated descriptors', async () => {
    assert.equal((await api.query.Council.Members.getValue()).length, 4);
    const nodes = await api.apis.ConsortiumApi.nodes();
    assert.equal(nodes.length, 4);
    const models = await api.apis.RegistryApi.models();
    assert.ok(models.length > 0, 'a registered model');
    const batches = await api.query.Receipts.Batches.getEntries();
    assert.ok(batches.length > 0, 'the anchored batch of the first answer');
  });

  it('signs a transaction and follows it to finality', async () => {
    const alice = new Keyring({ type: 'sr25519' }).addFromUri('//Alice');
    const signer = getPolkadotSigner(alice.publicKey, 'Sr25519', (bytes) => alice.sign(bytes));
    const remark = Uint8Array.from(Buffer.from('signed by polkadot-api'));
    const result = await api.tx.System.remark_with_event({ remark }).signAndSubmit(signer);
    assert.ok(result.ok, JSON.stringify(result.dispatchError));
    assert.equal(api.event.System.Remarked.filter(result.events).length, 1);
  });

  it('reaches our own JSON-RPC methods', async () => {
    const health = await client._request('node_health', []);
    assert.ok(health.finalized > 0 && health.peers === 3, JSON.stringify(health));
  });
}

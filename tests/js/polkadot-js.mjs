import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { ApiPromise, WsProvider } from '@polkadot/api';
import { Keyring } from '@polkadot/keyring';
import { stringCamelCase } from '@polkadot/util';
import { until } from './devnet.mjs';

// Calls that build or check blocks or use the keystore run only inside the node, and some want an extrinsic or a proof, which no
// default value is: for these it is enough that their types are understood.
const INSIDE_THE_NODE =
  /^(core\.(executeBlock|initializeBlock)|blockBuilder\..*|taggedTransactionQueue\..*|offchainWorkerApi\..*|sessionKeys\.generateSessionKeys)$/;
const EXTRINSIC_OR_PROOF = /(queryInfo|queryFeeDetails|submitReportEquivocation.*|buildState)$/;

export function polkadotJs(devnet) {
  let api, dev;
  const warnings = [];
  const plainError = console.error;

  before(async () => {
    // The library logs what it cannot decode instead of throwing.
    console.error = (...words) => (warnings.push(words.join(' ')), plainError(...words));
    api = await ApiPromise.create({ provider: new WsProvider(devnet().rpc()), noInitWarn: true, throwOnConnect: true });
    const keyring = new Keyring({ type: 'sr25519' });
    dev = ['//Alice', '//Bob', '//Charlie', '//Dave'].map((uri) => keyring.addFromUri(uri));
  });
  after(async () => {
    console.error = plainError;
    await api?.disconnect();
  });

  it('reads every constant and every pallet’s storage', async () => {
    let values = 0;
    for (const [pallet, items] of Object.entries(api.query)) {
      // `substrate` holds well-known raw keys, not a pallet.
      if (pallet === 'substrate') continue;
      for (const [name, entry] of Object.entries(items)) {
        if (!entry.creator) continue;
        try {
          if (entry.creator.meta.type.isPlain) {
            (await entry()).toHuman();
            values++;
          } else {
            for (const [key, value] of await entry.entriesPaged({ args: [], pageSize: 100 })) {
              key.args.forEach((a) => a.toHuman());
              value.toHuman();
              values++;
            }
          }
        } catch (error) {
          throw new Error(`${pallet}.${name}: ${error.message}`, { cause: error });
        }
      }
    }
    for (const [pallet, items] of Object.entries(api.consts))
      for (const [name, value] of Object.entries(items)) assert.notEqual(value.toHuman(), undefined, `${pallet}.${name}`);
    assert.ok(values > 100, `only ${values} values in storage`);
    for (const pallet of ['consortium', 'registry', 'receipts', 'council', 'babe', 'grandpa'])
      assert.ok(api.query[pallet], `no pallet ${pallet}`);
  });

  it('calls every runtime API that the metadata names', async () => {
    const called = [];
    for (const { name, methods } of api.runtimeMetadata.asLatest.apis) {
      const section = stringCamelCase(name.toString());
      for (const method of methods) {
        const path = `${section}.${stringCamelCase(method.name.toString())}`;
        const call = api.call[section]?.[stringCamelCase(method.name.toString())];
        assert.ok(call, `${path} is in the metadata but not offered`);
        const args = call.meta.params.map(({ type }) => api.registry.createType(type));
        if (INSIDE_THE_NODE.test(path) || EXTRINSIC_OR_PROOF.test(path)) continue;
        try {
          (await call(...args)).toHuman();
        } catch (error) {
          throw new Error(`${path}: ${error.message}`, { cause: error });
        }
        called.push(path);
      }
    }
    for (const path of ['consortiumApi.members', 'registryApi.models', 'receiptsApi.head', 'babeApi.configuration'])
      assert.ok(called.includes(path), `${path} was not called`);

    const members = await api.call.consortiumApi.members();
    assert.equal(members.length, 4);
    const [node] = await api.call.consortiumApi.nodes();
    assert.ok((await api.call.receiptsApi.head(node.node)).next.toNumber() >= 0);
  });

  it('carries a council motion, signed as version 4, to its execution as Root', async () => {
    const seats = (await api.query.council.members()).map(String);
    const voters = dev.filter((pair) => seats.includes(pair.address));
    assert.equal(voters.length, 4, 'the four dev accounts hold the seats');

    // Something that only Root may do, and that shows.
    const key = '0x746f756368'; // "touch"
    const value = `0x${Date.now().toString(16).padStart(12, '0')}`;
    const motion = api.tx.consortium.proposeRoot(api.tx.system.setStorage([[key, value]]));
    const threshold = Math.ceil((seats.length * 3) / 4);

    const proposed = await send(voters[0], api.tx.council.propose(threshold, motion, motion.method.encodedLength));
    const { proposalIndex: index, proposalHash: hash } = found(proposed, 'council', 'Proposed');
    for (const voter of voters.slice(0, threshold)) await send(voter, api.tx.council.vote(hash, index, true));
    const weight = (await motion.paymentInfo(voters[0])).weight;
    const closed = await send(voters[0], api.tx.council.close(hash, index, weight, motion.method.encodedLength));
    assert.ok(found(closed, 'council', 'Executed').result.isOk, 'the motion was executed');

    await until('the time-lock and Root', 120, async () => (await api.rpc.state.getStorage(key))?.toHex().endsWith(value.slice(2)));
  });

  /** Signs as Polkadot.js Apps does, and waits until it is in a block; fails if its dispatch fails. */
  async function send(signer, tx) {
    const signed = await tx.signAsync(signer, { nonce: -1 });
    assert.equal(signed.version, 0x84, 'a signed transaction of version 4');
    return new Promise((resolve, reject) => {
      signed
        .send(({ status, events, dispatchError }) => {
          if (dispatchError) {
            const error = dispatchError.isModule ? api.registry.findMetaError(dispatchError.asModule) : { name: dispatchError.toString() };
            reject(new Error(`${tx.method.section}.${tx.method.method}: ${error.section ?? ''}.${error.name}`));
          } else if (status.isInBlock) resolve(events);
          else if (status.isInvalid || status.isDropped || status.isUsurped) reject(new Error(status.toString()));
        })
        .catch(reject);
    });
  }

  function found(events, section, method) {
    const record = events.find(({ event }) => event.section === section && event.method === method);
    assert.ok(record, `no event ${section}.${method}`);
    return record.event.data;
  }

  it('found nothing that it could not decode', () => {
    const bad = warnings.filter((w) => /unable to decode|could not|cannot/i.test(w) && !/not decorated/i.test(w));
    assert.deepEqual(bad, []);
  });
}

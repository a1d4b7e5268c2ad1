import { after, before, describe } from 'node:test';
import { Devnet } from './devnet.mjs';
import { polkadotJs } from './polkadot-js.mjs';
import { papi } from './papi.mjs';
import { smoldot } from './smoldot.mjs';
import { memory } from './memory.mjs';

describe('clients from npm', () => {
  let devnet;
  before(async () => (devnet = await Devnet.start()));
  after(() => devnet?.stop());

  describe('@polkadot/api', () => polkadotJs(() => devnet));
  describe('polkadot-api', () => papi(() => devnet));
  describe('smoldot', () => smoldot(() => devnet));
  describe('memory', () => memory(() => devnet));
});

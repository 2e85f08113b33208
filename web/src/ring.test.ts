import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { authorOf, base58 } from './ids'
import { arc, onRing, placeOf, prefixText, region, sha256 } from './ring'

test('sha256 is what it is elsewhere, at every length round a block', () => {
  for (let n = 0; n < 200; n++) {
    const message = Uint8Array.from({ length: n }, (_, i) => (i * 37 + n) & 255)
    assert.equal(Buffer.from(sha256(message)).toString('hex'), createHash('sha256').update(message).digest('hex'))
  }
})

test('a peer id is read as libp2p writes it', () => {
  const id = base58('12D3KooWJx9w7yiWu7DNC3yFxeht7HZpABUGcx9C3LWD4vU8qnmA')
  assert.equal(id?.length, 38)
  assert.equal(Buffer.from(id!.slice(0, 6)).toString('hex'), '002408011220') // identity multihash of an Ed25519 key
  for (const wrong of ['', '0', 'O', 'l', 'I', 'a b', '1'.repeat(200)]) assert.equal(base58(wrong), null)
  assert.equal(placeOf('<img>'), null)
})

test('a post id names its author', () => {
  const id = 'pDQ31QHhb2JyoTTm_gMFcCv7iOoWvOdoB3_wGxKasmwAAaH8BSJl0XGnH5na6EpaDzlMj77b2lelZu6VcQmdp6qqc8EYCH0c'
  assert.equal(authorOf(id), 'did:key:z6Mkhy6d97vJeVLrB8w9BdXveyEUTorM4NtzZJWGwDyxj8P9')
  for (const wrong of ['', 'p', '<img>', id.slice(1)]) assert.equal(authorOf(wrong), null)
})

test('the region of a prefix holds the place', () => {
  for (const place of [0, 0.1, 0.5, 0.999]) {
    for (const bits of [0, 1, 5, 12]) {
      const { from, to } = region(place, bits)
      assert.ok(from <= place && place < to)
      assert.equal(to - from, 2 ** -bits)
    }
  }
  assert.equal(prefixText(0.75, 3), '110')
  assert.equal(prefixText(0.1, 0), '')
})

test('the ring begins at the top and goes right', () => {
  assert.deepEqual(onRing(0, 10), { x: 0, y: -10 })
  assert.deepEqual(onRing(0.25, 10), { x: 10, y: -0 })
  assert.match(arc(0, 1, 10), /A10 10 0 0 1 .*A10 10/)
  assert.match(arc(0, 0.75, 10), /^M0 -10A10 10 0 1 1 -10 /)
})

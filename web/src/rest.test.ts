import assert from 'node:assert/strict'
import { test } from 'node:test'
import { newerRev, parse } from './api'
import { pause, share, stateOf } from './health'
import { Keys } from './keys'
import type { Session, Status } from './types'
import { ago, count, size, span } from './words'

test('revisions keep all of their digits, and no text is taken for one', () => {
  const read = parse('{"text":"\\"rev\\":12","rev":117652164270424064,"posts":[{"rev": 18446744073709551615}]}')
  assert.deepEqual(read, { text: '"rev":12', rev: '117652164270424064', posts: [{ rev: '18446744073709551615' }] })
  assert.ok(newerRev('117652164270424065', '117652164270424064'))
  assert.ok(newerRev('10', '9'))
  assert.ok(!newerRev('9', '9'))
})

test('the state is the worst that is true', () => {
  const owner: Session = { signed_in: true, user: 'u', network: 'n', public: false }
  const well = { peers: 3, ready: true, healing: { filling: false } } as Status
  const of = (session: Session | null, status: Status | null, failing = false) => stateOf({ session, status, failing })
  assert.equal(of(null, null), 'connecting')
  assert.equal(of(owner, null), 'connecting')
  assert.equal(of(owner, well), 'ready')
  assert.equal(of(owner, well, true), 'offline')
  assert.equal(of(owner, { ...well, peers: 0 }), 'alone')
  assert.equal(of(owner, { ...well, ready: false }), 'behind')
  assert.equal(of(owner, { ...well, healing: { ...well.healing, filling: true } }), 'behind')
  assert.equal(of({ ...owner, signed_in: false }, well), 'signedOut')
  assert.equal(of({ ...owner, signed_in: false, public: true }, null), 'readOnly')
})

test('what a node keeps is said, and what leaves no room for more', () => {
  assert.match(share({ prefix: 0, narrowed: 0, short_of: '' }), /keeps everything/)
  assert.match(share({ prefix: 3, narrowed: 0, short_of: '' }), /one part in 8 .* as every node of its neighbourhood/)
  assert.match(share({ prefix: 5, narrowed: 2, short_of: 'store.quota' }), /one part in 32 .* one in 4 of what its neighbours keep, because store\.quota/)
  assert.match(share({ prefix: 1, narrowed: 1, short_of: 'store.free_space' }), /one part in 2 .* store\.free_space/)
})

test('who does not answer is asked ever more rarely, within bounds', () => {
  for (let n = 0; n < 100; n++) {
    assert.ok(pause(n, 0) >= 750 && pause(n, 1) <= 37_500)
    assert.ok(pause(n, 0.5) <= pause(n + 1, 0.5))
  }
})

test('keys are commands, and g waits for the next', () => {
  const keys = new Keys()
  assert.equal(keys.press('j', 0), 'next')
  assert.equal(keys.press('g', 10), null)
  assert.equal(keys.press('n', 20), 'network')
  assert.equal(keys.press('n', 30), 'write')
  assert.equal(keys.press('g', 40), null)
  assert.equal(keys.press('h', 5000), null)
  assert.equal(keys.press('x', 5001), null)
})

test('times, sizes and counts read as people say them', () => {
  const now = Date.UTC(2026, 10, 21, 12)
  assert.equal(ago(now - 10_000, now), 'now')
  assert.equal(ago(now - 180_000, now), '3 min')
  assert.equal(ago(now - 7_200_000, now), '2 h')
  assert.equal(ago(now - 3 * 86_400_000, now), '3 d')
  assert.equal(ago(Number.MAX_SAFE_INTEGER, now), '?')
  assert.equal(size(0), '0 B')
  assert.equal(size(1536), '1.5 KiB')
  assert.equal(size(5 * 2 ** 30), '5 GiB')
  assert.equal(count(1, 'node'), '1 node')
  assert.equal(count(1234, 'reply', 'replies'), '1,234 replies')
  assert.equal(span(45), '45 s')
  assert.equal(span(3 * 3600 + 300), '3 h 5 min')
})

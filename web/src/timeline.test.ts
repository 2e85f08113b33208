import assert from 'node:assert/strict'
import { test } from 'node:test'
import { arrive, blank, branches, fresh, gap, living, older, reveal, type Timeline } from './timeline'
import type { Page, Post } from './types'

const post = (id: string, created: number, more: Partial<Post> = {}): Post => ({
  id, author: 'a', created, text: id, tags: [], mentions: [], reply_to: null, rev: '1', deleted: false, cursor: '', ...more,
})
const page = (next: string | null, ...posts: Post[]): Page => ({ posts, next })
const ids = (posts: Post[]) => posts.map((p) => p.id).join('')
const loaded = fresh(blank, page('c', post('d', 4), post('c', 3)))

test('what arrives goes on top, once', () => {
  let t = arrive(loaded, post('e', 5), false)
  t = arrive(t, post('e', 5), false)
  assert.equal(ids(t.shown), 'edc')
})

test('while one reads further down, new posts wait until they are asked for', () => {
  let t = arrive(arrive(loaded, post('e', 5), true), post('f', 6), true)
  assert.equal(ids(t.shown) + '|' + ids(t.waiting), 'dc|fe')
  t = reveal(t)
  assert.equal(ids(t.shown) + '|' + ids(t.waiting), 'fedc|')
})

test('the newest version wins in whatever order they come, also of a post that waits', () => {
  const long = '117652164270424064', longer = '117652164270424065'
  const a = post('d', 4, { rev: long, text: 'old' }), b = post('d', 4, { rev: longer, text: 'new' })
  for (const order of [[a, b], [b, a]]) {
    const t = order.reduce((u: Timeline, p) => arrive(u, p, false), blank)
    assert.equal(t.shown[0]?.text, 'new')
  }
  const t = arrive(arrive(loaded, post('e', 5), true), post('e', 5, { rev: '2', text: 'better' }), true)
  assert.equal(t.waiting[0]?.text, 'better')
})

test('a deleted post is shown no more and does not come back', () => {
  let t = arrive(loaded, post('d', 4, { rev: '9', deleted: true, text: '' }), true)
  t = arrive(t, post('d', 4, { rev: '1' }), false)
  assert.equal(ids(living(t.shown)), 'c')
})

test('older pages are appended without doubles', () => {
  const t = older(loaded, page(null, post('c', 3), post('b', 2)))
  assert.equal(ids(t.shown), 'dcb')
  assert.equal(t.next, null)
})

test('a newest page that reaches what is known is joined to it', () => {
  const t = fresh(older(loaded, page('a', post('b', 2))), page('x', post('f', 6), post('d', 4)))
  assert.equal(ids(t.shown), 'fdcb')
  assert.equal(t.next, 'a')
})

test('a newest page that does not reach it replaces it, so that no hole is hidden', () => {
  const t = fresh(loaded, page('y', post('z', 9), post('y', 8)))
  assert.equal(ids(t.shown), 'zy')
  assert.equal(t.next, 'y')
})

test('what was heard before the first page is kept', () => {
  assert.equal(ids(fresh(arrive(blank, post('e', 5), false), page(null, post('d', 4))).shown), 'ed')
})

test('a gap is told until the page is read again', () => {
  const t = gap(gap(loaded, 3), 0)
  assert.deepEqual([t.gap, t.missed], [true, 3])
  assert.deepEqual([gap(loaded, NaN).gap, gap(loaded, NaN).missed], [true, 0])
  const read = fresh(t, page(null, post('d', 4)))
  assert.deepEqual([read.gap, read.missed], [false, 0])
})

test('a thread is a tree: its author first, then by age, what hangs on nothing apart', () => {
  const { root, apart } = branches([
    post('r', 1), post('x', 2, { author: 'b', reply_to: 'r' }), post('s', 5, { reply_to: 'r' }), post('y', 3, { author: 'b', reply_to: 'x' }),
    post('o', 4, { author: 'b', reply_to: 'gone' }), post('e', 6, { author: 'b', reply_to: 'gone', deleted: true }),
  ])
  assert.equal(root?.post.id, 'r')
  assert.equal(root?.replies.map((b) => b.post.id).join(''), 'sx')
  assert.equal(root?.replies[1]?.replies[0]?.post.id, 'y')
  assert.equal(apart.map((b) => b.post.id).join(''), 'o')
})

test('posts that answer each other in a circle, as no honest node shows them, end', () => {
  assert.deepEqual(branches([post('a', 1, { reply_to: 'b' }), post('b', 2, { reply_to: 'a' }), post('c', 3, { reply_to: 'c' })]).root, null)
})

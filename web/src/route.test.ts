import assert from 'node:assert/strict'
import { test } from 'node:test'
import { codeOf, routeOf, sought, toPost, toTag, toUser } from './route'

const user = 'did:key:z6Mkg66162uiNaZaC47VWCQdc1n3XpTsmUQDB9M89FU8udC9'
const post = 'pDQ31QHhb2JyoTTm_gMFcCv7iOoWvOdoB3_wGxKasmwAAaH8BSJl0XGnH5na6EpaDzlMj77b2lelZu6VcQmdp6qqc8EYCH0c'

test('every way leads back', () => {
  assert.deepEqual(routeOf(toTag('مرحبا')), { view: 'tag', tag: 'مرحبا' })
  assert.deepEqual(routeOf(toUser(user)), { view: 'user', user })
  assert.deepEqual(routeOf(toPost(post)), { view: 'thread', post })
  for (const hash of ['', '#', '#/', '#/home']) assert.deepEqual(routeOf(hash), { view: 'home' })
})

test('what is no name of anything leads nowhere', () => {
  for (const hash of ['#/tag/', '#/tag/a b', '#/tag/%E0%A4%A', '#/user/me', '#/post/p', '#/x', '#/tag/%3Cimg%3E', '#/user/javascript:alert(1)']) {
    assert.deepEqual(routeOf(hash), { view: 'nowhere' }, hash)
  }
})

test('a search finds what it names', () => {
  assert.equal(sought('#Go'), '#/tag/go')
  assert.equal(sought(' go '), '#/tag/go')
  assert.equal(sought(user), toUser(user))
  assert.equal(sought(post), toPost(post))
  assert.equal(sought('@ann'), '#/name/ann')
  for (const nothing of ['', ' ', '@', 'two words']) assert.equal(sought(nothing), null)
})

test('a code is read from what was printed', () => {
  const code = 'A'.repeat(43)
  for (const text of [code, ` ${code}\n`, `http://127.0.0.1:7827/#code=${code}`, `#code=${code}`]) assert.equal(codeOf(text), code, text)
  for (const text of ['', 'short', `${code}!`, `http://127.0.0.1/?code=${code}`]) assert.equal(codeOf(text), null, text)
})

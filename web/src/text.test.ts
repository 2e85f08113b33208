import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bytes, foldings, oneLine, tokens, visible, webAddress, wordAt } from './text'

const kinds = (text: string, tags: string[] = []) => tokens(text, tags).map((t) => [t.kind, t.text])

test('tokens put together again are the text', () => {
  for (const text of ['', 'plain', '#go and #Go, https://a.example/x).', '<b>#go</b>', 'did:key:z', '\u202e#go\u202c', 'https://', '# #']) {
    assert.equal(tokens(text, ['go']).map((t) => t.text).join(''), text)
  }
})

test('only hashtags that the post is found by are links', () => {
  assert.deepEqual(kinds('#Go #other C#', ['go']), [['tag', '#Go'], ['text', ' #other C#']])
  assert.deepEqual(kinds('#Straße', ['strasse']), [['tag', '#Straße']])
  assert.deepEqual(kinds('#星 #مرحبا', ['星', 'مرحبا']), [['tag', '#星'], ['text', ' '], ['tag', '#مرحبا']])
  assert.ok(foldings('ＧＯ').includes('go'))
})

test('links are web addresses and leave the sentence its marks', () => {
  assert.deepEqual(kinds('see https://a.example/b_(c)).'), [['text', 'see '], ['link', 'https://a.example/b_(c)'], ['text', ').']])
  assert.deepEqual(kinds('"https://a.example/?q=1&r=2#s"!')[1], ['link', 'https://a.example/?q=1&r=2#s'])
  for (const text of [
    'javascript:alert(1)', 'JaVaScRiPt:alert(1)', 'data:text/html,x', 'vbscript:x', 'file:///etc/passwd', 'blob:https://a.example/1', '//a.example',
    'https://', 'https://user@a.example', 'https://a.example:b@c.example', 'http://[', 'https://%00', 'ftp://a.example', '\u0001javascript:alert(1)',
  ]) {
    assert.deepEqual(tokens(text, []).filter((t) => t.kind === 'link'), [], text)
    assert.equal(webAddress(text), null, text)
  }
})

test('a link ends where text could change its direction', () => {
  assert.deepEqual(kinds('https://a.example/\u202egpj.exe'), [['link', 'https://a.example/'], ['text', '\u202egpj.exe']])
})

test('a host that is not what is written is shown', () => {
  const host = (text: string) => tokens(text, []).flatMap((t) => (t.kind === 'link' ? [t.host] : []))[0]
  assert.equal(host('https://a.example/x'), '')
  assert.equal(host('https://аpple.example/'), 'xn--pple-43d.example')
  assert.equal(host('http://2130706433/'), '127.0.0.1')
})

test('users are named by their keys', () => {
  const key = 'did:key:z6Mkg66162uiNaZaC47VWCQdc1n3XpTsmUQDB9M89FU8udC9'
  assert.deepEqual(kinds(`@${key}, hello ${key}`), [['user', `@${key}`], ['text', ', hello '], ['user', key]])
})

test('names are one short line', () => {
  assert.equal(oneLine('  Ann\u202e\n\tB\u200b  C '), 'AnnB C')
  assert.equal(oneLine('Z' + '\u0301'.repeat(5000)), 'Z' + '\u0301'.repeat(3))
  assert.equal([...oneLine('x'.repeat(100), 40)].length, 40)
  assert.equal(oneLine('\u0000\u200b'), '')
})

test('controls are visible', () => {
  assert.equal(visible('a\u0000b\u001b[31m\u202ec\nd\te\u007f'), 'a␀b␛[31m▯c\nd\te␡')
})

test('bytes are those of UTF-8', () => {
  assert.equal(bytes('aé星🐦'), 1 + 2 + 3 + 4)
})

test('the hashtag being written is found', () => {
  assert.deepEqual(wordAt('hello #sta', 10), { from: 7, word: 'sta' })
  assert.deepEqual(wordAt('#', 1), { from: 1, word: '' })
  assert.equal(wordAt('C#sharp', 7), null)
  assert.equal(wordAt('https://a.example/#top', 22), null)
  assert.equal(wordAt('hello #sta r', 12), null)
})

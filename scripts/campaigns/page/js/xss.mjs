// Every payload in every field that comes from elsewhere. A node that lies is played
// by answering in its place, because an honest one lets no tag or id through that is none.
import { readFile } from 'node:fs/promises'
import { Lab, check, figure } from './lab.mjs'
import { payloads } from './payloads.mjs'

const user = 'did:key:z6Mkg66162uiNaZaC47VWCQdc1n3XpTsmUQDB9M89FU8udC9'
const post = 'pDQ31QHhb2JyoTTm_gMFcCv7iOoWvOdoB3_wGxKasmwAAaH8BSJl0XGnH5na6EpaDzlMj77b2lelZu6VcQmdp6qqc8EYCH0c'

/** fields are those that a payload is put into; each answers with what a liar would. */
const views = ['#/home', '#/tag/go', `#/user/${encodeURIComponent(user)}`, `#/post/${post}`, '#/mentions', '#/network', '#/profile', '#/name/ann']

const fields = ['text', 'tag', 'mention', 'author', 'id', 'reply_to', 'name', 'bio', 'url', 'error', 'nickname', 'followed', 'peer', 'network', 'receipt', 'completion']

function liar(some) {
  const any = (i) => some[i % some.length]
  const posts = some.map((p, i) => ({
    id: i % 4 === 0 ? p : `${post.slice(0, -4)}${String(i).padStart(4, '0')}`, author: i % 3 === 0 ? p : user, created: i % 5 === 0 ? p : 1795229557349 + i,
    text: `${p} #go`, tags: ['go', p], mentions: [p, user], reply_to: i % 2 ? p : null, rev: 1, deleted: i % 17 === 16, cursor: p,
  }))
  const root = { id: post, author: user, created: 1795229557349, text: any(0), tags: some, mentions: some, reply_to: null, rev: 1, deleted: false, cursor: 'c' }
  const problem = { type: any(1), title: any(2), detail: any(3), status: 400, code: any(4) }
  const profile = { name: any(5), about: some.join('\n'), links: some.slice(0, 8) }
  return {
    session: { signed_in: true, user, network: any(6), public: false },
    status: {
      peer_id: any(7), user, network: any(8), ready: true, peers: 3, prefix: 2, narrowed: 1, short_of: any(10), members: 3, size: 9, planted: 1, records: 1, store_bytes: 1, store_quota: 1, uptime_s: 1, version: any(9),
      routing: { table: 1, pending: 0, groups: 1, refused: 0, banned: 1 }, kept: { own_bytes: 1, held_bytes: 1, followed_bytes: 1, cached_bytes: 1 },
      healing: { filling: false, compared: any(10), with: [{ peer_id: any(11), at: any(12), whole: true }], neighbours: 1, taken: 1, given: 1, taken_bytes: 1, given_bytes: 1, rate: 1 },
    },
    peers: { peers: some.map((p) => ({ peer_id: p, addr: p, transport: p, rtt_ms: 1, inbound: false, member: true })) },
    page: { posts: [root, ...posts], next: any(13), problem },
    following: { following: some.map((p) => ({ source: p.startsWith('@') ? p : `#${p}`, since: 1 })) },
    profile: { ...profile, user: any(14), rev: 1 },
    claims: { claims: some.map((p) => ({ shown: p, name: p, user: p, since: 1 })), problem },
    tags: { tags: some },
    limits: { records: { text_bytes: any(15) } },
    receipt: { id: any(16), author: any(17), created: 1, places: some.map((p) => ({ kind: p, base: p, level: 0, stored: 1, wanted: 2 })) },
    problem,
  }
}

const json = (value, status = 200) => ({ status, contentType: status === 200 ? 'application/json' : 'application/problem+json', body: JSON.stringify(value) })

async function answer(route, says, failing) {
  const request = route.request()
  const { pathname } = new URL(request.url())
  if (pathname.endsWith('/watch')) {
    const events = says.page.posts.map((p) => `id: 1\nevent: post\ndata: ${JSON.stringify({ ...p, live: true })}\n\n`).join('')
    return route.fulfill({ status: 200, contentType: 'text/event-stream', body: `retry: 600000\n${events}event: gap\ndata: {"missed":${JSON.stringify(says.problem.title)}}\n\nevent: error\ndata: ${JSON.stringify(says.problem)}\n\n` })
  }
  if (pathname === '/v1/session') return route.fulfill(json(says.session))
  if (pathname === '/v1/status') return route.fulfill(json(says.status))
  if (pathname === '/v1/limits') return route.fulfill(json(says.limits))
  if (pathname === '/v1/following') return route.fulfill(json(says.following))
  if (failing) return route.fulfill(json(says.problem, 400))
  if (pathname === '/v1/peers') return route.fulfill(json(says.peers))
  if (pathname === '/v1/tags') return route.fulfill(json(says.tags))
  if (pathname.startsWith('/v1/names/')) return route.fulfill(json(says.claims))
  if (pathname.startsWith('/v1/profiles/')) return route.fulfill(json(says.profile))
  if (pathname === '/v1/posts') return route.fulfill(json(says.receipt))
  if (pathname.startsWith('/v1/posts/')) return route.fulfill(json(says.page.posts[0]))
  return route.fulfill(json(says.page))
}

/** judge looks for what ran, and for what could. */
const judge = () => {
  const page = document.getElementById('page')
  const bad = [...page.querySelectorAll('script,iframe,object,embed,img,video,audio,link,style,base,meta,form[action],math,foreignObject,template,portal')]
  const on = [...page.querySelectorAll('*')].filter((el) => [...el.attributes].some((a) => a.name.startsWith('on') || a.name === 'srcdoc' || a.name === 'formaction'))
  const links = [...page.querySelectorAll('a')].filter((a) => {
    const href = a.getAttribute('href') ?? ''
    if (href.startsWith('#/') || href === '#main') return false
    const rel = a.rel.split(' ')
    return !/^https?:\/\//.test(href) || !['noopener', 'noreferrer', 'nofollow'].every((r) => rel.includes(r))
  })
  return { ran: globalThis.__runs.length, elements: bad.length, handlers: on.length, links: links.length, shown: page.innerText.length }
}

/** lies shows every payload in every view, with the policy and without it. */
export async function lies(browser, [node], quick) {
  const chunk = quick ? 256 : 40 // payloads on one page
  for (const bypassCSP of quick ? [true] : [false, true]) {
    const lab = await Lab.at(browser, node, { bypassCSP, viewport: { width: 900, height: 1400 } })
    const sum = { ran: 0, elements: 0, handlers: 0, links: 0, shown: 0 }
    let says, failing = false
    await lab.context.route('**/v1/**', (route) => answer(route, says, failing))
    const parts = Math.ceil(payloads.length / chunk)
    for (let part = 0; part < parts; part++) {
      says = liar(payloads.slice(part * chunk, (part + 1) * chunk))
      for (failing of part % 2 === 0 ? [false, true] : [false]) {
        for (const view of quick && failing ? views.slice(0, 2) : views) {
          await lab.page.goto('about:blank')
          await lab.page.goto(`${lab.origin}/${view}`)
          await lab.page.locator('main').waitFor()
          await lab.page.waitForTimeout(quick ? 150 : 350)
          if (view === '#/home') await writes(lab.page)
          const found = await lab.page.evaluate(judge)
          for (const name of Object.keys(sum)) sum[name] += found[name]
          await lab.broke()
        }
      }
    }
    const where = bypassCSP ? 'without the policy' : 'with the policy'
    const bad = lab.outside.filter((u) => u !== 'about:blank')
    check(`${payloads.length} payloads × ${fields.length} fields, ${where}: none ran`, sum.ran === 0, sum.ran)
    check(`${where}: no element, handler or link of theirs`, sum.elements + sum.handlers + sum.links === 0, JSON.stringify(sum))
    check(`${where}: nobody else was asked`, bad.length === 0, bad.slice(0, 3))
    check(`${where}: they were shown`, sum.shown > payloads.length * 100, `${sum.shown} characters`)
    check(`${where}: the policy met nothing`, lab.violations.length === 0, lab.violations.slice(0, 3))
    check(`${where}: no error in the console`, lab.errors.length === 0, lab.errors.slice(0, 3))
    await lab.context.close()
  }
  figure('xss_payloads', payloads.length)
  figure('xss_fields', fields.length)
}

// What is written is answered with payloads too: completion, receipt, toast.
async function writes(page) {
  const area = page.locator('main textarea').first()
  await area.fill('a #g')
  await area.press('o')
  await page.waitForTimeout(200)
  await area.press('Escape')
  await area.fill('posted')
  await area.press('Control+Enter')
  await page.waitForTimeout(100)
}

/** bite shows the same payloads by a page that is careless, so that none may go unnoticed. */
export async function bite(browser, [node]) {
  const lab = await Lab.at(browser, node)
  const careless = await readFile(new URL('careless.html', import.meta.url), 'utf8')
  await lab.context.route('**/*', (route) => {
    const { pathname, origin } = new URL(route.request().url())
    if (origin !== lab.origin) return route.fulfill({ status: 204 }) // leads nowhere, so the page stays
    return pathname === '/careless' ? route.fulfill({ contentType: 'text/html', body: careless }) : route.fulfill(json(payloads))
  })
  await lab.page.goto(`${lab.origin}/careless`)
  await lab.page.waitForFunction(() => globalThis.__done)
  await lab.page.waitForTimeout(500)
  const ran = await lab.page.evaluate(() => new Set(globalThis.__runs).size)
  const asked = new Set(lab.outside).size
  check('a careless page runs them, so this test can fail', ran >= 40 && asked >= 5, `${ran} ran, ${asked} others asked`)
  figure('xss_careless_ran', ran)
  await lab.context.close()
}

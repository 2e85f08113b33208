// How the page looks and reads: pictures, accessibility, weight, first paint.
import { createRequire } from 'node:module'
import { readFile } from 'node:fs/promises'
import { Lab, ask, check, figure } from './lab.mjs'

/** people gives the nodes something to show. */
export async function people(nodes) {
  const [ann, bob, leila] = nodes
  const profiles = [[ann, 'Ann', 'Watches birds and builds radios.'], [bob, 'Bob', 'Harbour pilot. Up before the birds.'], [leila, 'ليلى', 'شاعرة من بيروت']]
  for (const [node, name, about] of profiles) await ask(node, 'PUT', '/v1/profiles/me', { name, about, links: name === 'Bob' ? ['https://example.org/harbour'] : [] })
  const say = async (node, text, reply_to) => (await ask(node, 'POST', '/v1/posts', { text, ...(reply_to ? { reply_to } : {}) })).id
  const first = await say(bob, 'A murmuration over the harbour tonight, easily ten thousand birds. They turn like one mind, and nobody leads. #murmuration #birds')
  await say(leila, 'مساء الخير من بيروت. الطيور تعود كل عام في نفس اليوم. #murmuration')
  await say(ann, 'Ballerini et al.: each bird looks to six or seven neighbours, not to all within some distance. That is why a flock holds together when it is stretched.\n\nhttps://example.org/ballerini-2008.pdf #murmuration #science')
  await say(ann, 'Same here, an hour later. Did you see the falcon?', first)
  const answer = await say(leila, 'The whole flock folded round it.', first)
  await say(bob, 'I have it on film. Tomorrow, when I am back on land.', answer)
  await say(bob, 'It went on for forty minutes. The best one this year.', first)
  await say(bob, 'Seven neighbours are enough. #murmuration')
  for (const source of ['#murmuration', '#birds', bob.user, '@me']) await ask(ann, 'PUT', `/v1/following/${encodeURIComponent(source)}`)
  return first
}

export const viewsOf = (first, [, bob]) => [
  ['home', '#/home', 'Home'], ['tag', '#/tag/murmuration', '#murmuration'], ['thread', `#/post/${first}`, 'Thread'], ['user', `#/user/${encodeURIComponent(bob.user)}`, /Bob/],
  ['mentions', '#/mentions', 'Mentions'], ['network', '#/network', 'Network'], ['profile', '#/profile', 'Profile'],
]

/** pictures takes one of every view, light and dark, and asks axe about each. */
export async function pictures(browser, [one], views, shots) {
  const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  for (const colorScheme of ['light', 'dark']) {
    const lab = await Lab.at(browser, one, { colorScheme })
    await lab.signIn()
    const ground = await lab.page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    const bright = Number(/\d+/.exec(ground)?.[0]) > 128
    check(`${colorScheme} as the system says`, bright === (colorScheme === 'light'), ground)
    const serious = []
    for (const [name, hash, heading] of views[colorScheme]) {
      await lab.go(hash, heading)
      await lab.page.waitForFunction(() => !document.querySelector('main .loading'))
      await lab.page.waitForTimeout(700) // for names
      if (shots) await lab.page.screenshot({ path: `${shots}/${colorScheme}-${name}.png` })
      serious.push(...(await judged(lab.page, axe, name)))
    }
    check(`axe, ${colorScheme}: nothing serious in ${views[colorScheme].length} views`, serious.length === 0, serious.slice(0, 4).join('; '))
    if (colorScheme === 'light') {
      await lab.page.locator('[data-act=theme]').click()
      await lab.page.locator('[data-act=theme]').click()
      const dark = await lab.page.evaluate(() => getComputedStyle(document.body).backgroundColor)
      check('the switch turns it dark', Number(/\d+/.exec(dark)?.[0]) < 128, dark)
    }
    await lab.context.close()
  }
  await signInPage(browser, one, axe, shots)
}

async function signInPage(browser, one, axe, shots) {
  const lab = await Lab.at(browser, one)
  await lab.page.goto(`${lab.origin}/`)
  await lab.page.getByText('starling web').first().waitFor()
  if (shots) await lab.page.screenshot({ path: `${shots}/light-signin.png` })
  const serious = await judged(lab.page, axe, 'sign-in')
  check('axe: nothing serious where one signs in', serious.length === 0, serious.join('; '))
  await lab.context.close()
}

async function judged(page, axe, view) {
  await page.evaluate(axe)
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }))
  return violations
    .filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .map((v) => `${view}: ${v.id} ${v.nodes[0]?.html.slice(0, 140)}`)
}

/** weight is what a first visit costs. */
export async function weight(browser, [one]) {
  const lab = await Lab.at(browser, one)
  const sent = { bytes: 0, requests: 0 }
  lab.page.on('response', (r) => {
    const path = new URL(r.url()).pathname
    if (path !== '/' && !path.startsWith('/assets/')) return
    sent.requests++
    sent.bytes += Number(r.headers()['content-length'] ?? 0)
  })
  await lab.signIn()
  const paint = await lab.page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? -1)
  figure('first_paint_ms', Math.round(paint))
  figure('page_requests', sent.requests)
  figure('page_bytes_sent', sent.bytes)
  check('a first visit is at most 64 KiB in 4 requests', sent.bytes <= 65536 && sent.requests <= 4, `${sent.bytes} bytes in ${sent.requests}`)
  await lab.context.close()
}

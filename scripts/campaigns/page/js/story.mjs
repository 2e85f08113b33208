// Two people at two nodes: what one does the other sees, with the mouse and without.
import { Lab, ask, check, figure, order, wide, within } from './lab.mjs'

const live = 15_000 // ms in which what is written must be seen elsewhere; far more than it takes

/** together is writing, seeing it live, threads, edits and deletions. */
export async function together(browser, [one, two]) {
  await ask(one, 'PUT', '/v1/following/%23starling')
  await ask(two, 'PUT', '/v1/following/%23starling')
  const ann = await Lab.at(browser, one)
  const bob = await Lab.at(browser, two)
  await ann.signIn()
  await bob.signIn()
  check('sign in with a code', !ann.page.url().includes('code='), ann.page.url())
  const again = await Lab.at(browser, one)
  await again.page.goto(`${again.origin}/`)
  check('without a session: how to sign in', await within(live, again.page.getByText('starling web').first().waitFor()))
  await again.close()

  await ann.go('#/tag/starling', '#starling')
  await bob.go('#/tag/starling', '#starling')
  await bob.page.locator('.live.live').waitFor()
  await ann.page.locator('main textarea').first().fill('Seen over the harbour #starling')
  const began = performance.now()
  await ann.page.getByRole('button', { name: 'Post', exact: true }).click()
  check('written on one node, live on another', await within(live, bob.shown('Seen over the harbour').waitFor()))
  figure('live_ms', Math.round(performance.now() - began))
  check('the receipt says on how many nodes', /on \d+ of \d+ nodes/.test(await ann.shown('Seen over the harbour').locator('.receipt').innerText()), await ann.shown('Seen over the harbour').locator('.receipt summary').innerText())

  await bob.page.reload()
  check('there after a reload', await within(live, bob.shown('Seen over the harbour').waitFor()))

  const post = bob.shown('Seen over the harbour')
  await post.getByRole('button', { name: 'Reply' }).click()
  await post.locator('textarea').fill('Ten thousand of them')
  await post.locator('button[type=submit]').click()
  await bob.page.getByRole('status').getByRole('link', { name: 'Show' }).first().waitFor()
  await ann.shown('Seen over the harbour').getByRole('link', { name: 'Thread' }).click()
  check('a reply in the thread, live', await within(live, ann.shown('Ten thousand of them').waitFor()))

  await ann.page.locator('article.whole').getByRole('button', { name: 'Edit' }).click()
  await ann.page.locator('article.whole textarea').fill('Seen over the old harbour #starling')
  await ann.page.getByRole('button', { name: 'Change', exact: true }).click()
  check('an edit, live on another', await within(live, bob.shown('Seen over the old harbour').waitFor()))

  await paged(ann, one)
  await deleted(ann, bob)
  await profile(ann, bob)
  for (const lab of [ann, bob]) await finish(lab)
}

async function deleted(ann, bob) {
  await ann.go('#/tag/starling', '#starling')
  const mine = ann.shown('Seen over the old harbour')
  await mine.getByRole('button', { name: 'Delete' }).click()
  await mine.getByRole('group').getByRole('button', { name: 'Delete' }).click()
  const gone = bob.page.locator('article:not(.gone)', { hasText: 'Seen over the old harbour' })
  check('a deletion, live on another', await within(live, gone.waitFor({ state: 'detached' })))
}

// New posts wait while one reads further down; older ones come page by page.
async function paged(lab, node) {
  for (let i = 0; i < 45; i++) await ask(node, 'POST', '/v1/posts', { text: `Number ${i} #paging` })
  await lab.go('#/tag/paging', '#paging')
  await lab.shown('Number 44').waitFor()
  await lab.page.evaluate(() => scrollTo(0, document.body.scrollHeight))
  check('older posts come while one scrolls', await within(live, lab.shown('Number 0 ').waitFor()), await lab.page.locator('article').count())
  await ask(node, 'POST', '/v1/posts', { text: 'While you were reading #paging' })
  const bar = lab.page.getByRole('button', { name: '1 new post' })
  check('a new post waits behind a bar', await within(live, bar.waitFor()))
  await bar.click()
  check('the bar shows it', await within(live, lab.shown('While you were reading').waitFor()))
}

async function profile(ann, bob) {
  await ann.go('#/profile', 'Profile')
  await ann.page.getByRole('button', { name: 'Save' }).waitFor()
  await ann.page.getByLabel('Name', { exact: true }).fill('Ann of the Harbour')
  await ann.page.getByLabel('About you').fill('Counts them from the pier')
  await ann.page.getByRole('button', { name: 'Save' }).click()
  await ann.page.getByText(/Profile saved on/).waitFor()
  await bob.go(`#/user/${encodeURIComponent(ann.node.user)}`, /.+/)
  check('a profile, read on another', await within(live, bob.page.getByText('Counts them from the pier').waitFor()))
}

/** byKeys does all with the keyboard alone. */
export async function byKeys(browser, [one]) {
  const lab = await Lab.at(browser, one)
  const { page } = lab
  const focused = (selector) => page.waitForFunction((s) => document.activeElement?.matches(s), selector)
  const h1 = (name) => page.getByRole('heading', { name, level: 1 }).waitFor()
  await lab.signIn()
  const press = async (...keys) => {
    for (const k of keys) await page.keyboard.press(k)
  }
  await press('Tab')
  check('keys: the first stop skips to the posts', await within(3000, focused('.skip')))
  await press('Enter', 'n')
  check('keys: n writes', await within(3000, page.locator('dialog textarea').waitFor()))
  await focused('dialog textarea')
  await page.keyboard.type('By keys alone #keys')
  await press('Control+Enter')
  check('keys: Ctrl+Enter publishes', await within(live, page.getByText(/Posted, on/).waitFor()))
  await press('/')
  await page.keyboard.type('keys')
  await press('Enter')
  check('keys: / searches', await within(live, h1('#keys')))
  await lab.shown('By keys alone').waitFor()
  await press('j')
  check('keys: j goes to a post', await within(3000, focused('[data-post]')))
  await press('r')
  await focused('.composer.reply textarea')
  await page.keyboard.type('And answered by keys')
  await press('Control+Enter')
  await page.locator('.composer.reply').waitFor({ state: 'detached' })
  await lab.go('#/tag/keys', '#keys')
  await press('j', 'Enter')
  await h1('Thread')
  check('keys: r replies, Enter opens the thread', await within(live, lab.shown('And answered by keys').waitFor()))
  await press('g', 'n')
  check('keys: g n is the network', await within(live, h1('Network')))
  await press('?')
  check('keys: ? tells of them', await within(3000, page.getByRole('dialog').waitFor()))
  await press('Escape', 'g', 'h')
  check('keys: Esc closes, g h is home', await within(live, h1('Home')))
  await page.locator('main textarea').focus()
  await ask(one, 'PUT', '/v1/following/%23keyboards')
  await page.reload()
  await page.locator('main textarea').focus()
  await page.keyboard.type('Complete #keyb')
  await page.getByRole('option', { name: '#keyboards' }).waitFor()
  await press('Enter')
  check('keys: a hashtag completes itself', (await page.locator('main textarea').inputValue()) === 'Complete #keyboards ', await page.locator('main textarea').inputValue())
  await page.reload()
  check('a draft is kept', await within(live, page.waitForFunction(() => document.querySelector('main textarea')?.value === 'Complete #keyboards ')))
  await page.locator('main textarea').fill('')
  await finish(lab)
}

/** narrow is every view in 320 pixels. */
export async function narrow(browser, [one], views, shots) {
  const lab = await Lab.at(browser, one, { viewport: { width: 320, height: 640 }, colorScheme: 'light' })
  await lab.signIn()
  let most = 0
  for (const [name, hash, heading] of views) {
    await lab.go(hash, heading)
    await lab.page.waitForLoadState('networkidle').catch(() => {}) // streams never end
    most = Math.max(most, await wide(lab.page))
    if (shots) await lab.page.screenshot({ path: `${shots}/narrow-${name}.png` })
  }
  check('320 pixels: nothing to scroll sideways', most <= 0, `${most} px`)
  await finish(lab)
}

/** guest is a stranger where a node serves readers. */
export async function guest(browser, [one, two], first) {
  const lab = await Lab.at(browser, { ...two, api: two.public })
  await lab.page.goto(`${lab.origin}/`)
  check('a guest is told to be one', await within(live, lab.page.getByText(/^Reading only\./).waitFor()))
  await lab.go('#/tag/murmuration', '#murmuration')
  check('a guest reads', await within(live, lab.shown('Seven neighbours are enough').waitFor()))
  await ask(one, 'POST', '/v1/posts', { text: 'For guests too', reply_to: first })
  await lab.go(`#/post/${first}`, 'Thread')
  check('a guest reads threads', await within(live, lab.shown('For guests too').waitFor()))
  const writes = await lab.page.locator('textarea, [data-act=reply], .follow, .write').count()
  check('a guest is offered nothing to write with', writes === 0, writes)
  await finish(lab)
}

/** away is the page while its node is not there, and afterwards. */
export async function away(browser, nodes) {
  const lab = await Lab.at(browser, nodes[0])
  await lab.signIn()
  await lab.go('#/tag/starling', '#starling')
  await order('stop', 0)
  check('a stopped node: offline', await within(20_000, lab.page.getByText(/^Offline\./).waitFor()))
  await lab.page.locator('main textarea').first().fill('Written while it was away #starling')
  Object.assign(lab.node, await order('start', 0)) // its token is another
  check('the node is back: sign in again', await within(45_000, lab.page.getByText('starling web').first().waitFor()))
  await lab.signIn()
  await lab.go('#/tag/starling', '#starling')
  check('what was written is still there', (await lab.page.locator('main textarea').first().inputValue()).startsWith('Written while'))
  await lab.page.getByRole('button', { name: 'Post', exact: true }).click()
  check('and is published', await within(live, lab.shown('Written while it was away').waitFor()))
  await finish(lab)
}

async function finish(lab) {
  const broken = await lab.broke()
  check('no request to anybody else', lab.outside.length === 0, lab.outside.slice(0, 3))
  check('no error in the console', lab.errors.length === 0, lab.errors.slice(0, 3))
  check('the policy met nothing', broken.length === 0, broken.slice(0, 3))
  await lab.context.close()
}

// A browser, and what it must not do: ask anybody but the node, report errors,
// meet the security policy, run what strangers wrote.
import { createInterface } from 'node:readline'
import { chromium } from 'playwright-core'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

/** next is what the campaign says next. */
export const next = async () => JSON.parse((await lines.next()).value)

const tell = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)

/** order has the campaign do something to a node, such as stop it. */
export async function order(what, node) {
  tell({ order: what, node })
  return next()
}

/** check tells of something that must be so; got is for people. */
export const check = (step, ok, got = '') => tell({ step, ok: Boolean(ok), got: String(got) })

/** figure tells of a number that is no promise. */
export const figure = (name, value) => tell({ figure: name, value })

export const launch = (executablePath) =>
  chromium.launch({
    executablePath,
    args: [
      '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update',
      '--disable-sync', '--no-default-browser-check', '--disable-default-apps', '--no-pings',
    ],
  })

/** Lab is one person's browser at one node. */
export class Lab {
  requests = []
  outside = []
  errors = []
  violations = []

  static async at(browser, node, options = {}) {
    const lab = new Lab()
    lab.node = node
    lab.context = await browser.newContext({ viewport: { width: 1180, height: 900 }, locale: 'en-GB', ...options })
    lab.context.on('request', (r) => lab.asked(r.url()))
    lab.context.on('weberror', (e) => lab.errors.push(String(e.error())))
    await lab.context.addInitScript(() => {
      globalThis.__violations = []
      globalThis.__runs = []
      globalThis.__ran = (n) => globalThis.__runs.push(n)
      addEventListener('securitypolicyviolation', (e) => globalThis.__violations.push(`${e.violatedDirective} ${e.blockedURI} ${e.sample}`))
    })
    lab.page = await lab.context.newPage()
    lab.page.setDefaultTimeout(15_000)
    lab.page.on('console', (m) => {
      // A browser writes a line for every answer that is no success, whoever expected it.
      if (m.type() === 'error' && !m.text().startsWith('Failed to load resource')) lab.errors.push(m.text())
      if (m.type() === 'warning') lab.errors.push(m.text())
    })
    lab.page.on('dialog', (d) => {
      lab.errors.push(`dialog ${d.message()}`)
      void d.dismiss()
    })
    return lab
  }

  get origin() {
    return `http://${this.node.api}`
  }

  asked(url) {
    this.requests.push(url)
    if (!url.startsWith(`${this.origin}/`)) this.outside.push(url)
  }

  /** signIn opens the page as `starling web` does. */
  async signIn() {
    await this.page.goto(`${this.origin}/#code=${await codeFor(this.node)}`)
    await this.page.getByRole('heading', { name: 'Home', level: 1 }).waitFor()
  }

  /** go leads to a view within the page. */
  async go(hash, heading) {
    await this.page.evaluate((h) => (location.hash = h), hash)
    await this.page.getByRole('heading', { name: heading, level: 1 }).waitFor()
  }

  /** settle is when a text shows in a post. */
  shown(text) {
    return this.page.locator('article', { hasText: text }).first()
  }

  async broke() {
    this.violations.push(...(await this.page.evaluate(() => globalThis.__violations.splice(0))))
    return this.violations
  }

  async close() {
    await this.broke()
    await this.context.close()
  }
}

/** codeFor asks a node for a sign-in code, as the owner's programs do. */
export async function codeFor(node) {
  const answer = await fetch(`http://${node.api}/v1/session/code`, { method: 'POST', headers: { Authorization: `Bearer ${node.token}` } })
  if (!answer.ok) throw new Error(`code: ${answer.status} ${await answer.text()}`)
  return (await answer.json()).code
}

/** ask calls a node as the owner's programs do. */
export async function ask(node, method, path, body) {
  const headers = { Authorization: `Bearer ${node.token}`, ...(body ? { 'Content-Type': 'application/json' } : {}) }
  const answer = await fetch(`http://${node.api}${path}`, { method, headers, ...(body ? { body: JSON.stringify(body) } : {}) })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
  return text ? JSON.parse(text) : undefined
}

/** within tells whether something comes true in time. */
export async function within(ms, promise) {
  let timer
  const late = new Promise((resolve) => (timer = setTimeout(resolve, ms, false)))
  const came = await Promise.race([promise.then(() => true, () => false), late])
  clearTimeout(timer)
  return came
}

/** wide tells by how many pixels the page is wider than the window. */
export const wide = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)

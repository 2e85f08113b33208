// Drives the page of running nodes; scripts/campaigns/page starts it and reads what
// it prints, a JSON object to a line.
import { launch, next } from './lab.mjs'
import { people, pictures, viewsOf, weight } from './looks.mjs'
import { away, byKeys, guest, narrow, together } from './story.mjs'
import { bite, lies } from './xss.mjs'

const { nodes, chromium, quick, shots } = await next()
const browser = await launch(chromium)
try {
  const first = await people(nodes)
  const views = viewsOf(first, nodes)
  await weight(browser, nodes)
  // Each has windows of its own; what they do to the nodes does not meet.
  await Promise.all([
    together(browser, nodes).then(() => byKeys(browser, nodes)),
    pictures(browser, nodes, { light: quick ? [views[2], views[5]] : views, dark: quick ? [views[0]] : views }, shots).then(() => narrow(browser, nodes, views, shots)).then(() => guest(browser, nodes, first)),
    bite(browser, nodes).then(() => lies(browser, nodes, quick)),
  ])
  await away(browser, nodes)
} finally {
  await browser.close()
}
process.exit() // standard input is still open

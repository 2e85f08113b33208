// Builds the page, or runs its unit tests:
//
//   node build.mjs FOLDER    writes the page into FOLDER
//   node build.mjs --test    runs every src/*.test.ts
//
// The same source gives the same bytes on every machine: names carry a hash of
// what they name, and nothing else goes in.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const src = fileURLToPath(new URL('src/', import.meta.url))

const licences = `/*! Starling: MIT OR Apache-2.0. In it: Preact and Preact Signals, MIT,
Copyright (c) 2015-present Jason Miller, Copyright (c) 2022-present Preact Team. */`

const options = {
  bundle: true,
  charset: 'utf8',
  format: 'esm',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none',
  logLevel: 'warning',
  target: 'es2022',
}

/** bundled gives the one file that an entry point becomes. */
async function bundled(entry, extra) {
  const { outputFiles } = await build({ ...options, entryPoints: [join(src, entry)], minify: true, write: false, ...extra })
  return Buffer.from(outputFiles[0].contents)
}

async function page(folder) {
  await mkdir(join(folder, 'assets'), { recursive: true })
  const assets = {
    'page.js': await bundled('main.tsx', { banner: { js: licences } }),
    'page.css': await bundled('styles/page.css'),
    'starling.svg': await readFile(join(src, 'starling.svg')),
  }
  let html = await readFile(join(src, 'index.html'), 'utf8')
  for (const [name, bytes] of Object.entries(assets)) {
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
    const hashed = name.replace('.', `-${hash}.`)
    if (!html.includes(`assets/${name}`)) throw new Error(`index.html does not name assets/${name}`)
    html = html.replaceAll(`assets/${name}`, `assets/${hashed}`)
    await writeFile(join(folder, 'assets', hashed), bytes)
  }
  await writeFile(join(folder, 'index.html'), html)
}

async function test() {
  const folder = await mkdtemp(join(tmpdir(), 'starling-web-'))
  try {
    const names = (await readdir(src)).filter((name) => name.endsWith('.test.ts'))
    await build({ ...options, platform: 'node', outdir: folder, outExtension: { '.js': '.mjs' }, entryPoints: names.map((n) => join(src, n)) })
    const { status } = spawnSync(process.execPath, ['--test', folder], { stdio: 'inherit' })
    return status ?? 1
  } finally {
    await rm(folder, { recursive: true })
  }
}

const [argument] = process.argv.slice(2)
if (argument === undefined) {
  console.error('usage: node build.mjs FOLDER | --test')
  process.exitCode = 2
} else if (argument === '--test') {
  process.exitCode = await test()
} else {
  await page(argument)
}

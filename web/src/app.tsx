// The frame round every view: where one can go, how the node is, the keys.
import { effect, signal } from '@preact/signals'
import { told } from './health'
import { act, author, Keys, open, step, writing, type Command } from './keys'
import { chooseTheme, theme, type Theme } from './keep'
import { following, me, mayWrite, session, state } from './node'
import { Composer } from './parts/composer'
import { Dialog, Help } from './parts/help'
import { Icon, Logo, type IconName } from './parts/logo'
import { Toasts } from './parts/notice'
import { nameOf, profileOf } from './people'
import { Search } from './parts/search'
import { SignOut } from './parts/signout'
import { routeOf, toSource, type Route } from './route'
import { keyPart } from './text'
import { Guest } from './views/guest'
import { NameView } from './views/name'
import { Network } from './views/network'
import { ProfileView } from './views/profile'
import { SignIn } from './views/signin'
import { Thread } from './views/thread'
import { Home, Mentions, Tag, User } from './views/timelines'
import { Heading, title, waiting } from './views/frame'

const route = signal<Route>(routeOf(location.hash))
const writingNew = signal(false)
const helping = signal(false)

// Going forward begins at the top, going back returns to where one was.
const scrolled = new Map<string, number>()
let clicked = false
addEventListener('click', (e) => (clicked = (e.target as Element).closest?.('a[href^="#/"]') !== null), true)
addEventListener('scroll', () => scrolled.set(location.hash, scrollY), { passive: true })
addEventListener('hashchange', () => {
  const top = clicked ? 0 : (scrolled.get(location.hash) ?? 0)
  clicked = false
  route.value = routeOf(location.hash)
  requestAnimationFrame(() => scrollTo(0, top))
})
history.scrollRestoration = 'manual'

const keys = new Keys()
const commands: Record<Command, () => void> = {
  next: () => step(1),
  previous: () => step(-1),
  open: () => act('open'),
  reply: () => act('reply'),
  edit: () => act('edit'),
  author,
  write: () => (writingNew.value = mayWrite.value),
  reveal: () => document.querySelector<HTMLElement>('[data-act="reveal"]')?.click(),
  search: () => document.getElementById('search')?.focus(),
  help: () => (helping.value = true),
  home: () => (location.hash = '#/home'),
  mentions: () => (location.hash = '#/mentions'),
  network: () => (location.hash = '#/network'),
  profile: () => (location.hash = '#/profile'),
}

addEventListener('keydown', (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || writing(e.target) || document.querySelector('dialog[open]')) return
  if (e.key === 'Enter') {
    if (open(e.target)) e.preventDefault()
    return
  }
  const command = keys.press(e.key, e.timeStamp)
  if (command === null) return
  e.preventDefault()
  commands[command]()
})

export function App() {
  if (state.value === 'signedOut') return <SignIn />
  if (session.value === null) return <Waiting />
  const guest = state.value === 'readOnly'
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to the posts
      </a>
      <Side guest={guest} />
      <main id="main" tabIndex={-1}>
        <Banner />
        <View route={route.value} guest={guest} />
      </main>
      {!guest && <Tabs />}
      {writingNew.value && (
        <Dialog label="New post" onClose={() => (writingNew.value = false)}>
          <Composer kind="new" focused onDone={() => (writingNew.value = false)} />
        </Dialog>
      )}
      {helping.value && <Help onClose={() => (helping.value = false)} />}
      <Toasts />
    </>
  )
}

function skip(e: Event): void {
  e.preventDefault() // the address behind the # is the view's
  document.getElementById('main')?.focus()
}

function View({ route: r, guest }: { route: Route; guest: boolean }) {
  if (guest && (r.view === 'home' || r.view === 'mentions' || r.view === 'network' || r.view === 'profile')) return <Guest />
  switch (r.view) {
    case 'home':
      return <Home />
    case 'mentions':
      return me.value === '' ? null : <Mentions key={me.value} />
    case 'tag':
      return <Tag key={r.tag} tag={r.tag} />
    case 'user':
      return <User key={r.user} user={r.user} />
    case 'thread':
      return <Thread key={r.post} post={r.post} />
    case 'name':
      return <NameView key={r.name} name={r.name} />
    case 'network':
      return <Network />
    case 'profile':
      return <ProfileView />
    case 'nowhere':
      return (
        <>
          <Heading title="Nowhere" />
          <p class="empty">
            This address leads to nothing. <a href="#/home">Home</a>
          </p>
        </>
      )
  }
}

const places: { hash: string; name: string; icon: IconName; view: Route['view'] }[] = [
  { hash: '#/home', name: 'Home', icon: 'home', view: 'home' },
  { hash: '#/mentions', name: 'Mentions', icon: 'at', view: 'mentions' },
  { hash: '#/network', name: 'Network', icon: 'ring', view: 'network' },
  { hash: '#/profile', name: 'Profile', icon: 'person', view: 'profile' },
]

function Places() {
  return (
    <ul class="places">
      {places.map((p) => (
        <li key={p.hash}>
          <a href={p.hash} aria-current={route.value.view === p.view ? 'page' : undefined}>
            <Icon name={p.icon} />
            <span>{p.name}</span>
          </a>
        </li>
      ))}
    </ul>
  )
}

function Side({ guest }: { guest: boolean }) {
  return (
    <header class="side">
      <a class="brand" href="#/home">
        <Logo />
        <b>Starling</b>
      </a>
      <Search />
      {!guest && (
        <nav aria-label="Views">
          <Places />
        </nav>
      )}
      {mayWrite.value && (
        <button type="button" class="primary write" onClick={() => (writingNew.value = true)}>
          <Icon name="pen" />
          <span>Write</span>
        </button>
      )}
      {!guest && <FollowedList />}
      <div class="foot">
        <Health />
        <div class="row">
          <ThemeSwitch />
          <button type="button" class="plain square" aria-label="Keyboard" title="Keyboard (?)" onClick={() => (helping.value = true)}>
            <Icon name="help" />
          </button>
          <SignOut plain />
        </div>
      </div>
    </header>
  )
}

function FollowedList() {
  const sources = [...new Set(following.value.map((f) => f.source))].filter((s) => !s.startsWith('@') && s !== me.value)
  if (sources.length === 0) return null
  return (
    <nav class="followed" aria-label="Followed">
      <h2>Followed</h2>
      <ul>
        {sources.map((s) => (
          <li key={s}>
            <a href={toSource(s)} aria-current={toSource(s) === location.hash && route.value ? 'page' : undefined}>
              {s.startsWith('#') ? <bdi>{s}</bdi> : <Person user={s} />}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  )
}

function Person({ user }: { user: string }) {
  return <bdi>{nameOf(profileOf(user).value) || keyPart(user)}</bdi>
}

function Tabs() {
  return (
    <nav class="tabs" aria-label="Views, below">
      <Places />
    </nav>
  )
}

function Health() {
  const t = told[state.value]
  return (
    <a class={`dot ${state.value}`} href={state.value === 'readOnly' ? '#/home' : '#/network'} title={t.more}>
      {t.word}
    </a>
  )
}

/** Banner says what is not as it should be. */
function Banner() {
  const s = state.value
  const t = told[s]
  const shown = s === 'offline' || s === 'alone' || s === 'behind' || s === 'readOnly'
  return (
    <div class="banners" role="status" aria-live="polite">
      {shown && (
        <p class={`banner ${s}`}>
          <b>{t.word}.</b> {t.more}
        </p>
      )}
    </div>
  )
}

function Waiting() {
  const t = told[state.value]
  return (
    <main class="waiting" id="main">
      <Logo size={56} />
      <div role="status">
        <h1>{t.word}</h1>
        <p>{t.more}</p>
      </div>
    </main>
  )
}

const themes: { is: Theme; next: Theme; icon: IconName; name: string }[] = [
  { is: 'auto', next: 'light', icon: 'half', name: 'as your system says' },
  { is: 'light', next: 'dark', icon: 'sun', name: 'light' },
  { is: 'dark', next: 'auto', icon: 'moon', name: 'dark' },
]

function ThemeSwitch() {
  const t = themes.find(({ is }) => is === theme.value) ?? themes[0]!
  return (
    <button type="button" class="plain square" data-act="theme" aria-label={`Colours: ${t.name}. Change`} title={`Colours: ${t.name}`} onClick={() => chooseTheme(t.next)}>
      <Icon name={t.icon} />
    </button>
  )
}

// The title counts what waits, so that a tab in the background tells of it.
effect(() => {
  const count = waiting.value > 0 ? `(${waiting.value}) ` : ''
  document.title = `${count}${title.value === '' ? '' : `${title.value} · `}Starling`
})

// The timelines: home, a hashtag, what mentions me, a person.
import { useEffect } from 'preact/hooks'
import { Composer } from '../parts/composer'
import { Follow } from '../parts/follow'
import { List, Live, useFeed } from '../parts/list'
import { Murmuration } from '../parts/logo'
import { Avatar, Name } from '../parts/person'
import { Prose, rel } from '../parts/prose'
import { feedOf } from '../feed'
import { following, me, mayWrite } from '../node'
import { nameOf, profileOf, renew } from '../people'
import { toTag } from '../route'
import { keyPart, oneLine, webAddress } from '../text'
import { Heading } from './frame'

export function Home() {
  const feed = feedOf('home')
  useFeed(feed)
  const none = following.value.length === 0
  return (
    <>
      <Heading title="Home" side={<Live feed={feed} />} />
      <Composer kind="new" folded />
      <List feed={feed} label="Home" empty={none ? <Welcome /> : <p>Nothing yet from what you follow. It appears here by itself.</p>} />
    </>
  )
}

function Welcome() {
  return (
    <div class="welcome">
      <Murmuration />
      <h2>Every starling follows its seven nearest neighbours.</h2>
      <p>Home is what you follow, and you follow nothing yet. Hashtags are a good beginning: anybody who writes one can be found under it.</p>
      <ul class="chips">
        {['starling', 'hello', 'introduction'].map((t) => (
          <li key={t}>
            <a class="tag" href={toTag(t)}>
              #{t}
            </a>
            <Follow source={`#${t}`} label={`#${t}`} />
          </li>
        ))}
        <li>
          <span>your own posts</span>
          <Follow source={me.value} label="yourself" />
        </li>
        <li>
          <span>what mentions you</span>
          <Follow source={`@${me.value}`} label="what mentions you" />
        </li>
      </ul>
    </div>
  )
}

export function Tag({ tag }: { tag: string }) {
  const feed = feedOf(`#${tag}`)
  useFeed(feed)
  return (
    <>
      <Heading title={`#${tag}`} side={<Live feed={feed} />} action={<Follow source={`#${tag}`} label={`#${tag}`} />} />
      {mayWrite.value && <Composer key={tag} kind="new" tag={tag} folded />}
      <List feed={feed} label={`Posts with #${tag}`} empty={<p>Nobody has written about #{tag} yet, or nobody who has can be reached.</p>} />
    </>
  )
}

export function Mentions() {
  const source = `@${me.value}`
  const feed = feedOf(source)
  useFeed(feed)
  return (
    <>
      <Heading title="Mentions" side={<Live feed={feed} />} action={<Follow source={source} label="what mentions you" />} />
      <List feed={feed} label="What mentions you" empty={<p>Nobody has mentioned you yet. Others do it by writing your key, which your profile shows.</p>} />
    </>
  )
}

export function User({ user }: { user: string }) {
  const feed = feedOf(user)
  useFeed(feed)
  const profile = profileOf(user).value
  const name = nameOf(profile)
  const mine = user === me.value
  useEffect(() => renew(user), [user])
  return (
    <>
      <Heading title={name || keyPart(user)} side={<Live feed={feed} />} action={mine ? <a class="button" href="#/profile">Edit profile</a> : <Follow source={user} label={name || keyPart(user)} />} />
      <section class="person" aria-label="Profile">
        <Avatar user={user} size={72} />
        <div>
          <p class="who">
            <Name user={user} link={false} />
          </p>
          {profile?.about && <Prose text={profile.about} />}
          <Links links={profile?.links ?? []} />
          <p class="key">
            <code>{user}</code>
          </p>
        </div>
      </section>
      <List feed={feed} label={`Posts of ${name || keyPart(user)}`} empty={<p>No posts yet, or none that can be reached.</p>} />
    </>
  )
}

function Links({ links }: { links: readonly string[] }) {
  if (links.length === 0) return null
  return (
    <ul class="links">
      {links.slice(0, 8).map((text, i) => {
        const url = webAddress(text)
        return (
          <li key={i}>
            {url ? (
              <a class="outside" href={url.href} rel={rel} target="_blank">
                <bdi dir="ltr">{url.href}</bdi>
              </a>
            ) : (
              <bdi>{oneLine(text, 120)}</bdi>
            )}
          </li>
        )
      })}
    </ul>
  )
}

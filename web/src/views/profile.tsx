// Who I say I am.
import { useEffect, useState } from 'preact/hooks'
import { api, problemOf } from '../api'
import { me } from '../node'
import { know } from '../people'
import { Trouble, say } from '../parts/notice'
import { Avatar } from '../parts/person'
import { SignOut } from '../parts/signout'
import { toUser } from '../route'
import { bytes, webAddress } from '../text'
import type { Problem, Profile } from '../types'
import { Heading } from './frame'

const mostName = 64 // characters
const mostAbout = 1024 // bytes
const mostLinks = 8

export function ProfileView() {
  const [profile, setProfile] = useState<Profile>({ name: '', about: '', links: [] })
  const [rev, setRev] = useState<string | null>(null) // that stands; null while it is being read
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<Problem | null>(null)

  const read = async () => {
    setProblem(null)
    try {
      const { name, about, links, rev: stands } = await api.ownProfile()
      setProfile({ name, about, links: links ?? [] })
      setRev(stands)
    } catch (err) {
      const p = problemOf(err)
      if (p.code === 'not_found') setRev('0')
      else setProblem(p)
    }
  }
  useEffect(() => void read(), [])

  const links = profile.links ?? []
  const wrong = links.filter((l) => l.trim() !== '' && !webAddress(l.trim()))
  const refused = busy || rev === null || bytes(profile.about) > mostAbout || [...profile.name].length > mostName || wrong.length > 0
  const save = async () => {
    if (refused || rev === null) return
    setBusy(true)
    setProblem(null)
    try {
      const next = { name: profile.name.trim(), about: profile.about, links: links.map((l) => l.trim()).filter((l) => l !== '') }
      const receipt = await api.putProfile(next, rev)
      setRev(receipt.register.rev)
      know(me.value, next)
      say(`Profile saved on ${receipt.stored} of ${receipt.wanted} ${receipt.wanted === 1 ? 'node' : 'nodes'}`, { href: toUser(me.value) })
    } catch (err) {
      setProblem(problemOf(err))
    } finally {
      setBusy(false)
    }
  }
  return (
    <>
      <Heading title="Profile" />
      <form
        class="profile"
        onSubmit={(e) => {
          e.preventDefault()
          void save()
        }}
      >
        <div class="face">
          <Avatar user={me.value} size={72} />
          <p>
            The birds are drawn from your key, and so is the small sign behind your name: names are not unique, keys are. <br />
            <a href={toUser(me.value)}>How others see you</a>
          </p>
        </div>
        <label>
          Name
          <input dir="auto" value={profile.name} maxLength={mostName} autocomplete="nickname" onInput={(e) => setProfile({ ...profile, name: e.currentTarget.value })} />
        </label>
        <label>
          About you
          <textarea dir="auto" rows={4} value={profile.about} aria-describedby="about-size" onInput={(e) => setProfile({ ...profile, about: e.currentTarget.value })} />
        </label>
        <p class="size" id="about-size">
          {bytes(profile.about)} of {mostAbout} bytes
        </p>
        <label>
          Links, one on each line
          <textarea
            dir="ltr"
            rows={3}
            value={links.join('\n')}
            placeholder="https://"
            aria-invalid={wrong.length > 0}
            onInput={(e) => setProfile({ ...profile, links: e.currentTarget.value.split('\n').slice(0, mostLinks) })}
          />
        </label>
        {wrong.length > 0 && <p class="wrong">Links begin with https:// or http://</p>}
        <p class="key">
          You are <code>{me.value}</code>
        </p>
        {problem && (
          <Trouble problem={problem}>
            <button type="button" onClick={() => void read()}>
              Read what stands
            </button>
          </Trouble>
        )}
        <div class="bar">
          <button type="submit" class="primary" disabled={refused}>
            {busy ? 'Saving…' : rev === null ? 'Reading…' : 'Save'}
          </button>
          <span class="grow" />
          <SignOut />
        </div>
      </form>
    </>
  )
}

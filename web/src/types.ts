// What the node answers. Field names are those of its HTTP interface.

export interface Post {
  id: string
  author: string // did:key
  created: number // Unix ms, by the author's claim
  text: string
  tags: string[]
  mentions: string[]
  reply_to: string | null
  rev: string // decimal; more than a number can hold, see api.ts
  deleted: boolean
  cursor: string
  live?: boolean // of a watched post
}

export interface Page {
  posts: Post[]
  next: string | null
  problem?: Problem
}

export interface Problem {
  title: string
  status: number
  detail?: string
  code: string
  receipt?: Receipt
  stands?: Version
}

export interface Place {
  kind: string
  base: string
  level: number
  stored: number
  wanted: number
}

export interface Receipt {
  id: string
  author: string
  created: number
  places: Place[]
}

export interface Profile {
  name: string
  about: string
  links: string[] | null
}

export interface UserProfile extends Profile {
  user: string
  rev: string
}

/** Version is one of a register. */
export interface Version {
  rev: string
}

export interface Claim {
  shown: string
  name: string
  user: string
  since: number
}

export interface Followed {
  source: string
  since: number
}

export interface Session {
  signed_in: boolean
  user: string | null
  network: string
  public: boolean
}

export interface Peer {
  peer_id: string
  addr: string
  transport: string
  rtt_ms: number | null
  inbound: boolean
  member: boolean
}

export interface Partner {
  peer_id: string
  at: string
  whole: boolean
}

export interface Status {
  peer_id: string
  user: string
  network: string
  ready: boolean
  twin: boolean // another node runs with its key
  peers: number
  prefix: number
  narrowed: number // bits of it that the neighbourhood does not share
  short_of: string // the setting that leaves no room for those
  members: number
  size: number
  planted: number
  routing: { table: number; pending: number; groups: number; refused: number; banned: number }
  records: number
  store_bytes: number
  store_quota: number
  kept: { own_bytes: number; held_bytes: number; followed_bytes: number; cached_bytes: number }
  healing: {
    filling: boolean
    compared: string | null
    with: Partner[]
    neighbours: number
    taken: number
    given: number
    taken_bytes: number
    given_bytes: number
    rate: number
  }
  uptime_s: number
  version: string
}

/** Limits are those of GET /v1/limits that the page goes by. */
export interface Limits {
  records?: { text_bytes?: number }
}

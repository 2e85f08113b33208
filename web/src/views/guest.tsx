// What a stranger finds at a node that serves readers.
import { Murmuration } from '../parts/logo'
import { Search } from '../parts/search'
import { Heading } from './frame'

export function Guest() {
  return (
    <>
      <Heading title="Welcome" />
      <div class="welcome">
        <Murmuration />
        <h2>A social network without a middle.</h2>
        <p>This node lets you read. Look for a hashtag or a person; to write, run a node of your own: it is one program.</p>
        <Search id="guest-search" />
      </div>
    </>
  )
}

package testnet

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Demo is a stream to look at: a few dozen birds in conversation over the last
// months, some of them far busier than others. It is the same every time but for
// its dates, which end now.
func Demo(posts int, now time.Time) []Line {
	random := rand.New(rand.NewPCG(1, 1)) // a demonstration, not a secret
	at := now.Add(-time.Duration(posts) * demoPace)
	lines := make([]Line, posts)
	for i := range lines {
		at = at.Add(time.Duration(random.Int64N(int64(2 * demoPace))))
		if at.After(now) {
			at = now
		}
		l := Line{ID: i, Time: at.UnixMilli(), Author: skewed(random, demoAuthors)}
		topic := demoTopics[skewed(random, len(demoTopics))]
		l.Text = fmt.Sprintf(pick(random, demoTexts), pick(random, demoThings), topic)
		l.Tags = []string{topic}
		if random.IntN(4) == 0 {
			second := pick(random, demoTopics)
			l.Text += " #" + second
			l.Tags = append(l.Tags, second)
		}
		if i > 0 && random.IntN(3) == 0 {
			parent := i - 1 - skewed(random, i)
			l.ReplyTo = &parent
			l.Mentions = []int{lines[parent].Author}
		}
		lines[i] = l
	}
	return lines
}

const (
	demoPace    = 3 * time.Hour // between posts
	demoAuthors = 30
)

// skewed is a number below n, mostly small: a few are busy, most are not.
func skewed(random *rand.Rand, n int) int {
	f := random.Float64()
	return int(f * f * f * float64(n))
}

func pick(random *rand.Rand, list []string) string { return list[random.IntN(len(list))] }

var (
	demoTopics = []string{"birds", "garden", "go", "weather", "libp2p", "songs", "travel", "berries", "nests", "maps", "evening", "ホシムクドリ"}
	demoThings = []string{
		"ten thousand of us", "the old oak", "a very good worm", "one more cherry", "the north wind", "the telegraph wire",
		"a murmuration", "the church tower", "the first frost", "an owl", "the reed bed", "somebody else's nest",
	}
	demoTexts = []string{
		"Today: %s. #%s", "Has anybody seen %s? #%s", "Nothing compares to %s, and I have tried. #%s",
		"Three things I learned from %s, the third will surprise nobody. #%s", "Good morning to %s alone. #%s",
		"On my way to %s; see you all at dusk. #%s", "I sang about %s until it rained. #%s",
		"Seven neighbours are enough to follow, said %s. #%s",
	}
)

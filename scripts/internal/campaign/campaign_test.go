package campaign_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/starling-social/starling/scripts/internal/campaign"
)

// conduct runs a sample campaign and takes its last line apart.
func conduct(t *testing.T, quick bool, run campaign.Run) (out string, last map[string]any, err error) {
	t.Helper()
	var b strings.Builder
	err = campaign.Conduct(t.Context(), &b, quick, run)
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatalf("the last line is not JSON: %v\n%s", err, b.String())
	}
	return b.String(), last, err
}

func TestCampaign_barsHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out, last, err := conduct(t, false, func(_ context.Context, c *campaign.Campaign) error {
			c.Table("cycle", "lost", "took")
			c.Row(1, 0, 1234567*time.Nanosecond)
			c.AtMost("lost", 0, 0)
			c.AtLeast("ratio", 0.98765, 0.95)
			c.Figure("cycles", c.Size(200, 10))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want := `sample, seed 7

cycle                         lost          took
1                                0        1.23ms

bar                            got       must be
lost                             0     at most 0            ok
ratio                       0.9877  at least 0.95            ok

{"name":"sample","ok":true,"quick":false,"seed":7,"lost":0,"ratio":0.98765,"cycles":200,"seconds":0}
`
		if out != want {
			t.Errorf("printed\n%s\nwant\n%s", out, want)
		}
		if last["ok"] != true {
			t.Errorf("ok is %v", last["ok"])
		}
	})
}

func TestCampaign_fails(t *testing.T) {
	cases := map[string]struct {
		run  campaign.Run
		want string
	}{
		"a bar does not hold": {
			func(_ context.Context, c *campaign.Campaign) error {
				c.AtMost("lost", 1, 0)
				c.AtLeast("cycles", 200, 200)
				return nil
			},
			"bars do not hold",
		},
		"a bar of no number": {
			func(_ context.Context, c *campaign.Campaign) error {
				c.AtMost("ratio", math.NaN(), 1)
				return nil
			},
			"bars do not hold",
		},
		"no bar at all": {
			func(context.Context, *campaign.Campaign) error { return nil },
			"nothing was proved",
		},
		"an error, whatever the bars": {
			func(_ context.Context, c *campaign.Campaign) error {
				c.AtMost("lost", 0, 0)
				return errors.New("open store: no space")
			},
			"open store: no space",
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, last, err := conduct(t, true, c.run)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("ended with %v, want %q", err, c.want)
			}
			if last["ok"] != false || last["error"] != err.Error() {
				t.Errorf("the last line says %v", last)
			}
		})
	}
}

// A quick run that is not quick has failed, even if it does not look at its
// context.
func TestCampaign_quickIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, last, err := conduct(t, true, func(_ context.Context, c *campaign.Campaign) error {
			c.AtMost("lost", 0, 0)
			<-time.NewTimer(2 * time.Minute).C
			return nil
		})
		if err == nil || !strings.Contains(err.Error(), "longer than 1m") || last["ok"] != false {
			t.Errorf("ended with %v, %v", err, last)
		}
	})
}

// The same seed makes the same choices.
func TestCampaign_seed(t *testing.T) {
	draw := func() (drawn uint64) {
		_, _, _ = conduct(t, true, func(_ context.Context, c *campaign.Campaign) error {
			drawn = c.Rand.Uint64()
			return nil
		})
		return drawn
	}
	if a, b := draw(), draw(); a != b {
		t.Errorf("drew %d, then %d", a, b)
	}
}

package nodetest

// Forgetful acknowledges every record and keeps none. What it held before, it shows;
// neighbours that compare with it find that it lacks the rest, and give it that again
// and again.
func Forgetful() Adversary { return Adversary{Lie: Swallow()} }

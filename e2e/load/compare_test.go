//go:build linux

package load

import (
	"os"
	"slices"
	"testing"
	"time"
)

// figures are one measurement's, by unit.
type figures map[string]float64

// usage is what a measurement cost.
type usage struct{ server, generator time.Duration }

// per spreads it over what was done. The generator's own share is reported, too:
// were it larger than the servers', they would wait for it.
func (u usage) per(unit string, n int) figures {
	if n == 0 {
		return figures{}
	}
	return figures{
		"cpu-ns/" + unit:       float64(u.server) / float64(n),
		"generator-ns/" + unit: float64(u.generator) / float64(n),
	}
}

// usage measures what the server and the generator use while something is done.
func (s *server) usage(do func() error) (took time.Duration, used usage, err error) {
	generator, err := cpuOf(os.Getpid())
	if err != nil {
		return 0, used, err
	}
	started, before := time.Now(), s.cpu()
	err = do()
	took, used.server = time.Since(started), s.cpu()-before
	after, cpuErr := cpuOf(os.Getpid())
	used.generator = after - generator
	if err == nil {
		err = cpuErr
	}
	return took, used, err
}

// compare lets the servers take turns, for several rounds, and reports each
// server's medians and how many times the loops' CPU it used in the same round:
// noise that lasts longer than a round is in both and goes out.
func compare(b *testing.B, unit string, servers []*server, prepare func(*testing.B, *server) func() (figures, error)) {
	b.Helper()
	measure := make([]func() (figures, error), len(servers))
	for i, s := range servers {
		measure[i] = prepare(b, s)
	}
	results := make([]map[string][]float64, len(servers))
	for i := range results {
		results[i] = map[string][]float64{}
	}
	for range number(b, "LOAD_ROUNDS", 3) {
		cost := make([]float64, len(servers))
		for i, s := range servers {
			f, err := measure[i]()
			if err != nil {
				b.Fatalf("%s: %v", s.name, err)
			}
			for name, value := range f {
				results[i][name] = append(results[i][name], value)
			}
			cost[i] = f["cpu-ns/"+unit]
		}
		for i := range servers {
			for j, other := range servers {
				if i != j && other.name != meowerName {
					name := "x-of-" + other.name
					results[i][name] = append(results[i][name], cost[i]/cost[j])
				}
			}
		}
	}
	for i, s := range servers {
		report(b, s.name, medians(results[i]))
	}
}

// medians makes one figure of those of several rounds.
func medians(rounds map[string][]float64) figures {
	f := figures{}
	for unit, values := range rounds {
		slices.Sort(values)
		f[unit] = values[len(values)/2]
	}
	return f
}

// report puts figures out as those of a benchmark of that name. They have been
// measured before: the number of iterations and the time of one mean nothing.
func report(b *testing.B, name string, f figures) {
	b.Helper()
	b.Run(name, func(b *testing.B) {
		b.ReportMetric(0, "ns/op") // leaves it out
		for unit, value := range f {
			b.ReportMetric(value, unit)
		}
	})
}

// milliseconds is a quantile of sorted delays.
func milliseconds(sorted []time.Duration, quantile float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	at := min(int(quantile*float64(len(sorted))), len(sorted)-1)
	return float64(sorted[at]) / float64(time.Millisecond)
}

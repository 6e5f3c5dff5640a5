package storetest

import (
	"testing"

	"meower/store"
)

func testNetworks(t *testing.T, s store.Store) {
	cases{
		{"not found", testNetworkNotFound},
		{"registrations", testCountRegistration},
		{"registrations in a race", testRegistrationRace},
		{"block", testBlockNetwork},
	}.run(t, s)
}

func testNetworkNotFound(t *testing.T, s store.Store) {
	fails(t, errorOf(s.Network(t.Context(), "192.0.2."+NewID())), store.ErrNotFound)
}

func testCountRegistration(t *testing.T, s store.Store) {
	ctx, address := t.Context(), "2001:db8::"+NewID()
	want := store.Network{Address: address, Users: 1, LastUsed: moment}
	equal(t, value(s.CountRegistration(ctx, address, precise))(t), want)
	equal(t, value(s.Network(ctx, address))(t), want)
	want.Users, want.LastUsed = 2, moment.AddDate(0, 0, 1)
	equal(t, value(s.CountRegistration(ctx, address, precise.AddDate(0, 0, 1)))(t), want)
	equal(t, value(s.Network(ctx, address))(t), want)
}

// Every racer counts, also the one who creates the network.
func testRegistrationRace(t *testing.T, s store.Store) {
	ctx, address := t.Context(), "192.0.2."+NewID()
	seen := make([]bool, racers+1)
	counts := make([]int64, racers)
	allWin(t, race(racers, func(i int) error {
		network, err := s.CountRegistration(ctx, address, moment)
		counts[i] = network.Users
		return err
	}))
	for _, n := range counts {
		if n < 1 || n > racers || seen[n] {
			t.Fatalf("the counts are %v", counts)
		}
		seen[n] = true
	}
	equal(t, value(s.Network(ctx, address))(t).Users, racers)
}

func testBlockNetwork(t *testing.T, s store.Store) {
	ctx, address := t.Context(), "192.0.2."+NewID()
	must(t, s.BlockNetwork(ctx, address, true, false)) // creates it
	equal(t, value(s.Network(ctx, address))(t), store.Network{Address: address, Blocked: true})
	want := store.Network{Address: address, Blocked: true, Users: 1, LastUsed: moment}
	equal(t, value(s.CountRegistration(ctx, address, moment))(t), want)
	must(t, s.BlockNetwork(ctx, address, false, true))
	want.Blocked, want.CreationBlocked = false, true
	equal(t, value(s.Network(ctx, address))(t), want)
	must(t, s.BlockNetwork(ctx, address, false, false))
	want.CreationBlocked = false
	equal(t, value(s.Network(ctx, address))(t), want)
}

package core

import (
	"errors"
	"maps"
	"strings"
	"testing"
	"time"
)

var (
	adasStay = Stay{Room: "hall", Node: "a", ID: "1"}
	bobsStay = Stay{Room: "hall", Node: "b", ID: "2"}
)

// expectRoom enters a room and compares what it holds.
func (f *fixture) expectRoom(stay Stay, message string, variables map[string]string) RoomState {
	f.t.Helper()
	state, err := f.EnterRoom(f.t.Context(), stay)
	if err != nil || state.Message != message || !maps.Equal(state.Variables, variables) {
		f.t.Fatalf("the room holds %+v, %v", state, err)
	}
	return state
}

func (f *fixture) setVariable(stay Stay, name, value string) int64 {
	f.t.Helper()
	number, err := f.SetRoomVariable(f.t.Context(), stay, name, value)
	if err != nil {
		f.t.Fatal(err)
	}
	return number
}

func (f *fixture) leaveRoom(stay Stay) {
	f.t.Helper()
	if err := f.LeaveRoom(f.t.Context(), stay); err != nil {
		f.t.Fatal(err)
	}
}

func TestRoomHoldsTheLatest(t *testing.T) {
	f := newFixture(t)
	f.expectRoom(adasStay, "", nil)
	first := f.setVariable(adasStay, "n", "1")
	second := f.setVariable(bobsStay, "n", `{"a":2}`)
	f.setVariable(adasStay, "#n", "3") // a name like a field of ours
	last, err := f.SetRoomMessage(t.Context(), adasStay, `"hi"`)
	if err != nil || first >= second || second >= last {
		t.Fatalf("numbers %d, %d, %d, %v", first, second, last, err)
	}
	state := f.expectRoom(bobsStay, `"hi"`, map[string]string{"n": `{"a":2}`, "#n": "3"})
	if state.Number != last {
		t.Errorf("the state's number is %d, want %d", state.Number, last)
	}
}

// TestRoomEndsWithTheLastStay: and numbers go on when it begins anew, so that a
// late event of the old room is not taken for a new one.
func TestRoomEndsWithTheLastStay(t *testing.T) {
	f := newFixture(t)
	last := f.setVariable(adasStay, "n", "1")
	f.expectRoom(bobsStay, "", map[string]string{"n": "1"})
	f.leaveRoom(adasStay)
	f.leaveRoom(Stay{Room: "hall", Node: "b", ID: "an older one"})
	f.expectRoom(bobsStay, "", map[string]string{"n": "1"})
	f.leaveRoom(bobsStay)
	f.expectRoom(adasStay, "", nil)
	f.pass(time.Millisecond)
	if number := f.setVariable(adasStay, "n", "1"); number <= last {
		t.Errorf("number %d after %d", number, last)
	}
}

func TestRoomIsBounded(t *testing.T) {
	f := newFixture(t)
	half := strings.Repeat("v", maxRoomState/2-roomVariableCost-2)
	f.setVariable(adasStay, "a", half)
	f.setVariable(adasStay, "b", half)
	if _, err := f.SetRoomVariable(t.Context(), adasStay, "c", ""); !errors.Is(err, Err(CodeTooLarge)) {
		t.Fatalf("one more: %v", err)
	}
	if _, err := f.SetRoomVariable(t.Context(), adasStay, "a", half+"v"); !errors.Is(err, Err(CodeTooLarge)) {
		t.Fatalf("a longer one: %v", err)
	}
	f.setVariable(adasStay, "a", strings.Repeat("w", len(half)))
	if _, err := f.SetRoomMessage(t.Context(), adasStay, half); err != nil {
		t.Fatal(err)
	}
	f.setVariable(adasStay, "a", "")
	f.setVariable(adasStay, "c", "") // there is room again
}

// TestRoomIsRenewed: without a sign of life it ends, and only who is there, or
// nobody, may renew it.
func TestRoomIsRenewed(t *testing.T) {
	f := newFixture(t)
	f.setVariable(adasStay, "n", "1")
	f.redis.FastForward(RoomLife / 2)
	if err := f.RenewRoom(t.Context(), adasStay, false); err != nil {
		t.Fatal(err)
	}
	f.redis.FastForward(RoomLife - time.Second)
	if err := f.RenewRoom(t.Context(), bobsStay, false); err != nil {
		t.Fatal(err)
	}
	f.redis.FastForward(time.Second)
	f.expectRoom(bobsStay, "", nil)
}

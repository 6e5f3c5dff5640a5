package cl4

import (
	"context"
	"log/slog"
	"time"

	"meower/core"
)

// stayWait is how long the renewal of all stays waits for Redis.
const stayWait = 5 * time.Second

// start begins to renew the stays, until stop.
func (r *rooms) start() { go r.run() }

func (r *rooms) stop() {
	close(r.quit)
	<-r.done
}

// run keeps what the rooms hold, where this node has clients in them. Those who
// enter a room by link, and those who write to it, tell Redis of the stay by
// themselves; of the others it is told here.
func (r *rooms) run() {
	defer close(r.done)
	beat := time.NewTicker(core.RoomLife / 3)
	defer beat.Stop()
	for {
		select {
		case <-r.quit:
			return
		case <-beat.C:
			r.renew(r.stays(true))
		case <-r.wake:
			r.renew(r.stays(false))
		}
	}
}

// stays returns the stays of which Redis does not know, or all.
func (r *rooms) stays(all bool) (stays []core.Stay) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, room := range r.rooms {
		if room.stay.ID != "" && (all || !room.begun) {
			stays = append(stays, room.stay)
		}
	}
	return stays
}

func (r *rooms) renew(stays []core.Stay) {
	ctx, cancel := context.WithTimeout(context.Background(), stayWait)
	defer cancel()
	for _, stay := range stays {
		begun, there := r.isBegun(stay)
		if !there {
			continue // it has ended meanwhile, and Redis has been told
		}
		if err := r.server.core.RenewRoom(ctx, stay, !begun); err != nil {
			r.server.log.Warn("room is not renewed", slog.Any("error", err))
			return // with the next beat again
		}
		if !r.begun(stay) {
			// It ended in between, and what Redis was told of that may have come first.
			r.server.endStays([]core.Stay{stay})
		}
	}
}

// isBegun reports whether Redis knows of a stay, and whether it goes on.
func (r *rooms) isBegun(stay core.Stay) (begun, there bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.rooms[stay.Room]
	there = room != nil && room.stay == stay
	return there && room.begun, there
}

// begun takes note that Redis knows of a stay. It returns false where the stay
// has ended.
func (r *rooms) begun(stay core.Stay) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.rooms[stay.Room]
	if room == nil || room.stay != stay {
		return false
	}
	room.begun = true
	return true
}

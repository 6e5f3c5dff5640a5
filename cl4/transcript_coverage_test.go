package cl4

import (
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// shownElsewhere are the close codes that no transcript can show, by name, and the
// test that does.
var shownElsewhere = map[string]func(*testing.T){
	"closeSlow": TestSlowConsumer, // takes a client that does not read
}

// TestTranscriptsCoverAll fails for what no transcript shows: a status, command,
// type of subscription, event or close code.
func TestTranscriptsCoverAll(t *testing.T) {
	seen := seenInTranscripts(t)
	for s, text := range statusTexts {
		if !seen.got["statuscode "+text+" "+strconv.Itoa(int(s))] {
			t.Errorf("no transcript expects %s", text)
		}
	}
	for cmd := range commands {
		if !seen.sent[cmd] {
			t.Errorf("no transcript sends %s", cmd)
		}
	}
	types := []string{topicNewPosts}
	for typ := range subscriptionTypes {
		types = append(types, typ)
	}
	for _, typ := range types {
		for _, cmd := range []string{"subscribe", "unsubscribe"} {
			if !seen.sent[cmd+" "+typ] {
				t.Errorf("no transcript has %s to %s", cmd, typ)
			}
		}
	}
	for event := range routes {
		if !seen.got[event] {
			t.Errorf("no transcript expects %s", event)
		}
	}
	for _, packet := range []string{"client_ip", "server_version", "motd", "ulist", "ready", "resumed", "resync"} {
		if !seen.got[packet] {
			t.Errorf("no transcript expects %s", packet)
		}
	}
	for name, code := range closeCodes(t) {
		if !seen.closed[code] && shownElsewhere[name] == nil {
			t.Errorf("no transcript expects %s, %d", name, code)
		}
	}
}

// seen is what occurs in the transcripts: the commands, by themselves and with the
// type, the packets, statuses with their text and number, and close codes.
type seen struct {
	sent, got map[string]bool
	closed    map[int]bool
}

func seenInTranscripts(t *testing.T) seen {
	t.Helper()
	s := seen{map[string]bool{}, map[string]bool{}, map[int]bool{}}
	for _, file := range transcriptFiles(t) {
		for _, line := range transcriptLines(t, file) {
			// What is no packet has none of the keys.
			var packet struct {
				Cmd, Type, Code string
				ID              int `json:"code_id"`
			}
			_ = json.Unmarshal([]byte(line.content), &packet)
			switch line.what {
			case ">":
				s.sent[packet.Cmd] = true
				s.sent[packet.Cmd+" "+packet.Type] = true
			case "<":
				s.got[packet.Cmd] = true
				s.got[packet.Cmd+" "+packet.Code+" "+strconv.Itoa(packet.ID)] = true
			case "!":
				text, _, _ := strings.Cut(line.content, " ")
				code, err := strconv.Atoi(text)
				must(t, err)
				s.closed[code] = true
			}
		}
	}
	return s
}

// closeCodes returns the close codes by name. Go knows no way to ask for all
// constants of a kind, so that a new one is noticed by its text.
func closeCodes(t *testing.T) map[string]int {
	t.Helper()
	codes := map[string]int{
		"closeProtocol":       closeProtocol,
		"closeUnsupported":    closeUnsupported,
		"closeInvalidText":    closeInvalidText,
		"closePolicy":         closePolicy,
		"closeTooBig":         closeTooBig,
		"closeRestart":        closeRestart,
		"closeTryLater":       closeTryLater,
		"closeSessionRevoked": closeSessionRevoked,
		"closeUnauthed":       closeUnauthed,
		"closeBanned":         closeBanned,
		"closeAccountDeleted": closeAccountDeleted,
		"closeResumed":        closeResumed,
		"closeSlow":           closeSlow,
	}
	source, err := os.ReadFile("conn.go")
	must(t, err)
	for _, found := range regexp.MustCompile(`(?m)^\t(close[A-Z]\w*) += `).FindAllSubmatch(source, -1) {
		if _, known := codes[string(found[1])]; !known {
			t.Errorf("add %s here, and show it", found[1])
		}
	}
	return codes
}

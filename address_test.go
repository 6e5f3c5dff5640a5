package main

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// Trap 12: a client could choose its address.
func TestClientAddressIsTheRightMostThatNoTrustedProxyHas(t *testing.T) {
	c, err := parseConfig(nil)
	if err != nil {
		t.Fatal(err)
	}
	resolver := addressResolver{header: c.IPHeader, proxies: c.proxies}
	for _, tc := range []struct {
		name, peer, want string
		headers          []string
	}{
		{"no header", "203.0.113.9:1", "203.0.113.9", nil},
		{"header from a stranger", "203.0.113.9:1", "203.0.113.9", []string{"198.51.100.1"}},
		{"header from a proxy", "127.0.0.1:1", "198.51.100.1", []string{"198.51.100.1"}},
		{"made up on the left", "10.0.0.2:1", "198.51.100.1", []string{"1.2.3.4, 198.51.100.1"}},
		{"several proxies", "10.0.0.2:1", "198.51.100.1", []string{"1.2.3.4, 198.51.100.1, 10.1.1.1"}},
		{"several headers", "10.0.0.2:1", "198.51.100.1", []string{"1.2.3.4", "198.51.100.1"}},
		{"only proxies", "10.0.0.2:1", "10.0.0.7", []string{"10.0.0.7"}},
		{"garbage", "10.0.0.2:1", "10.0.0.2", []string{"garbage"}},
		{"garbage behind a proxy", "10.0.0.2:1", "10.1.1.1", []string{"garbage, 10.1.1.1"}},
		{"empty", "10.0.0.2:1", "10.0.0.2", []string{""}},
		{"IPv6", "[2001:db8::1]:1", "2001:db8::1", nil},
		{"IPv4 in IPv6", "[::ffff:203.0.113.9]:1", "203.0.113.9", nil},
		{"zone", "[fe80::1%eth0]:1", "fe80::1", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = tc.peer
			for _, h := range tc.headers {
				r.Header.Add("X-Forwarded-For", h)
			}
			if got := resolver.client(r); got != tc.want {
				t.Errorf("client %s, want %s", got, tc.want)
			}
		})
	}
}

func FuzzClientAddress(f *testing.F) {
	f.Add("10.0.0.1:80", "1.2.3.4, 10.0.0.1")
	f.Add("[::1]:80", "::ffff:1.2.3.4,,")
	c, err := parseConfig(nil)
	if err != nil {
		f.Fatal(err)
	}
	resolver := addressResolver{header: c.IPHeader, proxies: c.proxies}
	f.Fuzz(func(t *testing.T, peer, header string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {header}}}
		got := resolver.client(r)
		if address, err := parseAddress(got); err == nil && got != address.String() {
			t.Errorf("address %q is not canonical", got)
		}
	})
}

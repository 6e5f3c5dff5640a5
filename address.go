package main

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// addressResolver finds out which address a request comes from, for REST and
// the socket alike. A header is believed only as far as trusted proxies wrote
// it: of the addresses in it, the right-most that is not such a proxy is the
// client's. Everything further left the client may have made up.
type addressResolver struct {
	header  string
	proxies []netip.Prefix
}

// client returns the client's address in canonical form; IPv4 in IPv6 is IPv4.
func (a addressResolver) client(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	client, err := parseAddress(host)
	if err != nil {
		return host
	}
	if a.header == "" {
		return client.String()
	}
	hops := strings.Split(strings.Join(r.Header.Values(a.header), ","), ",")
	for i := len(hops) - 1; i >= 0 && a.trusted(client); i-- {
		hop, err := parseAddress(strings.TrimSpace(hops[i]))
		if err != nil {
			break // written by nobody we trust, or nothing
		}
		client = hop
	}
	return client.String()
}

func (a addressResolver) trusted(address netip.Addr) bool {
	for _, proxy := range a.proxies {
		if proxy.Contains(address) {
			return true
		}
	}
	return false
}

// parseAddress reads an address without its zone, which says nothing elsewhere.
func parseAddress(s string) (netip.Addr, error) {
	address, err := netip.ParseAddr(s)
	return address.Unmap().WithZone(""), err
}

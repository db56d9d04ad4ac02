package framing

import (
	"strconv"
	"strings"
)

// The answer to an offer of permessage-deflate: every message is packed by itself, so that a connection that is idle
// holds nothing for it.
const (
	extension = "permessage-deflate"
	agreed    = extension + "; server_no_context_takeover; client_no_context_takeover"
)

// Negotiate picks the first offer of permessage-deflate that can be taken from the values of a client's
// Sec-WebSocket-Extensions, RFC 7692 section 7.1, and gives the value of the server's. An offer that wants a smaller window
// of the server is passed over, and so is one that has what the RFC does not know.
func Negotiate(offers []string) (answer string, ok bool) {
	for _, value := range offers {
		for offer := range strings.SplitSeq(value, ",") {
			if answer, ok := take(offer); ok {
				return answer, true
			}
		}
	}
	return "", false
}

// take answers one offer.
func take(offer string) (answer string, ok bool) {
	name, params, _ := strings.Cut(offer, ";")
	if strings.TrimSpace(name) != extension {
		return "", false
	}
	answer = agreed
	seen := map[string]bool{}
	for params != "" {
		var param string
		param, params, _ = strings.Cut(params, ";")
		key, value, valued := strings.Cut(param, "=")
		key, value = strings.TrimSpace(key), unquote(strings.TrimSpace(value))
		if seen[key] {
			return "", false
		}
		seen[key] = true
		switch key {
		case "server_no_context_takeover", "client_no_context_takeover":
			ok = !valued
		case "client_max_window_bits": // whatever the client's window is, ours is as large
			ok = !valued || windowBits(value) != 0
		case "server_max_window_bits":
			ok = valued && windowBits(value) == 15
			answer += "; server_max_window_bits=15"
		default:
			ok = false
		}
		if !ok {
			return "", false
		}
	}
	return answer, true
}

// unquote takes the quotes from a value, in which nothing needs them.
func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// windowBits reads a number from 8 to 15, as it is written without zeros before it; 0: it is none.
func windowBits(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 8 || n > 15 || strconv.Itoa(n) != s {
		return 0
	}
	return n
}

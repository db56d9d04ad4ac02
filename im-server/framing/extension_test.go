package framing

import (
	"strings"
	"testing"
)

func TestNegotiate(t *testing.T) {
	t.Parallel()
	for offer, want := range map[string]string{
		"":                       "",
		"x-webkit-deflate-frame": "",
		"permessage-deflate":     agreed,
		"permessage-deflate; client_max_window_bits":                                 agreed, // Chromium and Firefox
		"permessage-deflate;server_no_context_takeover;client_no_context_takeover":   agreed, // gorilla
		"permessage-deflate; client_max_window_bits=9":                               agreed,
		`permessage-deflate; client_max_window_bits="15"`:                            agreed,
		"permessage-deflate; server_max_window_bits=15":                              agreed + "; server_max_window_bits=15",
		"permessage-deflate; server_max_window_bits=10":                              "",
		"permessage-deflate; server_max_window_bits=10, permessage-deflate":          agreed,
		"x; y=1 , permessage-deflate ; client_max_window_bits":                       agreed,
		"permessage-deflate; server_max_window_bits":                                 "",
		"permessage-deflate; client_max_window_bits=7":                               "",
		"permessage-deflate; client_max_window_bits=16":                              "",
		"permessage-deflate; client_max_window_bits=010":                             "",
		"permessage-deflate; client_max_window_bits=":                                "",
		"permessage-deflate; server_no_context_takeover=1":                           "",
		"permessage-deflate; server_no_context_takeover; server_no_context_takeover": "",
		"permessage-deflate; something_new":                                          "",
		"permessage-deflate-2":                                                       "",
	} {
		if got, ok := Negotiate([]string{"other", offer}); got != want || ok != (want != "") {
			t.Errorf("%q got %q", offer, got)
		}
	}
}

// FuzzNegotiate holds that an answer is one of those that the RFC allows, whatever is offered.
func FuzzNegotiate(f *testing.F) {
	f.Add("permessage-deflate; client_max_window_bits, x; y=\"1\"")
	f.Fuzz(func(t *testing.T, offer string) {
		answer, ok := Negotiate([]string{offer})
		if ok != strings.HasPrefix(answer, agreed) || ok && !strings.Contains(offer, extension) {
			t.Fatalf("%q got %q", offer, answer)
		}
	})
}

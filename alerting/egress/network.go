package egress

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// Network is how a channel reaches its provider: the keys that all channels over HTTP share.
type Network struct {
	Proxy    string `yaml:"proxy" doc:"address of a proxy for this receiver, http:// or https://, with its user and password if it asks for them" secret:"true"`
	UseProxy bool   `yaml:"use_proxy" doc:"go through the proxy that HTTPS_PROXY or HTTP_PROXY name, as far as NO_PROXY allows"`
	CAFile   string `yaml:"ca_file" doc:"PEM file of further certificate authorities"`
}

// Validate gives all faults, each with its key below path. No fault holds the proxy's address.
func (n Network) Validate(path string) error {
	var errs []error
	if n.Proxy != "" {
		if u, err := url.Parse(n.Proxy); err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
			errs = append(errs, fmt.Errorf("%s.proxy: expected an address, http://host:port", path))
		}
		if n.UseProxy {
			errs = append(errs, fmt.Errorf("%s.use_proxy: goes with proxy not at the same time", path))
		}
	}
	return errors.Join(errs...)
}

// Client gives the client that a channel was given, or makes one. Where private addresses are refused, a proxy is as well:
// it resolves names itself, and the addresses that it connects to are seen by nobody here.
func (n Network) Client(given *http.Client, allowPrivate bool) (*http.Client, error) {
	if given != nil {
		return given, nil
	}
	return New(Options{AllowPrivate: allowPrivate, Proxy: n.Proxy, UseProxy: n.UseProxy, CAFile: n.CAFile})
}

// CheckURL says what is wrong with a provider's address; its words hold none of it.
func CheckURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil, u.Host == "", u.Scheme != "https" && u.Scheme != "http":
		return errors.New("expected an address, https://…")
	case u.User != nil:
		return errors.New("expected an address without user and password")
	}
	return nil
}

// CheckProxy refuses a proxy where private addresses are refused.
func CheckProxy(n Network, allowPrivate bool, path string) error {
	if (n.UseProxy || n.Proxy != "") && !allowPrivate {
		return fmt.Errorf("%s.allow_private: a proxy sees addresses that are not checked here; it needs allow_private: true", path)
	}
	return nil
}
